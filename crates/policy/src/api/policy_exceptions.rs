//! `/api/v1/policy-exceptions`: another policy for one member, for a time.
//!
//! Whoever asks never approves, and neither does the member whom it is for.

use axum::extract::State;
use jiff::{SignedDuration, Timestamp};
use provost_model::event::{EventType, Target};
use provost_model::{MemberId, Permission, PolicyExceptionId, PolicyId, Workspace};
use provost_store::tables::policy_exceptions::{self, Filter, PolicyExceptionRow};
use provost_store::tables::{members, policies};
use provost_store::{Change, Touched};
use provost_web::{
    App, Asker, Caller, Created, Error, ErrorBody, Json, List, ListQuery, PathId, Permit, Principal, Query, Result,
    name, permits,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

/// The longest: 30 days. What is needed for longer is a policy.
const MAX_MINUTES: u32 = 30 * 24 * 60;
/// The shortest: clients keep what they fetched for an hour anyway.
const MIN_MINUTES: u32 = 5;
/// How many of one member wait at once.
const MAX_PENDING: i64 = 5;
const STATUSES: [&str; 6] = ["pending", "approved", "denied", "withdrawn", "ended", "expired"];

/// An exception.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExceptionBody {
    id: PolicyExceptionId,
    member: ExceptionMember,
    /// Null while the choice is left to who approves.
    policy: Option<ExceptionPolicy>,
    reason: String,
    /// For how long, from its approval on.
    minutes: u32,
    /// `pending`, `approved`, `denied`, `withdrawn`, `ended` (by somebody, before its time) or `expired`.
    status: String,
    /// Who asked: a member or an API key.
    created_by: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Until when it can be answered, while it waits.
    #[schema(value_type = Option<String>, format = DateTime)]
    request_expires_at: Option<Timestamp>,
    /// Who approved or denied it.
    decided_by: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    decided_at: Option<Timestamp>,
    /// When it ends by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
}

/// Whose it is.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExceptionMember {
    id: MemberId,
    /// Null when the member is gone.
    email: Option<String>,
}

/// What they get.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExceptionPolicy {
    id: PolicyId,
    /// Null when the policy is gone.
    name: Option<String>,
}

impl ExceptionBody {
    fn new(workspace: &Workspace, row: PolicyExceptionRow) -> Self {
        let email = workspace.members.get(&row.member_id).map(|member| member.email.to_string());
        let policy = row
            .policy_id
            .map(|id| ExceptionPolicy { id, name: workspace.policies.get(&id).map(|policy| policy.name.to_string()) });
        Self {
            id: row.id,
            member: ExceptionMember { id: row.member_id, email },
            policy,
            request_expires_at: (row.status == "pending").then(|| row.request_expires_at()),
            reason: row.reason,
            minutes: row.minutes,
            status: row.status,
            created_by: row.created_by,
            created_at: row.created_at,
            decided_by: row.decided_by,
            decided_at: row.decided_at,
            expires_at: row.expires_at,
            ended_at: row.ended_at,
        }
    }
}

/// What is asked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewException {
    /// Which policy, by id or by name; left out, who approves chooses.
    policy: Option<String>,
    /// Why.
    reason: String,
    /// For how long, from its approval on: 5 to 43200.
    minutes: u32,
    /// For whom; left out, for who asks. Only a Codex Admin asks for somebody else.
    member_id: Option<MemberId>,
}

/// Which exceptions.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExceptionsQuery {
    /// Only of this member. Who is no Codex Admin sees their own.
    member_id: Option<MemberId>,
    /// Only with this status.
    status: Option<String>,
    /// At most so many rows: 1 to 1000, 100 if absent.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// How it is approved.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Approval {
    /// Which policy, by id or by name; left out, the one that was asked for.
    policy: Option<String>,
    /// For how long; left out, as was asked for. Never longer.
    minutes: Option<u32>,
}

/// The exceptions, by age: a member's own, or everybody's for a Codex Admin.
#[utoipa::path(get, path = "/api/v1/policy-exceptions", tag = "Policy exceptions", params(ExceptionsQuery),
    responses((status = 200, body = List<ExceptionBody>), (status = 401, body = ErrorBody),
        (status = 422, body = ErrorBody)))]
