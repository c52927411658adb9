//! The answer's shape, and its pure part.

use jiff::Timestamp;
use provost_model::command::{Action, InvalidRules, Outcome, PrefixRule, RuleSet};
use provost_model::effective::{Effective, Key, Layer, LayerKind, effective};
use provost_model::{PolicyExceptionId, PolicyId, RolloutId};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{Question, RulesText, Text};
use crate::api::policy_lookup::{LookupConsidered, LookupDecidedBy};
use crate::team_config::Budget;
use crate::team_config::rules::Evaluator;

/// What binds somebody, and why.
#[derive(Serialize, ToSchema)]
pub(crate) struct Explanation {
    /// Null: no policy, nothing is constrained from here.
    pub(crate) policy: Option<ExplainedPolicy>,
    /// Whether the client is sent it: a member who may not use Codex Local is sent nothing, and refused at the model
    /// call.
    pub(crate) delivered: bool,
    pub(crate) decided_by: LookupDecidedBy,
    /// The rules that were looked at, in order, up to the one that matched.
    pub(crate) considered: Vec<LookupConsidered>,
    /// The exception that went before the rules.
    pub(crate) exception: Option<ExplainedException>,
    /// The rollout that chose the version.
    pub(crate) rollout_id: Option<RolloutId>,
    /// Every effective key: first what binds, then where a session starts.
    pub(crate) keys: Vec<ExplainedKey>,
    /// What stands in a text and does nothing.
    pub(crate) ignored: Vec<ExplainedIgnored>,
    /// Texts that are no TOML, or no rules. No client starts with one among its requirements; here they are left out.
    pub(crate) unreadable: Vec<ExplainedUnreadable>,
    /// Files that the answer leaves out.
    pub(crate) not_read: Vec<ExplainedNotRead>,
    /// What becomes of the command that was asked about.
    pub(crate) command: Option<ExplainedCommand>,
}

/// The policy, at the version that the client is sent.
#[derive(Clone, Serialize, ToSchema)]
pub(crate) struct ExplainedPolicy {
    pub(crate) id: PolicyId,
    pub(crate) name: String,
    pub(crate) version: u32,
    /// Who wrote this version: a member or a key.
    pub(crate) author: Option<String>,
    /// Of a member who is still here.
    pub(crate) author_email: Option<String>,
    /// When this version was written.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) since: Option<Timestamp>,
}

/// An exception.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExplainedException {
    pub(crate) id: PolicyExceptionId,
    pub(crate) policy_id: PolicyId,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) expires_at: Timestamp,
}

/// Where something stands.
#[derive(Clone, Serialize, ToSchema)]
pub(crate) struct ExplainedLayer {
    /// `cloud_policy`, `system_requirements`, `team_config`, `user_config`, `cloud_defaults`, `system_config`, or
    /// `client_default`: what a client does when no text says anything.
    #[schema(value_type = String)]
    pub(crate) kind: &'static str,
    /// The name of the policy, or the path of the file.
    pub(crate) name: Option<String>,
    /// Of a policy's text.
    pub(crate) policy: Option<ExplainedLayerPolicy>,
}

/// The policy of a layer.
#[derive(Clone, Serialize, ToSchema)]
pub(crate) struct ExplainedLayerPolicy {
    pub(crate) id: PolicyId,
    pub(crate) version: u32,
    pub(crate) author: Option<String>,
}

/// One effective key.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExplainedKey {
    /// Dotted; `rules.prefix_rules[0]` is an element of a list to which all layers add.
    pub(crate) key: String,
    /// `requirement`: it binds. `config`: a session starts with it.
    pub(crate) section: &'static str,
    /// As clients read it.
    pub(crate) value: Value,
    pub(crate) layer: ExplainedLayer,
    /// What other layers say in vain, strongest first.
    pub(crate) overrode: Vec<ExplainedOverrode>,
    /// Of a `config` key: whether the requirements let it stand. Null if none is about it.
    pub(crate) permitted: Option<ExplainedVerdict>,
}

