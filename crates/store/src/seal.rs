//! Encryption at rest: AES-256-GCM under the master key; and marks that only its holder can make.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::{hkdf, hmac};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::{Error, Result};

/// The first byte of everything sealed: which way it was sealed.
const FORMAT: u8 = 1;
const NONCE_BYTES: usize = 12;

/// The key under which everything secret is sealed: 32 random bytes, base64 in its file.
pub struct MasterKey([u8; 32]);

impl MasterKey {
    /// Reads a key from its base64 text.
    pub fn from_text(text: &str) -> Result<Self> {
        let bytes = STANDARD.decode(text.trim()).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        bytes.map(Self).ok_or_else(|| Error::Migration("the master key must be 32 bytes in base64".to_owned()))
    }

    /// Reads the key in a file, or makes one there (mode 0600) if there is none.
    pub fn from_file(path: &Path) -> Result<Self> {
        let failed = |error: std::io::Error| Error::Migration(format!("the master key {}: {error}", path.display()));
        match std::fs::read_to_string(path) {
            Ok(text) => return Self::from_text(&text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let key: [u8; 32] = random();
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(path) {
            Ok(mut file) => {
                file.write_all(STANDARD.encode(key).as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
                Ok(Self(key))
            }
            // Another process made it just now.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                let text = std::fs::read_to_string(path).map_err(failed)?;
                Self::from_text(&text)
            }
            Err(error) => Err(failed(error)),
        }
    }
}

/// Seals and opens.
#[derive(Clone)]
pub struct Sealer(Arc<Keys>);

struct Keys {
    seal: RandomizedNonceKey,
    mark: hmac::Key,
}

impl Sealer {
    /// Under this key.
    pub fn new(key: &MasterKey) -> Self {
        let seal = RandomizedNonceKey::new(&AES_256_GCM, &key.0).expect("the key has the length of AES-256");
        // A key of its own: what marks a token says nothing about what seals a secret.
        let secret = hkdf::Salt::new(hkdf::HKDF_SHA256, b"provost").extract(&key.0);
        let mark = secret.expand(&[b"marks"], hmac::HMAC_SHA256).expect("one block of the hash");
        Self(Arc::new(Keys { seal, mark: mark.into() }))
    }

    /// A mark (HMAC-SHA-256) for what is handed out and comes back, for one use (e.g. `telemetry`).
    pub fn mark(&self, purpose: &str, data: &[u8]) -> [u8; 32] {
        let mark = hmac::sign(&self.0.mark, &marked(purpose, data));
        mark.as_ref().try_into().expect("SHA-256 has 32 bytes")
    }

    /// Whether a mark is ours. Takes as long whether it is or not.
    pub fn is_marked(&self, purpose: &str, data: &[u8], mark: &[u8]) -> bool {
        hmac::verify(&self.0.mark, &marked(purpose, data), mark).is_ok()
    }

    /// Seals a value to its place (e.g. `upstream:up_…`): moved elsewhere, it will not open.
    pub fn seal(&self, place: &str, plain: &[u8]) -> Vec<u8> {
        let mut body = plain.to_vec();
        let sealed = self.0.seal.seal_in_place_append_tag(Aad::from(place), &mut body);
        let nonce = sealed.expect("a value in memory is shorter than AES-GCM's limit");
        [&[FORMAT], nonce.as_ref().as_slice(), &body].concat()
    }

    /// Opens what was sealed to this place.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>> {
        let Some((&FORMAT, rest)) = sealed.split_first() else { return Err(Error::Unsealable) };
        let (nonce, body) = rest.split_at_checked(NONCE_BYTES).ok_or(Error::Unsealable)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Error::Unsealable)?;
        let mut body = body.to_vec();
        let plain = self.0.seal.open_in_place(nonce, Aad::from(place), &mut body).map_err(|_| Error::Unsealable)?;
        Ok(plain.to_vec())
    }
}

fn marked(purpose: &str, data: &[u8]) -> Vec<u8> {
    [purpose.as_bytes(), &[0], data].concat()
}

/// Random bytes from the one crypto provider.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_for_one_use_and_one_text() {
        let (sealer, other) = (Sealer::new(&MasterKey(random())), Sealer::new(&MasterKey(random())));
        let mark = sealer.mark("telemetry", b"mia");
        assert!(sealer.is_marked("telemetry", b"mia", &mark));
        assert!(!sealer.is_marked("telemetr", b"ymia", &mark) && !sealer.is_marked("telemetry", b"max", &mark));
        assert!(!sealer.is_marked("telemetry", b"mia", &mark[..31]) && !sealer.is_marked("telemetry", b"mia", b""));
        assert!(!other.is_marked("telemetry", b"mia", &mark));
    }

    #[test]
    fn opens_only_in_its_place_and_unaltered() {
        let sealer = Sealer::new(&MasterKey(random()));
        let sealed = sealer.seal("upstream:1", b"secret");
        assert_eq!(sealer.open("upstream:1", &sealed).expect("opens"), b"secret");
        assert!(matches!(sealer.open("upstream:2", &sealed), Err(Error::Unsealable)));
        assert!(matches!(Sealer::new(&MasterKey(random())).open("upstream:1", &sealed), Err(Error::Unsealable)));
        for index in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[index] ^= 1;
            assert!(matches!(sealer.open("upstream:1", &altered), Err(Error::Unsealable)), "byte {index}");
            assert!(matches!(sealer.open("upstream:1", &sealed[..index]), Err(Error::Unsealable)), "cut at {index}");
        }
    }
}
