//! Writes that change what clients are sent, done at once or, where the workspace wants a second person
//! (`policy_approval`), proposed first.
//!
//! Such a write is a value, a [`ProposedChange`]: what can be proposed can be stored, looked at, and applied
//! later exactly as it would have been at once. Another kind of write plugs in as another variant.

pub(crate) mod in_use;
mod policies;
pub(crate) mod preview;
mod rollouts;
mod rules;
mod submit;

use provost_model::{ClientVersion, PolicyId, PolicyProposalId, RolloutId, WorkspaceId};
use provost_store::tables::policies as policy_table;
use provost_store::tables::policies::PolicyRow;
use provost_store::tables::rollouts::RolloutRow;
use provost_store::{Change, Tx};
use provost_web::{Etag, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::api::policy_rollouts::RolloutFields;
use crate::api::policy_rules::{self, PolicyRulesBody};
use crate::api::policy_set::{PolicySetPlan, WantedSet};
use crate::api::rollouts::update::RolloutPatch;

pub(crate) use rules::compare as compare_rules;
pub(crate) use submit::{Written, submit, target};

/// A write that changes what clients are sent.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum ProposedChange {
    /// A new policy.
    CreatePolicy {
        /// What it says.
        policy: PolicyDraft,
        /// Client versions in use that it may stop.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[schema(value_type = Vec<String>)]
        allow_client_versions: Vec<ClientVersion>,
    },
    /// The next version of a policy.
    UpdatePolicy {
        /// Which policy.
        policy_id: PolicyId,
        /// What it is to say.
        policy: PolicyDraft,
        /// Client versions in use that it may stop.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[schema(value_type = Vec<String>)]
        allow_client_versions: Vec<ClientVersion>,
    },
    /// The next version of a policy, which says what an earlier one said.
    RollBackPolicy {
        /// Which policy.
        policy_id: PolicyId,
        /// The earlier version.
        to_version: i64,
    },
    /// A policy that is to be gone.
    DeletePolicy {
        /// Which policy.
        policy_id: PolicyId,
    },
    /// Other rules, and another fallback.
    UpdatePolicyRules {
        /// All of them.
        policy_rules: PolicyRulesBody,
    },
    /// Policies and rules by name, at once.
    ApplyPolicySet {
        /// All of them.
        policy_set: WantedSet,
    },
    /// The next version of a policy, on its way to some of the members who get the policy. The stages that it
    /// takes by itself are part of it.
    StartRollout {
        /// Of which policy.
        policy_id: PolicyId,
        /// What it is to say, and to whom.
        rollout: RolloutFields,
    },
    /// A rollout that is to reach others, or to halt less readily.
    UpdateRollout {
        /// Of which policy.
        policy_id: PolicyId,
        /// Which rollout.
        rollout_id: RolloutId,
        /// What is to be different.
        rollout: RolloutPatch,
    },
    /// A rollout whose version everybody is to get.
    FinishRollout {
        /// Of which policy.
        policy_id: PolicyId,
        /// Which rollout.
        rollout_id: RolloutId,
    },
}

/// What a policy is to say.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct PolicyDraft {
    pub(crate) name: String,
    /// `requirements.toml`.
    pub(crate) contents: String,
    /// `config.toml`.
    pub(crate) defaults: Option<String>,
}

/// In whose name a write is done.
#[derive(Debug, Clone)]
pub(crate) struct By {
    /// Its author: the id of a member or key.
    pub(crate) author: String,
    /// Why; may be empty.
    pub(crate) note: String,
    /// Where a second person had to agree: who did, and to which proposal.
    pub(crate) approved: Option<(String, PolicyProposalId)>,
}

impl By {
    pub(crate) fn approver(&self) -> Option<String> {
        self.approved.as_ref().map(|(approver, _)| approver.clone())
    }

    /// The details of an event, with who asked for it where that is another than who does it.
    pub(crate) fn details(&self, details: Value) -> Value {
        let (mut details, Some((_, proposal))) = (details.clone(), &self.approved) else { return details };
        details["proposal_id"] = json!(proposal);
        details["proposed_by"] = json!(self.author);
        details
    }
}

/// What a write came to.
#[derive(Debug)]
pub(crate) struct Applied {
    /// Whether there is anything to commit.
    pub(crate) is_changed: bool,
    /// Whether one person may do it where the workspace wants a second one: it makes nothing wider.
    pub(crate) is_free: bool,
    /// What is there now.
    pub(crate) now: Now,
}

