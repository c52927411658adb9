//! `/scim/v2/Groups`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::ETAG;
use http::{HeaderMap, HeaderValue, StatusCode};
use provost_model::scim::{GroupPatch, PatchRequest, Projection, ResourceKind};
use provost_model::{GroupId, GroupSource};
use provost_store::tables::{group_members, scim_groups};
use serde_json::{Map, Value};

use super::answer::{self, Shape, Tags};
use super::body::{LargeBody, PathId, Query};
use super::find::{ListQuery, list_response};
use super::group_fields::{GroupChange, GroupFields};
use super::problem::Problem;
use super::provisioner::Provisioner;
use super::writer::{Done, Op};
use super::{Scim, body, render};

/// A change of a group that a request carries.
pub(crate) fn patch_of(body: Map<String, Value>) -> Result<GroupChange, Problem> {
    GroupChange::new(GroupPatch::parse(&PatchRequest::parse(body)?)?)
}

/// The groups that the provider keeps.
pub(crate) async fn list(
    provisioner: Provisioner,
    State(scim): State<Scim>,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let wanted = query.wanted()?;
    let page = super::find::groups(&scim, provisioner.workspace.id, &wanted).await?;
    Ok(list_response(page, &wanted))
}

/// One group.
pub(crate) async fn show(
    provisioner: Provisioner,
    State(scim): State<Scim>,
    PathId(id): PathId<GroupId>,
    Query(shape): Query<Shape>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let projection = shape.projection()?;
    let mut tx = scim.store.read().await?;
    let row = scim_groups::get(&mut tx, provisioner.workspace.id, id).await?;
    let row = row.filter(|row| row.source == GroupSource::Scim).ok_or_else(|| Problem::not_found("group"))?;
    let version = render::group_version(&row);
    if Tags::if_none_match(&headers).contain(&version) {
        return Ok(answer::not_modified(&version));
    }
    let members = match projection.includes(ResourceKind::Group, "members") {
        true => Some(group_members::ids_of(&mut tx, provisioner.workspace.id, id).await?),
        false => None,
    };
    let shown = render::group(&scim.base(), &row, members.as_deref());
    Ok(answer::show(StatusCode::OK, ResourceKind::Group, &projection, shown))
}

/// Add a group.
pub(crate) async fn create(
    provisioner: Provisioner,
    State(scim): State<Scim>,
    Query(shape): Query<Shape>,
    LargeBody(body): LargeBody,
) -> Result<Response, Problem> {
    let projection = shape.projection()?;
    let group = GroupFields::new(body::object(&body)?)?;
    let done = scim.writers.ask(&provisioner, Op::CreateGroup(Box::new(group))).await?;
    show_done(&scim, &provisioner, StatusCode::CREATED, &projection, done).await
}

/// Replace a group.
pub(crate) async fn replace(
    provisioner: Provisioner,
    State(scim): State<Scim>,
    PathId(id): PathId<GroupId>,
    Query(shape): Query<Shape>,
    headers: HeaderMap,
    LargeBody(body): LargeBody,
) -> Result<Response, Problem> {
    let projection = shape.projection()?;
    let group = GroupFields::new(body::object(&body)?)?;
    let op = Op::ReplaceGroup(id, Tags::if_match(&headers), Box::new(group));
    let done = scim.writers.ask(&provisioner, op).await?;
    show_done(&scim, &provisioner, StatusCode::OK, &projection, done).await
}

/// Change a group. The answer is empty unless attributes are asked for (RFC 7644 §3.5.2): a group of
/// fifty thousand is not sent back for each change of one.
pub(crate) async fn patch(
    provisioner: Provisioner,
    State(scim): State<Scim>,
    PathId(id): PathId<GroupId>,
    Query(shape): Query<Shape>,
    headers: HeaderMap,
    LargeBody(body): LargeBody,
) -> Result<Response, Problem> {
    let projection = shape.projection()?;
    let op = Op::PatchGroup(id, Tags::if_match(&headers), patch_of(body::object(&body)?)?);
    let done = scim.writers.ask(&provisioner, op).await?;
    if shape.is_asked_for() {
        return show_done(&scim, &provisioner, StatusCode::OK, &projection, done).await;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Done::Group(row) = done
        && let Ok(version) = HeaderValue::try_from(render::group_version(&row))
    {
        response.headers_mut().insert(ETAG, version);
    }
    Ok(response)
}

/// Delete a group.
pub(crate) async fn delete(
    provisioner: Provisioner,
    State(scim): State<Scim>,
    PathId(id): PathId<GroupId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    scim.writers.ask(&provisioner, Op::DeleteGroup(id, Tags::if_match(&headers))).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn show_done(
    scim: &Scim,
    provisioner: &Provisioner,
    status: StatusCode,
    projection: &Projection,
    done: Done,
) -> Result<Response, Problem> {
    let Done::Group(row) = done else { return Err(Problem::not_found("group")) };
    let members = match projection.includes(ResourceKind::Group, "members") {
        true => Some(group_members::ids_of(&mut scim.store.read().await?, provisioner.workspace.id, row.id).await?),
        false => None,
    };
    let shown = render::group(&scim.base(), &row, members.as_deref());
    Ok(answer::show(status, ResourceKind::Group, projection, shown))
}
