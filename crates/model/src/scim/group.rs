use std::collections::HashSet;

use foldhash::fast::RandomState;
use serde_json::{Map, Value};

use super::ScimError;
use super::canonical::{self, check_schemas, check_size, get, take};
use super::error::shown;
use super::schema::{GROUP, ResourceKind};

/// The most members that one group, or one change of it, may have.
pub const MAX_MEMBERS: usize = 100_000;

/// The longest id of a member, in bytes.
const MAX_ID: usize = 256;

/// A group, as a provider describes one.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// `displayName`: never empty.
    pub display_name: String,
    /// `externalId`.
    pub external_id: Option<String>,
    /// Who is in it, each once, in the order in which they came.
    pub members: Vec<MemberRef>,
    /// All that was said beside the members, in the schema's spelling, with `schemas`.
    pub attributes: Map<String, Value>,
}

/// Somebody in a group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MemberRef {
    /// The member's id, as the provider gives it; nobody may have it.
    pub value: String,
}

impl Group {
    /// Reads a group from the body of a POST or PUT, or from the [`attributes`](Self::attributes) of one that
    /// was read before.
    ///
    /// # Errors
    ///
    /// `invalidValue` that names the attribute, also for a group among the members; `invalidSyntax` where the
    /// body is no group; 413 for more than [`MAX_MEMBERS`] members.
    pub fn parse(mut body: Map<String, Value>) -> Result<Self, ScimError> {
        check_schemas(&body, GROUP.id, false)?;
        let members = match take(&mut body, "members") {
            Some(members) => ids(members)?.into_iter().map(|value| MemberRef { value }).collect(),
            None => Vec::new(),
        };
        let mut attributes = canonical::resource(ResourceKind::Group, body)?;
        check_size(&attributes)?;
        let text = |name| attributes.get(name).and_then(Value::as_str).map(str::to_owned);
        let display_name = text("displayName").filter(|name| !name.trim().is_empty());
        let display_name = display_name.ok_or_else(|| ScimError::value("`displayName` is required"))?;
        let external_id = text("externalId").filter(|id| !id.is_empty());
        attributes.insert("schemas".to_owned(), Value::Array(vec![Value::from(GROUP.id)]));
        Ok(Self { display_name, external_id, members, attributes })
    }
}

/// The ids in a value of `members`, each once.
pub(super) fn ids(members: Value) -> Result<Vec<String>, ScimError> {
    let members = match members {
        Value::Null => return Ok(Vec::new()),
        Value::Array(members) => members,
        member @ Value::Object(_) => vec![member],
        _ => return Err(ScimError::value("`members` is a list of objects with a `value` each")),
    };
    if members.len() > MAX_MEMBERS {
        return Err(ScimError::other(413, format!("a group has at most {MAX_MEMBERS} members")));
    }
    let mut seen = HashSet::with_capacity_and_hasher(members.len(), RandomState::default());
    let mut ids = Vec::with_capacity(members.len());
    for member in members {
        let id = id(member)?;
        if seen.insert(id.clone()) {
            ids.push(id);
        }
    }
    Ok(ids)
}

fn id(member: Value) -> Result<String, ScimError> {
    let Value::Object(mut member) = member else {
        return Err(ScimError::value("`members` is a list of objects with a `value` each"));
    };
    let id = match take(&mut member, "value") {
        Some(Value::String(id)) if !id.is_empty() && id.len() <= MAX_ID => id,
        _ => return Err(ScimError::value("`members.value` is the id of a user")),
    };
    let names_group =
        |name: &str, is_group: fn(&str) -> bool| get(&member, name).and_then(Value::as_str).is_some_and(is_group);
    if names_group("type", |kind| kind.eq_ignore_ascii_case("Group"))
        || names_group("$ref", |uri| uri.contains("/Groups/"))
    {
        let detail = format!("`{}` is a group: groups hold users only, so assign the users themselves", shown(&id));
        return Err(ScimError::value(detail));
    }
    Ok(id)
}
