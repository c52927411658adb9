//! `/api/v1/upstreams`: the model providers of the workspace.

mod body;

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use provost_model::UpstreamId;
use provost_model::event::{EventType, Target};
use provost_store::tables::upstreams::{self as table, UpstreamRow};
use provost_store::{Change, Touched};
use provost_web::{
    App, Created, Error, ErrorBody, Etag, Json, List, ListQuery, PathId, Permit, Query, Result, permits,
};
use reqwest::Url;
use serde_json::json;

use body::{CreateUpstream, UpdateUpstream, UpstreamAnswer};

/// Add an upstream.
///
/// The key is sealed and never readable. Only the models that an upstream lists are served; where two
/// upstreams list the same slug, the older one serves it.
#[utoipa::path(post, path = "/api/v1/upstreams", tag = "Upstreams",
    request_body = CreateUpstream,
    responses(
        (status = 201, body = UpstreamAnswer),
        (status = 403, body = ErrorBody),
        (status = 409, body = ErrorBody),
        (status = 422, body = ErrorBody)))]
pub(crate) async fn create(
    permit: Permit<permits::WorkspaceSettingsWrite>,
    State(app): State<App>,
    Json(body): Json<CreateUpstream>,
) -> Result<Created<UpstreamAnswer>> {
    let body = body.check(app.upstream_addresses)?;
    let mut change = permit.change(&app).await?;
    let (at, workspace_id) = (change.at(), change.workspace_id());
    let id = UpstreamId::new(at);
    let row = UpstreamRow {
        id,
        name: body.name,
        base_url: body.base_url,
        api_key_sealed: body.api_key.map(|key| seal(&app, id, &key)),
        models: body.models,
        created_at: at,
        updated_at: at,
    };
    table::insert(&mut change, workspace_id, &row).await.map_err(name_taken)?;
    change.touch(Touched::Upstream(id));
    let slugs: Vec<&str> = row.models.iter().map(|model| model.slug.as_str()).collect();
    let details = json!({ "base_url": row.base_url, "models": slugs, "has_api_key": row.api_key_sealed.is_some() });
    change.record(EventType::UpstreamCreated, target(&row), details);
    change.commit().await?;
    Ok(Created(row.into()))
}

/// List the upstreams, oldest first.
#[utoipa::path(get, path = "/api/v1/upstreams", tag = "Upstreams",
    params(ListQuery),
    responses((status = 200, body = List<UpstreamAnswer>)))]
pub(crate) async fn list(
    permit: Permit<permits::WorkspaceSettingsWrite>,
    State(app): State<App>,
    Query(query): Query<ListQuery>,
) -> Result<List<UpstreamAnswer>> {
    let rows = table::list(&mut app.store.read().await?, permit.workspace.id, &query.page()?).await?;
    List::new(rows.into_iter().map(UpstreamAnswer::from).collect(), &query, |upstream| upstream.id.to_string())
}

/// Show an upstream.
#[utoipa::path(get, path = "/api/v1/upstreams/{id}", tag = "Upstreams",
    params(("id" = UpstreamId, Path)),
    responses(
        (status = 200, body = UpstreamAnswer),
        (status = 404, body = ErrorBody)))]
pub(crate) async fn show(
    permit: Permit<permits::WorkspaceSettingsWrite>,
    State(app): State<App>,
    PathId(id): PathId<UpstreamId>,
) -> Result<Etag<UpstreamAnswer>> {
    let row = table::get(&mut app.store.read().await?, permit.workspace.id, id).await?;
    Ok(Etag(row.ok_or_else(|| Error::not_found("upstream"))?.into()))
}

/// Change an upstream.
///
/// A field that is absent stays as it is; `"api_key": null` takes the key away.
#[utoipa::path(patch, path = "/api/v1/upstreams/{id}", tag = "Upstreams",
    params(("id" = UpstreamId, Path)),
    request_body = UpdateUpstream,
    responses(
        (status = 200, body = UpstreamAnswer),
        (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody),
        (status = 412, body = ErrorBody),
        (status = 422, body = ErrorBody)))]
