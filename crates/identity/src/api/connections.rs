//! `/api/v1/connections`: the identity providers through which members sign in.
//!
//! Whoever sets one up can become anybody whom it vouches for, so they must hold everything already.

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use provost_model::event::{EventType, Target};
use provost_model::{ConnectionId, PermissionSet, Protocol};
use provost_store::Change;
use provost_store::tables::connections::{self, ConnectionRow, seal_place};
use provost_store::tables::{Page, identities, workspaces};
use provost_web::{
    App, Created, Error, ErrorBody, Etag, Json, List, ListQuery, PathId, Permit, Query, Result, name, permits, present,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::settings::differences;
use crate::sso::oidc::{OidcConfig, OidcFields, redirect_uri};
use crate::sso::saml;

/// At most so many: each is a button on the sign-in page.
const MAX_CONNECTIONS: u32 = 20;

/// A connection to an identity provider.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ConnectionBody {
    id: ConnectionId,
    /// What members see on the sign-in page.
    name: String,
    protocol: Protocol,
    enabled: bool,
    /// Whether somebody unknown with an address in a verified domain becomes a member.
    create_members: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    oidc: Option<OidcConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    saml: Option<Value>,
    /// Whether a client secret is kept.
    has_secret: bool,
    /// Where members start, also from the provider's own page (*initiate login URI*).
    sign_in_url: String,
    /// What the provider must know: where it sends members back to.
    callback_url: String,
    /// What the provider may read of us (SAML).
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata_url: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl ConnectionBody {
    fn new(app: &App, row: ConnectionRow) -> Self {
        let ConnectionRow { id, name, protocol, config, secret_sealed, enabled, create_members, .. } = row;
        let url = &app.public_url;
        let is_saml = protocol == Protocol::Saml;
        Self {
            id,
            name,
            protocol,
            enabled,
            create_members,
            oidc: if is_saml { None } else { serde_json::from_value(config.clone()).ok() },
            saml: is_saml.then_some(config),
            has_secret: secret_sealed.is_some(),
            sign_in_url: format!("{url}/sign-in/sso/{id}"),
            callback_url: if is_saml { format!("{url}/sign-in/saml/{id}/acs") } else { redirect_uri(url) },
            metadata_url: is_saml.then(|| format!("{url}/sign-in/saml/{id}/metadata")),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A connection to create: `oidc` or `saml`, as the protocol says.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewConnection {
    name: String,
    protocol: Protocol,
    #[serde(default = "yes")]
    enabled: bool,
    #[serde(default)]
    create_members: bool,
    oidc: Option<OidcFields>,
    saml: Option<Value>,
}

fn yes() -> bool {
    true
}

/// A change of a connection: only what it names; `oidc` and `saml` are replaced whole.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConnectionPatch {
    #[serde(default, deserialize_with = "present")]
    name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    enabled: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    create_members: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    oidc: Option<OidcFields>,
    #[serde(default, deserialize_with = "present")]
    saml: Option<Value>,
}

/// The connections, by age.
#[utoipa::path(get, path = "/api/v1/connections", tag = "Identity providers", params(ListQuery),
    responses((status = 200, body = List<ConnectionBody>), (status = 403, body = ErrorBody)))]
pub(crate) async fn list(
    permit: Permit<permits::WorkspaceSettingsWrite>,
    State(app): State<App>,
    Query(query): Query<ListQuery>,
) -> Result<List<ConnectionBody>> {
    let rows = connections::list(&mut app.store.read().await?, permit.workspace.id, &query.page()?).await?;
    let bodies = rows.into_iter().map(|row| ConnectionBody::new(&app, row)).collect();
    List::new(bodies, &query, |connection| connection.id.to_string())
}

/// Create a connection. The provider is asked whether it is who it is said to be.
#[utoipa::path(post, path = "/api/v1/connections", tag = "Identity providers", request_body = NewConnection,
    responses((status = 201, body = ConnectionBody), (status = 403, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn create(
    permit: Permit<permits::WorkspaceSettingsWrite>,
    State(app): State<App>,
    Json(body): Json<NewConnection>,
) -> Result<Created<ConnectionBody>> {
    permit.may_grant(&app, PermissionSet::all())?;
    let name = name("name", &body.name, 100)?;
    let (config, secret) = configuration(&app, body.protocol, body.oidc, body.saml).await?;
    let config = config.ok_or_else(|| {
        let field = body.protocol.as_str();
        Error::invalid(field, "missing", format!("a connection of protocol `{field}` needs the field `{field}`"))
    })?;
    let mut change = permit.change(&app).await?;
    let (ws, now) = (change.workspace_id(), change.at());
    let page = Page { after: None, limit: MAX_CONNECTIONS };
    if connections::list(&mut change, ws, &page).await?.len() >= MAX_CONNECTIONS as usize {
        let message = format!("a workspace has at most {MAX_CONNECTIONS} connections: delete one first");
        return Err(Error::conflict("too_many_connections", message));
    }
    let id = ConnectionId::new(now);
    let row = ConnectionRow {
        id,
        workspace_id: ws,
        name,
        protocol: body.protocol,
        config,
        secret_sealed: secret.map(|secret| app.store.sealer().seal(&seal_place(id), secret.as_bytes())),
        enabled: body.enabled,
        create_members: body.create_members,
        created_at: now,
        updated_at: now,
    };
    connections::insert(&mut change, &row).await?;
    let details = json!({ "protocol": row.protocol, "enabled": row.enabled, "create_members": row.create_members });
    change.record(EventType::ConnectionCreated, target(&row), details);
    change.commit().await?;
    Ok(Created(ConnectionBody::new(&app, row)))
}

/// One connection.
#[utoipa::path(get, path = "/api/v1/connections/{id}", tag = "Identity providers",
    params(("id" = ConnectionId, Path)),
    responses((status = 200, body = ConnectionBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn show(
    permit: Permit<permits::WorkspaceSettingsWrite>,
    State(app): State<App>,
    PathId(id): PathId<ConnectionId>,
) -> Result<Etag<ConnectionBody>> {
    let row = connections::get(&mut app.store.read().await?, permit.workspace.id, id).await?;
    row.map(|row| Etag(ConnectionBody::new(&app, row))).ok_or_else(|| Error::not_found("connection"))
}

/// Change a connection.
#[utoipa::path(patch, path = "/api/v1/connections/{id}", tag = "Identity providers",
    params(("id" = ConnectionId, Path)), request_body = ConnectionPatch,
    responses((status = 200, body = ConnectionBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 412, body = ErrorBody),
        (status = 422, body = ErrorBody)))]
pub(crate) async fn update(
    permit: Permit<permits::WorkspaceSettingsWrite>,
    State(app): State<App>,
    PathId(id): PathId<ConnectionId>,
    headers: HeaderMap,
    Json(patch): Json<ConnectionPatch>,
) -> Result<Etag<ConnectionBody>> {
    permit.may_grant(&app, PermissionSet::all())?;
    let ws = permit.workspace.id;
    let found = connections::get(&mut app.store.read().await?, ws, id).await?;
    let protocol = found.ok_or_else(|| Error::not_found("connection"))?.protocol;
    // The provider is asked before the change begins: nothing waits for it.
    let (config, secret) = configuration(&app, protocol, patch.oidc, patch.saml).await?;
    let mut change = permit.change(&app).await?;
    let before = connections::get(&mut change, ws, id).await?.ok_or_else(|| Error::not_found("connection"))?;
    Etag(ConnectionBody::new(&app, before.clone())).check(&headers)?;
    let mut after = before.clone();
    if let Some(text) = patch.name {
        after.name = name("name", &text, 100)?;
    }
    after.enabled = patch.enabled.unwrap_or(after.enabled);
    after.create_members = patch.create_members.unwrap_or(after.create_members);
    after.config = config.unwrap_or(after.config);
    let at = |row: &ConnectionRow, place: &str| row.config.pointer(place).cloned();
    let moved = at(&before, "/issuer") != at(&after, "/issuer");
    // The subjects of one provider, or of one claim, mean somebody else at another.
    let elsewhere =
        moved || ["/claims/subject", "/idp_entity_id"].iter().any(|place| at(&before, place) != at(&after, place));
    if let Some(secret) = &secret {
        after.secret_sealed = Some(app.store.sealer().seal(&seal_place(id), secret.as_bytes()));
    } else if moved && after.secret_sealed.is_some() {
        let message = "the issuer changes: give the client secret for the new one";
        return Err(Error::invalid("oidc.client_secret", "secret_needed", message));
    }
    if before.enabled && !after.enabled {
        keep_a_way_in(&mut change, id).await?;
    }
    let bodies = [&before, &after].map(|row| json!(ConnectionBody::new(&app, row.clone())));
    let mut changed = differences(&bodies[0], &bodies[1]);
    if secret.is_some() {
        changed.insert("client_secret".to_owned(), json!("changed"));
    }
    if changed.is_empty() {
        return Ok(Etag(ConnectionBody::new(&app, before)));
    }
    after.updated_at = change.at();
    connections::update(&mut change, &after).await?;
    if elsewhere {
        let forgotten = identities::delete_all(&mut change, ws, id).await?;
        changed.insert("identities_forgotten".to_owned(), json!(forgotten));
    }
    change.record(EventType::ConnectionUpdated, target(&after), json!({ "changed": changed }));
    change.commit().await?;
    Ok(Etag(ConnectionBody::new(&app, after)))
}

/// Delete a connection. Who signed in through it stays a member.
#[utoipa::path(delete, path = "/api/v1/connections/{id}", tag = "Identity providers",
    params(("id" = ConnectionId, Path)),
    responses((status = 204), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub(crate) async fn delete(
    permit: Permit<permits::WorkspaceSettingsWrite>,
    State(app): State<App>,
    PathId(id): PathId<ConnectionId>,
    headers: HeaderMap,
) -> Result<StatusCode> {
    permit.may_grant(&app, PermissionSet::all())?;
    let mut change = permit.change(&app).await?;
    let ws = change.workspace_id();
    let row = connections::get(&mut change, ws, id).await?.ok_or_else(|| Error::not_found("connection"))?;
    Etag(ConnectionBody::new(&app, row.clone())).check(&headers)?;
    if row.enabled {
        keep_a_way_in(&mut change, id).await?;
    }
    connections::delete(&mut change, ws, id).await?;
    change.record(EventType::ConnectionDeleted, target(&row), json!({ "protocol": row.protocol }));
    change.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a protocol needs, checked; and its secret.
async fn configuration(
    app: &App,
    protocol: Protocol,
    oidc: Option<OidcFields>,
    saml: Option<Value>,
) -> Result<(Option<Value>, Option<String>)> {
    let foreign = |field: &str| {
        let message = format!("`{field}` is for connections of that protocol; this one speaks `{}`", protocol.as_str());
        Err(Error::invalid(field, "wrong_protocol", message))
    };
    match (protocol, oidc, saml) {
        (Protocol::Oidc, _, Some(_)) => foreign("saml"),
        (Protocol::Saml, Some(_), _) => foreign("oidc"),
        (Protocol::Oidc, Some(fields), None) => {
            Ok((Some(json!(fields.check(app).await?)), fields.client_secret.clone()))
        }
        (Protocol::Saml, None, Some(fields)) => Ok((Some(saml::check(app, &fields).await?), None)),
        (_, None, None) => Ok((None, None)),
    }
}

/// While the provider is required, there is one.
async fn keep_a_way_in(change: &mut Change, id: ConnectionId) -> Result<()> {
    let ws = change.workspace_id();
    // Read under the lock: the requirement may be turned on at this moment.
    let is_required = workspaces::settings(change, ws).await?.sso_required;
    if is_required && connections::count_other_enabled(change, ws, Some(id)).await? == 0 {
        let message = "members must sign in through a connection, and this is the last: turn `sso_required` off first";
        return Err(Error::conflict("last_connection", message));
    }
    Ok(())
}

fn target(row: &ConnectionRow) -> Target {
    Target::new("connection", row.id, row.name.as_str())
}
