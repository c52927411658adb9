//! From what a provider sends to what the schema says: names in its spelling, values of its types.

use serde_json::{Map, Value};

use super::schema::{Attribute, AttributeType, Mutability, ResourceKind};
use super::{ScimError, filter};

/// The longest text of an attribute, in bytes.
const MAX_TEXT: usize = 4096;

/// The longest picture, certificate or address, in bytes.
const MAX_BINARY: usize = 32 * 1024;

/// The largest resource, in bytes of JSON, roughly. (Members of groups are counted otherwise.)
const MAX_RESOURCE: usize = 64 * 1024;

/// The attributes that a provider may set, without those that only the server sets and those that are not
/// known. What comes out stays the same when it is put in again.
pub(super) fn resource(kind: ResourceKind, body: Map<String, Value>) -> Result<Map<String, Value>, ScimError> {
    let mut resource = Map::new();
    for (key, value) in body {
        let (name, value) = if let Some(attribute) = kind.attribute(&key) {
            (attribute.name, writable(attribute, value)?)
        } else if let Some(extension) = kind.extension(&key) {
            let value = match value {
                Value::Null => None,
                Value::Object(map) => some(object(extension.attributes, map)?),
                _ => return Err(ScimError::value(format!("`{}` is an object", extension.id))),
            };
            (extension.id, value)
        } else {
            continue;
        };
        if let Some(value) = value {
            insert(&mut resource, key, name, value)?;
        }
    }
    Ok(resource)
}

/// The value of an attribute; none where it has none, or where it is not for the provider to set.
pub(super) fn writable(attribute: &Attribute, value: Value) -> Result<Option<Value>, ScimError> {
    match attribute.mutability {
        Mutability::ReadOnly | Mutability::WriteOnly => Ok(None),
        // What a resource follows can be seen from what it holds.
        Mutability::ReadWrite | Mutability::Immutable if attribute.name == "schemas" => Ok(None),
        Mutability::ReadWrite | Mutability::Immutable => self::value(attribute, value),
    }
}

/// The value of an attribute, of its type; none where there is none.
fn value(attribute: &Attribute, value: Value) -> Result<Option<Value>, ScimError> {
    if !attribute.multi_valued {
        return single(attribute, value);
    }
    match value {
        Value::Null => Ok(None),
        Value::Array(values) => {
            let mut kept = Vec::with_capacity(values.len());
            for value in values {
                kept.extend(single(attribute, value)?);
            }
            Ok(if kept.is_empty() { None } else { Some(Value::Array(kept)) })
        }
        value => Ok(single(attribute, value)?.map(|value| Value::Array(vec![value]))),
    }
}

/// One value of an attribute: the only one, or an element of a list.
pub(super) fn single(attribute: &Attribute, value: Value) -> Result<Option<Value>, ScimError> {
    let value = match (attribute.value_type, value) {
        (_, Value::Null) => return Ok(None),
        (AttributeType::Complex, Value::Object(map)) => return Ok(some(object(attribute.sub_attributes, map)?)),
        // Entra names a manager by the id alone.
        (AttributeType::Complex, Value::String(text))
            if !attribute.multi_valued && attribute.sub("value").is_some() =>
        {
            let map = Map::from_iter([("value".to_owned(), Value::String(text))]);
            return Ok(some(object(attribute.sub_attributes, map)?));
        }
        (AttributeType::Boolean, value @ Value::Bool(_)) => value,
        // Entra writes booleans as text.
        (AttributeType::Boolean, Value::String(text)) if text.eq_ignore_ascii_case("true") => Value::Bool(true),
        (AttributeType::Boolean, Value::String(text)) if text.eq_ignore_ascii_case("false") => Value::Bool(false),
        (AttributeType::Integer, value @ Value::Number(_)) if value.is_i64() => value,
        (AttributeType::Decimal, value @ Value::Number(_)) => value,
        (AttributeType::DateTime, Value::String(text)) if text.parse::<jiff::Timestamp>().is_ok() => {
            Value::String(text)
        }
        (AttributeType::String, Value::String(text)) => Value::String(fitting(attribute, text, MAX_TEXT)?),
        (AttributeType::Reference, Value::String(text)) => Value::String(fitting(attribute, text, MAX_BINARY)?),
        (AttributeType::Binary, Value::String(text)) if is_base64(&text) => {
            Value::String(fitting(attribute, text, MAX_BINARY)?)
        }
        _ => return Err(ScimError::value(format!("`{}` is {}", attribute.name, wanted(attribute)))),
    };
    Ok(Some(value))
}

