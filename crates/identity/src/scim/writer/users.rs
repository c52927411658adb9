//! Members, as the identity provider keeps them.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use provost_model::event::{Actor, EventType, Origin, Target};
use provost_model::scim::{PatchRequest, User, patch_user};
use provost_model::{BuiltinRole, MemberId, name_key};
use provost_store::tables::members::{self, MemberRow};
use provost_store::tables::scim_users::{self, ScimUserRow};
use provost_store::tables::{group_members, scim_groups, workspaces};
use provost_store::{Error, Touched};
use serde_json::{Value, json};

use super::{Answer, Batch, Done, Fault};
use crate::api::settings::differences;
use crate::deprovision::{Cause, deprovision};
use crate::scim::answer::Tags;
use crate::scim::problem::Problem;
use crate::scim::render;
use crate::scim::users::UserFields;

/// A member to add.
pub(super) struct Creation<'a> {
    /// Who adds them; none goes on as who acts already.
    pub(super) by: Option<(&'a Actor, &'a Origin)>,
    pub(super) user: &'a UserFields,
}

/// Adds members: one look at what is taken, one insertion.
pub(super) async fn create_many(batch: &mut Batch, creations: &[Creation<'_>]) -> Result<Vec<Answer>, Error> {
    let user_names: Vec<_> = creations.iter().map(|creation| creation.user.user_name_key.clone()).collect();
    let emails: Vec<_> = creations.iter().map(|creation| creation.user.email_key.clone()).collect();
    let taken = scim_users::taken(&mut batch.change, batch.ws, &user_names, &emails).await?;
    let mut user_names: HashSet<String> = taken.user_names.into_keys().collect();
    let mut emails: HashSet<String> = taken.emails.into_keys().collect();
    let now = batch.change.at();
    let mut answers = Vec::with_capacity(creations.len());
    let mut rows = Vec::with_capacity(creations.len());
    for Creation { by, user } in creations {
        if user_names.contains(&user.user_name_key) {
            answers.push(Err(user_name_taken(&user.user_name)));
            continue;
        }
        if emails.contains(&user.email_key) {
            answers.push(Err(email_taken(user.email.as_str())));
            continue;
        }
        user_names.insert(user.user_name_key.clone());
        emails.insert(user.email_key.clone());
        let row = row(user, MemberId::new(now), BuiltinRole::Member, now, now);
        if let Some((actor, origin)) = *by {
            batch.change.act_as(actor.clone(), origin.clone());
        }
        batch.change.touch(Touched::Member(row.member.id));
        let details = json!({ "source": "scim", "user_name": row.user_name, "active": row.member.active });
        batch.record(EventType::MemberCreated, target(&row), details);
        rows.push(row.clone());
        answers.push(Ok(Done::User(Box::new(row))));
    }
    scim_users::insert_many(&mut batch.change, batch.ws, &rows).await?;
    Ok(answers)
}

/// Replaces what the provider says of a member.
pub(super) async fn replace(batch: &mut Batch, id: MemberId, tags: &Tags, user: &UserFields) -> Result<Done, Fault> {
    let before = find(batch, id, tags).await?;
    put(batch, before, user).await
}

/// Changes what the provider says of a member.
pub(super) async fn patch(batch: &mut Batch, id: MemberId, tags: &Tags, patch: &PatchRequest) -> Result<Done, Fault> {
    let before = find(batch, id, tags).await?;
    let known = User::parse(render::user_attributes(&before)).map_err(Problem::from)?;
    let mut user = patch_user(&known, patch).map_err(Problem::from)?;
    if is_owner(&before) && user.email == known.email {
        // What is known is what the provider said last; an owner's address may have changed here since.
        user.email = Some(before.member.email.clone());
    }
    let user = UserFields::of(user, Some(&before.member.email))?;
    put(batch, before, &user).await
}

async fn put(batch: &mut Batch, before: ScimUserRow, user: &UserFields) -> Result<Done, Fault> {
    let id = before.member.id;
    // A tag names one state: two changes at one moment have two times.
    let now = later(before.member.updated_at, batch.change.at());
    let after = row(user, id, before.member.builtin_role, before.member.created_at, now);
    let changed = differences(&facts(&before), &facts(&after));
    if changed.is_empty() && before.scim.as_deref().is_some_and(|scim| scim == user.scim) {
        return Ok(Done::User(Box::new(before)));
    }
    if changed.contains_key("user_name") || changed.contains_key("email") {
        let (user_name, email) = ([user.user_name_key.clone()], [user.email_key.clone()]);
        let taken = scim_users::taken(&mut batch.change, batch.ws, &user_name, &email).await?;
        if taken.user_names.values().any(|other| *other != id) {
            return Err(user_name_taken(&user.user_name).into());
        }
        if taken.emails.values().any(|other| *other != id) {
            return Err(email_taken(user.email.as_str()).into());
        }
    }
    if before.member.active && !after.member.active {
        keep_owners(batch, &before).await?;
    }
    let is_renamed = changed.contains_key("email") && name_key(before.member.email.as_str()) != user.email_key;
    if is_renamed && is_owner(&before) {
        // The address is what a first sign-in through a connection finds a member by: whoever could change
        // it could become the owner.
        let detail = "this is an owner of the workspace, whose address is not changed from an identity provider: \
                      change it in Provost";
        return Err(Problem::conflict(detail).into());
    }
    scim_users::update(&mut batch.change, batch.ws, &after).await?;
    batch.change.touch(Touched::Member(id));
    // Which of the others changed is not said: they may be private.
    let details = json!({ "source": "scim", "changed": changed });
    let kind = match (before.member.active, after.member.active) {
        (true, false) => EventType::MemberSuspended,
        (false, true) => EventType::MemberReactivated,
        _ => EventType::MemberUpdated,
    };
    let mut details = details;
    if kind == EventType::MemberSuspended {
        let workspace = batch.workspace.clone();
        let email = after.member.email.as_str();
        let receipt = deprovision(&mut batch.change, &workspace, id, email, Cause::Suspended).await?;
        details["deprovision_id"] = json!(receipt);
    }
    batch.record(kind, target(&after), details);
    Ok(Done::User(Box::new(after)))
}

/// Removes a member: everything of theirs ends.
pub(super) async fn delete(batch: &mut Batch, id: MemberId, tags: &Tags) -> Result<Done, Fault> {
    let row = find(batch, id, tags).await?;
    keep_owners(batch, &row).await?;
    let workspace = batch.workspace.clone();
    let email = row.member.email.as_str();
    let receipt = deprovision(&mut batch.change, &workspace, id, email, Cause::Deleted).await?;
    // What shows the member changes with them.
    let groups = group_members::groups_of(&mut batch.change, batch.ws, &[id]).await?;
    for (group, _) in groups.into_values().flatten() {
        if let Some(group) = scim_groups::get(&mut batch.change, batch.ws, group).await? {
            let at = later(group.updated_at, batch.change.at());
            scim_groups::set_updated(&mut batch.change, batch.ws, group.id, at).await?;
        }
    }
    members::delete(&mut batch.change, batch.ws, id).await?;
    batch.change.touch(Touched::Member(id));
    let details = json!({ "source": "scim", "deprovision_id": receipt });
    batch.record(EventType::MemberDeleted, target(&row), details);
    Ok(Done::Deleted)
}

async fn find(batch: &mut Batch, id: MemberId, tags: &Tags) -> Result<ScimUserRow, Fault> {
    let row = scim_users::get(&mut batch.change, batch.ws, id).await?;
    let row = row.ok_or_else(|| Problem::not_found("user"))?;
    if tags.are_given() {
        let mut groups = group_members::groups_of(&mut batch.change, batch.ws, &[id]).await?;
        let groups = groups.remove(&id).unwrap_or_default();
        if !tags.contain(&render::user("", &row, &groups).version) {
            return Err(Problem::changed_meanwhile().into());
        }
    }
    Ok(row)
}

/// Refuses what would leave the workspace without an owner who can sign in, or without the one that
/// it has for when the identity provider is away.
async fn keep_owners(batch: &mut Batch, row: &ScimUserRow) -> Result<(), Fault> {
    let member = &row.member;
    // As the change finds it: the snapshot may not have heard of it yet.
    let settings = workspaces::settings(&mut batch.change, batch.ws).await?;
    if settings.break_glass_owner_ids.contains(&member.id) {
        let detail = "this owner is named to sign in when the identity provider is away: take them from \
                      `break_glass_owner_ids` first";
        return Err(Problem::conflict(detail).into());
    }
    if member.active && is_owner(row) && members::count_other_owners(&mut batch.change, batch.ws, member.id).await? == 0
    {
        let detail = "this is the last owner of the workspace: make another member an owner first";
        return Err(Problem::conflict(detail).into());
    }
    Ok(())
}

fn is_owner(row: &ScimUserRow) -> bool {
    row.member.builtin_role == BuiltinRole::Owner
}

fn row(user: &UserFields, id: MemberId, role: BuiltinRole, created_at: Timestamp, now: Timestamp) -> ScimUserRow {
    let member = MemberRow {
        id,
        email: user.email.clone(),
        name: user.name.clone(),
        active: user.active,
        builtin_role: role,
        created_at,
        updated_at: now,
    };
    let (user_name, external_id) = (user.user_name.clone(), user.external_id.clone());
    ScimUserRow { member, user_name, external_id, scim: Some(user.scim.clone()) }
}

/// What an event says of a member.
fn facts(row: &ScimUserRow) -> Value {
    let ScimUserRow { member, user_name, external_id, .. } = row;
    json!({
        "user_name": user_name, "email": member.email, "name": member.name, "active": member.active,
        "external_id": external_id,
    })
}

pub(super) fn later(before: Timestamp, now: Timestamp) -> Timestamp {
    if now > before { now } else { before + SignedDuration::from_micros(1) }
}

fn user_name_taken(user_name: &str) -> Problem {
    let detail = "somebody has this `userName` already (letter case and Unicode form do not count)";
    Problem::taken(format!("{detail}: {user_name}"))
}

fn email_taken(email: &str) -> Problem {
    let detail = "somebody has this e-mail address already (letter case and Unicode form do not count)";
    Problem::taken(format!("{detail}: {email}"))
}

fn target(row: &ScimUserRow) -> Target {
    Target::new("member", row.member.id, row.member.email.as_str())
}
