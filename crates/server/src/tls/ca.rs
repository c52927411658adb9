//! The private CA of a server that was given no certificate, and the certificate it issues.
//!
//! Everything about the CA but its dates follows from `ca.key`, so that a crash between two files
//! leaves nothing to repair, and no certificate has to be parsed to issue the next one. Whether the
//! server's certificate still serves is asked of rustls' own verifier, the one that the Codex
//! client uses too, at a time 30 days ahead.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls_pki_types::{ServerName, UnixTime};

use super::files::{self, PUBLIC, SECRET};
use super::provider;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// How long the CA is valid: ten years, because replacing it means visiting every machine.
const CA_DAYS: i32 = 3653;

/// How long a server certificate is valid: just under the 398 days that Apple's clients accept.
const SERVER_DAYS: i32 = 397;

/// A server certificate with less than this left is issued anew.
const RENEW_DAYS: i32 = 30;

/// The files of the private CA, in `DATA/tls`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateCa {
    directory: PathBuf,
}

impl PrivateCa {
    /// The private CA of a data directory, there or not.
    pub fn in_data(data: &Path) -> Self {
        Self { directory: data.join("tls") }
    }

    /// `ca.pem`: the certificate that clients trust (`CODEX_CA_CERTIFICATE`).
    pub fn certificate(&self) -> PathBuf {
        self.directory.join("ca.pem")
    }

    /// `ca.key`: whoever reads it can play this server.
    pub fn key(&self) -> PathBuf {
        self.directory.join("ca.key")
    }

    /// `server.pem`: the server's certificate, then the CA's.
    pub fn server_certificate(&self) -> PathBuf {
        self.directory.join("server.pem")
    }

    /// `server.key`.
    pub fn server_key(&self) -> PathBuf {
        self.directory.join("server.key")
    }

    /// Makes what is missing: the CA once, and a server certificate for `names` whenever there is
    /// none, it has less than 30 days left, or it misses one of the names. Returns whether a server
    /// certificate was issued. Blocks on files and on a lock between processes.
    ///
    /// # Errors
    /// A file cannot be read or written; the CA's certificate is there without its key and a new
    /// server certificate is due; the CA's two files do not belong together.
    pub fn ensure(&self, names: &[ServerName<'static>], now: Timestamp) -> Result<bool> {
        let _lock = files::lock(&self.directory)?;
        let key = self.ca_key(now)?;
        if self.check(names, now + DAY * RENEW_DAYS).is_ok() {
            return Ok(false);
        }
        let Some(key) = key else {
            bail!(
                "a server certificate is due, and {} is missing\n  \
                 put it back, or move {} away to make a new CA, which every client must then trust",
                self.key().display(),
                self.directory.display()
            );
        };
        self.issue(&key, names, now)?;
        self.check(names, now).with_context(|| {
            format!(
                "the CA in {dir} cannot issue a valid certificate: {ca} and its key do not belong \
                 together\n  put the right one back, or move {dir} away to make a new CA, which \
                 every client must then trust",
                dir = self.directory.display(),
                ca = self.certificate().display(),
            )
        })?;
        Ok(true)
    }

    /// The CA's key; made first of all, because everything else is made from it. `None` when the
    /// operator keeps it elsewhere.
    fn ca_key(&self, now: Timestamp) -> Result<Option<KeyPair>> {
        let certified = files::read_if_there(&self.certificate())?.is_some();
        let key = match files::read_if_there(&self.key())? {
            Some(pem) => {
                KeyPair::from_pem(&pem).map_err(|_| anyhow::anyhow!("{} is not a private key", self.key().display()))?
            }
            None if certified => return Ok(None),
            None => {
                let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
                files::write(&self.key(), &key.serialize_pem(), SECRET)?;
                key
            }
        };
        if !certified {
            let mut params = authority(&key);
            set_validity(&mut params, now, CA_DAYS);
            let certificate = params.self_signed(&key)?;
            files::write(&self.certificate(), &certificate.pem(), PUBLIC)?;
        }
        Ok(Some(key))
    }

    fn issue(&self, ca_key: &KeyPair, names: &[ServerName<'static>], now: Timestamp) -> Result<()> {
        let names: Vec<String> = names.iter().map(|name| name.to_str().into_owned()).collect();
        let mut params = CertificateParams::new(names)?;
        set_validity(&mut params, now, SERVER_DAYS);
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "Provost server");
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let leaf = params.signed_by(&key, &Issuer::new(authority(ca_key), ca_key))?;
        let root = files::read_if_there(&self.certificate())?.unwrap_or_default();
        // Between these two, key and certificate do not match: `check` sees that after a crash,
        // and a running server keeps what it has until they do.
        files::write(&self.server_key(), &key.serialize_pem(), SECRET)?;
        files::write(&self.server_certificate(), &(leaf.pem() + &root), PUBLIC)
    }

    /// Whether a client that trusts this CA would accept the server under every name at a time.
    fn check(&self, names: &[ServerName<'static>], at: Timestamp) -> Result<()> {
        let chain = files::certificates(&self.server_certificate())?;
        let (leaf, intermediates) = chain.split_first().context("no certificate")?;
        let key = files::private_key(&self.server_key())?;
        rustls::sign::CertifiedKey::from_der(chain.clone(), key, &provider())?;

        let mut roots = RootCertStore::empty();
        for root in files::certificates(&self.certificate())? {
            roots.add(root)?;
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider()).build()?;
        let at = UnixTime::since_unix_epoch(since_epoch(at));
        for name in names {
            verifier.verify_server_cert(leaf, intermediates, name, &[], at)?;
        }
        Ok(())
    }
}

/// The names of a server certificate: this machine's, and each `host` (a DNS name or an address)
/// that clients may use; one that cannot stand in a certificate (`0.0.0.0`) is left out.
pub fn names<'a>(hosts: impl IntoIterator<Item = &'a str>) -> Vec<ServerName<'static>> {
    let unspecified = |host: &str| host.parse().is_ok_and(|ip: IpAddr| ip.is_unspecified());
    let mut names = Vec::new();
    for host in ["localhost", "127.0.0.1", "::1"].into_iter().chain(hosts) {
        match ServerName::try_from(host.to_ascii_lowercase()) {
            Ok(name) if !unspecified(host) && !names.contains(&name) => names.push(name),
            _ => {}
        }
    }
    names
}

/// The CA as its key determines it. Its name holds a part of the key's identifier, so that two
/// servers' CAs differ by name in a client's store; it says nothing about the machine.
fn authority(key: &KeyPair) -> CertificateParams {
    let mut params = CertificateParams::default();
    let id = provost_model::hex(&params.key_identifier(key)[..6]);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, format!("Provost private CA {id}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// From yesterday, for clients whose clock is behind, to `days` after that.
fn set_validity(params: &mut CertificateParams, now: Timestamp, days: i32) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let from = now - DAY;
    params.not_before = epoch + since_epoch(from);
    params.not_after = epoch + since_epoch(from + DAY * days);
}

fn since_epoch(at: Timestamp) -> Duration {
    Duration::from_secs(u64::try_from(at.as_second()).unwrap_or(0))
}
