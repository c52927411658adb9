//! Changes of lists, such as `emails`.

use serde_json::{Map, Value};

use super::user::change_value;
use super::{PatchOp, no_target};
use crate::scim::ScimError;
use crate::scim::canonical::{is_primary, single, writable};
use crate::scim::filter::{Literal, Node, Operator, ValueFilter, element_matches, fold};
use crate::scim::schema::{Attribute, AttributeType};

pub(super) fn change_list(
    list: &mut Vec<Value>,
    op: PatchOp,
    attribute: &'static Attribute,
    sub: Option<&'static Attribute>,
    filter: Option<&ValueFilter>,
    value: Option<Value>,
) -> Result<(), ScimError> {
    // To replace by nothing is to remove.
    let op = if op == PatchOp::Replace && value.as_ref().is_some_and(Value::is_null) { PatchOp::Remove } else { op };
    let Some(ValueFilter(filter)) = filter else {
        return match sub {
            None => change_whole(list, op, attribute, value),
            Some(sub) => change_each(list, op, sub, value),
        };
    };
    let picked: Vec<usize> =
        (0..list.len()).filter(|place| element_matches(filter, attribute, &list[*place])).collect();
    if picked.is_empty() {
        let element = match op {
            PatchOp::Remove => None,
            PatchOp::Add => created(filter, attribute, |_, _| true)?,
            // Entra replaces what it has not added yet, but says then exactly what it wants.
            PatchOp::Replace if sub.is_some() => created(filter, attribute, is_usual)?,
            PatchOp::Replace => None,
        };
        let Some(mut element) = element else {
            return Err(no_target(format!("no element of `{}` matches the filter", attribute.name)));
        };
        change_element(&mut element, op, attribute, sub, value)?;
        list.push(Value::Object(element));
        prefer_last(list);
        return Ok(());
    }
    let removes_element = op == PatchOp::Remove && sub.is_none_or(|sub| sub.name == "value");
    for place in picked.iter().rev().copied() {
        if removes_element {
            list.remove(place);
            continue;
        }
        let Value::Object(element) = &mut list[place] else { continue };
        if op == PatchOp::Replace && sub.is_none() {
            element.clear();
        }
        change_element(element, op, attribute, sub, value.clone())?;
        prefer(list, place);
    }
    list.retain(|element| element.as_object().is_none_or(|element| !element.is_empty()));
    Ok(())
}

/// The list as a whole.
fn change_whole(
    list: &mut Vec<Value>,
    op: PatchOp,
    attribute: &'static Attribute,
    value: Option<Value>,
) -> Result<(), ScimError> {
    let values = match value.map(|value| writable(attribute, value)).transpose()?.flatten() {
        Some(Value::Array(values)) => values,
        _ => Vec::new(),
    };
    match op {
        PatchOp::Replace => *list = values,
        PatchOp::Add => {
            for value in values {
                if !list.contains(&value) {
                    list.push(value);
                    prefer_last(list);
                }
            }
        }
        PatchOp::Remove if values.is_empty() => list.clear(),
        // Entra names the elements to remove in the value.
        PatchOp::Remove => list.retain(|element| !values.iter().any(|value| holds(element, value))),
    }
    Ok(())
}

/// One sub-attribute of every element.
fn change_each(
    list: &mut Vec<Value>,
    op: PatchOp,
    sub: &'static Attribute,
    value: Option<Value>,
) -> Result<(), ScimError> {
    if list.is_empty() && op != PatchOp::Remove {
        list.push(Value::Object(Map::new()));
    }
    for element in list.iter_mut().filter_map(Value::as_object_mut) {
        change_value(element, op, sub, value.clone())?;
    }
    list.retain(|element| element.as_object().is_none_or(|element| !element.is_empty()));
    Ok(())
}

fn change_element(
    element: &mut Map<String, Value>,
    op: PatchOp,
    attribute: &'static Attribute,
    sub: Option<&'static Attribute>,
    value: Option<Value>,
) -> Result<(), ScimError> {
    if let Some(sub) = sub {
        return change_value(element, op, sub, value);
    }
    let value = match value {
        // Clients wrap the one element in a list.
        Some(Value::Array(mut values)) if values.len() == 1 => values.pop(),
        value => value,
    };
    match value.map(|value| single(attribute, value)).transpose()?.flatten() {
        Some(Value::Object(new)) => element.extend(new),
        _ => return Err(ScimError::value(format!("an element of `{}` is an object", attribute.name))),
    }
    Ok(())
}

/// Where an element has become the preferred one, no other is (RFC 7644 §3.5.2).
fn prefer(list: &mut [Value], place: usize) {
    if !is_primary(&list[place]) {
        return;
    }
    for (other, element) in list.iter_mut().enumerate() {
        if other != place && is_primary(element) {
            element["primary"] = Value::Bool(false);
        }
    }
}

fn prefer_last(list: &mut [Value]) {
    if let Some(last) = list.len().checked_sub(1) {
        prefer(list, last);
    }
}

/// Whether an element has all that a value says.
fn holds(element: &Value, value: &Value) -> bool {
    match (element, value) {
        (Value::Object(element), Value::Object(value)) => {
            value.iter().all(|(key, value)| element.get(key) == Some(value))
        }
        (element, value) => element == value,
    }
}

/// The element that a filter describes, where it says nothing but what attributes equal, and each of those
/// is `allowed`.
fn created(
    filter: &Node,
    attribute: &'static Attribute,
    allowed: fn(&Attribute, &Literal) -> bool,
) -> Result<Option<Map<String, Value>>, ScimError> {
    let nodes = match filter {
        Node::And(nodes) => nodes.as_slice(),
        node => std::slice::from_ref(node),
    };
    let mut element = Map::new();
    for node in nodes {
        let Node::Compare { path, operator: Operator::Equal, literal } = node else { return Ok(None) };
        let Some(sub) = attribute.sub(path.name()).filter(|sub| allowed(sub, literal)) else { return Ok(None) };
        if let Some(value) = single(sub, literal.to_json())? {
            element.insert(sub.name.to_owned(), value);
        }
    }
    Ok(Some(element))
}

fn is_usual(sub: &Attribute, literal: &Literal) -> bool {
    match literal {
        _ if sub.value_type == AttributeType::Boolean => true,
        Literal::Text(text) => sub.canonical_values.iter().any(|value| fold(&text.text) == *value),
        _ => false,
    }
}
