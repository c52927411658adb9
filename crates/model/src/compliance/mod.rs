//! The records of the Compliance API: what each event of the ledger becomes in the log files that SIEM tools read
//! (inventory §11.3, §11.4). Pure: the same event always becomes the same records.

mod kinds;
mod record;

pub use kinds::{LogType, Shape, shape};
pub use record::{Record, record};

#[cfg(test)]
mod tests;
