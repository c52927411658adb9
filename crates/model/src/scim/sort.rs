use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::canonical::is_primary;
use super::error::shown;
use super::filter::fold;
use super::schema::{AttributeType, ResourceKind};
use super::{AttributePath, ScimError};

/// In which order resources are listed (RFC 7644 §3.4.2.3).
#[derive(Debug, Clone, PartialEq)]
pub struct Sort {
    by: AttributePath,
    is_descending: bool,
}

/// By what a resource is sorted. What it does not have comes last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SortKey {
    /// False before true.
    Boolean(bool),
    /// The earlier before the later.
    Moment(Timestamp),
    /// By its characters, in lower case where letter case does not count.
    Text(String),
    /// There is none.
    Missing,
}

impl Sort {
    /// Reads the parameters `sortBy` and `sortOrder`.
    ///
    /// # Errors
    ///
    /// `invalidPath` for an attribute that no resource has or that has no order, `invalidValue` for an order
    /// that is neither `ascending` nor `descending`.
    pub fn parse(by: &str, order: Option<&str>) -> Result<Self, ScimError> {
        let wrong = |what: &str| ScimError::path(format!("nothing can be sorted by `{}`: {what}", shown(by)));
        let path = AttributePath::parse(by.trim()).map_err(wrong)?;
        let mut places = ResourceKind::ALL.into_iter().filter_map(|kind| kind.place(&path));
        let attribute = places.find_map(|place| place.sub.or(place.attribute));
        let attribute = attribute.ok_or_else(|| wrong("there is no such attribute"))?;
        if attribute.value_type == AttributeType::Complex && attribute.sub("value").is_none() {
            return Err(wrong("it is made of others; name one of those, such as `name.familyName`"));
        }
        let is_descending = match order.map(str::trim) {
            None | Some("") => false,
            Some(order) if order.eq_ignore_ascii_case("ascending") => false,
            Some(order) if order.eq_ignore_ascii_case("descending") => true,
            Some(_) => return Err(ScimError::value("`sortOrder` is ascending or descending")),
        };
        Ok(Self { by: path, is_descending })
    }

    /// By what a resource is sorted: of a list, by the primary value, else the first.
    pub fn key(&self, kind: ResourceKind, resource: &Map<String, Value>) -> SortKey {
        let Some(place) = kind.place(&self.by) else { return SortKey::Missing };
        let Some(attribute) = place.attribute else { return SortKey::Missing };
        let primary = place.values(resource).find(|value| is_primary(value));
        let Some(mut value) = primary.or_else(|| place.values(resource).next()) else { return SortKey::Missing };
        let mut attribute = attribute;
        if let Some(sub) = place.sub.or_else(|| attribute.sub("value")) {
            value = value.get(sub.name).unwrap_or(&Value::Null);
            attribute = sub;
        }
        match value {
            Value::Bool(boolean) => SortKey::Boolean(*boolean),
            Value::String(text) => match text.parse() {
                Ok(moment) if attribute.value_type == AttributeType::DateTime => SortKey::Moment(moment),
                _ if attribute.case_exact => SortKey::Text(text.clone()),
                _ => SortKey::Text(fold(text).into_owned()),
            },
            _ => SortKey::Missing,
        }
    }

    /// Which of two comes first. Descending, what is missing comes first, as the RFC has it.
    pub fn compare(&self, one: &SortKey, other: &SortKey) -> Ordering {
        if self.is_descending { other.cmp(one) } else { one.cmp(other) }
    }

    /// The attribute by which is sorted.
    pub fn by(&self) -> &AttributePath {
        &self.by
    }

    /// Whether the order is turned round.
    pub fn is_descending(&self) -> bool {
        self.is_descending
    }
}
