//! `/api/v1/device-enrolments`: addresses at which machines without a signed-in member get a policy.

use axum::extract::State;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use provost_model::event::{EventType, Target};
use provost_model::{AllowedIps, DeviceEnrolmentId, GroupId};
use provost_store::tables::device_enrolments::{self, DeviceEnrolmentRow};
use provost_store::{Touched, Tx};
use provost_web::{
    App, Caller, Created, Error, ErrorBody, Etag, Json, List, ListQuery, PathId, Permit, Query, Result, Secret,
    SecretKind, allowed_ips, name, permits,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// The most enrolments of a workspace: one is for a group of machines, not for each.
const MOST: i64 = 1_000;

/// A device enrolment, without its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeviceEnrolmentBody {
    id: DeviceEnrolmentId,
    name: String,
    /// Its machines get the policy of somebody who is in this group and no other.
    group_id: GroupId,
    /// The name of the group; null if the group is gone, and then the machines get the fallback.
    group_name: Option<String>,
    /// The last four characters of the secret.
    last4: String,
    /// The networks that it works from; none is from anywhere.
    #[schema(value_type = Vec<String>)]
    allowed_ips: AllowedIps,
    /// Who made it: a member or a key.
    created_by: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// When a machine last fetched its policy.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    /// Until when the address before works, after a rotation.
    #[schema(value_type = Option<String>, format = DateTime)]
    previous_expires_at: Option<Timestamp>,
    /// When its secret was reported as leaked.
    #[schema(value_type = Option<String>, format = DateTime)]
    leaked_at: Option<Timestamp>,
    /// The address, for `base_url` of `[config_server]` on the devices. It is a secret, and only in the
    /// answer to the creation or rotation.
    #[serde(skip_serializing_if = "Option::is_none")]
    base_url: Option<String>,
}

impl DeviceEnrolmentBody {
    fn new(caller: &Caller, row: DeviceEnrolmentRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            group_id: row.group_id,
            group_name: caller.workspace.groups.get(&row.group_id).map(|group| group.name.to_string()),
            last4: row.last4,
            allowed_ips: row.allowed_ips,
            created_by: row.created_by,
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
            previous_expires_at: row.previous_expires_at,
            leaked_at: row.leaked_at,
            base_url: None,
        }
    }

    fn with_secret(self, app: &App, secret: &Secret) -> Self {
        Self { base_url: Some(format!("{}/device/{}", app.public_url, secret.text)), ..self }
    }
}

/// A device enrolment to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewDeviceEnrolment {
    name: String,
    group_id: GroupId,
    /// 1 to 3650; absent never expires.
    #[serde(default)]
    expires_in_days: Option<u32>,
    /// Networks in CIDR notation that it works from; none is from anywhere.
    #[serde(default)]
    allowed_ips: Vec<String>,
}

/// How the secret of an enrolment is replaced.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeviceEnrolmentRotation {
    /// How long the address before still works: 0 to 720, 168 (a week) if absent.
    #[serde(default = "a_week")]
    overlap_hours: u32,
}

fn a_week() -> u32 {
    168
}

/// The device enrolments, by age.
#[utoipa::path(get, path = "/api/v1/device-enrolments", tag = "Device enrolments", params(ListQuery),
    responses((status = 200, body = List<DeviceEnrolmentBody>), (status = 403, body = ErrorBody)))]
pub(crate) async fn list(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    Query(query): Query<ListQuery>,
) -> Result<List<DeviceEnrolmentBody>> {
    let rows = device_enrolments::list(&mut app.store.read().await?, permit.workspace.id, &query.page()?).await?;
    let rows = rows.into_iter().map(|row| DeviceEnrolmentBody::new(&permit, row)).collect();
    List::new(rows, &query, |row| row.id.to_string())
}

