//! What a simulation finds, as it is answered.

use jiff::Timestamp;
use provost_model::command::PrefixRule;
use provost_model::simulate::{Because, CommandVerdict, MemberChange, SessionVerdict, Side, Sight};
use provost_model::{GroupId, MemberId, Permission, PolicyExceptionId, PolicyId};
use provost_store::tables::agent_commands::SealedCommandRow;
use provost_store::tables::agent_sessions::AgentSessionRow;
use serde::Serialize;
use utoipa::ToSchema;

/// A member for whom it makes a difference.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SimulatedMember {
    pub(crate) member_id: MemberId,
    /// Null for callers who may not see members.
    pub(crate) email: Option<String>,
    /// Whether their client would be sent something else: another policy, another text, or nothing any more.
    pub(crate) policy_changes: bool,
    pub(crate) before: SimulatedSide,
    pub(crate) after: SimulatedSide,
    /// Permissions that they would have and have not.
    #[schema(value_type = Vec<String>)]
    pub(crate) gains: Vec<Permission>,
    /// Permissions that they would no longer have.
    #[schema(value_type = Vec<String>)]
    pub(crate) loses: Vec<Permission>,
}

/// What binds a member.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SimulatedSide {
    /// Null: no policy.
    pub(crate) policy_id: Option<PolicyId>,
    pub(crate) policy_name: Option<String>,
    pub(crate) policy_version: Option<u32>,
    /// `exception`, `rule`, `fallback` or `none`.
    #[schema(value_type = String)]
    pub(crate) decided_by: &'static str,
    /// Of a rule, from zero.
    pub(crate) position: Option<usize>,
    pub(crate) group_id: Option<GroupId>,
    pub(crate) exception_id: Option<PolicyExceptionId>,
    /// Who may not is sent nothing, and refused at the model call.
    pub(crate) may_use_codex: bool,
}

/// A session that might not have run as it did, or might where it did not.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SimulatedSession {
    pub(crate) thread_id: String,
    pub(crate) member_id: MemberId,
    /// Null for callers who may not see members.
    pub(crate) email: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) last_at: Timestamp,
    pub(crate) client_version: String,
    /// What it ran with; empty if its client did not say.
    pub(crate) approval_policy: String,
    pub(crate) sandbox_policy: String,
    /// `permitted`, `unknown`, `not_permitted` or `no_access`.
    #[schema(value_type = String)]
    pub(crate) before: SessionVerdict,
    #[schema(value_type = String)]
    pub(crate) after: SessionVerdict,
    /// What speaks for the verdict after.
    pub(crate) reasons: Vec<String>,
}

/// A command that would be decided differently.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SimulatedCommand {
    pub(crate) thread_id: String,
    pub(crate) call_id: String,
    pub(crate) member_id: MemberId,
    /// Null for callers who may not see members.
    pub(crate) email: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) at: Timestamp,
    /// Its words.
    pub(crate) argv: Vec<String>,
    /// What became of it then, as its client reported.
    pub(crate) outcome: String,
    /// `no_match` (the client judges for itself), `prompt`, `forbidden` or `no_access`.
    #[schema(value_type = String)]
    pub(crate) before: CommandVerdict,
    #[schema(value_type = String)]
    pub(crate) after: CommandVerdict,
    /// The rule that decides: the words it takes, in order, alternatives with `|`.
    pub(crate) rule_before: Option<String>,
    pub(crate) rule_after: Option<String>,
}

/// How many went from one verdict to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Transition {
    #[schema(value_type = String)]
    pub(crate) before: &'static str,
    #[schema(value_type = String)]
    pub(crate) after: &'static str,
    pub(crate) count: u64,
}

/// What it comes to.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct SimulationSummary {
    pub(crate) days: u32,
    /// What was recorded from here on was looked at.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) since: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) until: Timestamp,
    pub(crate) members_total: u64,
    /// With another policy or text, or other permissions.
    pub(crate) members_changed: u64,
    /// Of these, those whose client would be sent something else.
    pub(crate) members_policy_changed: u64,
    pub(crate) sessions_total: u64,
    pub(crate) sessions_changed: u64,
    pub(crate) commands_total: u64,
    pub(crate) commands_changed: u64,
    /// Sessions and commands of members who are gone: nothing decides over them, and they are no change.
    pub(crate) sessions_of_gone_members: u64,
    pub(crate) commands_of_gone_members: u64,
    pub(crate) session_transitions: Vec<Transition>,
    pub(crate) command_transitions: Vec<Transition>,
    /// Whether commands are being recorded now (the setting `record_commands`, with `telemetry`).
    pub(crate) commands_are_recorded: bool,
    /// When the latest command was that is kept, however long ago.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) latest_command_at: Option<Timestamp>,
    /// What the figures do not cover, in sentences.
    pub(crate) notes: Vec<String>,
}

impl SimulatedMember {
    pub(crate) fn new(change: MemberChange, email: Option<String>) -> Self {
        Self {
            member_id: change.member_id,
            email,
            policy_changes: change.policy_changes,
            before: change.before.into(),
            after: change.after.into(),
            gains: change.gains.iter().collect(),
            loses: change.loses.iter().collect(),
        }
    }
}

impl From<Side> for SimulatedSide {
    fn from(side: Side) -> Self {
        let (decided_by, position, group_id, exception_id) = match side.because {
            Because::Exception(id) => ("exception", None, None, Some(id)),
            Because::Rule(position, group) => ("rule", Some(position), Some(group), None),
            Because::Fallback => ("fallback", None, None, None),
            Because::Nothing => ("none", None, None, None),
        };
        Self {
            policy_id: side.policy.as_ref().map(|policy| policy.id),
            policy_name: side.policy.as_ref().map(|policy| policy.name.to_string()),
            policy_version: side.policy.as_ref().map(|policy| policy.version),
            decided_by,
            position,
            group_id,
            exception_id,
            may_use_codex: side.may_use_codex,
        }
    }
}

impl SimulatedSession {
    pub(crate) fn new(
        row: AgentSessionRow,
        email: Option<String>,
        before: SessionVerdict,
        (after, reasons): (SessionVerdict, Vec<String>),
    ) -> Self {
        Self {
            thread_id: row.thread_id,
            member_id: row.member_id,
            email,
            last_at: row.last_at,
            client_version: row.client_version,
            approval_policy: row.approval_policy,
            sandbox_policy: row.sandbox_policy,
            before,
            after,
            reasons,
        }
    }
}

impl SimulatedCommand {
    pub(crate) fn new(
        row: &SealedCommandRow,
        argv: Vec<String>,
        email: Option<String>,
        (before, after): (CommandVerdict, CommandVerdict),
        (was, will): (&Sight, &Sight),
    ) -> Self {
        let rule = |sight: &Sight| sight.deciding_rule(&argv).as_ref().map(words);
        let (rule_before, rule_after) = (rule(was), rule(will));
        Self {
            thread_id: row.thread_id.clone(),
            call_id: row.call_id.clone(),
            member_id: row.member_id,
            email,
            at: row.at,
            argv,
            outcome: row.outcome.clone(),
            before,
            after,
            rule_before,
            rule_after,
        }
    }
}

fn words(rule: &PrefixRule) -> String {
    rule.pattern.iter().map(|words| words.join("|")).collect::<Vec<_>>().join(" ")
}
