use serde_json::{Map, Value};

use super::error::shown;
use super::schema::{Place, ResourceKind, Returned};
use super::{AttributePath, ScimError};

/// Which attributes of a resource are shown (RFC 7644 §3.9).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Projection(Choice);

#[derive(Debug, Clone, Default, PartialEq)]
enum Choice {
    #[default]
    Everything,
    Only(Vec<AttributePath>),
    Without(Vec<AttributePath>),
}

impl Projection {
    /// Reads the query parameters `attributes` and `excludedAttributes`: names with commas between them.
    ///
    /// # Errors
    ///
    /// `invalidValue` where both are given, and for what is no name of an attribute. (A name that is not known
    /// shows nothing.)
    pub fn parse(attributes: Option<&str>, excluded: Option<&str>) -> Result<Self, ScimError> {
        fn names(list: Option<&str>) -> impl Iterator<Item = &str> {
            list.into_iter().flat_map(|list| list.split(','))
        }
        Self::of(names(attributes), names(excluded))
    }

    /// The same for names that stand each for themselves, as in a search request.
    pub(super) fn of<'a>(
        attributes: impl Iterator<Item = &'a str>,
        excluded: impl Iterator<Item = &'a str>,
    ) -> Result<Self, ScimError> {
        let (only, without) = (paths(attributes)?, paths(excluded)?);
        match (only.is_empty(), without.is_empty()) {
            (true, true) => Ok(Self(Choice::Everything)),
            (false, true) => Ok(Self(Choice::Only(only))),
            (true, false) => Ok(Self(Choice::Without(without))),
            (false, false) => Err(ScimError::value("`attributes` and `excludedAttributes` exclude each other")),
        }
    }

    /// Whether an attribute of the resource is shown, or some part of it; what is not need not be looked up.
    pub fn includes(&self, kind: ResourceKind, attribute: &str) -> bool {
        let names = |place: &Place| {
            place.extension.is_none() && place.attribute.is_some_and(|a| a.name.eq_ignore_ascii_case(attribute))
        };
        match &self.0 {
            Choice::Everything => true,
            _ if kind.attribute(attribute).is_some_and(|attribute| attribute.returned == Returned::Always) => true,
            Choice::Only(paths) => places(kind, paths).any(|place| names(&place)),
            Choice::Without(paths) => !places(kind, paths).any(|place| place.sub.is_none() && names(&place)),
        }
    }

    /// What is shown of a resource; `id` and `schemas` always are.
    pub fn apply(&self, kind: ResourceKind, mut resource: Map<String, Value>) -> Map<String, Value> {
        match &self.0 {
            Choice::Everything => resource,
            Choice::Only(paths) => {
                let places: Vec<Place> = places(kind, paths).collect();
                resource.into_iter().filter_map(|(key, value)| only(kind, &places, key, value)).collect()
            }
            Choice::Without(paths) => {
                places(kind, paths).for_each(|place| leave_out(&mut resource, place));
                resource
            }
        }
    }
}

fn paths<'a>(names: impl Iterator<Item = &'a str>) -> Result<Vec<AttributePath>, ScimError> {
    let names = names.map(str::trim).filter(|name| !name.is_empty());
    let path = |name: &'a str| {
        let wrong = |what| ScimError::value(format!("`{}` is no name of an attribute: {what}", shown(name)));
        AttributePath::parse(name).map_err(wrong)
    };
    names.map(path).collect()
}

fn places(kind: ResourceKind, paths: &[AttributePath]) -> impl Iterator<Item = Place> {
    paths.iter().filter_map(move |path| kind.place(path))
}

fn only(kind: ResourceKind, places: &[Place], key: String, value: Value) -> Option<(String, Value)> {
    if kind.attribute(&key).is_some_and(|attribute| attribute.returned == Returned::Always) {
        return Some((key, value));
    }
    let Some(schema) = kind.extension(&key) else {
        let of_resource = places.iter().filter(|place| place.extension.is_none());
        return part(of_resource, &key, value).map(|value| (key, value));
    };
    let of_schema = || places.iter().filter(|place| place.extension == Some(schema));
    if of_schema().any(|place| place.attribute.is_none()) {
        return Some((key, value));
    }
    let Value::Object(map) = value else { return None };
    let kept: Map<_, _> = map
        .into_iter()
        .filter_map(|(name, value)| part(of_schema(), &name, value).map(|value| (name, value)))
        .collect();
    (!kept.is_empty()).then_some((key, Value::Object(kept)))
}

/// What is shown of one attribute's value.
fn part<'a>(places: impl Iterator<Item = &'a Place>, name: &str, mut value: Value) -> Option<Value> {
    let named = places.filter(|place| place.attribute.is_some_and(|attribute| attribute.name == name));
    let subs: Option<Vec<&str>> = named.map(|place| place.sub.map(|sub| sub.name)).collect();
    match subs {
        None => return Some(value),
        Some(subs) if subs.is_empty() => return None,
        Some(subs) => each_object(&mut value, |object| object.retain(|key, _| subs.contains(&key.as_str()))),
    }
    (!super::filter::is_empty(&value)).then_some(value)
}

fn leave_out(resource: &mut Map<String, Value>, place: Place) {
    let holder = match (place.extension, place.attribute) {
        (Some(schema), None) => return drop(resource.remove(schema.id)),
        (Some(schema), Some(_)) => resource.get_mut(schema.id).and_then(Value::as_object_mut),
        (None, _) => Some(resource),
    };
    let (Some(holder), Some(attribute)) = (holder, place.attribute) else { return };
    match place.sub {
        _ if attribute.returned == Returned::Always => {}
        None => drop(holder.remove(attribute.name)),
        Some(sub) => {
            if let Some(value) = holder.get_mut(attribute.name) {
                each_object(value, |object| drop(object.remove(sub.name)));
            }
        }
    }
}

fn each_object(value: &mut Value, change: impl Fn(&mut Map<String, Value>)) {
    match value {
        Value::Object(object) => change(object),
        Value::Array(values) => values.iter_mut().filter_map(Value::as_object_mut).for_each(change),
        _ => {}
    }
}
