use std::fmt;

use super::ScimError;
use super::attribute_path::{AttributePath, is_path_byte};
use super::error::shown;
use super::filter::ValueFilter;

/// The longest path, in bytes.
const MAX_BYTES: usize = 4096;

/// What an operation of a PATCH works on: `name.givenName`, `members[value eq "x"]`,
/// `emails[type eq "work"].value`, or a whole extension by its URN (RFC 7644 §3.5.2).
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    pub(super) attribute: AttributePath,
    pub(super) filter: Option<ValueFilter>,
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    ///
    /// `invalidPath` for what does not follow the grammar, `invalidFilter` for what stands in its brackets.
    pub fn parse(text: &str) -> Result<Self, ScimError> {
        let wrong = |what: &str| ScimError::path(format!("`{}` is no path: {what}", shown(text)));
        let text = text.trim();
        if text.len() > MAX_BYTES {
            return Err(wrong("it is too long"));
        }
        let length = text.bytes().take_while(|byte| is_path_byte(*byte)).count();
        let attribute = AttributePath::parse(&text[..length]).map_err(wrong)?;
        match text.as_bytes().get(length) {
            None => return Ok(Self { attribute, filter: None }),
            Some(b'[') if attribute.sub().is_none() && !attribute.name().is_empty() => {}
            Some(b'[') => return Err(wrong("brackets follow a list")),
            Some(_) => return Err(wrong("a name is made of letters, digits, `-` and `_`")),
        }
        let (filter, end) = ValueFilter::parse(text, length + 1, &attribute)?;
        let sub = match &text[end + 1..] {
            "" => None,
            rest => Some(rest.strip_prefix('.').ok_or_else(|| wrong("expected `.` or the end after `]`"))?),
        };
        if let Some(sub) = sub {
            let is_plain = AttributePath::parse(sub).is_ok_and(|path| path.schema().is_none() && path.sub().is_none());
            if !is_plain {
                return Err(wrong("expected the name of a sub-attribute after `].`"));
            }
        }
        Ok(Self { attribute: attribute.with_sub(sub), filter: Some(filter) })
    }
}

/// In the grammar; what is read back is the same path.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(ValueFilter(filter)) = &self.filter else { return self.attribute.fmt(f) };
        write!(f, "{}[{filter}]", self.attribute.clone().with_sub(None))?;
        self.attribute.sub().map_or(Ok(()), |sub| write!(f, ".{sub}"))
    }
}
