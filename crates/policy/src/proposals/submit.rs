//! A write comes in: it is done, or becomes a proposal.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use provost_model::event::{EventType, Target};
use provost_model::{PolicyProposalId, Workspace};
use provost_store::Change;
use provost_store::tables::policy_proposals::{self, PolicyProposalRow, ProposalStatus};
use provost_store::tables::workspaces;
use provost_web::{App, Caller, Error, Etag, Result, optional_text};
use serde_json::json;

use super::{By, Now, ProposedChange, in_use, preview};
use crate::api::policies::PolicyBody;
use crate::api::policy_proposals::ProposalBody;
use crate::api::policy_rules::PolicyRulesBody;
use crate::api::policy_set::PolicySetPlan;
use crate::api::rollouts::body::{RolloutBody, RolloutShown, RolloutStarted};
use crate::client_versions::{InUse, SeenVersion};

/// How many proposals of one member or key may wait.
const MAX_WAITING: i64 = 50;
/// The longest note, in characters.
const MAX_NOTE: usize = 1_000;

/// What a write is answered.
pub(crate) enum Written {
    /// 200 or 201: a version of a policy.
    Policy(StatusCode, Box<PolicyBody>),
    /// 204.
    Gone,
    /// 200: the rules.
    Rules(PolicyRulesBody),
    /// 200: a set of policies, by what was done.
    Set(PolicySetPlan),
    /// 201: a rollout that has begun.
    RolloutStarted(Box<RolloutStarted>),
    /// 200: a rollout that is under way.
    Rollout(Box<RolloutBody>),
    /// 200: a rollout that has ended.
    RolloutEnded(Box<RolloutShown>),
    /// 202: it waits for a second person.
    Proposed(Box<ProposalBody>),
}

impl Written {
    fn of(now: Now, status: StatusCode, workspace: &Workspace, seen: Option<Vec<SeenVersion>>) -> Self {
        match now {
            Now::Policy(row) => {
                let mut body = PolicyBody::of(*row, workspace);
                body.client_versions = seen;
                Self::Policy(status, body.into())
            }
            Now::Gone => Self::Gone,
            Now::Rules(body) => Self::Rules(body),
            Now::Set(plan) => Self::Set(plan),
            Now::Rollout(row) if row.status.is_live() => {
                let rollout = RolloutBody::new(*row, workspace);
                match seen {
                    Some(client_versions) => Self::RolloutStarted(RolloutStarted { rollout, client_versions }.into()),
                    None => Self::Rollout(rollout.into()),
                }
            }
            Now::Rollout(row) => Self::RolloutEnded(RolloutShown::ended(*row, workspace).into()),
        }
    }
}

impl IntoResponse for Written {
    fn into_response(self) -> Response {
        match self {
            Self::Policy(status, body) => (status, *body).into_response(),
            Self::Gone => StatusCode::NO_CONTENT.into_response(),
            Self::Rules(body) => Etag(body).into_response(),
            Self::Set(plan) => axum::Json(plan).into_response(),
            Self::RolloutStarted(body) => {
                (StatusCode::CREATED, [Etag(&body.rollout).header()], axum::Json(body)).into_response()
            }
            Self::Rollout(body) => Etag(body).into_response(),
            Self::RolloutEnded(body) => body.into_response(),
            Self::Proposed(body) => (StatusCode::ACCEPTED, axum::Json(body)).into_response(),
        }
    }
}

/// Does a write in a change that was begun, or proposes it where the workspace wants a second person. What
/// could not be done cannot be proposed either. `in_use` is what was [asked](in_use::ask) before it began.
pub(crate) async fn submit(
    app: &App,
    caller: &Caller,
    mut change: Change,
    proposed: ProposedChange,
    note: Option<String>,
    in_use: Vec<InUse>,
) -> Result<Written> {
    let note = optional_text("note", &note.unwrap_or_default(), MAX_NOTE)?;
    let ws = change.workspace_id();
    // Read where no other change can come between: approval that is turned on counts from then on.
    let waits = workspaces::settings(&mut change, ws).await?.policy_approval;
    let base = if waits { proposed.base(&mut change, ws).await? } else { String::new() };
    let by = By { author: caller.id(), note: note.clone(), approved: None };
    let status = match proposed {
        ProposedChange::CreatePolicy { .. } => StatusCode::CREATED,
        _ => StatusCode::OK,
    };
    let applied = proposed.clone().apply(&mut change, &by).await?;
    if applied.is_changed {
        in_use.iter().try_for_each(InUse::check)?;
        if waits && !applied.is_free {
            // It was only tried: without a commit nothing of it stays.
            drop(change);
            return propose(app, caller, proposed, base, note, in_use::seen(in_use)).await;
        }
        change.commit().await?;
    }
    Ok(Written::of(applied.now, status, &caller.workspace, in_use::seen(in_use)))
}

async fn propose(
    app: &App,
    caller: &Caller,
    proposed: ProposedChange,
    base: String,
    note: String,
    seen: Option<Vec<SeenVersion>>,
) -> Result<Written> {
    let mut change = caller.change(app).await?;
    let ws = change.workspace_id();
    if policy_proposals::count_pending(&mut change, ws, &caller.id()).await? >= MAX_WAITING {
        let message = format!("{MAX_WAITING} of your proposals wait already: have them decided, or take one back");
        return Err(Error::conflict("too_many_waiting", message));
    }
    let row = PolicyProposalRow {
        id: PolicyProposalId::new(change.at()),
        kind: proposed.kind().to_owned(),
        policy_id: proposed.policy_id(),
        base,
        note,
        status: ProposalStatus::Pending,
        created_by: caller.id(),
        known_by: caller.people(&mut change).await?,
        created_at: change.at(),
        decided_by: None,
        decided_at: None,
    };
    let body = serde_json::to_string(&proposed).expect("a proposal turns into JSON");
    policy_proposals::insert(&mut change, ws, &row, &body).await?;
    let preview = preview::gather(&mut change, ws, &row, &proposed).await?;
    let details = json!({ "kind": row.kind, "policy_id": row.policy_id, "base": row.base, "note": row.note });
    change.record(EventType::PolicyProposed, target(&row), details);
    change.commit().await?;
    let body = ProposalBody::of(row, &caller.workspace).with_change(proposed, preview.compare().await).with_seen(seen);
    Ok(Written::Proposed(body.into()))
}

/// What events about a proposal name.
pub(crate) fn target(row: &PolicyProposalRow) -> Target {
    Target::new("policy_proposal", row.id, row.kind.as_str())
}
