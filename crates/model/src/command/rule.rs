//! One prefix rule, and how a policy writes it.

use serde::{Deserialize, Serialize};

/// The most rules that are read from one text; the linter's limit on its size keeps policies far below.
pub const MAX_RULES: usize = 50_000;

/// What a rule says, from the mildest to the strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Runs without asking, outside the sandbox. Only `.rules` files may say it, never a policy.
    Allow,
    /// Asks; where nobody may be asked (`approval_policy = "never"`) the command is refused.
    Prompt,
    /// Asks the person, even under automatic review. Only policies know it.
    PromptUser,
    /// Refused.
    Forbidden,
}

/// Where a rule stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RuleSource {
    /// Which of the texts that the caller put together.
    pub layer: usize,
    /// Which rule of that text, from zero.
    pub index: usize,
}

/// A rule that matches commands by their first words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrefixRule {
    /// For each word of the command, from the first, what it may be. Never empty, nor is a position.
    pub pattern: Vec<Vec<String>>,
    /// What it says about the commands that it matches.
    pub decision: Action,
    /// Why; the developer and the model are shown it.
    pub justification: Option<String>,
    /// Where it stands.
    pub source: RuleSource,
}

/// A text whose rules a client would refuse, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidRules(pub String);

#[derive(Deserialize)]
struct PolicyText {
    rules: Option<RulesTable>,
}

#[derive(Deserialize)]
struct RulesTable {
    prefix_rules: Vec<WrittenRule>,
}

#[derive(Deserialize)]
struct WrittenRule {
    pattern: Vec<WrittenWord>,
    decision: Option<Action>,
    justification: Option<String>,
}

#[derive(Deserialize)]
struct WrittenWord {
    token: Option<String>,
    any_of: Option<Vec<String>>,
}

impl PrefixRule {
    /// The rules of a `requirements.toml`; none if it has no `[rules]`. `layer` becomes [`RuleSource::layer`].
    ///
    /// # Errors
    /// What a client refuses; the linter says it with line and column.
    pub fn of_policy(contents: &str, layer: usize) -> Result<Vec<Self>, InvalidRules> {
        let parse = || toml::from_str::<PolicyText>(contents).map_err(|error| InvalidRules(error.message().to_owned()));
        let parsed =
            crate::deep::with_room(contents, parse).map_err(|_| InvalidRules("out of memory".to_owned()))??;
        let written = parsed.rules.map(|rules| rules.prefix_rules).unwrap_or_default();
        if written.len() > MAX_RULES {
            return Err(InvalidRules(format!("{} rules; at most {MAX_RULES} are read", written.len())));
        }
        let read = written.into_iter().enumerate();
        read.map(|(index, rule)| {
            let invalid = |what: &str| InvalidRules(format!("rules.prefix_rules[{index}]: {what}"));
            let pattern: Option<Vec<Vec<String>>> = rule.pattern.into_iter().map(WrittenWord::alternatives).collect();
            let pattern = pattern.filter(|pattern| !pattern.is_empty()).ok_or_else(|| invalid("invalid pattern"))?;
            let decision = rule.decision.filter(|decision| *decision != Action::Allow);
            let decision =
                decision.ok_or_else(|| invalid("the decision is missing, or none that a policy may take"))?;
            Ok(Self { pattern, decision, justification: rule.justification, source: RuleSource { layer, index } })
        })
        .collect()
    }
}

impl WrittenWord {
    fn alternatives(self) -> Option<Vec<String>> {
        let words = match (self.token, self.any_of) {
            (Some(token), None) => vec![token],
            (None, Some(words)) => words,
            _ => return None,
        };
        let good = !words.is_empty() && words.iter().all(|word| !word.trim().is_empty());
        good.then_some(words)
    }
}
