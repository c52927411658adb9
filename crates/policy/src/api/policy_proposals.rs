//! `/api/v1/policy-proposals`: changes that wait for a second person.

use axum::extract::State;
use jiff::{SignedDuration, Timestamp};
use provost_model::event::EventType;
use provost_model::policy_diff::PolicyDiff;
use provost_model::{ApiKeyStatus, MemberId, Permission, PolicyId, PolicyProposalId, Workspace};
use provost_store::tables::policy_proposals::{self, PolicyProposalRow, ProposalStatus};
use provost_store::tables::{api_keys, members};
use provost_store::{Change, Tx};
use provost_web::{App, Error, ErrorBody, List, ListQuery, PathId, Permit, Query, Result, Session, permits};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::authors::Author;
use crate::client_versions::{InUse, SeenVersion};
use crate::proposals::{By, ProposedChange, in_use, preview, target};

/// A proposal that waited for so long is not approved any more: nobody remembers what it was for.
const LIFETIME: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A change that waits for a second person, or what became of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ProposalBody {
    id: PolicyProposalId,
    /// `create_policy`, `update_policy`, `roll_back_policy`, `delete_policy`, `update_policy_rules`, `apply_policy_set`,
    /// `start_rollout`, `update_rollout` or `finish_rollout`.
    kind: String,
    /// `pending`, `approved`, `denied` or `withdrawn`.
    status: &'static str,
    /// The policy, where it is about one that is there.
    policy_id: Option<PolicyId>,
    /// Why, in the words of whoever asks; may be empty.
    note: String,
    /// Who asks: a member or a key.
    created_by: String,
    /// The same with a name; null if they are gone.
    author: Option<Author>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// From when on it cannot be approved any more.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// Who decided: a member or a key.
    decided_by: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    decided_at: Option<Timestamp>,
    /// Of one that waits: whether what it was written against has changed, so that it cannot be approved any
    /// more. Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    is_stale: Option<bool>,
    /// What would be done. Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<ProposedChange>,
    /// What that would change: against what is there now, or, once decided, against what it was written
    /// against. Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<PolicyDiff>,
    /// What the client versions seen in the last 30 days make of the text that would be published or rolled out,
    /// or was; only in the answers to the request and its approval.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_versions: Option<Vec<SeenVersion>>,
}

impl ProposalBody {
    /// A proposal, without what it would do.
    pub(crate) fn of(row: PolicyProposalRow, workspace: &Workspace) -> Self {
        let author = Author::of(&row.created_by, workspace);
        Self {
            id: row.id,
            kind: row.kind,
            status: row.status.as_str(),
            policy_id: row.policy_id,
            note: row.note,
            created_by: row.created_by,
            author,
            created_at: row.created_at,
            expires_at: row.created_at.saturating_add(LIFETIME).unwrap_or(Timestamp::MAX),
            decided_by: row.decided_by,
            decided_at: row.decided_at,
            is_stale: None,
            change: None,
            diff: None,
            client_versions: None,
        }
    }

    /// With what it would do.
    pub(crate) fn with_change(self, change: ProposedChange, diff: Option<PolicyDiff>) -> Self {
        Self { change: Some(change), diff, ..self }
    }

    /// With what the client versions in use make of it.
    pub(crate) fn with_seen(self, client_versions: Option<Vec<SeenVersion>>) -> Self {
        Self { client_versions, ..self }
    }
}

/// Which proposals, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ProposalQuery {
    /// Only those of this status: `pending`, `approved`, `denied` or `withdrawn`.
    status: Option<String>,
    /// At most so many rows: 1 to 1000, 100 if absent.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The proposals, by age.
#[utoipa::path(get, path = "/api/v1/policy-proposals", tag = "Policies", params(ProposalQuery),
    responses((status = 200, body = List<ProposalBody>), (status = 403, body = ErrorBody),
        (status = 422, body = ErrorBody)))]
pub(crate) async fn list(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    Query(query): Query<ProposalQuery>,
) -> Result<List<ProposalBody>> {
    let status = query.status.as_deref().map(|text| {
        let message = "a status is `pending`, `approved`, `denied` or `withdrawn`";
        ProposalStatus::parse(text).ok_or_else(|| Error::invalid("status", "invalid_query", message))
    });
    let status = status.transpose()?;
    let page = ListQuery { limit: query.limit, cursor: query.cursor };
    let rows = policy_proposals::list(&mut app.store.read().await?, permit.workspace.id, status, &page.page()?).await?;
    let rows = rows.into_iter().map(|row| ProposalBody::of(row, &permit.workspace));
    List::new(rows.collect(), &page, |proposal| proposal.id.to_string())
}

