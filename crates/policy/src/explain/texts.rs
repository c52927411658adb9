//! The texts that a client merges.

use std::collections::BTreeMap;
use std::sync::Arc;

use provost_model::Policy;
use provost_model::effective::LayerKind;
use provost_model::lint::MAX_BYTES;
use provost_web::{Error, Result};

use super::ExplainedNotRead;

/// The most files of a Team Config in one question.
const MAX_FILES: usize = 200;

/// The configuration of a Team Config, by its path in the repository.
const TEAM_CONFIG: &str = ".codex/config.toml";

/// One text, and what it is called.
pub(crate) struct Text {
    pub(crate) kind: LayerKind,
    /// The name of the policy, or the path of the file.
    pub(crate) name: String,
    pub(crate) contents: Arc<str>,
    /// Whether it is the policy's own.
    pub(crate) of_policy: bool,
}

impl Text {
    /// A text of the policy itself.
    pub(crate) fn of_policy(kind: LayerKind, policy: &Policy, contents: Arc<str>) -> Self {
        Self { kind, name: policy.name.to_string(), contents, of_policy: true }
    }
}

/// The texts of the device and the repository.
#[derive(Default)]
pub(crate) struct Texts {
    pub(crate) texts: Vec<Text>,
    pub(crate) rules: Vec<RulesText>,
    pub(crate) not_read: Vec<ExplainedNotRead>,
}

/// A `.rules` file of a repository.
pub(crate) struct RulesText {
    pub(crate) path: String,
    pub(crate) contents: String,
}

impl Texts {
    /// Adds a file of the device, if it was given.
    pub(crate) fn file(&mut self, kind: LayerKind, field: &str, path: &str, contents: Option<String>) -> Result<()> {
        let Some(contents) = contents else { return Ok(()) };
        within_limit(field, &contents)?;
        self.texts.push(Text { kind, name: path.to_owned(), contents: contents.into(), of_policy: false });
        Ok(())
    }

    /// Adds the files of a repository's Team Config, by their paths.
    ///
    /// What is neither a layer nor rules is said rather than passed over.
    pub(crate) fn team_config(&mut self, files: BTreeMap<String, String>) -> Result<()> {
        if files.len() > MAX_FILES {
            let message =
                format!("a Team Config of more than {MAX_FILES} files is not read: send those of `.codex` only");
            return Err(Error::invalid("team_config", "too_many", message));
        }
        for (path, contents) in files {
            within_limit("team_config", &contents)?;
            let path = path.trim_start_matches("./").to_owned();
            if path == TEAM_CONFIG || path == "config.toml" {
                self.file(LayerKind::TeamConfig, "team_config", TEAM_CONFIG, Some(contents))?;
            } else if let Some(path) = rules_path(&path) {
                self.rules.push(RulesText { path, contents });
            } else {
                let why = "Only `.codex/config.toml` says where a session starts, and only `.codex/rules/*.rules` what \
                    becomes of commands.";
                self.not_read.push(ExplainedNotRead { path, why });
            }
        }
        Ok(())
    }
}

/// The path of a `.rules` file from the root of its repository. Clients look into no folder below `rules`.
fn rules_path(path: &str) -> Option<String> {
    let name = path.strip_prefix(".codex/").unwrap_or(path);
    let name = name.strip_prefix("rules/").unwrap_or(name);
    (name.ends_with(".rules") && !name.contains('/')).then(|| format!(".codex/rules/{name}"))
}

fn within_limit(field: &str, contents: &str) -> Result<()> {
    if contents.len() <= MAX_BYTES {
        return Ok(());
    }
    Err(Error::invalid(field, "too_large", format!("the text is longer than {MAX_BYTES} bytes")))
}
