//! How rollouts look, and what may be asked of them.

use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use provost_model::{
    ClientVersion, GroupId, Percent, PolicyId, RolloutGuard, RolloutId, RolloutReach, RolloutStage, RolloutStatus,
    Workspace, WorkspaceId,
};
use provost_store::tables::rollouts::RolloutRow;
use provost_store::{Tx, tables::groups};
use provost_web::{Error, Etag, Result, present};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::client_versions::SeenVersion;
use crate::rollouts::Figures;

/// More are no list that a person can follow.
const MAX_GROUPS: usize = 100;
const MAX_STAGES: usize = 20;
/// Thirty days.
const MAX_STAGE_MINUTES: u32 = 43_200;
/// A week.
const MAX_GRACE_MINUTES: u32 = 10_080;

/// A version of a policy on its way to everybody who gets the policy.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct RolloutBody {
    pub(crate) id: RolloutId,
    policy_id: PolicyId,
    /// What the others go on getting.
    baseline_version: i64,
    /// What is rolled out.
    candidate_version: i64,
    status: RolloutStatus,
    /// Of the members who get the policy (and are in one of the groups, if there are any): stable by member.
    pub(crate) percent: Percent,
    /// Members of these groups only; empty is everybody.
    pub(crate) group_ids: Vec<GroupId>,
    /// Those of the groups that are gone: they reach nobody.
    gone_group_ids: Vec<GroupId>,
    /// Clients from this version on; one that does not say its version is not reached.
    #[schema(value_type = Option<String>)]
    pub(crate) min_client_version: Option<ClientVersion>,
    /// Clients up to this version; one that does not say its version is not reached.
    #[schema(value_type = Option<String>)]
    pub(crate) max_client_version: Option<ClientVersion>,
    pub(crate) guard: RolloutGuard,
    /// The steps that it takes by itself; empty is none.
    stages: Vec<RolloutStage>,
    /// At which of them it is, from zero.
    stage: Option<usize>,
    note: String,
    /// Who began it: a member or a key.
    created_by: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// When it was halted, finished or cancelled.
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
}

impl RolloutBody {
    /// Of a row, in a workspace that says which groups are there.
    pub(crate) fn new(row: RolloutRow, workspace: &Workspace) -> Self {
        let gone = row.group_ids.iter().copied().filter(|id| !workspace.groups.contains_key(id)).collect();
        Self { gone_group_ids: gone, ..Self::with_every_group(row) }
    }

    /// Of a row whose groups are all there.
    pub(crate) fn with_every_group(row: RolloutRow) -> Self {
        let stage = (!row.stages.is_empty()).then_some(row.stage);
        Self {
            id: row.id,
            policy_id: row.policy_id,
            baseline_version: row.baseline_version,
            candidate_version: row.candidate_version,
            status: row.status,
            percent: row.percent,
            group_ids: row.group_ids,
            gone_group_ids: Vec::new(),
            min_client_version: row.min_client_version,
            max_client_version: row.max_client_version,
            guard: row.guard,
            stages: row.stages,
            stage,
            note: row.note,
            created_by: row.created_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
            ended_at: row.ended_at,
        }
    }
}

/// A rollout that has begun.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RolloutStarted {
    #[serde(flatten)]
    pub(crate) rollout: RolloutBody,
    /// What the client versions seen in the last 30 days make of the new version.
    pub(crate) client_versions: Vec<SeenVersion>,
}

/// A rollout with whom it reaches and how the clients of both versions do.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RolloutShown {
    #[serde(flatten)]
    pub(crate) rollout: RolloutBody,
    /// Null when it has ended.
    pub(crate) reach: Option<RolloutReachBody>,
    /// Of one that has ended: when it did.
    pub(crate) figures: Option<Figures>,
}

impl RolloutShown {
    /// One that has ended.
    pub(crate) fn ended(row: RolloutRow, workspace: &Workspace) -> Self {
        let figures = row.figures.clone().and_then(|figures| serde_json::from_value(figures).ok());
        Self { rollout: RolloutBody::new(row, workspace), reach: None, figures }
    }
}

impl IntoResponse for RolloutShown {
    fn into_response(self) -> Response {
        ([Etag(&self.rollout).header()], axum::Json(self)).into_response()
    }
}

