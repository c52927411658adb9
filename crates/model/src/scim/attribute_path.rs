use std::fmt;

use super::schema::ResourceKind;

/// The name of an attribute, as filters, paths and parameters write it: `userName`, `name.givenName`,
/// `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department` (RFC 7644 §3.10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributePath {
    schema: Option<Box<str>>,
    name: Box<str>,
    sub: Option<Box<str>>,
}

impl AttributePath {
    /// Reads a name; what is no name is told as text.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if is_whole_schema(text) {
            return Ok(Self { schema: Some(text.into()), name: "".into(), sub: None });
        }
        let (schema, rest) = match text.rsplit_once(':') {
            Some((schema, rest)) if is_urn(schema) => (Some(schema), rest),
            Some(_) => return Err("what stands before the last `:` is no URN of a schema"),
            None => (None, text),
        };
        let (name, sub) = match rest.split_once('.') {
            Some((name, sub)) => (name, Some(sub)),
            None => (rest, None),
        };
        if !is_name(name) || sub.is_some_and(|sub| !is_name(sub)) {
            return Err("a name begins with a letter and goes on with letters, digits, `-` and `_`");
        }
        Ok(Self { schema: schema.map(Into::into), name: name.into(), sub: sub.map(Into::into) })
    }

    /// The URN before the name.
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// The name of the attribute; empty where a schema is named as a whole.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The sub-attribute after the dot.
    pub fn sub(&self) -> Option<&str> {
        self.sub.as_deref()
    }

    /// Whether it is this attribute of the core schema of its resource, whatever the letter case.
    pub(super) fn is(&self, name: &str, sub: Option<&str>) -> bool {
        let same_sub = match (self.sub(), sub) {
            (Some(own), Some(other)) => own.eq_ignore_ascii_case(other),
            (own, other) => own.is_none() && other.is_none(),
        };
        self.name.eq_ignore_ascii_case(name) && same_sub && self.schema().is_none_or(is_core)
    }

    /// The same attribute without a sub-attribute, and with another.
    pub(super) fn with_sub(mut self, sub: Option<&str>) -> Self {
        self.sub = sub.map(Into::into);
        self
    }
}

impl fmt::Display for AttributePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.schema, &*self.name) {
            (Some(schema), "") => return f.write_str(schema),
            (Some(schema), name) => write!(f, "{schema}:{name}")?,
            (None, name) => f.write_str(name)?,
        }
        self.sub.as_deref().map_or(Ok(()), |sub| write!(f, ".{sub}"))
    }
}

/// What may stand in a name with its URN; a filter takes as many of these as there are.
pub(super) fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':' | b'.' | b'$')
}

fn is_name(text: &str) -> bool {
    let text = text.strip_prefix('$').unwrap_or(text);
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn is_urn(text: &str) -> bool {
    text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:"))
        && text.len() > 4
        && text.bytes().all(is_path_byte)
        && !text.ends_with(':')
}

fn is_core(urn: &str) -> bool {
    ResourceKind::ALL.into_iter().any(|kind| kind.schema().id.eq_ignore_ascii_case(urn))
}

/// A schema that is known is named as a whole: its last part could be read as an attribute.
fn is_whole_schema(text: &str) -> bool {
    is_core(text) || ResourceKind::ALL.into_iter().any(|kind| kind.extension(text).is_some())
}
