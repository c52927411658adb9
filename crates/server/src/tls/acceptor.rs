//! What a TLS connection is answered with: a certificate that is read again when its files change,
//! while connections that stand go on.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context, Result};
use provost_model::Clock;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls_pki_types::ServerName;
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::ca::PrivateCa;
use super::{files, provider};

/// How often the files are looked at. A certificate is renewed weeks before it expires, so a minute
/// is soon; SIGHUP is for who cannot wait.
const POLL: Duration = Duration::from_secs(60);

/// A certificate and its key on disk, and as they were last read.
#[derive(Debug)]
pub struct Certificate {
    cert: PathBuf,
    key: PathBuf,
    /// The private CA that renews the two files, and the names it does so for.
    private_ca: Option<(PrivateCa, Vec<ServerName<'static>>)>,
    served: Arc<Served>,
}

/// What the two files looked like: changed by whatever replaces or rewrites them.
type Fingerprint = [(u64, i64, i64, u64); 2];

/// The certificate that the next handshake gets. Read under a lock, which a handshake (hundreds of
/// microseconds of cryptography) does not notice.
#[derive(Debug)]
struct Served(RwLock<(Arc<CertifiedKey>, Fingerprint)>);

impl Certificate {
    /// Reads a certificate chain and its key, PEM.
    ///
    /// # Errors
    /// A file cannot be read, holds something else, or the key is not the certificate's.
    pub fn read(cert: PathBuf, key: PathBuf) -> Result<Self> {
        let served = Arc::new(Served(RwLock::new(load(&cert, &key)?)));
        Ok(Self { cert, key, private_ca: None, served })
    }

    /// The certificate of the private CA for `names`, both made as needed. Blocks on files.
    ///
    /// # Errors
    /// Those of [`PrivateCa::ensure`].
    pub fn of_private_ca(ca: PrivateCa, names: Vec<ServerName<'static>>, clock: &Clock) -> Result<Self> {
        ca.ensure(&names, clock.now())?;
        let mut this = Self::read(ca.server_certificate(), ca.server_key())?;
        this.private_ca = Some((ca, names));
        Ok(this)
    }

    /// What accepts TLS with this certificate: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1.
    ///
    /// # Errors
    /// The crypto provider cannot do these versions, which would be a defect of the build.
    pub fn acceptor(&self) -> Result<TlsAcceptor> {
        let resolver: Arc<Served> = Arc::clone(&self.served);
        let mut config = rustls::ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Reads the files again if they changed; returns whether they did. On an error the certificate
    /// that was served so far goes on being served. Blocks on files.
    ///
    /// # Errors
    /// Those of [`Certificate::read`].
    pub fn reload(&self) -> Result<bool> {
        let before = self.served.0.read().unwrap_or_else(PoisonError::into_inner).1;
        if fingerprint(&self.cert, &self.key)? == before {
            return Ok(false);
        }
        let fresh = load(&self.cert, &self.key)?;
        *self.served.0.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(true)
    }

    /// Keeps the certificate current until `shutdown`: looks at the files each minute and at once on
    /// SIGHUP, and lets the private CA renew what is about to expire.
    pub async fn keep_current(self, clock: Clock, shutdown: CancellationToken) {
        let mut hangup = match signal(SignalKind::hangup()) {
            Ok(hangup) => hangup,
            Err(error) => return warn!(%error, "cannot listen for SIGHUP: certificates stay as they are"),
        };
        let this = Arc::new(self);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(POLL) => {}
                _ = hangup.recv() => {}
            }
            let (certificate, now) = (Arc::clone(&this), clock.now());
            let renew_and_reload = move || {
                if let Some((ca, names)) = &certificate.private_ca {
                    ca.ensure(names, now)?;
                }
                certificate.reload()
            };
            match tokio::task::spawn_blocking(renew_and_reload).await {
                Ok(Ok(true)) => info!(cert = %this.cert.display(), "certificate re-read"),
                Ok(Ok(false)) => {}
                Ok(Err(error)) => warn!("certificate not re-read, the old one is served on: {error:#}"),
                Err(error) => warn!(%error, "certificate not re-read"),
            }
        }
    }
}

impl ResolvesServerCert for Served {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner).0))
    }
}

fn load(cert: &Path, key: &Path) -> Result<(Arc<CertifiedKey>, Fingerprint)> {
    // Before reading: if a file is replaced meanwhile, the next look sees a change.
    let fingerprint = fingerprint(cert, key)?;
    let certified = CertifiedKey::from_der(files::certificates(cert)?, files::private_key(key)?, &provider())
        .with_context(|| format!("{} is not the key of {}", key.display(), cert.display()))?;
    Ok((Arc::new(certified), fingerprint))
}

fn fingerprint(cert: &Path, key: &Path) -> Result<Fingerprint> {
    let of = |path: &Path| -> Result<(u64, i64, i64, u64)> {
        let meta = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok((meta.ino(), meta.mtime(), meta.mtime_nsec(), meta.size()))
    };
    Ok([of(cert)?, of(key)?])
}
