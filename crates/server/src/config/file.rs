//! The configuration file, and errors that point into it.

use std::path::Path;

use anyhow::{Context, Result, anyhow};

use super::Settings;
use super::settings::way_out;

/// Largest configuration file that is read, in bytes; a bigger one is not a configuration file.
const MAX_BYTES: u64 = 1024 * 1024;

/// Reads one layer from a TOML file.
///
/// # Errors
/// The file cannot be read or is no valid configuration: the error names file, line, key and the
/// way out, and shows no value, which may be a secret.
pub(super) fn read(path: &Path) -> Result<Settings> {
    let shown = path.display();
    let size = std::fs::metadata(path).with_context(|| format!("cannot read the configuration file {shown}"))?.len();
    anyhow::ensure!(size <= MAX_BYTES, "the configuration file {shown} has {size} bytes, more than {MAX_BYTES}");
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read the configuration file {shown}"))?;
    parse(&text).map_err(|place| anyhow!("{shown}, {place}"))
}

fn parse(text: &str) -> Result<Settings, String> {
    toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start.min(text.len()));
        let before = text.get(..start).unwrap_or_default();
        let number = before.matches('\n').count() + 1;
        let line = text.lines().nth(number - 1).unwrap_or_default().trim();
        let message = error.message().trim();
        match key_of(line) {
            Some(key) => {
                let shown = match section_of(before) {
                    Some(section) if !line.starts_with('[') => format!("{section}.{key}"),
                    _ => key.to_owned(),
                };
                // An unknown key of a known name in the wrong section must not be told a value.
                let unknown = message.starts_with("unknown field");
                let way_out = if unknown { way_out("") } else { way_out(key) };
                format!("line {number}, `{shown}`: {message}\n  {way_out}")
            }
            None => format!("line {number}: {message}\n  the file must be TOML: key = value"),
        }
    })
}

/// The key (`key = …`) or the section (`[section]`) that a line sets.
fn key_of(line: &str) -> Option<&str> {
    let key = match line.strip_prefix('[') {
        Some(section) => section.split(']').next()?,
        None => line.split_once('=')?.0,
    };
    let key = key.trim();
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '.';
    (!key.is_empty() && key.chars().all(bare)).then_some(key)
}

fn section_of(before: &str) -> Option<&str> {
    let header = |line: &&str| line.trim_start().starts_with('[');
    key_of(before.lines().rev().find(header)?.trim())
}