/// What is there after a write.
#[derive(Debug)]
pub(crate) enum Now {
    /// This version of a policy.
    Policy(Box<PolicyRow>),
    /// The policy is gone.
    Gone,
    /// These rules.
    Rules(PolicyRulesBody),
    /// What a set asked for, by what was done.
    Set(PolicySetPlan),
    /// This rollout.
    Rollout(Box<RolloutRow>),
}

impl Applied {
    pub(crate) fn changed(now: Now) -> Self {
        Self { is_changed: true, is_free: false, now }
    }

    pub(crate) fn unchanged(now: Now) -> Self {
        Self { is_changed: false, is_free: true, now }
    }
}

impl ProposedChange {
    /// Its kind, as it is spelled.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::CreatePolicy { .. } => "create_policy",
            Self::UpdatePolicy { .. } => "update_policy",
            Self::RollBackPolicy { .. } => "roll_back_policy",
            Self::DeletePolicy { .. } => "delete_policy",
            Self::UpdatePolicyRules { .. } => "update_policy_rules",
            Self::ApplyPolicySet { .. } => "apply_policy_set",
            Self::StartRollout { .. } => "start_rollout",
            Self::UpdateRollout { .. } => "update_rollout",
            Self::FinishRollout { .. } => "finish_rollout",
        }
    }

    /// The policy that it is about, where that is there already.
    pub(crate) fn policy_id(&self) -> Option<PolicyId> {
        match self {
            Self::UpdatePolicy { policy_id, .. }
            | Self::RollBackPolicy { policy_id, .. }
            | Self::DeletePolicy { policy_id }
            | Self::StartRollout { policy_id, .. }
            | Self::UpdateRollout { policy_id, .. }
            | Self::FinishRollout { policy_id, .. } => Some(*policy_id),
            Self::CreatePolicy { .. } | Self::UpdatePolicyRules { .. } | Self::ApplyPolicySet { .. } => None,
        }
    }

    /// What it is written against, as it is now: a proposal is stale when this is not what it was.
    pub(crate) async fn base(&self, tx: &mut Tx, ws: WorkspaceId) -> Result<String> {
        if let Self::UpdateRollout { rollout_id, .. } | Self::FinishRollout { rollout_id, .. } = self {
            let is_finish = matches!(self, Self::FinishRollout { .. });
            return rollouts::base(tx, ws, *rollout_id, is_finish).await;
        }
        if let Some(id) = self.policy_id() {
            let row = policy_table::get(tx, ws, id).await?;
            return Ok(row.map_or_else(|| "gone".to_owned(), |row| row.version.to_string()));
        }
        match self {
            Self::UpdatePolicyRules { .. } => {
                let (_, tag) = Etag(policy_rules::read(tx, ws).await?).header();
                Ok(tag.to_str().unwrap_or_default().to_owned())
            }
            Self::ApplyPolicySet { policy_set } => policy_set.plan_id(tx, ws).await,
            _ => Ok(String::new()),
        }
    }

    /// Does it: checks it against what is there, writes it, and says so. Whoever calls commits.
    pub(crate) async fn apply(self, change: &mut Change, by: &By) -> Result<Applied> {
        match self {
            Self::CreatePolicy { policy, .. } => policies::create(change, policy, by).await,
            Self::UpdatePolicy { policy_id, policy, .. } => policies::update(change, policy_id, policy, by).await,
            Self::RollBackPolicy { policy_id, to_version } => {
                policies::roll_back(change, policy_id, to_version, by).await
            }
            Self::DeletePolicy { policy_id } => policies::delete(change, policy_id, by).await,
            Self::UpdatePolicyRules { policy_rules } => rules::update(change, policy_rules, by).await,
            Self::ApplyPolicySet { policy_set } => policy_set.apply(change, by).await,
            Self::StartRollout { policy_id, rollout } => rollouts::start(change, policy_id, rollout, by).await,
            Self::UpdateRollout { rollout_id, rollout, .. } => rollouts::update(change, rollout_id, rollout, by).await,
            Self::FinishRollout { rollout_id, .. } => rollouts::finish(change, rollout_id, by).await,
        }
    }
}