pub(crate) async fn list(
    asker: Asker,
    State(app): State<App>,
    Query(query): Query<ExceptionsQuery>,
) -> Result<List<ExceptionBody>> {
    let page = ListQuery { limit: query.limit, cursor: query.cursor };
    if let Some(status) = query.status.as_deref().filter(|status| !STATUSES.contains(status)) {
        let message = format!("there is no status `{status}`: it is one of {}", STATUSES.join(", "));
        return Err(Error::invalid("status", "unknown_status", message));
    }
    let member_id = match own(&asker) {
        Some(own) => Some(own),
        None => {
            asker.require(&app, Permission::CodexAdminister)?;
            query.member_id
        }
    };
    let filter = Filter { member_id, status: query.status };
    let rows =
        policy_exceptions::list(&mut app.store.read().await?, asker.workspace.id, &filter, &page.page()?).await?;
    let body = |row| ExceptionBody::new(&asker.workspace, row);
    List::new(rows.into_iter().map(body).collect(), &page, |exception| exception.id.to_string())
}

/// Ask for another policy for a time.
#[utoipa::path(post, path = "/api/v1/policy-exceptions", tag = "Policy exceptions", request_body = NewException,
    responses((status = 201, body = ExceptionBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn create(
    asker: Asker,
    State(app): State<App>,
    Json(body): Json<NewException>,
) -> Result<Created<ExceptionBody>> {
    let reason = name("reason", &body.reason, 500)?;
    check_minutes(body.minutes)?;
    let member_id = match (body.member_id, &asker.principal) {
        (None, Principal::Member(member)) => member.id,
        (None, Principal::ApiKey(_)) => {
            return Err(Error::invalid("member_id", "missing", "say for whom: an API key is nobody's own"));
        }
        (Some(id), principal) => {
            if !matches!(principal, Principal::Member(member) if member.id == id) {
                asker.require(&app, Permission::CodexAdminister)?;
            }
            id
        }
    };
    let mut change = asker.change(&app).await?;
    let (ws, now) = (change.workspace_id(), change.at());
    let member = members::get(&mut change, ws, member_id).await?.filter(|member| member.active);
    let member = member.ok_or_else(|| Error::not_found("active member").with_field("member_id"))?;
    let mut row = PolicyExceptionRow {
        id: PolicyExceptionId::new(now),
        member_id,
        policy_id: find_policy(&mut change, &asker, body.policy.as_deref()).await?,
        reason,
        minutes: body.minutes,
        status: "pending".to_owned(),
        created_by: asker.id(),
        known_by: asker.people(&mut change).await?,
        created_at: now,
        decided_by: None,
        decided_at: None,
        expires_at: None,
        ended_at: None,
    };
    if policy_exceptions::count_pending(&mut change, ws, member_id, now).await? >= MAX_PENDING {
        let message =
            format!("{MAX_PENDING} requests of this member wait already: have them answered, or withdraw one");
        return Err(Error::conflict("too_many_pending", message));
    }
    row.known_by.sort();
    policy_exceptions::insert(&mut change, ws, &row).await?;
    let details =
        json!({ "policy_id": row.policy_id, "reason": row.reason, "minutes": row.minutes, "exception_id": row.id });
    change.record(EventType::PolicyExceptionRequested, target(member_id, member.email.to_string()), details);
    change.commit().await?;
    Ok(Created(ExceptionBody::new(&asker.workspace, row)))
}

/// One exception.
#[utoipa::path(get, path = "/api/v1/policy-exceptions/{id}", tag = "Policy exceptions",
    params(("id" = PolicyExceptionId, Path)),
    responses((status = 200, body = ExceptionBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn show(
    asker: Asker,
    State(app): State<App>,
    PathId(id): PathId<PolicyExceptionId>,
) -> Result<axum::Json<ExceptionBody>> {
    let row = policy_exceptions::get(&mut app.store.read().await?, asker.workspace.id, id).await?;
    let row = row.filter(|row| may_see(&asker, row)).ok_or_else(|| Error::not_found("policy exception"))?;
    Ok(axum::Json(ExceptionBody::new(&asker.workspace, row)))
}

/// Approve an exception that waits: not who asked for it, nor whose it is. It goes before every rule at
/// once, and ends by itself.
#[utoipa::path(post, path = "/api/v1/policy-exceptions/{id}/approve", tag = "Policy exceptions",
    params(("id" = PolicyExceptionId, Path)), request_body = Approval,
    responses((status = 200, body = ExceptionBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn approve(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    PathId(id): PathId<PolicyExceptionId>,
    Json(body): Json<Approval>,
) -> Result<axum::Json<ExceptionBody>> {
    let (mut change, mut row) = pending(&app, &permit, id).await?;
    let (ws, now) = (change.workspace_id(), change.at());
    check_second_person(&app, &permit, &mut change, &row).await?;
    if let Some(minutes) = body.minutes {
        check_minutes(minutes)?;
        if minutes > row.minutes {
            let message = format!("{} minutes were asked for: approve that, or less", row.minutes);
            return Err(Error::invalid("minutes", "longer_than_asked", message));
        }
        row.minutes = minutes;
    }
    if body.policy.is_some() {
        row.policy_id = find_policy(&mut change, &permit, body.policy.as_deref()).await?;
    }
    if row.policy_id.is_none() {
        return Err(Error::invalid("policy", "missing", "no policy was asked for: say which one they get"));
    }
    let member = members::get(&mut change, ws, row.member_id).await?.filter(|member| member.active);
    let member = member.ok_or_else(|| Error::conflict("member_left", "the member is suspended or gone: deny it"))?;
    // A member has one at most: the later one takes the place of the earlier.
    if let Some(mut earlier) = policy_exceptions::approved_of(&mut change, ws, row.member_id).await? {
        let over = earlier.expires_at.filter(|end| *end <= now);
        let status = if over.is_some() { "expired" } else { "ended" };
        (earlier.status, earlier.ended_at) = (status.to_owned(), Some(over.unwrap_or(now)));
        policy_exceptions::update(&mut change, ws, &earlier).await?;
        change.touch(Touched::PolicyException(earlier.id));
        let details =
            json!({ "exception_id": earlier.id, "status": status, "replaced_by": over.is_none().then_some(id) });
        change.record(EventType::PolicyExceptionEnded, target(row.member_id, member.email.to_string()), details);
    }
    row.status = "approved".to_owned();
    (row.decided_by, row.decided_at) = (Some(permit.id()), Some(now));
    row.expires_at = Some(now + SignedDuration::from_mins(i64::from(row.minutes)));
    policy_exceptions::update(&mut change, ws, &row).await?;
    change.touch(Touched::PolicyException(id));
    let details = json!({
        "exception_id": id, "policy_id": row.policy_id, "reason": row.reason, "minutes": row.minutes,
        "expires_at": row.expires_at, "requested_by": row.created_by,
    });
    change.record(EventType::PolicyExceptionApproved, target(row.member_id, member.email.to_string()), details);
    change.commit().await?;
    Ok(axum::Json(ExceptionBody::new(&permit.workspace, row)))
}

/// Deny an exception that waits; who asked, and whose it is, take it back with this.
#[utoipa::path(post, path = "/api/v1/policy-exceptions/{id}/deny", tag = "Policy exceptions",
    params(("id" = PolicyExceptionId, Path)),
    responses((status = 200, body = ExceptionBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub(crate) async fn deny(
    asker: Asker,
    State(app): State<App>,
    PathId(id): PathId<PolicyExceptionId>,
) -> Result<axum::Json<ExceptionBody>> {
    let (mut change, mut row) = pending(&app, &asker, id).await?;
    let (ws, now) = (change.workspace_id(), change.at());
    let status = if is_theirs(&asker, &row) { "withdrawn" } else { "denied" };
    row.status = status.to_owned();
    (row.decided_by, row.decided_at) = (Some(asker.id()), Some(now));
    policy_exceptions::update(&mut change, ws, &row).await?;
    let details = json!({ "exception_id": id, "status": status, "requested_by": row.created_by });
    change.record(EventType::PolicyExceptionDenied, target(row.member_id, email(&asker, &row)), details);
    change.commit().await?;
    Ok(axum::Json(ExceptionBody::new(&asker.workspace, row)))
}

/// End an exception before its time: a Codex Admin, or whose it is.
#[utoipa::path(post, path = "/api/v1/policy-exceptions/{id}/end", tag = "Policy exceptions",
    params(("id" = PolicyExceptionId, Path)),
    responses((status = 200, body = ExceptionBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub(crate) async fn end(
    asker: Asker,
    State(app): State<App>,
    PathId(id): PathId<PolicyExceptionId>,
) -> Result<axum::Json<ExceptionBody>> {
    let mut change = asker.change(&app).await?;
    let mut row = find(&mut change, &asker, id).await?;
    if row.status != "approved" || row.expires_at.is_some_and(|end| end <= change.at()) {
        return Err(Error::conflict("not_running", format!("this exception does not run: it is {}", row.status)));
    }
    let (ws, now) = (change.workspace_id(), change.at());
    (row.status, row.ended_at) = ("ended".to_owned(), Some(now));
    policy_exceptions::update(&mut change, ws, &row).await?;
    change.touch(Touched::PolicyException(id));
    let details = json!({ "exception_id": id, "status": "ended" });
    change.record(EventType::PolicyExceptionEnded, target(row.member_id, email(&asker, &row)), details);
    change.commit().await?;
    Ok(axum::Json(ExceptionBody::new(&asker.workspace, row)))
}

/// A member who is no Codex Admin: they see and touch what is theirs.
fn own(caller: &Caller) -> Option<MemberId> {
    match &caller.principal {
        Principal::Member(member) if !caller.may(Permission::CodexAdminister) => Some(member.id),
        _ => None,
    }
}

fn may_see(caller: &Caller, row: &PolicyExceptionRow) -> bool {
    caller.may(Permission::CodexAdminister) || is_theirs(caller, row)
}

fn is_theirs(caller: &Caller, row: &PolicyExceptionRow) -> bool {
    let id = caller.id();
    row.created_by == id || row.member_id.to_string() == id
}

async fn find(change: &mut Change, caller: &Caller, id: PolicyExceptionId) -> Result<PolicyExceptionRow> {
    let ws = change.workspace_id();
    let row = policy_exceptions::get(change, ws, id).await?.filter(|row| may_see(caller, row));
    row.ok_or_else(|| Error::not_found("policy exception"))
}

/// One that still waits, to be decided on.
async fn pending(app: &App, caller: &Caller, id: PolicyExceptionId) -> Result<(Change, PolicyExceptionRow)> {
    let mut change = caller.change(app).await?;
    let row = find(&mut change, caller, id).await?;
    if row.status != "pending" {
        return Err(Error::conflict("not_waiting", format!("this exception does not wait: it is {}", row.status)));
    }
    if row.request_expires_at() <= change.at() {
        return Err(Error::conflict("request_expired", "nobody answered within 7 days: it must be asked for again"));
    }
    Ok((change, row))
}

/// Refuses whoever asked, whose it is, and who holds a key that one of them has seen; and a request whose
/// maker has left.
async fn check_second_person(app: &App, caller: &Caller, change: &mut Change, row: &PolicyExceptionRow) -> Result<()> {
    let mut known_by = row.known_by.clone();
    known_by.push(row.member_id.to_string());
    let subject = json!({ "exception_id": row.id });
    caller.require_second_person(app, change, &known_by, "an exception, or gets it,", subject).await?;
    let ws = change.workspace_id();
    for person in row.known_by.iter().filter_map(|id| id.parse().ok()) {
        if !members::is_active(change, ws, person).await? {
            return Err(Error::conflict("requester_left", "who asked for this is no longer an active member: deny it"));
        }
    }
    Ok(())
}

/// A policy by its id or its name. Who may not see policies is not told which there are.
async fn find_policy(change: &mut Change, caller: &Caller, wanted: Option<&str>) -> Result<Option<PolicyId>> {
    let Some(wanted) = wanted else { return Ok(None) };
    let ws = change.workspace_id();
    let id = match wanted.parse() {
        Ok(id) => policies::get(change, ws, id).await?.map(|row| row.id),
        Err(_) => policies::get_by_name(change, ws, wanted).await?.map(|row| row.id),
    };
    let message = match caller.may(Permission::CodexAdminister) {
        true => "there is no such policy",
        false => "there is no such policy: leave it out, and who approves chooses",
    };
    id.map(Some).ok_or_else(|| Error::invalid("policy", "unknown_policy", message))
}

fn check_minutes(minutes: u32) -> Result<()> {
    if (MIN_MINUTES..=MAX_MINUTES).contains(&minutes) {
        return Ok(());
    }
    let message = format!("an exception lasts {MIN_MINUTES} to {MAX_MINUTES} minutes (30 days)");
    Err(Error::invalid("minutes", "out_of_range", message))
}

fn email(caller: &Caller, row: &PolicyExceptionRow) -> String {
    caller.workspace.members.get(&row.member_id).map(|member| member.email.to_string()).unwrap_or_default()
}

fn target(member: MemberId, email: String) -> Target {
    Target::new("member", member, email)
}