/// What another layer says.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExplainedOverrode {
    pub(crate) layer: ExplainedLayer,
    pub(crate) value: Value,
}

/// Whether a value stands.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExplainedVerdict {
    pub(crate) allowed: bool,
    /// What the session runs with.
    pub(crate) becomes: Value,
    /// The requirement that says so.
    pub(crate) by: String,
}

/// A key without an effect.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExplainedIgnored {
    pub(crate) key: String,
    pub(crate) layer: ExplainedLayer,
    pub(crate) why: &'static str,
}

/// A text that is no TOML, or no rules.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExplainedUnreadable {
    pub(crate) layer: ExplainedLayer,
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) message: String,
}

/// A file that was left out.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExplainedNotRead {
    pub(crate) path: String,
    pub(crate) why: &'static str,
}

/// What becomes of a command.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExplainedCommand {
    pub(crate) argv: Vec<String>,
    /// What clients hold the rules against: the simple commands of a shell's script where it is plain.
    pub(crate) parts: Vec<ExplainedPart>,
    /// `allow`, `prompt`, `forbidden`, or `no_match`: no rule decides, and the client judges for itself.
    #[schema(value_type = String)]
    pub(crate) decision: Outcome,
    /// The first of the strictest rules that match.
    pub(crate) deciding_rule: Option<ExplainedRule>,
}

/// A simple command.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExplainedPart {
    pub(crate) argv: Vec<String>,
    /// All rules that match it.
    pub(crate) matched: Vec<ExplainedRule>,
}

/// A rule over commands.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExplainedRule {
    /// What each word may be.
    pub(crate) pattern: Vec<Vec<String>>,
    /// `allow`, `prompt`, `prompt-user` or `forbidden`.
    #[schema(value_type = String)]
    pub(crate) decision: Action,
    pub(crate) justification: Option<String>,
    pub(crate) layer: ExplainedLayer,
    /// Which rule of its layer, from zero.
    pub(crate) index: usize,
    /// The policy's version that says so.
    pub(crate) policy: Option<ExplainedPolicy>,
}

/// What was made of the texts.
pub(crate) struct Made {
    pub(crate) keys: Vec<ExplainedKey>,
    pub(crate) ignored: Vec<ExplainedIgnored>,
    pub(crate) unreadable: Vec<ExplainedUnreadable>,
    pub(crate) command: Option<ExplainedCommand>,
}

/// Merges the texts and answers the question about them.
pub(crate) fn put_together(
    texts: &[Text],
    rules_files: &[RulesText],
    policy: Option<&ExplainedPolicy>,
    question: &Question,
) -> Made {
    let layers: Vec<_> = texts.iter().map(|text| Layer { kind: text.kind, contents: &text.contents }).collect();
    let Effective { requirements, config, ignored, unreadable } = effective(&layers, question.hostname.as_deref());
    let names = Names { texts, rules_files, policy };
    let asked = |key: &Key| question.key.as_deref().is_none_or(|asked| is_or_below(&key.key, asked));
    let requirements = requirements.into_iter().filter(asked).map(|key| names.key(key, "requirement"));
    let config = config.into_iter().filter(asked).map(|key| names.key(key, "config"));
    let ignored = ignored.into_iter().map(|ignored| ExplainedIgnored {
        key: ignored.key,
        layer: names.layer(ignored.layer),
        why: ignored.why,
    });
    let mut unreadable: Vec<_> = unreadable
        .into_iter()
        .map(|(layer, problem)| ExplainedUnreadable {
            layer: names.layer(layer),
            line: problem.line,
            column: problem.column,
            message: problem.message,
        })
        .collect();
    let command = question.command.as_ref().map(|argv| {
        let mut rules = Vec::new();
        for (index, text) in texts.iter().enumerate().filter(|(_, text)| text.kind.requires()) {
            match PrefixRule::of_policy(&text.contents, index) {
                Ok(read) => rules.extend(read),
                Err(InvalidRules(message)) => {
                    let layer = names.layer(index);
                    unreadable.push(ExplainedUnreadable { layer, line: 1, column: 1, message: message.clone() });
                }
            }
        }
        let mut executables = Vec::new();
        let mut budget = Budget::of_a_check();
        for (index, file) in (texts.len()..).zip(rules_files) {
            let mut said = budget.evaluate(&file.contents, &Evaluator::of_this_program());
            // Clients refuse a file with a mistake whole, and one whose examples fail, too.
            if said.problems.is_empty() {
                rules.extend(said.prefix_rules(index));
                executables.append(&mut said.executables);
            }
            unreadable.extend(said.problems.into_iter().map(|problem| ExplainedUnreadable {
                layer: names.layer(index),
                line: problem.line,
                column: problem.column,
                message: problem.message,
            }));
        }
        let rules = executables
            .into_iter()
            .fold(RuleSet::new(rules), |rules, program| rules.with_host_executable(&program.name, program.paths));
        names.command(&rules, argv)
    });
    Made { keys: requirements.chain(config).collect(), ignored: ignored.collect(), unreadable, command }
}

