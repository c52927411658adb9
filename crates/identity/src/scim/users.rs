//! `/scim/v2/Users`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use provost_model::scim::{PatchRequest, Projection, ResourceKind, User};
use provost_model::{Email, MemberId, name_key};
use provost_store::tables::scim_users::ScimUserRow;
use provost_store::tables::{group_members, scim_users};
use serde_json::{Map, Value};

use super::answer::{self, Shape, Tags};
use super::body::{Body, PathId, Query};
use super::find::{ListQuery, list_response};
use super::problem::Problem;
use super::provisioner::Provisioner;
use super::writer::{Answer, Done, Op};
use super::{Scim, body, render};

/// The longest `userName` and `externalId`, in characters: longer than any address.
const MAX_USER_NAME: usize = 320;
/// The longest name of a member, in characters: as in the admin API.
const MAX_NAME: usize = 200;

/// What a provider says of a member, checked and ready to be written.
#[derive(Debug)]
pub(crate) struct UserFields {
    pub(crate) user_name: String,
    pub(crate) user_name_key: String,
    /// The primary address, else the first, else the user name if it is one.
    pub(crate) email: Email,
    pub(crate) email_key: String,
    pub(crate) name: String,
    pub(crate) active: bool,
    pub(crate) external_id: Option<String>,
    /// The attributes, as they are kept.
    pub(crate) scim: String,
}

impl UserFields {
    /// From a resource that a request carries.
    pub(crate) fn new(resource: Map<String, Value>) -> Result<Self, Problem> {
        Self::of(User::parse(resource)?, None)
    }

    /// From a user as they are to be. Without an address among what is said, the member keeps the one
    /// that they had.
    pub(crate) fn of(user: User, known: Option<&Email>) -> Result<Self, Problem> {
        let Some(email) = user.email.or_else(|| known.cloned()) else {
            let detail = "a member needs an address: send `emails`, or a `userName` that is one, as name@example.com";
            return Err(Problem::invalid_value(detail));
        };
        let text = |field, text: &str, most| {
            let text = provost_web::optional_text(field, text, most);
            text.map_err(|error| Problem::invalid_value(error.message()))
        };
        let user_name = text("userName", &user.user_name, MAX_USER_NAME)?;
        let name = text("displayName", &user.display_name.unwrap_or_default(), MAX_NAME)?;
        let external_id = user.external_id.map(|id| text("externalId", &id, MAX_USER_NAME)).transpose()?;
        Ok(Self {
            user_name_key: name_key(&user_name),
            email_key: email.key(),
            user_name,
            email,
            name,
            active: user.active,
            external_id,
            scim: Value::Object(user.attributes).to_string(),
        })
    }
}

/// A change of a user that a request carries.
pub(crate) fn patch_of(body: Map<String, Value>) -> Result<PatchRequest, Problem> {
    Ok(PatchRequest::parse(body)?)
}

/// The users.
pub(crate) async fn list(
    provisioner: Provisioner,
    State(scim): State<Scim>,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let wanted = query.wanted()?;
    let page = super::find::users(&scim, provisioner.workspace.id, &wanted).await?;
    Ok(list_response(page, &wanted))
}

/// One user.
pub(crate) async fn show(
    provisioner: Provisioner,
    State(scim): State<Scim>,
    PathId(id): PathId<MemberId>,
    Query(shape): Query<Shape>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let projection = shape.projection()?;
    let ws = provisioner.workspace.id;
    let mut tx = scim.store.read().await?;
    let row = scim_users::get(&mut tx, ws, id).await?.ok_or_else(|| Problem::not_found("user"))?;
    let groups = group_members::groups_of(&mut tx, ws, &[id]).await?.remove(&id).unwrap_or_default();
    let shown = render::user(&scim.base(), &row, &groups);
    if Tags::if_none_match(&headers).contain(&shown.version) {
        return Ok(answer::not_modified(&shown.version));
    }
    Ok(answer::show(StatusCode::OK, ResourceKind::User, &projection, shown))
}

/// Add a user.
pub(crate) async fn create(
    provisioner: Provisioner,
    State(scim): State<Scim>,
    Query(shape): Query<Shape>,
    Body(body): Body,
) -> Result<Response, Problem> {
    let projection = shape.projection()?;
    let user = UserFields::new(body::object(&body)?)?;
    let done = scim.writers.ask(&provisioner, Op::CreateUser(Box::new(user))).await?;
    // Whoever was added a moment ago is in no group.
    answer_with(&scim, StatusCode::CREATED, &projection, done, &[])
}

/// Replace a user.
pub(crate) async fn replace(
    provisioner: Provisioner,
    State(scim): State<Scim>,
    PathId(id): PathId<MemberId>,
    Query(shape): Query<Shape>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    let projection = shape.projection()?;
    let user = UserFields::new(body::object(&body)?)?;
    let op = Op::ReplaceUser(id, Tags::if_match(&headers), Box::new(user));
    changed(&scim, &provisioner, id, &projection, scim.writers.ask(&provisioner, op).await).await
}

/// Change a user.
pub(crate) async fn patch(
    provisioner: Provisioner,
    State(scim): State<Scim>,
    PathId(id): PathId<MemberId>,
    Query(shape): Query<Shape>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    let projection = shape.projection()?;
    let op = Op::PatchUser(id, Tags::if_match(&headers), patch_of(body::object(&body)?)?);
    changed(&scim, &provisioner, id, &projection, scim.writers.ask(&provisioner, op).await).await
}

/// Delete a user: everything of theirs ends at once.
pub(crate) async fn delete(
    provisioner: Provisioner,
    State(scim): State<Scim>,
    PathId(id): PathId<MemberId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    scim.writers.ask(&provisioner, Op::DeleteUser(id, Tags::if_match(&headers))).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn changed(
    scim: &Scim,
    provisioner: &Provisioner,
    id: MemberId,
    projection: &Projection,
    answer: Answer,
) -> Result<Response, Problem> {
    let done = answer?;
    let mut tx = scim.store.read().await?;
    let mut groups = group_members::groups_of(&mut tx, provisioner.workspace.id, &[id]).await?;
    answer_with(scim, StatusCode::OK, projection, done, &groups.remove(&id).unwrap_or_default())
}

fn answer_with(
    scim: &Scim,
    status: StatusCode,
    projection: &Projection,
    done: Done,
    groups: &[(provost_model::GroupId, String)],
) -> Result<Response, Problem> {
    let Done::User(row) = done else { return Err(Problem::not_found("user")) };
    let row: ScimUserRow = *row;
    Ok(answer::show(status, ResourceKind::User, projection, render::user(&scim.base(), &row, groups)))
}
