//! Groups, as the identity provider keeps them. One that was made by hand is not of this surface.

use provost_model::event::{EventType, Target};
use provost_model::{GroupId, GroupSource};
use provost_store::Touched;
use provost_store::tables::scim_groups::{self, ScimGroupRow};
use provost_store::tables::{group_members as memberships, groups};
use serde_json::{Value, json};

use super::group_members;
use super::users::later;
use super::{Batch, Done, Fault};
use crate::api::settings::differences;
use crate::scim::answer::Tags;
use crate::scim::group_fields::{GroupChange, GroupFields, Step};
use crate::scim::problem::Problem;
use crate::scim::render;

/// Adds a group.
pub(super) async fn create(batch: &mut Batch, group: &GroupFields) -> Result<Done, Fault> {
    let steps = [Step::Add(group.members.clone())];
    check_name(batch, &group.name, None).await?;
    group_members::check(batch, &steps).await?;
    let now = batch.change.at();
    let row = ScimGroupRow {
        id: GroupId::new(now),
        name: group.name.clone(),
        source: GroupSource::Scim,
        external_id: group.external_id.clone(),
        scim: Some(group.scim.clone()),
        created_at: now,
        updated_at: now,
    };
    scim_groups::insert_many(&mut batch.change, batch.ws, std::slice::from_ref(&row)).await?;
    batch.change.touch(Touched::Group(row.id));
    batch.record(EventType::GroupCreated, target(&row), json!({ "source": row.source }));
    group_members::take(batch, &row, &steps).await?;
    Ok(Done::Group(Box::new(row)))
}

/// Replaces a group: its name, its members.
pub(super) async fn replace(batch: &mut Batch, id: GroupId, tags: &Tags, group: &GroupFields) -> Result<Done, Fault> {
    let before = find(batch, id, tags).await?;
    let steps = [Step::Replace(group.members.clone())];
    put(batch, before, group, &steps).await
}

/// Changes a group.
pub(super) async fn patch(batch: &mut Batch, id: GroupId, tags: &Tags, patch: &GroupChange) -> Result<Done, Fault> {
    let before = find(batch, id, tags).await?;
    let group = patch.apply(&before)?;
    put(batch, before, &group, &patch.steps).await
}

async fn put(batch: &mut Batch, before: ScimGroupRow, group: &GroupFields, steps: &[Step]) -> Result<Done, Fault> {
    let mut after = ScimGroupRow {
        name: group.name.clone(),
        external_id: group.external_id.clone(),
        scim: Some(group.scim.clone()),
        ..before.clone()
    };
    let changed = differences(&facts(&before), &facts(&after));
    if changed.contains_key("name") {
        check_name(batch, &group.name, Some(before.id)).await?;
    }
    group_members::check(batch, steps).await?;
    let is_changed = !changed.is_empty() || before.scim != after.scim;
    if group_members::take(batch, &after, steps).await? || is_changed {
        // A tag names one state: two changes at one moment have two times.
        after.updated_at = later(before.updated_at, batch.change.at());
        scim_groups::update(&mut batch.change, batch.ws, &after).await?;
    }
    if is_changed {
        batch.change.touch(Touched::Group(after.id));
        let details = json!({ "source": "scim", "changed": changed });
        batch.record(EventType::GroupUpdated, target(&after), details);
    }
    Ok(Done::Group(Box::new(after)))
}

/// Removes a group. Its roles lose it; policy rules that name it stay, and match nobody.
pub(super) async fn delete(batch: &mut Batch, id: GroupId, tags: &Tags) -> Result<Done, Fault> {
    let row = find(batch, id, tags).await?;
    let members = memberships::remove_all(&mut batch.change, batch.ws, id).await?;
    group_members::leave(batch, id, &members).await?;
    let workspace = batch.workspace.clone();
    for role in workspace.roles.values().filter(|role| role.groups.contains(&id)) {
        batch.change.touch(Touched::Role(role.id));
    }
    groups::delete(&mut batch.change, batch.ws, id).await?;
    batch.change.touch(Touched::Group(id));
    let details = json!({ "source": row.source, "member_count": members.len() });
    batch.record(EventType::GroupDeleted, target(&row), details);
    Ok(Done::Deleted)
}

async fn find(batch: &mut Batch, id: GroupId, tags: &Tags) -> Result<ScimGroupRow, Fault> {
    let row = scim_groups::get(&mut batch.change, batch.ws, id).await?;
    let row = row.filter(|row| row.source == GroupSource::Scim).ok_or_else(|| Problem::not_found("group"))?;
    if tags.are_given() && !tags.contain(&render::group_version(&row)) {
        return Err(Problem::changed_meanwhile().into());
    }
    Ok(row)
}

async fn check_name(batch: &mut Batch, name: &str, own: Option<GroupId>) -> Result<(), Fault> {
    let namesake = scim_groups::get_by_name(&mut batch.change, batch.ws, name).await?;
    let Some(other) = namesake.filter(|other| Some(other.id) != own) else { return Ok(()) };
    let detail = match other.source {
        GroupSource::Scim => format!("another group is called `{}` already", other.name),
        GroupSource::Manual => {
            format!(
                "a group that was made by hand in Provost is called `{}` already: rename or delete it there",
                other.name
            )
        }
    };
    Err(Problem::taken(detail).into())
}

fn facts(row: &ScimGroupRow) -> Value {
    json!({ "name": row.name, "external_id": row.external_id })
}

pub(super) fn target(row: &ScimGroupRow) -> Target {
    Target::new("group", row.id, row.name.as_str())
}
