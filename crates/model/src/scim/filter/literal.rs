use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use serde_json::{Number, Value};
use unicode_normalization::UnicodeNormalization;

/// What an attribute is compared with.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::scim) enum Literal {
    Text(Text),
    Number(Number),
    Boolean(bool),
    Null,
}

/// A text, with the forms in which it is compared worked out once.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::scim) struct Text {
    pub(in crate::scim) text: Box<str>,
    /// For attributes that do not tell letter case apart.
    pub(super) folded: Box<str>,
    /// For attributes that are moments.
    pub(super) moment: Option<Timestamp>,
}

impl Literal {
    pub(super) fn text(text: String) -> Self {
        let (folded, moment) = (fold(&text).into(), text.parse().ok());
        Self::Text(Text { text: text.into(), folded, moment })
    }

    pub(super) fn from_json(value: Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::text(text)),
            Value::Number(number) => Some(Self::Number(number)),
            Value::Bool(boolean) => Some(Self::Boolean(boolean)),
            Value::Null => Some(Self::Null),
            Value::Array(_) | Value::Object(_) => None,
        }
    }

    pub(in crate::scim) fn to_json(&self) -> Value {
        match self {
            Self::Text(text) => Value::from(&*text.text),
            Self::Number(number) => Value::Number(number.clone()),
            Self::Boolean(boolean) => Value::Bool(*boolean),
            Self::Null => Value::Null,
        }
    }

    /// True or false, also where it is written as text, as Entra does.
    pub(super) fn as_boolean(&self) -> Option<bool> {
        match self {
            Self::Boolean(boolean) => Some(*boolean),
            Self::Text(text) if &*text.folded == "true" => Some(true),
            Self::Text(text) if &*text.folded == "false" => Some(false),
            _ => None,
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_json().fmt(f)
    }
}

/// The form in which texts are compared where letter case does not count: Unicode form NFKC, lower case.
pub(in crate::scim) fn fold(text: &str) -> Cow<'_, str> {
    if !text.is_ascii() {
        return text.nfkc().flat_map(char::to_lowercase).nfkc().collect::<String>().into();
    }
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) { text.to_ascii_lowercase().into() } else { text.into() }
}
