use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

use crate::command::{Outcome, PrefixRule, RuleSet};
use crate::drift::{Permits, Ran};
use crate::{ClientVersion, Member, Permission, Workspace};

/// What becomes of a command, from the mildest to the strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandVerdict {
    /// No rule is about it: the client judges for itself.
    NoMatch,
    /// A person is asked first.
    Prompt,
    /// Refused.
    Forbidden,
    /// The member may not use Codex at all.
    NoAccess,
}

impl CommandVerdict {
    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoMatch => "no_match",
            Self::Prompt => "prompt",
            Self::Forbidden => "forbidden",
            Self::NoAccess => "no_access",
        }
    }
}

/// Whether a session might run with what it ran with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionVerdict {
    /// As it did.
    Permitted,
    /// What was reported of it does not say, or the policy leaves it to what is not reported.
    Unknown,
    /// Not so: its client would start it with what is permitted instead.
    NotPermitted,
    /// The member may not use Codex at all.
    NoAccess,
}

impl SessionVerdict {
    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Permitted => "permitted",
            Self::Unknown => "unknown",
            Self::NotPermitted => "not_permitted",
            Self::NoAccess => "no_access",
        }
    }
}

/// The rules of one policy text, ready for many questions.
#[derive(Debug)]
pub struct Rules {
    commands: RuleSet,
    permits: Option<Permits>,
}

/// What a member's client goes by.
#[derive(Debug, Clone)]
pub enum Sight {
    /// The rules of a policy, which are empty without one.
    Rules(Arc<Rules>),
    /// Nothing: the member may not use Codex.
    NoAccess,
}

/// Gives verdicts under one workspace, each policy text read once.
#[derive(Debug)]
pub struct Verdicts {
    workspace: Arc<Workspace>,
    now: Timestamp,
    /// By where the text lies, which is there as long as the workspace.
    read: Mutex<HashMap<usize, Arc<Rules>>>,
    none: Arc<Rules>,
}

impl Verdicts {
    /// Under a workspace at a time, which ends exceptions.
    pub fn new(workspace: Arc<Workspace>, now: Timestamp) -> Self {
        let none = Rules { commands: RuleSet::default(), permits: Some(Permits::all()) };
        Self { workspace, now, read: Mutex::default(), none: Arc::new(none) }
    }

    /// The workspace.
    pub fn workspace(&self) -> &Arc<Workspace> {
        &self.workspace
    }

    /// What a member's client of this version goes by.
    pub fn sight(&self, member: &Member, client: Option<ClientVersion>) -> Sight {
        if !self.workspace.may(member, Permission::CodexLocalUse) {
            return Sight::NoAccess;
        }
        let policy = self.workspace.delivery(member, client, self.now).policy;
        Sight::Rules(policy.map_or_else(|| Arc::clone(&self.none), |policy| self.rules(&policy.contents)))
    }

    fn rules(&self, contents: &Arc<str>) -> Arc<Rules> {
        // What was read stands whole or not at all.
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let place = contents.as_ptr().addr();
        Arc::clone(read.entry(place).or_insert_with(|| Arc::new(Rules::of(contents))))
    }
}

impl Rules {
    /// Of a policy's text. What the linter passes can be read; of what cannot (published before the linter knew
    /// better), no rule holds, since no client starts with it.
    pub fn of(contents: &str) -> Self {
        let rules = PrefixRule::of_policy(contents, 0).unwrap_or_default();
        Self { commands: RuleSet::new(rules), permits: Permits::of(contents) }
    }
}

impl Sight {
    /// What becomes of a command.
    pub fn command(&self, argv: &[String]) -> CommandVerdict {
        match self {
            Self::NoAccess => CommandVerdict::NoAccess,
            Self::Rules(rules) => match rules.commands.outcome(argv) {
                // Policies cannot allow.
                Outcome::Allow | Outcome::NoMatch => CommandVerdict::NoMatch,
                Outcome::Prompt => CommandVerdict::Prompt,
                Outcome::Forbidden => CommandVerdict::Forbidden,
            },
        }
    }

    /// The rule that says what becomes of a command.
    pub fn deciding_rule(&self, argv: &[String]) -> Option<PrefixRule> {
        match self {
            Self::NoAccess => None,
            Self::Rules(rules) => rules.commands.decide(argv).deciding().cloned(),
        }
    }

    /// Names what it goes by among those of one [`Verdicts`]: who goes by the same has the same name.
    pub fn name(&self) -> usize {
        match self {
            Self::NoAccess => 0,
            Self::Rules(rules) => Arc::as_ptr(rules).addr(),
        }
    }

    /// Whether a session might run as it did, and what speaks against it.
    pub fn session(&self, ran: &Ran) -> (SessionVerdict, Vec<String>) {
        let Self::Rules(rules) = self else { return (SessionVerdict::NoAccess, Vec::new()) };
        let Some(permits) = &rules.permits else { return (SessionVerdict::Unknown, Vec::new()) };
        match permits.would_permit(ran) {
            (Some(true), _) => (SessionVerdict::Permitted, Vec::new()),
            (Some(false), reasons) => (SessionVerdict::NotPermitted, reasons),
            (None, reasons) => (SessionVerdict::Unknown, reasons),
        }
    }

    /// Whether no command could be decided differently by the other: then none need be looked at.
    pub fn decides_commands_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::NoAccess, Self::NoAccess) => true,
            (Self::Rules(one), Self::Rules(other)) => {
                Arc::ptr_eq(one, other) || same_rules(one.commands.rules(), other.commands.rules())
            }
            _ => false,
        }
    }
}

fn same_rules(one: &[PrefixRule], other: &[PrefixRule]) -> bool {
    let same =
        |(one, other): (&PrefixRule, &PrefixRule)| one.pattern == other.pattern && one.decision == other.decision;
    one.len() == other.len() && one.iter().zip(other).all(same)
}
