//! Which rule decides a command: what a client of 0.169.0 does with the argv of a command before it runs.
//!
//! A command is first [`split`]: the script of a shell is looked into when it is plain, and matched as a whole when it is
//! not. Each part is then held against the rules by its first words, and the strictest rule of all parts wins. What no
//! rule matches is left to the client's own judgement (its list of harmless commands, the approval policy, the sandbox).
//!
//! Rules come from `[rules] prefix_rules` of policies ([`PrefixRule::of_policy`]), which only restrict, and from
//! `.rules` files, where `allow` exists, too. Build a [`RuleSet`] once and ask it often: a decision takes about a
//! microsecond, however many rules there are.
//!
//! ```
//! use provost_model::command::{Outcome, PrefixRule, RuleSet};
//!
//! let policy = r#"rules.prefix_rules = [{ pattern = [{ token = "git" }, { token = "push" }], decision = "prompt" }]"#;
//! let rules = RuleSet::new(PrefixRule::of_policy(policy, 0)?);
//! let decision = rules.decide(&["bash", "-lc", "git add . && git push"]);
//! assert_eq!(decision.outcome, Outcome::Prompt);
//! assert_eq!(decision.parts.len(), 2);
//! # Ok::<(), provost_model::command::InvalidRules>(())
//! ```
//!
//! Not repeated here: PowerShell wrappers and `.exe` names, which only clients on Windows look into.

mod rule;
mod rule_set;
mod script;
mod split;

pub use rule::{Action, InvalidRules, MAX_RULES, PrefixRule, RuleSource};
pub use rule_set::{CommandDecision, Outcome, Part, RuleSet};
pub use split::{of_line, split};

#[cfg(test)]
mod tests;