/// Whom a rollout reaches now, whichever clients they use.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RolloutReachBody {
    /// The active members who get the policy.
    members: usize,
    /// Those of them who get the new version.
    reached: usize,
}

impl From<RolloutReach> for RolloutReachBody {
    fn from(reach: RolloutReach) -> Self {
        Self { members: reach.members, reached: reach.reached }
    }
}

/// When a rollout halts by itself: what is absent is as it was, or as it is by default.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RolloutGuardFields {
    /// Nothing is concluded from fewer clients: 1 to 100000, 10 by default.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    min_clients: Option<u32>,
    /// In percentage points; 20 by default.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    max_silent_increase: Option<Percent>,
    /// In percentage points; 10 by default.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    max_failure_increase: Option<Percent>,
    /// How long after its first fetch a client is judged: up to 10080, 30 by default.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    grace_minutes: Option<u32>,
    /// How many may stay silent where there are too few others to compare with; 50 by default.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    max_silent: Option<Percent>,
    /// How many turns may fail where there are too few others to compare with; 50 by default.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    max_failure: Option<Percent>,
}

impl RolloutGuardFields {
    /// A guard with these fields.
    pub(crate) fn apply(&self, to: RolloutGuard) -> Result<RolloutGuard> {
        let guard = RolloutGuard {
            min_clients: self.min_clients.unwrap_or(to.min_clients),
            max_silent_increase: self.max_silent_increase.unwrap_or(to.max_silent_increase),
            max_failure_increase: self.max_failure_increase.unwrap_or(to.max_failure_increase),
            grace_minutes: self.grace_minutes.unwrap_or(to.grace_minutes),
            max_silent: self.max_silent.unwrap_or(to.max_silent),
            max_failure: self.max_failure.unwrap_or(to.max_failure),
        };
        if !(1..=100_000).contains(&guard.min_clients) {
            let message = "something is concluded from 1 client at least, and 100000 at most";
            return Err(Error::invalid("guard.min_clients", "out_of_range", message));
        }
        if guard.grace_minutes > MAX_GRACE_MINUTES {
            let message = format!("clients are judged after {MAX_GRACE_MINUTES} minutes at the latest");
            return Err(Error::invalid("guard.grace_minutes", "out_of_range", message));
        }
        Ok(guard)
    }
}

/// Refuses versions between which no client is.
pub(crate) fn check_versions(min: Option<ClientVersion>, max: Option<ClientVersion>) -> Result<()> {
    match (min, max) {
        (Some(min), Some(max)) if min > max => {
            let message = format!("no client is from {min} on and up to {max}");
            Err(Error::invalid("max_client_version", "no_client", message))
        }
        _ => Ok(()),
    }
}

/// The groups in their order, each once; refuses what is not there.
pub(crate) async fn check_groups(tx: &mut Tx, ws: WorkspaceId, ids: &[GroupId]) -> Result<Vec<GroupId>> {
    if ids.len() > MAX_GROUPS {
        return Err(Error::invalid("group_ids", "too_many", format!("there can be at most {MAX_GROUPS} groups")));
    }
    for (index, id) in ids.iter().enumerate() {
        if groups::get(tx, ws, *id).await?.is_none() {
            let message = "there is no such group (it may have been deleted): leave it out";
            return Err(Error::invalid(format!("group_ids[{index}]"), "unknown_group", message));
        }
    }
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

/// Refuses steps that lead nowhere.
pub(crate) fn check_stages(stages: &[RolloutStage]) -> Result<()> {
    if stages.len() > MAX_STAGES {
        return Err(Error::invalid("stages", "too_many", format!("there can be at most {MAX_STAGES} stages")));
    }
    for (index, stage) in stages.iter().enumerate() {
        if !(1..=MAX_STAGE_MINUTES).contains(&stage.minutes) {
            let message = format!("a stage takes 1 to {MAX_STAGE_MINUTES} minutes");
            return Err(Error::invalid(format!("stages[{index}].minutes"), "out_of_range", message));
        }
        if index > 0 && stage.percent <= stages[index - 1].percent {
            let message = "each stage reaches more than the one before";
            return Err(Error::invalid(format!("stages[{index}].percent"), "not_ascending", message));
        }
    }
    Ok(())
}
