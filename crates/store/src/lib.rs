//! The memory of Provost: all SQL (one statement for both databases), migrations, sealing at rest,
//! the ledger of events, and the snapshots that decisions read.
//!
//! A change goes like this: [`Store::change`] opens a transaction that holds the workspace's lock;
//! functions of [`tables`] read and write; [`Change::record`] says what happened and
//! [`Change::touch`] what to read again; [`Change::commit`] writes both beside the change, commits,
//! and swaps the snapshot. Dropped without a commit, nothing happened.

mod change;
mod db;
mod error;
mod follow;
mod gather;
mod keeper;
mod last_good;
pub mod ledger;
mod migrate;
mod opening;
mod recorder;
mod recovery;
mod refresh;
mod seal;
mod store;
pub mod tables;
pub mod trails;

pub use change::{Change, Touched};
pub use db::{Arg, Row, Tx};
pub use error::{Error, Result};
pub use gather::Gather;
pub use last_good::{KeepLastGood, Unusable};
pub use recovery::Degraded;
pub use seal::reseal::Resealed;
pub use seal::rotation::DataKeyUse;
pub use seal::{KmsCommand, MasterKey, MasterKeys, Sealer};
pub use store::{Options, Store};