/// One proposal, with what it would change.
#[utoipa::path(get, path = "/api/v1/policy-proposals/{id}", tag = "Policies", params(("id" = PolicyProposalId, Path)),
    responses((status = 200, body = ProposalBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn show(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    PathId(id): PathId<PolicyProposalId>,
) -> Result<axum::Json<ProposalBody>> {
    let (mut tx, ws) = (app.store.read().await?, permit.workspace.id);
    let row = policy_proposals::get(&mut tx, ws, id).await?.ok_or_else(|| Error::not_found("proposal"))?;
    let change = proposed(&mut tx, &permit.workspace, id).await?;
    let is_stale = match row.status {
        ProposalStatus::Pending => Some(change.base(&mut tx, ws).await? != row.base),
        _ => None,
    };
    let preview = preview::gather(&mut tx, ws, &row, &change).await?;
    drop(tx);
    let body = ProposalBody::of(row, &permit.workspace).with_change(change, preview.compare().await);
    Ok(axum::Json(ProposalBody { is_stale, ..body }))
}

/// Approve a proposal: it is done at once, or not at all. Only in a member's own session, who administers
/// Codex and does not stand behind whoever asked.
#[utoipa::path(post, path = "/api/v1/policy-proposals/{id}/approve", tag = "Policies",
    params(("id" = PolicyProposalId, Path)),
    responses((status = 200, body = ProposalBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn approve(
    session: Session,
    State(app): State<App>,
    PathId(id): PathId<PolicyProposalId>,
) -> Result<axum::Json<ProposalBody>> {
    let caller = &session.caller;
    caller.require(&app, Permission::CodexAdminister)?;
    // What a proposal would do never changes. Clients that it would stop may have come since it was asked for.
    let proposed = proposed(&mut app.store.read().await?, &caller.workspace, id).await?;
    let in_use = in_use::ask(&app, &caller.workspace, &proposed).await?;
    let mut change = caller.change(&app).await?;
    let (ws, now) = (change.workspace_id(), change.at());
    // What was taken from them while the change waited for its turn counts.
    let workspace = app.store.workspace(ws).unwrap_or_else(|| caller.workspace.clone());
    let member = caller.id().parse().ok().and_then(|id: MemberId| workspace.members.get(&id).cloned());
    if !member.is_some_and(|member| workspace.permissions(&member).contains(Permission::CodexAdminister)) {
        return Err(Error::forbidden(Permission::CodexAdminister));
    }
    let row = waiting(&mut change, id).await?;
    let subject = json!({ "proposal_id": id });
    caller.require_second_person(&app, &mut change, &row.known_by, "a change of policies", subject).await?;
    if !may_still_ask(&mut change, &row).await? {
        let message = "who asked for this is no longer active: deny it, and have it asked for again";
        return Err(Error::conflict("requester_left", message));
    }
    if now.duration_since(row.created_at) >= LIFETIME {
        let message = "this waited for more than 30 days: deny it, and have it asked for again";
        return Err(Error::conflict("proposal_expired", message));
    }
    let current = proposed.base(&mut change, ws).await?;
    if current != row.base {
        let message = "what this was written against has changed since: deny it, and have it asked for again";
        let details = json!({ "base": row.base, "current": current });
        return Err(Error::conflict("proposal_stale", message).with_details(details));
    }
    let row = PolicyProposalRow {
        status: ProposalStatus::Approved,
        decided_by: Some(caller.id()),
        decided_at: Some(now),
        ..row
    };
    let by = By { author: row.created_by.clone(), note: row.note.clone(), approved: Some((caller.id(), id)) };
    proposed.apply(&mut change, &by).await?;
    in_use.iter().try_for_each(InUse::check)?;
    finish(change, EventType::PolicyProposalApproved, &row).await?;
    Ok(axum::Json(ProposalBody::of(row, &workspace).with_seen(in_use::seen(in_use))))
}

/// Deny a proposal that waits; one's own is taken back.
#[utoipa::path(post, path = "/api/v1/policy-proposals/{id}/deny", tag = "Policies",
    params(("id" = PolicyProposalId, Path)),
    responses((status = 200, body = ProposalBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub(crate) async fn deny(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    PathId(id): PathId<PolicyProposalId>,
) -> Result<axum::Json<ProposalBody>> {
    let mut change = permit.change(&app).await?;
    let row = waiting(&mut change, id).await?;
    let is_own = row.created_by == permit.id() || row.known_by.contains(&permit.id());
    let row = PolicyProposalRow {
        status: if is_own { ProposalStatus::Withdrawn } else { ProposalStatus::Denied },
        decided_by: Some(permit.id()),
        decided_at: Some(change.at()),
        ..row
    };
    finish(change, EventType::PolicyProposalDenied, &row).await?;
    Ok(axum::Json(ProposalBody::of(row, &permit.workspace)))
}

async fn waiting(change: &mut Change, id: PolicyProposalId) -> Result<PolicyProposalRow> {
    let ws = change.workspace_id();
    let row = policy_proposals::get(change, ws, id).await?.ok_or_else(|| Error::not_found("proposal"))?;
    match row.status {
        ProposalStatus::Pending => Ok(row),
        status => Err(Error::conflict("not_waiting", format!("this proposal is {} already", status.as_str()))),
    }
}

/// What a proposal would do.
async fn proposed(tx: &mut Tx, workspace: &Workspace, id: PolicyProposalId) -> Result<ProposedChange> {
    let body = policy_proposals::body(tx, workspace.id, id).await?.ok_or_else(|| Error::not_found("proposal"))?;
    let corrupt = |error: serde_json::Error| provost_store::Error::Corrupt("policy proposal", error.to_string());
    Ok(serde_json::from_str(&body).map_err(corrupt)?)
}

/// Whether whoever asked is still an active member, or a key that works.
async fn may_still_ask(change: &mut Change, row: &PolicyProposalRow) -> Result<bool> {
    let (ws, now) = (change.workspace_id(), change.at());
    if let Ok(member) = row.created_by.parse() {
        return Ok(members::is_active(change, ws, member).await?);
    }
    let Ok(key) = row.created_by.parse() else { return Ok(false) };
    let key = api_keys::get(change, ws, key).await?;
    Ok(key.is_some_and(|key| {
        key.revoked_at.is_none() && key.status == ApiKeyStatus::Active && key.expires_at.is_none_or(|at| at > now)
    }))
}

async fn finish(mut change: Change, kind: EventType, row: &PolicyProposalRow) -> Result<()> {
    let ws = change.workspace_id();
    policy_proposals::decide(&mut change, ws, row).await?;
    let details = json!({
        "kind": row.kind, "policy_id": row.policy_id, "status": row.status.as_str(), "proposed_by": row.created_by,
    });
    change.record(kind, target(row), details);
    Ok(change.commit().await?)
}
