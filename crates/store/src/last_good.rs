//! The last good snapshot: all that delivery and admission read, in a file beside the database, so that
//! Provost starts, and goes on deciding, when the database is away or lost.
//!
//! The file is one value, sealed under the master key: JSON, compressed. JSON, so that the next version of
//! Provost reads what this one left. It is replaced whole, and never half written.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use provost_model::{Workspace, World};
use serde::{Deserialize, Serialize};

use crate::Sealer;
use crate::tables::signing_keys::SigningKeyRow;

/// What the file is sealed to, which names its form as well.
const PLACE: &str = "last_good:1";

/// Where the last good snapshot is kept, and how long it is good for.
#[derive(Debug, Clone)]
pub struct KeepLastGood {
    /// The file.
    pub path: PathBuf,
    /// One that was confirmed longer ago than this is not started with.
    pub max_age: SignedDuration,
}

/// What is kept.
#[derive(Serialize, Deserialize)]
pub(crate) struct LastGood {
    /// When the database last said that this is all.
    pub(crate) as_of: Timestamp,
    /// The keys that sign access tokens; their private halves are sealed once more.
    pub(crate) signing_keys: Vec<SigningKeyRow>,
    /// Every workspace.
    pub(crate) workspaces: Vec<Arc<Workspace>>,
}

/// Why a last good snapshot is not started with.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// There is none.
    #[error("there is none")]
    Missing,
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is not what this Provost wrote.
    #[error("it was altered, or sealed under another master key")]
    Sealed,
    /// It was written in a form that this Provost does not know.
    #[error("it was written by another version of Provost: {0}")]
    Unknown(#[from] serde_json::Error),
    /// It is too old: who may what has changed too much since.
    #[error("it is of {as_of}, which is more than {days} days ago ([limits] last_good_days)")]
    TooOld {
        /// Of when it is.
        as_of: Timestamp,
        /// How many days are allowed.
        days: i64,
    },
}

impl LastGood {
    /// What there is to keep.
    pub(crate) fn of(world: &World, signing_keys: Vec<SigningKeyRow>, as_of: Timestamp) -> Self {
        Self { as_of, signing_keys, workspaces: world.workspaces.values().cloned().collect() }
    }

    /// Its world.
    pub(crate) fn world(&self) -> World {
        World { workspaces: self.workspaces.iter().map(|workspace| (workspace.id, workspace.clone())).collect() }
    }

    /// Reads the file. Blocks.
    pub(crate) fn read(keep: &KeepLastGood, sealer: &Sealer, now: Timestamp) -> Result<Self, Unusable> {
        let sealed = match std::fs::read(&keep.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Unusable::Missing),
            read => read?,
        };
        let compressed = sealer.open(PLACE, &sealed).map_err(|_| Unusable::Sealed)?;
        let found: Self = serde_json::from_slice(&zstd::decode_all(compressed.as_slice())?)?;
        if now.duration_since(found.as_of) > keep.max_age {
            return Err(Unusable::TooOld { as_of: found.as_of, days: keep.max_age.as_hours() / 24 });
        }
        Ok(found)
    }

    /// Replaces the file; `by` tells apart those who write at once. Blocks.
    pub(crate) fn write(&self, path: &Path, sealer: &Sealer, by: &str) -> io::Result<()> {
        // The fastest level: this runs beside the serving of requests.
        let mut encoder = zstd::Encoder::new(Vec::new(), 1)?;
        serde_json::to_writer(&mut encoder, self)?;
        let sealed = sealer.seal(PLACE, &encoder.finish()?);
        let new = path.with_extension(format!("{by}.new"));
        let written = write_new(&new, &sealed).and_then(|()| std::fs::rename(&new, path));
        if written.is_err() {
            let _ = std::fs::remove_file(&new);
        }
        written?;
        // The new name is on disk only with its directory.
        path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