/// Make an address at which machines without a signed-in member get the policy of a group. It is shown
/// this once: put it on the devices as `base_url` of `[config_server]`.
#[utoipa::path(post, path = "/api/v1/device-enrolments", tag = "Device enrolments", request_body = NewDeviceEnrolment,
    responses((status = 201, body = DeviceEnrolmentBody), (status = 403, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn create(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    Json(body): Json<NewDeviceEnrolment>,
) -> Result<Created<DeviceEnrolmentBody>> {
    let name = name("name", &body.name, 100)?;
    let allowed_ips = allowed_ips(&body.allowed_ips)?;
    if body.expires_in_days.is_some_and(|days| !(1..=3650).contains(&days)) {
        let message = "a device enrolment lives for 1 to 3650 days, or has no end";
        return Err(Error::invalid("expires_in_days", "out_of_range", message));
    }
    let mut change = permit.change(&app).await?;
    let (ws, now) = (change.workspace_id(), change.at());
    // The lock is held, so that the snapshot is what the database holds.
    let workspace = app.store.workspace(ws).ok_or_else(|| Error::not_found("workspace"))?;
    if !workspace.groups.contains_key(&body.group_id) {
        return Err(Error::invalid("group_id", "unknown_group", "there is no such group"));
    }
    if device_enrolments::count(&mut change, ws).await? >= MOST {
        let message = format!("a workspace has at most {MOST} device enrolments: revoke one that no machine uses");
        return Err(Error::conflict("too_many", message));
    }
    let secret = Secret::checked(SecretKind::DeviceEnrolment);
    let row = DeviceEnrolmentRow {
        id: DeviceEnrolmentId::new(now),
        name,
        group_id: body.group_id,
        last4: secret.last4().to_owned(),
        allowed_ips,
        created_by: permit.id(),
        created_at: now,
        expires_at: body.expires_in_days.map(|days| now + SignedDuration::from_hours(24 * i64::from(days))),
        revoked_at: None,
        last_used_at: None,
        rotated_at: None,
        previous_expires_at: None,
        leaked_at: None,
    };
    device_enrolments::insert(&mut change, ws, &row, &secret.hash).await?;
    change.touch(Touched::DeviceEnrolment(row.id));
    let details = json!({
        "group_id": row.group_id, "last4": row.last4, "expires_at": row.expires_at, "allowed_ips": row.allowed_ips,
    });
    change.record(EventType::DeviceEnrolmentCreated, target(&row), details);
    change.commit().await?;
    Ok(Created(DeviceEnrolmentBody::new(&permit, row).with_secret(&app, &secret)))
}

/// One device enrolment.
#[utoipa::path(get, path = "/api/v1/device-enrolments/{id}", tag = "Device enrolments",
    params(("id" = DeviceEnrolmentId, Path)),
    responses((status = 200, body = DeviceEnrolmentBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub(crate) async fn show(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    PathId(id): PathId<DeviceEnrolmentId>,
) -> Result<Etag<DeviceEnrolmentBody>> {
    let row = find(&permit, &mut app.store.read().await?, id).await?;
    Ok(Etag(DeviceEnrolmentBody::new(&permit, row)))
}

/// Give a device enrolment a new address; the one before works for a while longer.
#[utoipa::path(post, path = "/api/v1/device-enrolments/{id}/rotate", tag = "Device enrolments",
    params(("id" = DeviceEnrolmentId, Path)), request_body = DeviceEnrolmentRotation,
    responses((status = 200, body = DeviceEnrolmentBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn rotate(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    PathId(id): PathId<DeviceEnrolmentId>,
    Json(body): Json<DeviceEnrolmentRotation>,
) -> Result<axum::Json<DeviceEnrolmentBody>> {
    if body.overlap_hours > 720 {
        let message = "the address before works for 0 to 720 hours (30 days)";
        return Err(Error::invalid("overlap_hours", "out_of_range", message));
    }
    let overlap = SignedDuration::from_hours(i64::from(body.overlap_hours));
    let mut change = permit.change(&app).await?;
    let (ws, now) = (change.workspace_id(), change.at());
    let mut row = find(&permit, &mut change, id).await?;
    if row.expires_at.is_some_and(|end| end <= now) {
        return Err(Error::conflict("expired", "this device enrolment has expired: make another"));
    }
    let secret = Secret::checked(SecretKind::DeviceEnrolment);
    device_enrolments::replace_secret(&mut change, ws, id, &secret.hash, now + overlap, now).await?;
    // It lives as long again as it was made for.
    row.expires_at = row.expires_at.map(|end| now + end.duration_since(row.rotated_at.unwrap_or(row.created_at)));
    row.last4 = secret.last4().to_owned();
    row.rotated_at = Some(now);
    row.previous_expires_at = (!overlap.is_zero()).then(|| now + overlap);
    row.leaked_at = None;
    device_enrolments::update(&mut change, ws, &row).await?;
    change.touch(Touched::DeviceEnrolment(id));
    let details = json!({
        "last4": row.last4, "expires_at": row.expires_at, "previous_expires_at": row.previous_expires_at,
    });
    change.record(EventType::DeviceEnrolmentRotated, target(&row), details);
    change.commit().await?;
    Ok(axum::Json(DeviceEnrolmentBody::new(&permit, row).with_secret(&app, &secret)))
}

/// Revoke a device enrolment: its address answers no machine any more. A client that fetched within the
/// last hour goes on with what it has until that is an hour old, and then does not start.
#[utoipa::path(delete, path = "/api/v1/device-enrolments/{id}", tag = "Device enrolments",
    params(("id" = DeviceEnrolmentId, Path)),
    responses((status = 204), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn delete(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    PathId(id): PathId<DeviceEnrolmentId>,
) -> Result<StatusCode> {
    let mut change = permit.change(&app).await?;
    let (ws, now) = (change.workspace_id(), change.at());
    let row = find(&permit, &mut change, id).await?;
    device_enrolments::revoke(&mut change, ws, id, now).await?;
    change.touch(Touched::DeviceEnrolment(id));
    change.record(EventType::DeviceEnrolmentRevoked, target(&row), json!({ "last4": row.last4 }));
    change.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// One that is not revoked.
async fn find(caller: &Caller, tx: &mut Tx, id: DeviceEnrolmentId) -> Result<DeviceEnrolmentRow> {
    let row = device_enrolments::get(tx, caller.workspace.id, id).await?;
    row.filter(|row| row.revoked_at.is_none()).ok_or_else(|| Error::not_found("device enrolment"))
}

fn target(row: &DeviceEnrolmentRow) -> Target {
    Target::new("device_enrolment", row.id, row.name.as_str())
}
