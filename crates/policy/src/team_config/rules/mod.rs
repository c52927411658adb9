//! `.rules` files: Starlark that says which commands run without asking, ask first, or are refused.
//!
//! They are programs, written by whoever may open a pull request, so they run where they can do no harm: a process of
//! their own, without files, network or environment, with a little memory and some seconds ([`Evaluator`]). What
//! comes back is plain data.

mod dialect;
mod evaluator;
mod examples;
mod inside;

pub use evaluator::Evaluator;
pub use inside::{EVALUATE, evaluate_standard_input};

use provost_model::command::{Action, PrefixRule, RuleSource};
use provost_model::lint::{Problem, Severity};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

/// How many requests have rules evaluated at a time: each may keep a core busy for some seconds.
pub(crate) static AT_A_TIME: Semaphore = Semaphore::const_new(2);

/// The longest `.rules` file, in bytes.
pub const MAX_RULES_BYTES: usize = 1 << 20;

/// The most rules of one file.
pub const MAX_RULES: usize = 10_000;

/// What a `.rules` file says.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RulesFile {
    /// `prefix_rule(…)`, in their order.
    pub rules: Vec<Rule>,
    /// `network_rule(…)`, in their order.
    pub network: Vec<NetworkRule>,
    /// `host_executable(…)`, in their order.
    pub executables: Vec<HostExecutable>,
    /// What keeps clients from reading the file.
    pub problems: Vec<Problem>,
}

/// A `prefix_rule(…)`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rule {
    /// For each word of the command, from the first, what it may be.
    pub pattern: Vec<Vec<String>>,
    /// What it says about the commands that it matches.
    pub decision: Action,
    /// Why; the developer and the model are shown it.
    pub justification: Option<String>,
    /// Where it is called.
    pub line: u32,
    /// The column there.
    pub column: u32,
    /// Commands that its author says it matches.
    pub matches: Vec<Vec<String>>,
    /// Commands that its author says it does not match.
    pub not_matches: Vec<Vec<String>>,
}

/// A `network_rule(…)`: whether commands may reach a host.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NetworkRule {
    /// The host.
    pub host: String,
    /// `http`, `https`, `socks5_tcp` or `socks5_udp`.
    pub protocol: String,
    /// `allow`, `prompt` or `deny`.
    pub decision: String,
    /// Where it is called.
    pub line: u32,
}

/// A `host_executable(…)`: under which paths rules for a program's name hold.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HostExecutable {
    /// The name.
    pub name: String,
    /// The absolute paths.
    pub paths: Vec<String>,
}

impl RulesFile {
    /// Its rules as commands are decided with; `layer` becomes [`RuleSource::layer`].
    pub fn prefix_rules(&self, layer: usize) -> impl Iterator<Item = PrefixRule> {
        self.rules.iter().enumerate().map(move |(index, rule)| PrefixRule {
            pattern: rule.pattern.clone(),
            decision: rule.decision,
            justification: rule.justification.clone(),
            source: RuleSource { layer, index },
        })
    }

    /// A file that is no more than its problem.
    pub(crate) fn refused(line: u32, code: &str, message: impl Into<String>) -> Self {
        Self { problems: vec![problem(line, 1, code, message)], ..Self::default() }
    }
}

fn problem(line: u32, column: u32, code: &str, message: impl Into<String>) -> Problem {
    /// The longest message: the evaluator quotes values, which may be long.
    const MAX_CHARS: usize = 500;
    let message: String = message.into().chars().take(MAX_CHARS).collect();
    Problem { severity: Severity::Error, line, column, key: None, code: code.to_owned(), message }
}
