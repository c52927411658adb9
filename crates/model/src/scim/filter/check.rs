//! Comparisons that no resource could answer.

use super::{Literal, Operator};
use crate::scim::AttributePath;
use crate::scim::schema::{Attribute, AttributeType, ResourceKind};

/// A schema that is named must be one of ours. (An attribute that is not known has no value, says
/// RFC 7644 §3.4.2.1.)
pub(super) fn check_schema(path: &AttributePath) -> Result<(), &'static str> {
    let is_known = |urn: &str| {
        let of = |kind: ResourceKind| kind.schema().id.eq_ignore_ascii_case(urn) || kind.extension(urn).is_some();
        ResourceKind::ALL.into_iter().any(of)
    };
    if path.schema().is_none_or(is_known) { Ok(()) } else { Err("there is no such schema") }
}

/// The attribute whose elements brackets look at.
pub(super) fn element_attribute(path: &AttributePath) -> Option<&'static Attribute> {
    ResourceKind::ALL.into_iter().find_map(|kind| kind.place(path)).and_then(|place| place.attribute)
}

pub(super) fn check_comparison(
    path: &AttributePath,
    operator: Operator,
    literal: &Literal,
) -> Result<(), &'static str> {
    if path.name().is_empty() {
        return Err("a schema as a whole can only be asked for with pr");
    }
    let Some(place) = ResourceKind::ALL.into_iter().find_map(|kind| kind.place(path)) else { return Ok(()) };
    place.sub.or(place.attribute).map_or(Ok(()), |attribute| check(attribute, operator, literal))
}

pub(super) fn check(attribute: &Attribute, operator: Operator, literal: &Literal) -> Result<(), &'static str> {
    let attribute = match attribute.value_type {
        AttributeType::Complex => attribute.sub("value").unwrap_or(attribute),
        _ => attribute,
    };
    if *literal == Literal::Null {
        return Ok(());
    }
    match attribute.value_type {
        AttributeType::Complex => {
            Err("the attribute is made of others: compare one of those, such as `name.givenName`")
        }
        AttributeType::Boolean | AttributeType::Binary if operator.is_ordering() => {
            Err("the attribute's values have no order")
        }
        AttributeType::Boolean if operator.is_substring() => Err("the attribute is true or false"),
        AttributeType::Boolean if literal.as_boolean().is_none() => Err("the attribute is true or false"),
        AttributeType::DateTime if operator.is_ordering() => match literal {
            Literal::Text(text) if text.moment.is_some() => Ok(()),
            _ => Err("the attribute is a moment, such as \"2026-05-13T04:42:34Z\""),
        },
        _ => Ok(()),
    }
}
