//! `/api/v1/deprovisions`: the receipts of who left.

use axum::extract::State;
use jiff::Timestamp;
use provost_model::{
    ApiKeyId, ApiKeyStatus, DeprovisionId, GroupId, MemberId, NodeId, Scope, WorkloadIdentityId, WorkspaceId,
};
use provost_store::Tx;
use provost_store::tables::api_keys::{self, ApiKeyRow};
use provost_store::tables::deprovisions::{self, DeprovisionRow, NodeRow};
use provost_store::tables::workload_identities::{self, WorkloadIdentityRow};
use provost_web::{App, Error, ErrorBody, List, ListQuery, PathId, Permit, Query, Result, permits};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::deprovision::{Ended, Item};
use crate::left_behind::revoke_api_key;

/// What ended when a member left, and when.
#[derive(Serialize, ToSchema)]
pub(crate) struct Receipt {
    id: DeprovisionId,
    member: Leaver,
    /// `suspended`, `deleted` or `last_granting_group`.
    cause: String,
    /// The group that was the last to let them use Codex.
    group_id: Option<GroupId>,
    /// From when on it holds.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// How many of each kind ended.
    ended: Ended,
    /// What ended, one by one (at most 1000).
    items: Vec<Item>,
    /// The API keys that are their work and that still work: those that they made, whose secret they
    /// have seen, and whatever was made with one of those. An owner decides.
    api_keys_left: Vec<LeftKey>,
    /// The workload identities that are their work and that still work: those that they made or
    /// changed, themselves or with one of those keys. An owner decides.
    workload_identities_left: Vec<LeftIdentity>,
    /// When each node that ran had let go of them.
    nodes: Vec<AppliedNode>,
    /// Whether all of them have that still run.
    complete: bool,
}

/// Who left.
#[derive(Serialize, ToSchema)]
pub(crate) struct Leaver {
    id: MemberId,
    email: String,
}

/// An API key of somebody who left.
#[derive(Serialize, ToSchema)]
pub(crate) struct LeftKey {
    id: ApiKeyId,
    name: String,
    last4: String,
    scopes: Vec<Scope>,
}

impl From<ApiKeyRow> for LeftKey {
    fn from(row: ApiKeyRow) -> Self {
        Self { id: row.id, name: row.name, last4: row.last4, scopes: row.scopes }
    }
}

/// A workload identity of somebody who left.
#[derive(Serialize, ToSchema)]
pub(crate) struct LeftIdentity {
    id: WorkloadIdentityId,
    name: String,
    /// Whose tokens it takes.
    issuer: String,
    /// Which of them.
    subject_pattern: String,
    /// As whom it acts.
    member_id: MemberId,
}

impl From<WorkloadIdentityRow> for LeftIdentity {
    fn from(row: WorkloadIdentityRow) -> Self {
        let WorkloadIdentityRow { id, name, issuer, subject_pattern, member_id, .. } = row;
        Self { id, name, issuer, subject_pattern, member_id }
    }
}

/// A node, and when it had let go.
#[derive(Serialize, ToSchema)]
pub(crate) struct AppliedNode {
    node: NodeId,
    /// By the node's own clock; null when it has not said so.
    #[schema(value_type = Option<String>, format = DateTime)]
    applied_at: Option<Timestamp>,
    /// How long after `at`, in milliseconds.
    after_ms: Option<i64>,
    /// How many open streams of the member it cut.
    streams_ended: i64,
}

/// Which receipts.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeprovisionsQuery {
    /// Only of this member, who may be gone.
    member_id: Option<String>,
    /// At most so many rows: 1 to 1000, 100 if absent.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The receipts, by age.
#[utoipa::path(get, path = "/api/v1/deprovisions", tag = "Deprovisions", params(DeprovisionsQuery),
    responses((status = 200, body = List<Receipt>), (status = 403, body = ErrorBody)))]
