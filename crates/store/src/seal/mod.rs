//! Encryption at rest: values are sealed with AES-256-GCM under data keys, data keys are wrapped by the
//! master key; and marks that only a holder of the keys can make.
//!
//! A [`Sealer`] has its data keys in memory, so that sealing and opening ask nobody. [`keyring`] reads them
//! from their table, [`rotation`] changes them there, and every node follows within a second. The master
//! key ([`master_key`]) is where the operator keeps it, and may be a command that wraps and unwraps ([`kms`]).
//!
//! Data keys are of the deployment, not of a workspace: the places that values are sealed to name rows and
//! no workspaces; signing keys and the last good snapshot are of all workspaces at once; and a node holds
//! every key anyway, so that keys by workspace would keep nobody out.

pub(crate) mod columns;
pub(crate) mod follow;
mod keyring;
mod kms;
mod master_key;
pub(crate) mod reseal;
mod ring;
pub(crate) mod rotation;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arc_swap::ArcSwap;
pub use kms::KmsCommand;
pub use master_key::{MasterKey, MasterKeys};
use ring::Ring;
use tokio::sync::Mutex;

use crate::tables::data_keys::DataKeyId;
use crate::{Error, Result};

/// Seals and opens. Cheap to clone; every clone is the same one.
#[derive(Clone)]
pub struct Sealer(Arc<Inner>);

struct Inner {
    masters: MasterKeys,
    ring: ArcSwap<Ring>,
    /// Held while data keys are read, so that an older table never replaces a newer.
    reading: Mutex<()>,
}

impl Sealer {
    /// With keys of its own that are kept nowhere: for what has no database, as tests.
    pub fn ephemeral() -> Self {
        let masters = MasterKeys::from(MasterKey::new(random()));
        Self::of(masters, Ring::ephemeral())
    }

    fn of(masters: MasterKeys, ring: Ring) -> Self {
        Self(Arc::new(Inner { masters, ring: ArcSwap::from_pointee(ring), reading: Mutex::new(()) }))
    }

    fn ring(&self) -> arc_swap::Guard<Arc<Ring>> {
        self.0.ring.load()
    }

    /// A mark (HMAC-SHA-256) for what is handed out and comes back, for one use (e.g. `telemetry`).
    pub fn mark(&self, purpose: &str, data: &[u8]) -> [u8; 32] {
        self.ring().mark(&marked(purpose, data))
    }

    /// Whether a mark is ours. Takes as long whether it is or not.
    pub fn is_marked(&self, purpose: &str, data: &[u8], mark: &[u8]) -> bool {
        self.ring().is_marked(&marked(purpose, data), mark)
    }

    /// Seals a value to its place (e.g. `upstream:up_…`): moved elsewhere, it will not open.
    pub fn seal(&self, place: &str, plain: &[u8]) -> Vec<u8> {
        self.ring().seal(place, plain)
    }

    /// Opens what was sealed to this place. A value of a database is better opened with
    /// [`crate::Store::unseal`], which knows the keys that another node has just made.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>> {
        self.ring().open(place, sealed)
    }

    /// The data key that seals now.
    pub(crate) fn current(&self) -> DataKeyId {
        self.ring().current().row.id
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

/// What is wrong with the master key or what it wraps.
fn wrong(message: impl Into<String>) -> Error {
    Error::MasterKey(message.into())
}
