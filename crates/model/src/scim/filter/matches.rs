use std::borrow::Cow;
use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::literal::Text;
use super::{Filter, Literal, Node, Operator, fold};
use crate::scim::schema::{Attribute, AttributeType, Place, ResourceKind};

impl Filter {
    /// Whether a resource is among those asked for. It must be in the schema's spelling.
    ///
    /// A list matches when one of its values does; a list of complex values without a sub-attribute stands
    /// for its `value`s. What an attribute does not have equals `null`, and differs from everything else.
    pub fn matches(&self, kind: ResourceKind, resource: &Map<String, Value>) -> bool {
        resource_matches(&self.root, kind, resource)
    }
}

fn resource_matches(node: &Node, kind: ResourceKind, resource: &Map<String, Value>) -> bool {
    match node {
        Node::And(nodes) => nodes.iter().all(|node| resource_matches(node, kind, resource)),
        Node::Or(nodes) => nodes.iter().any(|node| resource_matches(node, kind, resource)),
        Node::Not(node) => !resource_matches(node, kind, resource),
        Node::Present(path) => kind.place(path).is_some_and(|place| {
            place.values(resource).any(|value| match place.sub {
                Some(sub) => value.get(sub.name).is_some_and(|value| !is_empty(value)),
                None => !is_empty(value),
            })
        }),
        Node::Compare { path, operator, literal } => match kind.place(path) {
            Some(place @ Place { attribute: Some(attribute), sub, .. }) => {
                compare_any(place.values(resource), attribute, sub, *operator, literal)
            }
            _ => absent(*operator, literal),
        },
        Node::Element { path, filter } => match kind.place(path) {
            Some(place @ Place { attribute: Some(attribute), .. }) => {
                place.values(resource).any(|element| element_matches(filter, attribute, element))
            }
            _ => false,
        },
    }
}

/// Whether one element of a list matches the filter in brackets.
pub(in crate::scim) fn element_matches(node: &Node, attribute: &'static Attribute, element: &Value) -> bool {
    match node {
        Node::And(nodes) => nodes.iter().all(|node| element_matches(node, attribute, element)),
        Node::Or(nodes) => nodes.iter().any(|node| element_matches(node, attribute, element)),
        Node::Not(node) => !element_matches(node, attribute, element),
        Node::Present(path) => sub_value(attribute, path.name(), element).is_some_and(|(_, value)| !is_empty(value)),
        Node::Compare { path, operator, literal } => match sub_value(attribute, path.name(), element) {
            Some((attribute, value)) => compare(value, attribute, *operator, literal),
            None => absent(*operator, literal),
        },
        Node::Element { .. } => false,
    }
}

/// A sub-attribute of an element; a plain value is its own `value`.
fn sub_value<'a>(
    attribute: &'static Attribute,
    name: &str,
    element: &'a Value,
) -> Option<(&'static Attribute, &'a Value)> {
    match attribute.sub(name) {
        Some(sub) => element.get(sub.name).filter(|value| !value.is_null()).map(|value| (sub, value)),
        None => {
            (attribute.sub_attributes.is_empty() && name.eq_ignore_ascii_case("value")).then_some((attribute, element))
        }
    }
}

fn compare_any<'a>(
    values: impl Iterator<Item = &'a Value>,
    attribute: &'static Attribute,
    sub: Option<&'static Attribute>,
    operator: Operator,
    literal: &Literal,
) -> bool {
    let sub = sub.or_else(|| attribute.sub("value"));
    let mut is_there = false;
    for value in values {
        let (value, attribute) = match sub {
            Some(sub) => (value.get(sub.name).unwrap_or(&Value::Null), sub),
            None => (value, attribute),
        };
        if !value.is_null() {
            is_there = true;
            if compare(value, attribute, operator, literal) {
                return true;
            }
        }
    }
    !is_there && absent(operator, literal)
}

/// How a comparison ends where there is no value (RFC 7643 §2.5: that is the same as null).
fn absent(operator: Operator, literal: &Literal) -> bool {
    match operator {
        Operator::Equal => *literal == Literal::Null,
        Operator::NotEqual => *literal != Literal::Null,
        _ => false,
    }
}

fn compare(value: &Value, attribute: &Attribute, operator: Operator, literal: &Literal) -> bool {
    match (value, literal) {
        (Value::String(value), Literal::Text(text)) if attribute.value_type == AttributeType::DateTime => {
            match (value.parse::<Timestamp>(), text.moment) {
                (Ok(value), Some(moment)) if !operator.is_substring() => ordered(value.cmp(&moment), operator),
                _ => compare_text(value, text, true, operator),
            }
        }
        (Value::String(value), Literal::Text(text)) => compare_text(value, text, attribute.case_exact, operator),
        (Value::Bool(value), literal) => match literal.as_boolean() {
            Some(boolean) if !operator.is_ordering() => ordered(value.cmp(&boolean), operator),
            _ => operator == Operator::NotEqual,
        },
        (Value::Number(value), Literal::Number(number)) => {
            let order = match (value.as_i64(), number.as_i64()) {
                (Some(value), Some(number)) => Some(value.cmp(&number)),
                _ => value.as_f64().zip(number.as_f64()).and_then(|(value, number)| value.partial_cmp(&number)),
            };
            order.is_some_and(|order| ordered(order, operator))
        }
        _ => operator == Operator::NotEqual,
    }
}

fn compare_text(value: &str, text: &Text, is_case_exact: bool, operator: Operator) -> bool {
    let (value, text) = match is_case_exact {
        true => (Cow::Borrowed(value), &*text.text),
        // Most texts are ASCII, and are compared where they stand.
        false if operator == Operator::Equal && value.is_ascii() => return value.eq_ignore_ascii_case(&text.folded),
        false => (fold(value), &*text.folded),
    };
    match operator {
        Operator::Contains => value.contains(text),
        Operator::StartsWith => value.starts_with(text),
        Operator::EndsWith => value.ends_with(text),
        operator => ordered((*value).cmp(text), operator),
    }
}

fn ordered(order: Ordering, operator: Operator) -> bool {
    match operator {
        Operator::Equal => order.is_eq(),
        Operator::NotEqual => order.is_ne(),
        Operator::Greater => order.is_gt(),
        Operator::GreaterOrEqual => order.is_ge(),
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        Operator::Contains | Operator::StartsWith | Operator::EndsWith => false,
    }
}

/// Whether a value is none: null, or made of nothing.
pub(in crate::scim) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.iter().all(is_empty),
        Value::Object(map) => map.values().all(is_empty),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
