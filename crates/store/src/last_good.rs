//! The last good snapshot: all that delivery and admission read, in a file beside the database, so that
//! Provost starts, and goes on deciding, when the database is away or lost.
//!
//! The file is a line of JSON with the data keys, wrapped, since their table is away when they are needed; then
//! one sealed value: JSON, compressed. JSON, so that the next version of Provost reads what this one left. It
//! is replaced whole, and never half written.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use provost_model::{Workspace, World};
use serde::{Deserialize, Serialize};

use crate::tables::signing_keys::SigningKeyRow;
use crate::{Error, MasterKey, MasterKeys, Sealer};

/// What the value is sealed to, which names the file's form as well; with the line before it.
const PLACE: &str = "last_good:2:";
/// What the whole file was sealed to before there were data keys.
const FIRST_PLACE: &str = "last_good:1";

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
    /// The master key is another one, or does not answer.
    #[error("it was altered, or sealed under another master key: {0}")]
    MasterKey(Error),
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

    /// Reads the file, and with it what opens whatever it holds that is sealed once more.
    pub(crate) async fn read(
        keep: &KeepLastGood,
        masters: &MasterKeys,
        now: Timestamp,
    ) -> Result<(Self, Sealer), Unusable> {
        let path = keep.path.clone();
        let read = tokio::task::spawn_blocking(move || std::fs::read(path)).await.map_err(io::Error::other)?;
        let bytes = match read {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Unusable::Missing),
            read => read?,
        };
        let (sealer, place, start) = keys_of(&bytes, masters).await?;
        let (max_age, opener) = (keep.max_age, sealer.clone());
        let open = move || Self::open(&opener, &place, &bytes[start..], max_age, now);
        let found = tokio::task::spawn_blocking(open).await.map_err(io::Error::other)??;
        Ok((found, sealer))
    }

    fn open(
        sealer: &Sealer,
        place: &str,
        sealed: &[u8],
        max_age: SignedDuration,
        now: Timestamp,
    ) -> Result<Self, Unusable> {
        let compressed = sealer.open(place, sealed).map_err(|_| Unusable::Sealed)?;
        let found: Self = serde_json::from_slice(&zstd::decode_all(compressed.as_slice())?)?;
        if now.duration_since(found.as_of) > max_age {
            return Err(Unusable::TooOld { as_of: found.as_of, days: max_age.as_hours() / 24 });
        }
        Ok(found)
    }

    /// Replaces the file; `by` tells apart those who write at once. Blocks.
    pub(crate) fn write(&self, path: &Path, sealer: &Sealer, by: &str) -> io::Result<()> {
        // The fastest level: this runs beside the serving of requests.
        let mut encoder = zstd::Encoder::new(Vec::new(), 1)?;
        serde_json::to_writer(&mut encoder, self)?;
        let keys = serde_json::to_string(&sealer.rows())?;
        let sealed = sealer.seal(&format!("{PLACE}{keys}"), &encoder.finish()?);
        let sealed = [keys.as_bytes(), b"\n", &sealed].concat();
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

/// The data keys at the beginning of a file, what the rest is sealed to, and where it begins.
async fn keys_of(file: &[u8], masters: &MasterKeys) -> Result<(Sealer, String, usize), Unusable> {
    let end = file.iter().position(|byte| *byte == b'\n');
    let line = end.and_then(|end| std::str::from_utf8(&file[..end]).ok());
    if let Some((line, rows)) = line.and_then(|line| serde_json::from_str(line).ok().map(|rows| (line, rows))) {
        let sealer = Sealer::of_rows(masters.clone(), rows).await.map_err(Unusable::MasterKey)?;
        return Ok((sealer, format!("{PLACE}{line}"), line.len() + 1));
    }
    // One of before there were data keys.
    for first in masters.iter().filter_map(MasterKey::secret) {
        let sealer = Sealer::of_first(masters.clone(), first).map_err(Unusable::MasterKey)?;
        if sealer.open(FIRST_PLACE, file).is_ok() {
            return Ok((sealer, FIRST_PLACE.to_owned(), 0));
        }
    }
    Err(Unusable::Sealed)
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
