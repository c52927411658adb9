//! What the main listener speaks, and what may be reached from other machines.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Result, anyhow, bail};

use super::Settings;

/// Where the main listener's TLS comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Transport {
    /// A certificate from the private CA in the data directory.
    #[default]
    SelfSigned,
    /// The operator's own files, PEM.
    Files {
        /// The chain, the server's certificate first.
        cert: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
    /// None here: a proxy in front does TLS, this listener speaks plain HTTP.
    BehindProxy,
}

impl Transport {
    /// `https` or `http`: what the main listener itself speaks.
    pub fn scheme(&self) -> &'static str {
        match self {
            Self::SelfSigned | Self::Files { .. } => "https",
            Self::BehindProxy => "http",
        }
    }

    /// The choice of the strongest layer that makes one; `None` when none does. Each layer comes
    /// with what an error calls it.
    pub(super) fn choose(strongest_first: [(&str, &Settings); 3]) -> Result<Option<Self>> {
        for (source, layer) in strongest_first {
            if let Some(choice) = Self::of_layer(layer).map_err(|error| anyhow!("{source}: {error}"))? {
                return Ok(Some(choice));
            }
        }
        Ok(None)
    }

    fn of_layer(layer: &Settings) -> Result<Option<Self>, &'static str> {
        let behind_proxy = layer.behind_proxy == Some(true);
        let files = match (&layer.tls_cert, &layer.tls_key) {
            (None, None) => None,
            (Some(cert), Some(key)) => Some((cert.clone(), key.clone())),
            (Some(_), None) => return Err(KEY_MISSING),
            (None, Some(_)) => return Err(CERTIFICATE_MISSING),
        };
        match (files, layer.tls, behind_proxy) {
            (None, None, false) => Ok(None),
            (None, None, true) => Ok(Some(Self::BehindProxy)),
            (None, Some(_), false) => Ok(Some(Self::SelfSigned)),
            (Some((cert, key)), None, false) => Ok(Some(Self::Files { cert, key })),
            (Some(_), Some(_), _) => Err(TWO_CERTIFICATES),
            (_, _, true) => Err(CERTIFICATE_UNUSED),
        }
    }
}

const KEY_MISSING: &str = "tls_cert needs its private key\n  add tls_key (--tls-key FILE)";
const CERTIFICATE_MISSING: &str = "tls_key needs its certificate\n  add tls_cert (--tls-cert FILE)";
const TWO_CERTIFICATES: &str = "tls = self-signed and tls_cert exclude each other\n  keep one of them";
const CERTIFICATE_UNUSED: &str = "behind_proxy speaks plain HTTP, so a certificate would not be \
    used\n  keep behind_proxy, or let Provost do TLS itself without it";

/// Deny by default: nothing beyond this machine is served in the clear, or with a certificate that
/// nobody asked for.
pub(super) fn check_listeners(
    transport: &Option<Transport>,
    listen: SocketAddr,
    http_listen: Option<SocketAddr>,
) -> Result<()> {
    if transport.is_none() && !listen.ip().is_loopback() {
        bail!(
            "--listen {listen} is reachable from other machines, and no certificate is named\n  \
             add --tls-cert FILE --tls-key FILE, or --tls self-signed, \
             or --behind-proxy if a proxy in front does TLS"
        );
    }
    if let Some(http) = http_listen {
        let proxied = *transport == Some(Transport::BehindProxy);
        if !http.ip().is_loopback() && !proxied {
            bail!(
                "--http-listen {http} would serve plain HTTP to other machines\n  \
                 use an address of this machine (127.0.0.1:{port}), --http-listen none, \
                 or --behind-proxy if a proxy in front does TLS",
                port = http.port()
            );
        }
        if http == listen && http.port() != 0 {
            bail!("--listen and --http-listen are both {http}\n  give them different ports");
        }
    }
    Ok(())
}
