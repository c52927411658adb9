//! The policy language as data: every key of `requirements.toml`, the values it takes, and what it does.
//!
//! The tables follow the client's own: fields stand in its order and carry its leniencies, such as tables that may be
//! written as lists, so that the checker can repeat its verdict.

mod access;
mod commands;
mod defaults;
mod desktop;
mod features;
mod hooks;
mod integrations;
mod models;
mod network;
mod permissions;
mod root;
mod tastes;
mod telemetry;

pub(super) use defaults::DEFAULTS;
pub(super) use features::{FEATURES, REMOVED_FEATURES};
pub use hooks::EVENTS;
pub(super) use integrations::{MCP_SERVERS, PLUGINS};
pub(super) use models::{GATEWAY, PROVIDERS};
pub(super) use network::NETWORK;
pub(crate) use root::ROOT;

/// What a value must look like.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    /// Nothing is checked: the client ignores the value, or checks it in a later stage.
    Anything,
    /// Anything that JSON can say: no infinite numbers.
    Json,
    Bool,
    Text,
    /// A string that starts with `/` or `~/`.
    AbsolutePath,
    /// A number of seconds, whole or not, but not negative.
    Seconds,
    /// A whole number in an inclusive range.
    Integer(i64, i64),
    /// One word of a few.
    Word(&'static Words),
    List(&'static Shape),
    /// A table whose keys are names the administrator chooses.
    Map(&'static Shape),
    Table(&'static Table),
    /// A string for variants without settings, or a table with the variant's name as its only key.
    Variant(&'static [Variant]),
    /// A table in which one key says what the other keys are.
    Tagged(&'static Tagged),
    /// The first shape that fits; the words describe them all.
    AnyOf(&'static str, &'static [Shape]),
}

/// The words of [`Shape::Word`].
#[derive(Debug)]
pub(crate) struct Words {
    pub(super) allowed: &'static [&'static str],
    /// Words clients read although nobody should write them, and what becomes of them.
    pub(super) tolerated: &'static [(&'static str, &'static str)],
    /// Words with a refusal of their own.
    pub(super) refused: &'static [(&'static str, &'static str)],
    /// Whether clients also read the word as the key of an empty table, a quirk of their deserialiser.
    pub(super) as_table: bool,
}

impl Words {
    pub(super) const fn new(allowed: &'static [&'static str]) -> Self {
        Self { allowed, tolerated: &[], refused: &[], as_table: true }
    }

    pub(super) const fn tolerating(self, tolerated: &'static [(&'static str, &'static str)]) -> Self {
        Self { tolerated, ..self }
    }

    pub(super) const fn refusing(self, refused: &'static [(&'static str, &'static str)]) -> Self {
        Self { refused, ..self }
    }

    pub(super) const fn strict(self) -> Self {
        Self { as_table: false, ..self }
    }
}

/// One variant of [`Shape::Variant`].
#[derive(Debug)]
pub(crate) struct Variant {
    pub(super) name: &'static str,
    /// The settings of the variant; without any it is written as a string.
    pub(super) settings: Option<&'static Table>,
    /// What an administrator should know before writing it.
    pub(super) note: Option<&'static str>,
}

impl Variant {
    pub(super) const fn word(name: &'static str) -> Self {
        Self { name, settings: None, note: None }
    }

    pub(super) const fn noted(name: &'static str, note: &'static str) -> Self {
        Self { name, settings: None, note: Some(note) }
    }

    pub(super) const fn with(name: &'static str, settings: &'static Table) -> Self {
        Self { name, settings: Some(settings), note: None }
    }
}

/// A table in which one key names the variant.
#[derive(Debug)]
pub(crate) struct Tagged {
    pub(super) tag: &'static str,
    pub(super) variants: &'static [(&'static str, &'static Table)],
}

/// A table with known keys.
#[derive(Debug)]
pub(crate) struct Table {
    pub(super) fields: &'static [Field],
    /// The shape of the values at all other keys, if those are names the administrator chooses.
    pub(crate) others: Option<&'static Shape>,
    /// Whether clients refuse unknown keys; the usual case is that they ignore them.
    pub(super) strict: bool,
    /// Whether clients also read a list of the values in the order of the fields.
    pub(super) listable: bool,
}

impl Table {
    pub(super) const fn new(fields: &'static [Field]) -> Self {
        Self { fields, others: None, strict: false, listable: true }
    }

    pub(super) const fn strict(self) -> Self {
        Self { strict: true, ..self }
    }

    /// Clients read this table key by key and never as a list.
    pub(super) const fn keyed(self) -> Self {
        Self { listable: false, ..self }
    }

    pub(super) const fn others(self, shape: &'static Shape) -> Self {
        Self { others: Some(shape), listable: false, ..self }
    }

    /// The field a key names, by its name or an alias.
    pub(crate) fn field(&self, key: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.key == key || field.aliases.contains(&key))
    }
}

/// One known key of a table.
#[derive(Debug)]
pub(crate) struct Field {
    pub(super) key: &'static str,
    pub(super) aliases: &'static [&'static str],
    pub(crate) shape: Shape,
    pub(super) presence: Presence,
    /// What the key does, for hover texts.
    pub(super) docs: &'static str,
    /// Why the key does nothing in a cloud-delivered policy.
    pub(crate) ignored: Option<&'static str>,
    /// Whether messages must not repeat what stands here.
    pub(super) secret: bool,
}

/// Whether a key may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    Required,
    Optional,
    /// Like optional; it may also be missing when the table is written as a list.
    Defaulted,
}

impl Field {
    pub(super) const fn new(key: &'static str, shape: Shape, docs: &'static str) -> Self {
        Self { key, aliases: &[], shape, presence: Presence::Optional, docs, ignored: None, secret: false }
    }

    pub(super) const fn required(self) -> Self {
        Self { presence: Presence::Required, ..self }
    }

    pub(super) const fn defaulted(self) -> Self {
        Self { presence: Presence::Defaulted, ..self }
    }

    pub(super) const fn alias(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    pub(super) const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    pub(super) const fn ignored(self, why: &'static str) -> Self {
        Self { ignored: Some(why), ..self }
    }
}

const TEXTS: Shape = Shape::List(&Shape::Text);
const TEXT_MAP: Shape = Shape::Map(&Shape::Text);
const ALLOW_DENY: Shape = Shape::Word(&Words::new(&["allow", "deny"]));

/// The documentation of the key at a dotted path; names the administrator chose and list indices may stand anywhere.
pub(super) fn explain(table: &'static Table, path: &str) -> Option<&'static str> {
    let mut shape = Shape::Table(table);
    let mut docs = None;
    for part in path.split('.') {
        let key = part.split('[').next().unwrap_or(part);
        while let Shape::List(item) = shape {
            shape = *item;
        }
        shape = match shape {
            Shape::Map(value) => *value,
            Shape::Table(table) => match table.field(key) {
                Some(field) => {
                    docs = Some(field.docs);
                    field.shape
                }
                None => *table.others?,
            },
            _ => return None,
        };
    }
    docs
}