pub(crate) async fn list(
    permit: Permit<permits::MembersRead>,
    State(app): State<App>,
    Query(query): Query<DeprovisionsQuery>,
) -> Result<List<Receipt>> {
    let page = ListQuery { limit: query.limit, cursor: query.cursor };
    let ws = permit.workspace.id;
    let member = match query.member_id.map(|id| id.parse::<MemberId>()) {
        Some(Err(_)) => return List::new(Vec::new(), &page, |receipt: &Receipt| receipt.id.to_string()),
        Some(Ok(id)) => Some(id),
        None => None,
    };
    let mut tx = app.store.read().await?;
    let rows = deprovisions::list(&mut tx, ws, member, &page.page()?).await?;
    let nodes = match (rows.first(), rows.last()) {
        (Some(first), Some(last)) => deprovisions::nodes(&mut tx, ws, first.id, last.id).await?,
        _ => Vec::new(),
    };
    let mut receipts = Vec::with_capacity(rows.len());
    for row in rows {
        receipts.push(receipt(&mut tx, ws, row, &nodes).await?);
    }
    List::new(receipts, &page, |receipt| receipt.id.to_string())
}

/// One receipt.
#[utoipa::path(get, path = "/api/v1/deprovisions/{id}", tag = "Deprovisions", params(("id" = DeprovisionId, Path)),
    responses((status = 200, body = Receipt), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn show(
    permit: Permit<permits::MembersRead>,
    State(app): State<App>,
    PathId(id): PathId<DeprovisionId>,
) -> Result<axum::Json<Receipt>> {
    let ws = permit.workspace.id;
    let mut tx = app.store.read().await?;
    let row = deprovisions::get(&mut tx, ws, id).await?.ok_or_else(|| Error::not_found(DeprovisionId::NOUN))?;
    let nodes = deprovisions::nodes(&mut tx, ws, id, id).await?;
    Ok(axum::Json(receipt(&mut tx, ws, row, &nodes).await?))
}

/// The API keys that were revoked.
#[derive(Serialize, ToSchema)]
pub(crate) struct Revoked {
    revoked: Vec<LeftKey>,
}

/// Revoke the API keys of somebody who left: those that the receipt names.
#[utoipa::path(post, path = "/api/v1/deprovisions/{id}/revoke-api-keys", tag = "Deprovisions",
    params(("id" = DeprovisionId, Path)),
    responses((status = 200, body = Revoked), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn revoke_api_keys(
    permit: Permit<permits::ApiKeysWrite>,
    State(app): State<App>,
    PathId(id): PathId<DeprovisionId>,
) -> Result<axum::Json<Revoked>> {
    let mut change = permit.change(&app).await?;
    let ws = change.workspace_id();
    let row = deprovisions::get(&mut change, ws, id).await?.ok_or_else(|| Error::not_found(DeprovisionId::NOUN))?;
    let keys = api_keys::made_by(&mut change, ws, row.member_id, row.at).await?;
    for key in &keys {
        revoke_api_key(&mut change, key, "maker_left").await?;
    }
    if !keys.is_empty() {
        change.commit().await?;
    }
    Ok(axum::Json(Revoked { revoked: keys.into_iter().map(LeftKey::from).collect() }))
}

async fn receipt(tx: &mut Tx, ws: WorkspaceId, row: DeprovisionRow, nodes: &[NodeRow]) -> Result<Receipt> {
    let mut left = api_keys::made_by(tx, ws, row.member_id, row.at).await?;
    left.retain(|key| key.status == ApiKeyStatus::Active);
    let identities = workload_identities::made_by(tx, ws, row.member_id, row.at).await?;
    let nodes: Vec<&NodeRow> = nodes.iter().filter(|node| node.deprovision_id == row.id).collect();
    let unreadable = |error: serde_json::Error| provost_store::Error::Corrupt("receipt", error.to_string());
    Ok(Receipt {
        id: row.id,
        member: Leaver { id: row.member_id, email: row.member_email },
        cause: row.cause,
        group_id: row.group_id,
        at: row.at,
        ended: serde_json::from_value(row.ended).map_err(unreadable)?,
        items: serde_json::from_value(row.items).map_err(unreadable)?,
        api_keys_left: left.into_iter().map(LeftKey::from).collect(),
        workload_identities_left: identities.into_iter().map(LeftIdentity::from).collect(),
        complete: nodes.iter().all(|node| node.applied_at.is_some() || !node.runs),
        nodes: nodes.into_iter().map(|node| applied(node, row.at)).collect(),
    })
}

fn applied(node: &NodeRow, at: Timestamp) -> AppliedNode {
    let after_ms = node.applied_at.map(|applied| applied.duration_since(at).as_millis());
    AppliedNode {
        node: node.node_id,
        applied_at: node.applied_at,
        after_ms: after_ms.map(|millis| i64::try_from(millis).unwrap_or(i64::MAX)),
        streams_ended: node.streams_ended,
    }
}
