//! What the linter hands back.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One finding in a policy text, worded for an administrator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Whether clients refuse the policy or merely do less than it seems to say.
    pub severity: Severity,
    /// The line, counted from 1.
    pub line: u32,
    /// The column in characters, counted from 1.
    pub column: u32,
    /// The dotted path of the key at fault, such as `rules.prefix_rules[0].decision`; none if the text is no TOML.
    pub key: Option<String>,
    /// A stable name for the kind of problem, such as `wrong_type`.
    pub code: String,
    /// One or two sentences that say what is wrong and how to put it right. Never holds a secret from the text.
    pub message: String,
}

/// How bad a [`Problem`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Clients that receive the policy refuse to start.
    Error,
    /// Clients accept the policy, but part of it has no effect or a surprising one.
    Warning,
}
