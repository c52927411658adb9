use serde_json::Value;

use super::{Operation, PatchOp, PatchRequest, changes, mutability, numbered, unwrapped};
use crate::scim::canonical::single;
use crate::scim::filter::{Filter, ValueFilter};
use crate::scim::group::ids;
use crate::scim::schema::{Attribute, Place, ResourceKind};
use crate::scim::{MAX_MEMBERS, Path, ScimError};

/// A change of a group, for which its present members need not be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupPatch {
    /// What to do, in this order, all of it or nothing. It may be nothing.
    pub steps: Vec<GroupStep>,
}

/// One step of a change of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupStep {
    /// It is called this, which is not empty.
    Rename(String),
    /// It has this `externalId`, or none.
    SetExternalId(Option<String>),
    /// These come into it, unless they are there.
    Add(Vec<String>),
    /// These leave it, if they are there.
    Remove(Vec<String>),
    /// These are in it, and nobody else.
    Replace(Vec<String>),
}

impl GroupPatch {
    /// Reads what a change does to a group.
    ///
    /// # Errors
    ///
    /// As [`patch_user`](super::patch_user); `invalidFilter` where members are picked by something else than
    /// their `value`; 413 where it names more than [`MAX_MEMBERS`] members.
    pub fn parse(patch: &PatchRequest) -> Result<Self, ScimError> {
        let mut steps = Vec::new();
        for (place, operation) in patch.operations.iter().enumerate() {
            read(operation, &mut steps).map_err(|error| numbered(place, error))?;
        }
        let named = |step: &GroupStep| match step {
            GroupStep::Add(ids) | GroupStep::Remove(ids) | GroupStep::Replace(ids) => ids.len(),
            GroupStep::Rename(_) | GroupStep::SetExternalId(_) => 0,
        };
        if steps.iter().map(named).sum::<usize>() > MAX_MEMBERS {
            return Err(ScimError::other(413, format!("one change names at most {MAX_MEMBERS} members")));
        }
        Ok(Self { steps })
    }
}

fn read(operation: &Operation, steps: &mut Vec<GroupStep>) -> Result<(), ScimError> {
    let (op, value) = (operation.op, operation.value.clone());
    if let Some(path) = &operation.path {
        let place = ResourceKind::Group.place(&path.attribute);
        let place = place.ok_or_else(|| ScimError::path(format!("groups have no `{}`", path.attribute)))?;
        if place.is_read_only() {
            return Err(mutability(format!("`{}` is read-only", path.attribute)));
        }
        steps.extend(step(op, path, place, value)?);
        return Ok(());
    }
    for (key, value) in changes(op, value)? {
        // As in a whole resource, what is not known or not theirs to change is left out. Okta sends the id.
        let Some(path) = Path::parse(&key).ok() else { continue };
        match ResourceKind::Group.place(&path.attribute) {
            Some(place) if !place.is_read_only() => steps.extend(step(op, &path, place, Some(value))?),
            _ => {}
        }
    }
    Ok(())
}

fn step(op: PatchOp, path: &Path, place: Place, value: Option<Value>) -> Result<Option<GroupStep>, ScimError> {
    let Some(attribute) = place.attribute else { return Ok(None) };
    if attribute.name == "schemas" {
        return Ok(None);
    }
    if attribute.name == "members" {
        return members(op, path, place.sub, value).map(Some);
    }
    if path.filter.is_some() {
        return Err(ScimError::path(format!("`{}` is no list, so nothing can be picked from it", attribute.name)));
    }
    if value.is_none() && op != PatchOp::Remove {
        return Err(ScimError::value("`value` is missing"));
    }
    let text = match (op, value) {
        (PatchOp::Remove, _) | (_, None) => None,
        (_, Some(value)) => text(attribute, value)?,
    };
    match attribute.name {
        "displayName" => match text {
            Some(name) if name.trim().is_empty() => Err(ScimError::value("`displayName` is not empty")),
            Some(name) => Ok(Some(GroupStep::Rename(name))),
            None => Err(mutability("`displayName` is required, so it cannot be removed")),
        },
        "externalId" => Ok(Some(GroupStep::SetExternalId(text.filter(|id| !id.is_empty())))),
        _ => Ok(None),
    }
}

fn text(attribute: &'static Attribute, value: Value) -> Result<Option<String>, ScimError> {
    Ok(match single(attribute, unwrapped(value))? {
        Some(Value::String(text)) => Some(text),
        _ => None,
    })
}

fn members(
    op: PatchOp,
    path: &Path,
    sub: Option<&'static Attribute>,
    value: Option<Value>,
) -> Result<GroupStep, ScimError> {
    if sub.is_some() {
        return Err(mutability("a member of a group comes and goes, but does not change"));
    }
    match (op, &path.filter, value) {
        (PatchOp::Remove, Some(ValueFilter(filter)), _) => match Filter::values(filter) {
            Some(ids) => Ok(GroupStep::Remove(ids.into_iter().map(str::to_owned).collect())),
            None => Err(ScimError::filter("members are picked by their `value`, such as `members[value eq \"id\"]`")),
        },
        (_, Some(_), _) => Err(mutability("a member of a group comes and goes, but does not change")),
        (PatchOp::Remove, None, None | Some(Value::Null)) => Ok(GroupStep::Replace(Vec::new())),
        // Entra names those to remove in the value.
        (PatchOp::Remove, None, Some(value)) => Ok(GroupStep::Remove(ids(value)?)),
        (PatchOp::Add, None, Some(value)) => Ok(GroupStep::Add(ids(value)?)),
        (PatchOp::Replace, None, Some(value)) => Ok(GroupStep::Replace(ids(value)?)),
        (PatchOp::Add | PatchOp::Replace, None, None) => Err(ScimError::value("`value` is missing")),
    }
}
