use sqlx::error::DatabaseError;
use sqlx::sqlite::SqliteError;

use crate::tables::data_keys::DataKeyId;

/// What can go wrong with the memory.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Something with that name is there already. Holds what the constraint is called.
    #[error("conflicts with something that exists ({0})")]
    Conflict(String),
    /// The database cannot be reached. Nothing was written; it heals by itself.
    #[error("the database cannot be reached: {0}")]
    Unavailable(String),
    /// More changes wait than there is room for. Nothing was written.
    #[error("too many changes wait to be written")]
    Busy,
    /// What is stored cannot be read: a row by another version, or damage.
    #[error("the stored {0} cannot be read: {1}")]
    Corrupt(&'static str, String),
    /// A sealed value cannot be opened.
    #[error("a sealed value cannot be opened: the master key is not the one that sealed it, or the value was altered")]
    Unsealable,
    /// A sealed value names a data key that is not there.
    #[error("a sealed value wants the data key {0}, which is not there: it was retired, or is another database's")]
    UnknownDataKey(DataKeyId),
    /// The master key is missing, another one, or does not answer. Names the way out.
    #[error("{0}")]
    MasterKey(String),
    /// What was asked for cannot be done as things are; says why, and what to do first.
    #[error("{0}")]
    Refused(String),
    /// A change was committed without an event.
    #[error("a change must be recorded: nothing was written")]
    Unrecorded,
    /// The database cannot be prepared.
    #[error("{0}")]
    Migration(String),
    /// Anything else that the database says.
    #[error("the database refused: {0}")]
    Database(String),
}

/// The result of remembering.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(inner) if inner.is_unique_violation() => {
                Self::Conflict(inner.constraint().unwrap_or_else(|| inner.message()).to_owned())
            }
            sqlx::Error::Database(inner) if is_passing(inner.as_ref()) => Self::Unavailable(inner.message().to_owned()),
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unavailable(error.to_string()),
            other => Self::Database(other.to_string()),
        }
    }
}

/// Whether what the database says is about its state and not about the statement, so that the same
/// statement may succeed later.
fn is_passing(error: &dyn DatabaseError) -> bool {
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<SqliteError>().is_some() {
        // Busy, locked, read-only, disk I/O, full, cannot open; the low byte says which, the rest how.
        return code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 8 | 10 | 13 | 14));
    }
    // Connection lost (08), read-only (a primary turned standby), rolled back to resolve a deadlock
    // (40), out of connections, memory or space (53), shut down or restarting (57P).
    ["08", "25006", "40", "53", "57P"].iter().any(|class| code.starts_with(class))
}
