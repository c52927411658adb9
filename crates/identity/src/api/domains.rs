//! `/api/v1/domains`: the e-mail domains that are the workspace's. An identity provider is believed
//! about addresses in them, and about no others.

use axum::extract::State;
use http::StatusCode;
use jiff::Timestamp;
use provost_model::event::{EventType, Target};
use provost_model::{DomainId, Email, PermissionSet};
use provost_store::tables::Page;
use provost_store::tables::domains::{self, DomainRow};
use provost_web::{
    App, Created, Error, ErrorBody, Json, List, ListQuery, PathId, Permit, Query, Result, Secret, permits,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::sso::dns;

/// At most so many.
const MAX_DOMAINS: u32 = 1_000;

/// A domain.
#[derive(Serialize, ToSchema)]
pub(crate) struct DomainBody {
    id: DomainId,
    domain: String,
    /// Since when it is known to be the workspace's; null until it is verified.
    #[schema(value_type = Option<String>, format = DateTime)]
    verified_at: Option<Timestamp>,
    /// What its DNS must hold.
    record: Record,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// A DNS record.
#[derive(Serialize, ToSchema)]
pub(crate) struct Record {
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    value: String,
}

impl From<DomainRow> for DomainBody {
    fn from(row: DomainRow) -> Self {
        let (name, value) = record(&row);
        let DomainRow { id, domain, verified_at, created_at, .. } = row;
        Self { id, domain, verified_at, record: Record { name, kind: "TXT", value }, created_at }
    }
}

fn record(row: &DomainRow) -> (String, String) {
    (format!("_provost-challenge.{}", row.domain), format!("provost-domain-verification={}", row.challenge))
}

/// A domain to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewDomain {
    domain: String,
}

/// The domains, by age.
#[utoipa::path(get, path = "/api/v1/domains", tag = "Identity providers", params(ListQuery),
    responses((status = 200, body = List<DomainBody>), (status = 403, body = ErrorBody)))]
pub(crate) async fn list(
    permit: Permit<permits::WorkspaceSettingsWrite>,
    State(app): State<App>,
    Query(query): Query<ListQuery>,
) -> Result<List<DomainBody>> {
    let rows = domains::list(&mut app.store.read().await?, permit.workspace.id, &query.page()?).await?;
    List::new(rows.into_iter().map(DomainBody::from).collect(), &query, |domain| domain.id.to_string())
}

/// Add a domain. It counts once it is verified.
#[utoipa::path(post, path = "/api/v1/domains", tag = "Identity providers", request_body = NewDomain,
    responses((status = 201, body = DomainBody), (status = 403, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 422, body = ErrorBody)))]
pub(crate) async fn create(
    permit: Permit<permits::WorkspaceSettingsWrite>,
    State(app): State<App>,
    Json(body): Json<NewDomain>,
) -> Result<Created<DomainBody>> {
    permit.may_grant(&app, PermissionSet::all())?;
    let domain = parse(&body.domain)?;
    let mut change = permit.change(&app).await?;
    let (ws, now) = (change.workspace_id(), change.at());
    let page = Page { after: None, limit: MAX_DOMAINS };
    if domains::list(&mut change, ws, &page).await?.len() >= MAX_DOMAINS as usize {
        return Err(Error::conflict("too_many_domains", format!("a workspace has at most {MAX_DOMAINS} domains")));
    }
    let challenge = Secret::new("").text;
    let row = DomainRow { id: DomainId::new(now), domain, challenge, verified_at: None, created_at: now };
    domains::insert(&mut change, ws, &row).await?;
    change.record(EventType::DomainCreated, target(&row), json!({}));
    change.commit().await?;
    Ok(Created(row.into()))
}

/// Verify a domain: its DNS is asked for the record.
#[utoipa::path(post, path = "/api/v1/domains/{id}/verify", tag = "Identity providers",
    params(("id" = DomainId, Path)),
    responses((status = 200, body = DomainBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn verify(
    permit: Permit<permits::WorkspaceSettingsWrite>,
    State(app): State<App>,
    PathId(id): PathId<DomainId>,
) -> Result<axum::Json<DomainBody>> {
    permit.may_grant(&app, PermissionSet::all())?;
    let row = domains::get(&mut app.store.read().await?, permit.workspace.id, id).await?;
    let row = row.ok_or_else(|| Error::not_found("domain"))?;
    if row.verified_at.is_some() {
        return Ok(axum::Json(row.into()));
    }
    // Asked before the change begins: nothing waits for somebody's name servers.
    let (name, value) = record(&row);
    let found = dns::texts(&app, &name).await.map_err(|why| {
        Error::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "domain_not_answered",
            format!("{name} cannot be looked up: {why}"),
        )
    })?;
    if !found.contains(&value) {
        let message = match found.len() {
            0 => format!("there is no TXT record at {name} yet: add it, and give DNS some minutes"),
            n => format!("{n} TXT records are at {name}, and none is `{value}`"),
        };
        return Err(Error::new(StatusCode::UNPROCESSABLE_ENTITY, "domain_not_verified", message));
    }
    let mut change = permit.change(&app).await?;
    let (ws, now) = (change.workspace_id(), change.at());
    if domains::owner(&mut change, &row.domain).await?.is_some_and(|owner| owner != ws) {
        let message = "another workspace of this Provost has verified this domain";
        return Err(Error::conflict("domain_taken", message));
    }
    // It may be gone by now.
    let row = domains::get(&mut change, ws, id).await?.ok_or_else(|| Error::not_found("domain"))?;
    domains::set_verified(&mut change, ws, id, now).await?;
    let row = DomainRow { verified_at: Some(now), ..row };
    change.record(EventType::DomainVerified, target(&row), json!({}));
    change.commit().await?;
    Ok(axum::Json(row.into()))
}

/// Remove a domain: identity providers are no longer believed about addresses in it.
#[utoipa::path(delete, path = "/api/v1/domains/{id}", tag = "Identity providers", params(("id" = DomainId, Path)),
    responses((status = 204), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn delete(
    permit: Permit<permits::WorkspaceSettingsWrite>,
    State(app): State<App>,
    PathId(id): PathId<DomainId>,
) -> Result<StatusCode> {
    permit.may_grant(&app, PermissionSet::all())?;
    let mut change = permit.change(&app).await?;
    let ws = change.workspace_id();
    let row = domains::get(&mut change, ws, id).await?.ok_or_else(|| Error::not_found("domain"))?;
    domains::delete(&mut change, ws, id).await?;
    change.record(EventType::DomainDeleted, target(&row), json!({ "verified_at": row.verified_at }));
    change.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A domain as addresses are compared with it.
fn parse(text: &str) -> Result<String> {
    let text = text.trim().trim_end_matches('.');
    // What an address may have behind its `@`, with at least two labels.
    let domain = Email::try_from(format!("postmaster@{text}")).ok().map(|email| email.domain());
    let domain = domain.filter(|domain| domain.contains('.') && !domain.contains('@') && domain.len() <= 200);
    domain.ok_or_else(|| Error::invalid("domain", "invalid_domain", "not a domain: write it as example.com"))
}

fn target(row: &DomainRow) -> Target {
    Target::new("domain", row.id, row.domain.as_str())
}
