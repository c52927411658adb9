//! The record: which version knows which key.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::ClientVersion;

/// No word of the schema is longer.
pub(super) const LONGEST_WORD: usize = 64;

/// The row that says what becomes of a date without quotes where a string belongs.
pub(in crate::lint) const DATE: &str = "=date";

pub(super) static RECORDED: LazyLock<Recorded> = LazyLock::new(|| {
    serde_json::from_str(include_str!("recorded.json")).expect("the record is checked in, and a test reads it")
});

/// What a version makes of a key, from harmless to harmful.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Answer {
    Knows,
    Ignores,
    Refuses,
}

/// For each key, or word at a key, one letter per version: `k` known, `i` ignored, `r` refused, `?` not asked.
#[derive(Deserialize)]
pub(super) struct Recorded {
    /// In their order.
    pub(super) versions: Vec<ClientVersion>,
    keys: HashMap<String, String>,
    features: HashMap<String, String>,
}

impl Recorded {
    /// Which recorded versions stand for a version: itself, or those around it.
    pub(super) fn neighbours(&self, version: ClientVersion) -> Vec<usize> {
        match self.versions.binary_search(&version) {
            Ok(index) => vec![index],
            Err(0) => vec![0],
            Err(next) if next == self.versions.len() => vec![next - 1],
            Err(next) => vec![next - 1, next],
        }
    }

    /// What a version makes of a key; none if it was never asked.
    pub(super) fn key(&self, path: &str, index: usize) -> Option<Answer> {
        letter(&self.keys, path, index)
    }

    /// What a version makes of a feature.
    pub(super) fn feature(&self, name: &str, index: usize) -> Option<Answer> {
        letter(&self.features, name, index)
    }
}

fn letter(rows: &HashMap<String, String>, name: &str, index: usize) -> Option<Answer> {
    match rows.get(name)?.as_bytes().get(index)? {
        b'i' => Some(Answer::Ignores),
        b'r' => Some(Answer::Refuses),
        // Not asked: a key inside one that was ignored or refused, which has been said.
        _ => Some(Answer::Knows),
    }
}