fn is_or_below(key: &str, asked: &str) -> bool {
    key.strip_prefix(asked).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// Says where things stand.
struct Names<'a> {
    texts: &'a [Text],
    /// Their places follow those of the texts.
    rules_files: &'a [RulesText],
    policy: Option<&'a ExplainedPolicy>,
}

impl Names<'_> {
    fn layer(&self, index: usize) -> ExplainedLayer {
        let text = self.texts.get(index);
        let policy = text.filter(|text| text.of_policy).and(self.policy);
        let policy = policy.map(|policy| ExplainedLayerPolicy {
            id: policy.id,
            version: policy.version,
            author: policy.author.clone(),
        });
        let rules_file = index.checked_sub(self.texts.len()).and_then(|index| self.rules_files.get(index));
        if let Some(file) = rules_file {
            return ExplainedLayer { kind: "team_config", name: Some(file.path.clone()), policy: None };
        }
        let kind = text.map_or("client_default", |text| match text.kind {
            LayerKind::CloudPolicy => "cloud_policy",
            LayerKind::SystemRequirements => "system_requirements",
            LayerKind::TeamConfig => "team_config",
            LayerKind::UserConfig => "user_config",
            LayerKind::CloudDefaults => "cloud_defaults",
            LayerKind::SystemConfig => "system_config",
        });
        ExplainedLayer { kind, name: text.map(|text| text.name.clone()), policy }
    }

    fn key(&self, key: Key, section: &'static str) -> ExplainedKey {
        let overrode = key
            .overrode
            .into_iter()
            .map(|other| ExplainedOverrode { layer: self.layer(other.layer), value: other.value });
        let permitted = key.permitted.map(|verdict| ExplainedVerdict {
            allowed: verdict.allowed,
            becomes: verdict.becomes,
            by: verdict.by,
        });
        let layer = self.layer(key.layer.unwrap_or(usize::MAX));
        ExplainedKey { key: key.key, section, value: key.value, layer, overrode: overrode.collect(), permitted }
    }

    fn command(&self, rules: &RuleSet, argv: &[String]) -> ExplainedCommand {
        let decision = rules.decide(argv);
        let parts = decision.parts.iter().map(|part| ExplainedPart {
            argv: part.argv.iter().map(ToString::to_string).collect(),
            matched: part.matched.iter().map(|rule| self.rule(rule)).collect(),
        });
        ExplainedCommand {
            argv: argv.to_vec(),
            parts: parts.collect(),
            decision: decision.outcome,
            deciding_rule: decision.deciding().map(|rule| self.rule(rule)),
        }
    }

    fn rule(&self, rule: &PrefixRule) -> ExplainedRule {
        let layer = self.layer(rule.source.layer);
        let policy = layer.policy.as_ref().and(self.policy).cloned();
        ExplainedRule {
            pattern: rule.pattern.clone(),
            decision: rule.decision,
            justification: rule.justification.clone(),
            layer,
            index: rule.source.index,
            policy,
        }
    }
}
