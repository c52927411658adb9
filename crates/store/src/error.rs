/// What can go wrong with the memory.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something with that name is there already. Holds what the constraint is called.
    #[error("conflicts with something that exists ({0})")]
    Conflict(String),
    /// The database cannot be reached. Nothing was written; it heals by itself.
    #[error("the database cannot be reached: {0}")]
    Unavailable(String),
    /// What is stored cannot be read: a row by another version, or damage.
    #[error("the stored {0} cannot be read: {1}")]
    Corrupt(&'static str, String),
    /// A sealed value cannot be opened.
    #[error("a sealed value cannot be opened: the master key is not the one that sealed it, or the value was altered")]
    Unsealable,
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
            // 57P0x: PostgreSQL shuts down or restarts; 53xxx: out of connections or space.
            sqlx::Error::Database(inner)
                if inner.code().is_some_and(|code| code.starts_with("57P") || code.starts_with("53")) =>
            {
                Self::Unavailable(inner.message().to_owned())
            }
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unavailable(error.to_string()),
            // SQLite's codes for busy, disk I/O, cannot open, full.
            sqlx::Error::Database(inner)
                if matches!(inner.code().as_deref(), Some("5" | "261" | "517" | "10" | "14" | "13" | "8")) =>
            {
                Self::Unavailable(inner.message().to_owned())
            }
            other => Self::Database(other.to_string()),
        }
    }
}
