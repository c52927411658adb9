use serde_json::{Map, Value};

use super::list::change_list;
use super::{PatchOp, PatchRequest, changes, mutability, numbered, unwrapped};
use crate::scim::canonical::{single, writable};
use crate::scim::filter::ValueFilter;
use crate::scim::schema::{Attribute, AttributeType, Mutability, Place, ResourceKind};
use crate::scim::{Path, ScimError, User};

/// The user after the change; all of it is done, or nothing.
///
/// # Errors
///
/// `invalidPath` for an attribute that users do not have, `mutability` for one that the provider may not
/// change or remove, `noTarget` where a filter picks nothing, `invalidValue` for values of another type.
pub fn patch_user(user: &User, patch: &PatchRequest) -> Result<User, ScimError> {
    let mut attributes = user.attributes.clone();
    for (place, operation) in patch.operations.iter().enumerate() {
        let (path, value) = (operation.path.as_ref(), operation.value.clone());
        change(&mut attributes, operation.op, path, value).map_err(|error| numbered(place, error))?;
    }
    User::of(attributes)
}

fn change(
    user: &mut Map<String, Value>,
    op: PatchOp,
    path: Option<&Path>,
    value: Option<Value>,
) -> Result<(), ScimError> {
    if let Some(path) = path {
        let place = ResourceKind::User.place(&path.attribute);
        let place = place.ok_or_else(|| ScimError::path(format!("users have no `{}`", path.attribute)))?;
        if place.is_read_only() {
            return Err(mutability(format!("`{}` is read-only", path.attribute)));
        }
        return change_place(user, op, place, path.filter.as_ref(), value);
    }
    for (key, value) in changes(op, value)? {
        // As in a whole resource, what is not known or not theirs to change is left out.
        let Some(path) = Path::parse(&key).ok() else { continue };
        match ResourceKind::User.place(&path.attribute) {
            Some(place) if !place.is_read_only() => {
                change_place(user, op, place, path.filter.as_ref(), Some(value))?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn change_place(
    user: &mut Map<String, Value>,
    op: PatchOp,
    place: Place,
    filter: Option<&ValueFilter>,
    value: Option<Value>,
) -> Result<(), ScimError> {
    let Some(schema) = place.extension else {
        return place.attribute.map_or(Ok(()), |attribute| change_in(user, op, attribute, place.sub, filter, value));
    };
    let mut extension = match user.remove(schema.id) {
        Some(Value::Object(extension)) => extension,
        _ => Map::new(),
    };
    match place.attribute {
        Some(attribute) => change_in(&mut extension, op, attribute, place.sub, filter, value)?,
        None if op == PatchOp::Remove || value == Some(Value::Null) => extension.clear(),
        None => {
            let Some(Value::Object(values)) = value else {
                return Err(ScimError::value(format!("`{}` is an object", schema.id)));
            };
            for (key, value) in values {
                let attribute = schema.attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(&key));
                if let Some(attribute) = attribute {
                    change_in(&mut extension, op, attribute, None, None, Some(value))?;
                }
            }
        }
    }
    if !extension.is_empty() {
        user.insert(schema.id.to_owned(), Value::Object(extension));
    }
    Ok(())
}

/// Changes one attribute of the user or of an extension.
fn change_in(
    holder: &mut Map<String, Value>,
    op: PatchOp,
    attribute: &'static Attribute,
    sub: Option<&'static Attribute>,
    filter: Option<&ValueFilter>,
    value: Option<Value>,
) -> Result<(), ScimError> {
    if attribute.mutability == Mutability::WriteOnly || attribute.name == "schemas" {
        return Ok(());
    }
    if value.is_none() && op != PatchOp::Remove {
        return Err(ScimError::value("`value` is missing"));
    }
    if attribute.multi_valued {
        let mut list = match holder.remove(attribute.name) {
            Some(Value::Array(list)) => list,
            _ => Vec::new(),
        };
        change_list(&mut list, op, attribute, sub, filter, value)?;
        if !list.is_empty() {
            holder.insert(attribute.name.to_owned(), Value::Array(list));
        }
        return Ok(());
    }
    if filter.is_some() {
        return Err(ScimError::path(format!("`{}` is no list, so nothing can be picked from it", attribute.name)));
    }
    match sub {
        None => change_value(holder, op, attribute, value),
        Some(sub) => {
            let mut object = match holder.remove(attribute.name) {
                Some(Value::Object(object)) => object,
                _ => Map::new(),
            };
            change_value(&mut object, op, sub, value)?;
            if !object.is_empty() {
                holder.insert(attribute.name.to_owned(), Value::Object(object));
            }
            Ok(())
        }
    }
}

/// Changes an attribute that has one value.
pub(super) fn change_value(
    holder: &mut Map<String, Value>,
    op: PatchOp,
    attribute: &'static Attribute,
    value: Option<Value>,
) -> Result<(), ScimError> {
    let value = match (op, value) {
        (PatchOp::Remove, _) | (_, None) => None,
        (_, Some(value)) if attribute.value_type == AttributeType::Complex => single(attribute, value)?,
        (_, Some(value)) => writable(attribute, unwrapped(value))?,
    };
    match (value, op) {
        // What is not said of a complex value stays as it is.
        (Some(Value::Object(new)), _) => match holder.get_mut(attribute.name) {
            Some(Value::Object(old)) => old.extend(new),
            _ => drop(holder.insert(attribute.name.to_owned(), Value::Object(new))),
        },
        (Some(value), _) => drop(holder.insert(attribute.name.to_owned(), value)),
        (None, PatchOp::Add) => {}
        (None, _) if attribute.required => {
            return Err(mutability(format!("`{}` is required, so it cannot be removed", attribute.name)));
        }
        (None, _) => drop(holder.remove(attribute.name)),
    }
    Ok(())
}