fn object(attributes: &'static [Attribute], map: Map<String, Value>) -> Result<Map<String, Value>, ScimError> {
    let mut object = Map::new();
    for (key, given) in map {
        let Some(attribute) = attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(&key)) else {
            continue;
        };
        if let Some(value) = writable(attribute, given)? {
            insert(&mut object, key, attribute.name, value)?;
        }
    }
    Ok(object)
}

fn some(map: Map<String, Value>) -> Option<Value> {
    if map.is_empty() { None } else { Some(Value::Object(map)) }
}

fn insert(map: &mut Map<String, Value>, key: String, name: &str, value: Value) -> Result<(), ScimError> {
    let key = if key == name { key } else { name.to_owned() };
    match map.insert(key, value) {
        None => Ok(()),
        Some(_) => Err(ScimError::syntax(format!("`{name}` is there twice, in two spellings"))),
    }
}

fn fitting(attribute: &Attribute, text: String, most: usize) -> Result<String, ScimError> {
    if text.len() > most {
        return Err(ScimError::value(format!("`{}` is longer than {most} bytes", attribute.name)));
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(ScimError::value(format!("`{}` holds a control character", attribute.name)));
    }
    Ok(text)
}

fn wanted(attribute: &Attribute) -> &'static str {
    match attribute.value_type {
        AttributeType::String => "a text",
        AttributeType::Boolean => "true or false",
        AttributeType::Decimal => "a number",
        AttributeType::Integer => "a whole number",
        AttributeType::DateTime => "a moment, such as \"2026-05-13T04:42:34Z\"",
        AttributeType::Binary => "bytes in base64",
        AttributeType::Reference => "a URI",
        AttributeType::Complex if attribute.multi_valued => "a list of objects",
        AttributeType::Complex => "an object",
    }
}

fn is_base64(text: &str) -> bool {
    let inner =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=' | b'\r' | b'\n');
    text.bytes().all(inner)
}

/// Refuses a resource that is too large.
pub(super) fn check_size(resource: &Map<String, Value>) -> Result<(), ScimError> {
    fn size(value: &Value) -> usize {
        match value {
            Value::String(text) => text.len() + 3,
            Value::Array(values) => 2 + values.iter().map(size).sum::<usize>(),
            Value::Object(map) => 2 + object_size(map),
            Value::Null | Value::Bool(_) | Value::Number(_) => 6,
        }
    }
    fn object_size(map: &Map<String, Value>) -> usize {
        map.iter().map(|(key, value)| key.len() + 3 + size(value)).sum()
    }
    if object_size(resource) <= MAX_RESOURCE {
        return Ok(());
    }
    Err(ScimError::value(format!("the resource is larger than {} KiB", MAX_RESOURCE / 1024)))
}

/// Refuses a list with two elements that are both the preferred one (RFC 7643 §2.4).
pub(super) fn check_primaries(kind: ResourceKind, resource: &Map<String, Value>) -> Result<(), ScimError> {
    for attribute in kind.schema().attributes.iter().filter(|attribute| attribute.multi_valued) {
        let Some(Value::Array(values)) = resource.get(attribute.name) else { continue };
        if values.iter().filter(|value| is_primary(value)).count() > 1 {
            return Err(ScimError::value(format!("`{}` has more than one that is primary", attribute.name)));
        }
    }
    Ok(())
}

pub(super) fn is_primary(element: &Value) -> bool {
    element.get("primary") == Some(&Value::Bool(true))
}

/// Refuses a message or resource that names other schemas than it should.
pub(super) fn check_schemas(body: &Map<String, Value>, wanted: &str, is_required: bool) -> Result<(), ScimError> {
    let schemas = get(body, "schemas");
    if schemas.is_none_or(filter::is_empty) && !is_required {
        return Ok(());
    }
    let is_wanted = |value: &Value| value.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(wanted));
    match schemas {
        Some(Value::Array(urns)) if urns.iter().any(is_wanted) => Ok(()),
        _ => Err(ScimError::syntax(format!("`schemas` is a list with `{wanted}` in it"))),
    }
}

/// The value under that name, whatever its letter case.
pub(super) fn get<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    map.get(name).or_else(|| map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

/// The same, taken out.
pub(super) fn take(map: &mut Map<String, Value>, name: &str) -> Option<Value> {
    map.remove(name).or_else(|| {
        let key = map.keys().find(|key| key.eq_ignore_ascii_case(name))?.clone();
        map.remove(&key)
    })
}
