//! The `[keys]` section: where the master key is, which wraps the keys that seal what is secret.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use provost_store::{KmsCommand, MasterKey, MasterKeys};
use serde::{Deserialize, Serialize};

/// The file in the data directory, when nothing else is said.
const DEFAULT_FILE: &str = "master.key";

/// Where the master key is; and, while nodes change over to it, the one before. Each is said in one way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keys {
    /// A file with 32 bytes in base64; made if it is not there and the database is new. Default: `master.key`
    /// in the data directory, where it is copied along with what it protects.
    pub master_key_file: Option<PathBuf>,
    /// A program and its arguments that wraps and unwraps with a key that is never here. Its last argument is
    /// `wrap` or `unwrap`; a value in base64 goes in, and one comes out.
    pub kms_command: Vec<String>,
    /// The master key of before, in a file.
    pub previous_master_key_file: Option<PathBuf>,
    /// The master key of before, with a command.
    pub previous_kms_command: Vec<String>,
}

/// The section, and what the environment alone may say. Printed, it shows no secret.
#[derive(Debug, Clone, Default)]
pub struct KeySources {
    section: Keys,
    /// `PROVOST_MASTER_KEY`.
    current: Option<MasterKey>,
    /// `PROVOST_PREVIOUS_MASTER_KEY`.
    previous: Option<MasterKey>,
}

impl KeySources {
    pub(super) fn new(section: Keys, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let read = |name: &str| {
            let text = variable(name).filter(|text| !text.is_empty());
            text.map(|text| MasterKey::from_text(&text).with_context(|| name.to_owned())).transpose()
        };
        let (current, previous) = (read("PROVOST_MASTER_KEY")?, read("PROVOST_PREVIOUS_MASTER_KEY")?);
        let sources = Self { section, current, previous };
        let Keys { master_key_file, kms_command, previous_master_key_file, previous_kms_command } = &sources.section;
        // Which one counts must not hang on what somebody forgot to take away.
        only_one(sources.current.is_some(), "PROVOST_MASTER_KEY", master_key_file, kms_command, "")?;
        let (file, command) = (previous_master_key_file, previous_kms_command);
        only_one(sources.previous.is_some(), "PROVOST_PREVIOUS_MASTER_KEY", file, command, "previous_")?;
        Ok(sources)
    }

    /// The master keys.
    ///
    /// # Errors
    /// A file cannot be read, or holds no key; the error names it.
    pub fn open(&self, data: &Path) -> Result<MasterKeys> {
        let Keys { master_key_file, kms_command, previous_master_key_file, previous_kms_command } = &self.section;
        let current = match (&self.current, &master_key_file, kms_command.as_slice()) {
            (Some(key), ..) => key.clone(),
            (None, Some(file), _) => MasterKey::from_file(file)?,
            (None, None, []) => MasterKey::from_file(&data.join(DEFAULT_FILE))?,
            (None, None, command) => KmsCommand::new(command)?.into(),
        };
        let mut previous: Vec<MasterKey> = self.previous.iter().cloned().collect();
        if let Some(file) = previous_master_key_file {
            // One that is not there must not be made.
            anyhow::ensure!(file.exists(), "keys.previous_master_key_file: {} is not there", file.display());
            previous.push(MasterKey::from_file(file)?);
        }
        if !previous_kms_command.is_empty() {
            previous.push(KmsCommand::new(previous_kms_command)?.into());
        }
        Ok(MasterKeys { current, previous })
    }
}

fn only_one(
    variable_is_set: bool,
    variable: &str,
    file: &Option<PathBuf>,
    command: &[String],
    prefix: &str,
) -> Result<()> {
    let ways = [
        variable_is_set.then(|| variable.to_owned()),
        file.is_some().then(|| format!("keys.{prefix}master_key_file")),
        (!command.is_empty()).then(|| format!("keys.{prefix}kms_command")),
    ];
    let ways: Vec<String> = ways.into_iter().flatten().collect();
    if ways.len() > 1 {
        bail!("{} name a master key each: keep one of them", ways.join(" and "));
    }
    Ok(())
}
