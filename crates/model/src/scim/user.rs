use serde_json::{Map, Value};

use super::canonical::{self, check_primaries, check_schemas, check_size, is_primary};
use super::schema::{ENTERPRISE_USER, ResourceKind, USER};
use super::{ScimError, ScimType};
use crate::Email;

/// A user, as a provider describes one.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// `userName`: never empty.
    pub user_name: String,
    /// `externalId`.
    pub external_id: Option<String>,
    /// `active`; true where it is not said.
    pub active: bool,
    /// What to call them: `displayName`, else `name.formatted`, else the given and the family name.
    pub display_name: Option<String>,
    /// Their address: the primary e-mail address, else the first, else the `userName` if it is one.
    pub email: Option<Email>,
    /// All that was said, in the schema's spelling, with `schemas` and (unless a change took it away)
    /// `active`, without what only the server sets (`id`, `meta`, `groups`) and without the password.
    pub attributes: Map<String, Value>,
}

impl User {
    /// Reads a user from the body of a POST or PUT, or from the [`attributes`](Self::attributes) of one that
    /// was read before.
    ///
    /// Names are taken in any letter case and booleans as text, as Entra sends them. What only the server
    /// sets, and what is not in the schemas, is dropped.
    ///
    /// # Errors
    ///
    /// `invalidValue` that names the attribute, and `invalidSyntax` where the body is no user.
    pub fn parse(body: Map<String, Value>) -> Result<Self, ScimError> {
        check_schemas(&body, USER.id, false)?;
        let mut attributes = canonical::resource(ResourceKind::User, body)?;
        attributes.entry("active").or_insert(Value::Bool(true));
        Self::of(attributes)
    }

    /// Reads one whose attributes are in the schema's spelling already.
    pub(super) fn of(mut attributes: Map<String, Value>) -> Result<Self, ScimError> {
        let user_name = match text(&attributes, "userName") {
            Some(name) if !name.trim().is_empty() => name.to_owned(),
            _ => return Err(ScimError::new(ScimType::InvalidValue, "`userName` is required")),
        };
        check_primaries(ResourceKind::User, &attributes)?;
        check_size(&attributes)?;
        let active = match attributes.get("active") {
            Some(active) => active == &Value::Bool(true),
            None => true,
        };
        let mut schemas = vec![Value::from(USER.id)];
        if attributes.contains_key(ENTERPRISE_USER.id) {
            schemas.push(Value::from(ENTERPRISE_USER.id));
        }
        attributes.insert("schemas".to_owned(), Value::Array(schemas));
        Ok(Self {
            external_id: text(&attributes, "externalId").map(str::to_owned),
            active,
            display_name: display_name(&attributes),
            email: email(&attributes, &user_name)?,
            user_name,
            attributes,
        })
    }
}

fn text<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    map.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn display_name(attributes: &Map<String, Value>) -> Option<String> {
    if let Some(name) = text(attributes, "displayName") {
        return Some(name.to_owned());
    }
    let name = attributes.get("name")?.as_object()?;
    if let Some(formatted) = text(name, "formatted") {
        return Some(formatted.to_owned());
    }
    match (text(name, "givenName"), text(name, "familyName")) {
        (Some(given), Some(family)) => Some(format!("{given} {family}")),
        (given, family) => given.or(family).map(str::to_owned),
    }
}

fn email(attributes: &Map<String, Value>, user_name: &str) -> Result<Option<Email>, ScimError> {
    let emails = attributes.get("emails").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let value = |email: &'_ Value| email.get("value").and_then(Value::as_str).map(str::to_owned);
    let primary = emails.iter().find(|email| is_primary(email)).and_then(value);
    match primary.or_else(|| emails.iter().find_map(value)) {
        Some(address) => Email::try_from(address)
            .map(Some)
            .map_err(|error| ScimError::value(format!("`emails` holds what is {error}"))),
        None => Ok(Email::try_from(user_name.to_owned()).ok()),
    }
}