pub(crate) async fn update(
    permit: Permit<permits::WorkspaceSettingsWrite>,
    State(app): State<App>,
    PathId(id): PathId<UpstreamId>,
    headers: HeaderMap,
    Json(body): Json<UpdateUpstream>,
) -> Result<Etag<UpstreamAnswer>> {
    let body = body.check(app.upstream_addresses)?;
    let mut change = permit.change(&app).await?;
    let before = find(&mut change, id, &headers).await?;
    if before.api_key_sealed.is_some() && body.api_key.is_none() {
        keep_the_key_home(&before.base_url, body.base_url.as_deref())?;
    }
    let api_key_sealed = match &body.api_key {
        None => before.api_key_sealed.clone(),
        Some(key) => key.as_ref().map(|key| seal(&app, id, key)),
    };
    let mut row = UpstreamRow { api_key_sealed, ..before.clone() };
    row.name = body.name.unwrap_or(row.name);
    row.base_url = body.base_url.unwrap_or(row.base_url);
    row.models = body.models.unwrap_or(row.models);
    let changed = [
        ("name", row.name != before.name),
        ("base_url", row.base_url != before.base_url),
        ("api_key", body.api_key.is_some_and(|key| key.is_some() || before.api_key_sealed.is_some())),
        ("models", row.models != before.models),
    ];
    let changed: Vec<&str> = changed.into_iter().filter(|(_, changed)| *changed).map(|(field, _)| field).collect();
    if changed.is_empty() {
        return Ok(Etag(before.into()));
    }
    row.updated_at = change.at();
    let workspace_id = change.workspace_id();
    table::update(&mut change, workspace_id, &row).await.map_err(name_taken)?;
    change.touch(Touched::Upstream(id));
    change.record(EventType::UpstreamUpdated, target(&row), json!({ "changed": changed }));
    change.commit().await?;
    Ok(Etag(row.into()))
}

/// Remove an upstream.
///
/// Its models are no longer served; turns on their way end as they would have.
#[utoipa::path(delete, path = "/api/v1/upstreams/{id}", tag = "Upstreams",
    params(("id" = UpstreamId, Path)),
    responses(
        (status = 204),
        (status = 404, body = ErrorBody),
        (status = 412, body = ErrorBody)))]
pub(crate) async fn delete(
    permit: Permit<permits::WorkspaceSettingsWrite>,
    State(app): State<App>,
    PathId(id): PathId<UpstreamId>,
    headers: HeaderMap,
) -> Result<StatusCode> {
    let mut change = permit.change(&app).await?;
    let row = find(&mut change, id, &headers).await?;
    let workspace_id = change.workspace_id();
    table::delete(&mut change, workspace_id, id).await?;
    change.touch(Touched::Upstream(id));
    change.record(EventType::UpstreamDeleted, target(&row), json!({}));
    change.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A key goes only where whoever gave it meant it to: an admin who cannot read it must not be able
/// to have it sent to a host of their own.
fn keep_the_key_home(before: &str, after: Option<&str>) -> Result<()> {
    let origin = |url: &str| Url::parse(url).ok().map(|url| url.origin());
    if after.is_none_or(|after| origin(after) == origin(before)) {
        return Ok(());
    }
    let message = "the upstream moves to another host: send its `api_key` again, or null for none";
    Err(Error::invalid("api_key", "api_key_required", message))
}

/// The upstream that a write is about, if it is what the writer thinks it is.
async fn find(change: &mut Change, id: UpstreamId, headers: &HeaderMap) -> Result<UpstreamRow> {
    let workspace_id = change.workspace_id();
    let row = table::get(change, workspace_id, id).await?.ok_or_else(|| Error::not_found("upstream"))?;
    Etag(UpstreamAnswer::from(row.clone())).check(headers)?;
    Ok(row)
}

fn seal(app: &App, id: UpstreamId, key: &str) -> Vec<u8> {
    app.store.sealer().seal(&table::seal_place(id), key.as_bytes())
}

fn target(row: &UpstreamRow) -> Target {
    Target::new("upstream", row.id, &*row.name)
}

fn name_taken(error: provost_store::Error) -> Error {
    match error {
        provost_store::Error::Conflict(_) => Error::from(error).with_field("name"),
        other => other.into(),
    }
}
