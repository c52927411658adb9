//! The data keys in memory, and the form of what they seal.
//!
//! | byte 0 | then |
//! |---|---|
//! | 1 | nonce (12), body, tag (16): under the key of before there were data keys |
//! | 2 | data key id (8), nonce (12), body, tag (16) |

use std::sync::Arc;
use std::time::Instant;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use jiff::Timestamp;

use super::random;
use crate::tables::data_keys::{DataKeyId, DataKeyRow, Purpose};
use crate::{Error, Result};

/// The first byte of what the first key sealed.
pub(crate) const FIRST: u8 = 1;
/// The first byte of what names its data key.
pub(crate) const NAMED: u8 = 2;
/// The first byte and the id of the data key.
pub(crate) const PREFIX_BYTES: usize = 9;
const NONCE_BYTES: usize = 12;

/// A data key, unwrapped.
pub(crate) struct HeldKey {
    /// Its row; still wrapped there.
    pub(crate) row: DataKeyRow,
    /// Itself.
    pub(crate) secret: [u8; 32],
    /// When it may begin to seal: by then every node has it.
    pub(crate) seals_from: Instant,
    aead: RandomizedNonceKey,
}

impl HeldKey {
    pub(crate) fn new(row: DataKeyRow, secret: [u8; 32], seals_from: Instant) -> Arc<Self> {
        let aead = RandomizedNonceKey::new(&AES_256_GCM, &secret).expect("the key has the length of AES-256");
        Arc::new(Self { row, secret, seals_from, aead })
    }

    fn open(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>> {
        let (nonce, body) = sealed.split_at_checked(NONCE_BYTES).ok_or(Error::Unsealable)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Error::Unsealable)?;
        let mut body = body.to_vec();
        let plain = self.aead.open_in_place(nonce, Aad::from(place), &mut body).map_err(|_| Error::Unsealable)?;
        Ok(plain.to_vec())
    }

    /// What every value begins with that it seals.
    pub(crate) fn prefix(&self) -> [u8; PREFIX_BYTES] {
        prefix(self.row.id)
    }
}

/// What every value begins with that a data key sealed.
pub(crate) fn prefix(id: DataKeyId) -> [u8; PREFIX_BYTES] {
    let mut prefix = [NAMED; PREFIX_BYTES];
    prefix[1..].copy_from_slice(&id.0);
    prefix
}

/// Every data key that is not retired.
pub(crate) struct Ring {
    /// The change of the table that it is of.
    pub(crate) version: i64,
    /// By age.
    pub(crate) keys: Vec<Arc<HeldKey>>,
    mark: hmac::Key,
}

impl Ring {
    /// Of these keys, by age. One seals and one makes marks, or it is none.
    pub(crate) fn new(version: i64, keys: Vec<Arc<HeldKey>>) -> Result<Self> {
        let of = |purpose| keys.iter().find(move |key| key.row.purpose == purpose);
        let missing = |what: &str| Error::Corrupt("data keys", format!("there is none {what}"));
        of(Purpose::Seal).ok_or_else(|| missing("to seal with"))?;
        let mark = of(Purpose::Mark).ok_or_else(|| missing("for marks"))?;
        let mark = hmac::Key::new(hmac::HMAC_SHA256, &mark.secret);
        Ok(Self { version, keys, mark })
    }

    /// Of keys that are kept nowhere.
    pub(crate) fn ephemeral() -> Self {
        let key = |(purpose, generation)| {
            let row = DataKeyRow {
                id: DataKeyId::random(),
                purpose,
                generation,
                wrapped: Vec::new(),
                master_key: String::new(),
                version: 0,
                created_at: Timestamp::UNIX_EPOCH,
                retired_at: None,
            };
            HeldKey::new(row, random(), Instant::now())
        };
        let keys = [(Purpose::Mark, 1), (Purpose::Seal, 2)].map(key);
        Self::new(0, keys.into()).expect("one seals and one marks")
    }

    /// The key that seals now: the newest that may, else the oldest.
    pub(crate) fn current(&self) -> &HeldKey {
        let mut sealing = self.keys.iter().filter(|key| key.row.purpose == Purpose::Seal);
        let oldest = sealing.clone().next().expect("a ring has a key that seals");
        let now = Instant::now();
        sealing.rfind(|key| key.seals_from <= now).unwrap_or(oldest)
    }

    /// Whether the newest key is the one that seals.
    pub(crate) fn is_settled(&self) -> bool {
        let newest = self.keys.iter().rfind(|key| key.row.purpose == Purpose::Seal);
        newest.is_some_and(|newest| newest.row.id == self.current().row.id)
    }

    pub(crate) fn seal(&self, place: &str, plain: &[u8]) -> Vec<u8> {
        let key = self.current();
        let mut body = plain.to_vec();
        let sealed = key.aead.seal_in_place_append_tag(Aad::from(place), &mut body);
        let nonce = sealed.expect("a value in memory is shorter than AES-GCM's limit");
        [&key.prefix(), nonce.as_ref().as_slice(), &body].concat()
    }

    pub(crate) fn open(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>> {
        match sealed.split_first() {
            Some((&FIRST, rest)) => {
                let first = self.keys.iter().find(|key| key.row.purpose == Purpose::First);
                first.ok_or(Error::Unsealable)?.open(place, rest)
            }
            Some((&NAMED, rest)) => {
                let (id, rest) = rest.split_at_checked(PREFIX_BYTES - 1).ok_or(Error::Unsealable)?;
                let id = DataKeyId::from_bytes(id)?;
                let key = self.keys.iter().find(|key| key.row.id == id && key.row.purpose == Purpose::Seal);
                key.ok_or(Error::UnknownDataKey(id))?.open(place, rest)
            }
            _ => Err(Error::Unsealable),
        }
    }

    pub(crate) fn mark(&self, data: &[u8]) -> [u8; 32] {
        let mark = hmac::sign(&self.mark, data);
        mark.as_ref().try_into().expect("SHA-256 has 32 bytes")
    }

    pub(crate) fn is_marked(&self, data: &[u8], mark: &[u8]) -> bool {
        hmac::verify(&self.mark, data, mark).is_ok()
    }
}
