//! Parses a text into a tree whose nodes know their place, the one thing a merged policy must not lose.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::MAX_BYTES;
use super::report::Report;

/// Where something stands: the layer, counted from the strongest, and the byte offset in its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) layer: usize,
    pub(crate) offset: usize,
}

/// A value and its place.
#[derive(Debug, Clone)]
pub(crate) struct Node<'a> {
    pub(crate) place: Place,
    pub(crate) value: Value<'a>,
}

/// A TOML value as the client's deserialiser sees it: dates and times arrive there as strings.
#[derive(Debug, Clone)]
pub(crate) enum Value<'a> {
    Bool(bool),
    Integer(i64),
    Float {
        /// Whether it is neither infinite nor no number.
        finite: bool,
    },
    Text(Cow<'a, str>),
    /// A date or time, which passes wherever a string does.
    Date(String),
    List(Vec<Node<'a>>),
    Table(Vec<Entry<'a>>),
}

/// A key and its value; tables keep the order of the text.
#[derive(Debug, Clone)]
pub(crate) struct Entry<'a> {
    pub(crate) key: Cow<'a, str>,
    pub(crate) place: Place,
    pub(crate) node: Node<'a>,
}

impl<'a> Node<'a> {
    /// The value of a key, if this is a table that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Node<'a>> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// Key and value, if this is a table that has the key.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry<'a>> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The value at the end of a path of keys.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Node<'a>> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The entries of a table; none for anything else.
    pub(crate) fn entries(&self) -> &[Entry<'a>] {
        match &self.value {
            Value::Table(entries) => entries,
            _ => &[],
        }
    }

    /// The elements of a list; none for anything else.
    pub(crate) fn items(&self) -> &[Node<'a>] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The string, or the date written where a string belongs.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            Value::Date(text) => Some(text),
            _ => None,
        }
    }

    /// The truth value.
    pub(crate) fn bool(&self) -> Option<bool> {
        match self.value {
            Value::Bool(bool) => Some(bool),
            _ => None,
        }
    }

    /// The string at a key.
    pub(crate) fn text_at(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Node::text)
    }

    /// Whether this is a list, even an empty one.
    pub(crate) fn is_list(&self) -> bool {
        matches!(self.value, Value::List(_))
    }

    /// Whether this is a table, even an empty one.
    pub(crate) fn is_table(&self) -> bool {
        matches!(self.value, Value::Table(_))
    }

    /// What an administrator would call this kind of value.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Bool(_) => "true or false",
            Value::Integer(_) => "a whole number",
            Value::Float { .. } => "a decimal number",
            Value::Text(_) => "a string",
            Value::Date(_) => "a date or time",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }
}

/// Parses one layer. A text that is no TOML is reported and yields nothing.
///
/// The parser itself refuses brackets and dotted keys beyond 80 levels, as the client's does, so the tree is never deep
/// enough to endanger the stack of those who walk it.
pub(crate) fn parse<'a>(layer: usize, text: &'a str, report: &mut Report) -> Option<Node<'a>> {
    let start = Place { layer, offset: 0 };
    if text.len() > MAX_BYTES {
        let message = format!("The text has {} bytes; at most {MAX_BYTES} are allowed. Shorten it.", text.len());
        report.error(start, &"", "too_large", message);
        return None;
    }
    let reader = Reader { layer, text };
    let parsed = DeTable::parse(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        report.error(Place { layer, offset }, &"", "toml_syntax", syntax_message(error.message()));
    });
    let table = parsed.ok()?;
    reader
        .table(start, table.into_inner())
        .map_err(|(place, message)| report.error(place, &"", "toml_syntax", message))
        .ok()
}

/// The parser's messages are terse; these are its most frequent ones in an administrator's words.
fn syntax_message(message: &str) -> String {
    let message = message.trim_end();
    let hint = match message {
        "duplicate key" => "This key or table already exists above. Merge the two and delete one.",
        "recursion limit" => "The nesting is too deep: at most 80 levels are allowed.",
        _ if message.contains("string values must be quoted") => {
            "This is not valid TOML: a value is missing or lacks its quotes. Put strings in double quotes."
        }
        _ if message.starts_with("key with no value") => "This is not valid TOML: write `key = value`.",
        _ => return format!("This is not valid TOML: {message}."),
    };
    hint.to_owned()
}

struct Reader<'a> {
    layer: usize,
    text: &'a str,
}

type Refusal = (Place, &'static str);

impl<'a> Reader<'a> {
    fn place(&self, offset: usize) -> Place {
        Place { layer: self.layer, offset }
    }

    fn table(&self, place: Place, table: DeTable<'a>) -> Result<Node<'a>, Refusal> {
        let mut entries = Vec::with_capacity(table.len());
        for (key, value) in table {
            let place = self.place(key.span().start);
            let node = self.node(place, value)?;
            entries.push(Entry { key: key.into_inner(), place, node });
        }
        entries.sort_by_key(|entry| entry.place);
        Ok(Node { place, value: Value::Table(entries) })
    }

    /// `named` is the place of the key, which stands in for tables that have no text of their own, such as the middle
    /// of a dotted key.
    fn node(&self, named: Place, value: Spanned<DeValue<'a>>) -> Result<Node<'a>, Refusal> {
        let place = self.place(value.span().start);
        let value = match value.into_inner() {
            DeValue::Table(table) => {
                let inline = self.text.as_bytes().get(place.offset) == Some(&b'{');
                return self.table(if inline { place } else { named }, table);
            }
            DeValue::Array(array) => {
                let items = array.into_iter().map(|item| {
                    let start = self.place(item.span().start);
                    self.node(start, item)
                });
                Value::List(items.collect::<Result<_, _>>()?)
            }
            DeValue::String(text) => Value::Text(text),
            DeValue::Boolean(bool) => Value::Bool(bool),
            DeValue::Datetime(date) => Value::Date(date.to_string()),
            DeValue::Integer(integer) => {
                let parsed = i64::from_str_radix(integer.as_str(), integer.radix());
                Value::Integer(parsed.map_err(|_| (place, "This number is too large for a client to read."))?)
            }
            DeValue::Float(float) => {
                // The parser leaves "inf" and "nan" to its caller and refuses numbers that overflow to infinity.
                let text = float.as_str();
                let named = text.trim_start_matches(['+', '-']).starts_with(['i', 'n']);
                let finite = text.parse::<f64>().is_ok_and(f64::is_finite);
                if !named && !finite {
                    return Err((place, "This number is too large for a client to read."));
                }
                Value::Float { finite: !named }
            }
        };
        Ok(Node { place, value })
    }
}
