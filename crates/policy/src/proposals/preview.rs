//! What a proposal would change: gathered from the database first, compared when its connection is free again.

use provost_model::WorkspaceId;
use provost_model::policy_diff::{self, ChangeKind, Effect, PolicyChange, PolicyDiff, PolicyTexts};
use provost_store::Tx;
use provost_store::tables::policies::{self, PolicyRow};
use provost_store::tables::policy_proposals::{PolicyProposalRow, ProposalStatus};
use provost_store::tables::rollouts::{self, RolloutRow};
use provost_web::Result;
use serde_json::json;

use super::rollouts::compare as compare_rollouts;
use super::{PolicyDraft, ProposedChange, compare_rules};
use crate::api::policy_rules::{self, PolicyRulesBody};

/// Two sides to compare.
pub(crate) enum Preview {
    /// Of a policy; an absent one says nothing.
    Policy(Option<PolicyDraft>, Option<PolicyDraft>),
    /// Of the rules.
    Rules(PolicyRulesBody, PolicyRulesBody),
    /// Of whom a rollout reaches.
    Rollout(Box<[RolloutRow; 2]>),
    /// What it was written against is not kept.
    Unknown,
}

impl From<PolicyRow> for PolicyDraft {
    fn from(row: PolicyRow) -> Self {
        Self { name: row.name, contents: row.contents, defaults: row.defaults }
    }
}

/// Reads both sides: of a proposal that waits against what is there now, of another against what it was
/// written against.
pub(crate) async fn gather(
    tx: &mut Tx,
    ws: WorkspaceId,
    row: &PolicyProposalRow,
    change: &ProposedChange,
) -> Result<Preview> {
    let is_pending = row.status == ProposalStatus::Pending;
    let before = match (change.policy_id(), row.base.parse()) {
        (Some(id), _) if is_pending => policies::get(tx, ws, id).await?,
        (Some(id), Ok(version)) => policies::get_version(tx, ws, id, version).await?,
        _ => None,
    };
    let before = before.map(PolicyDraft::from);
    Ok(match change {
        ProposedChange::CreatePolicy { policy, .. } => Preview::Policy(None, Some(policy.clone())),
        ProposedChange::UpdatePolicy { policy, .. } => Preview::Policy(before, Some(policy.clone())),
        ProposedChange::DeletePolicy { .. } => Preview::Policy(before, None),
        ProposedChange::RollBackPolicy { policy_id, to_version } => {
            let earlier = policies::get_version(tx, ws, *policy_id, *to_version).await?.map(PolicyDraft::from);
            // The name stays.
            let name = before.as_ref().map(|before| before.name.clone());
            let after = earlier.map(|earlier| PolicyDraft { name: name.unwrap_or_default(), ..earlier });
            Preview::Policy(before, after)
        }
        ProposedChange::UpdatePolicyRules { policy_rules } if is_pending => {
            Preview::Rules(policy_rules::read(tx, ws).await?, policy_rules.clone())
        }
        ProposedChange::StartRollout { rollout, .. } => {
            let name = before.as_ref().map(|before| before.name.clone()).unwrap_or_default();
            let after = PolicyDraft { name, contents: rollout.contents.clone(), defaults: rollout.defaults.clone() };
            Preview::Policy(before, Some(after))
        }
        ProposedChange::FinishRollout { policy_id, rollout_id } => {
            // Its two versions never change.
            let Some(rollout) = rollouts::get(tx, ws, *rollout_id).await? else { return Ok(Preview::Unknown) };
            let before = policies::get_version(tx, ws, *policy_id, rollout.baseline_version).await?;
            let after = policies::get_version(tx, ws, *policy_id, rollout.candidate_version).await?;
            Preview::Policy(before.map(PolicyDraft::from), after.map(PolicyDraft::from))
        }
        ProposedChange::UpdateRollout { rollout_id, rollout, .. } if is_pending => {
            let before = rollouts::get(tx, ws, *rollout_id).await?;
            match before.map(|before| rollout.apply(&before).map(|after| [before, after])) {
                Some(Ok(both)) => Preview::Rollout(both.into()),
                // What became of it meanwhile leaves nothing to compare.
                Some(Err(_)) | None => Preview::Unknown,
            }
        }
        // The plan of a set stands in the proposal itself, text by text.
        ProposedChange::UpdatePolicyRules { .. }
        | ProposedChange::ApplyPolicySet { .. }
        | ProposedChange::UpdateRollout { .. } => Preview::Unknown,
    })
}

impl Preview {
    /// What differs; none if that is not known any more.
    pub(crate) async fn compare(self) -> Option<PolicyDiff> {
        match self {
            Self::Unknown => None,
            Self::Rollout(both) => Some(compare_rollouts(&both[0], &both[1])),
            Self::Rules(before, after) => Some(compare_rules(&before, &after)),
            Self::Policy(before, after) => Some(compare(before, after).await),
        }
    }
}

/// Compares two policies, beside the threads that answer requests: a text may be a megabyte.
pub(crate) async fn compare(before: Option<PolicyDraft>, after: Option<PolicyDraft>) -> PolicyDiff {
    let compared = tokio::task::spawn_blocking(move || {
        let texts = |draft: &Option<PolicyDraft>| draft.clone().map(|draft| (draft.contents, draft.defaults));
        let (old, new) = (texts(&before).unwrap_or_default(), texts(&after).unwrap_or_default());
        let mut found = policy_diff::diff(
            PolicyTexts { contents: &old.0, defaults: old.1.as_deref() },
            PolicyTexts { contents: &new.0, defaults: new.1.as_deref() },
        );
        if let (Some(before), Some(after)) = (before, after)
            && before.name != after.name
        {
            let summary = format!("{}, was {}", json!(after.name), json!(before.name));
            let (before, after) = (json!(before.name), json!(after.name));
            let (key, change, effect) = ("name".to_owned(), ChangeKind::Changed, Effect::Neutral);
            found.changes.insert(0, PolicyChange { key, change, effect, before, after, summary });
        }
        found
    });
    compared.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}
