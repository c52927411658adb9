//! Two small policies for every key of the schema, one right and one of the wrong type. A version that knows the key
//! refuses the second, a version that ignores it takes both, and one that chokes on it refuses both.

use std::collections::HashSet;

use serde::Serialize;

use super::policy::Toml;
use crate::lint::schema::{Field, GATEWAY, NETWORK, PROVIDERS, Presence, ROOT, Shape, Table};
use crate::lint::versions::{DATE, canonical};

/// What to ask a version about one key, or about one word at a key (`key=word`).
#[derive(Debug, Serialize)]
pub(super) struct Probe {
    /// The dotted path; `*` for a name that the administrator chose, nothing for lists.
    path: String,
    /// The path above, whose answer comes first: who ignores a table ignores what is in it.
    parent: Option<String>,
    valid: String,
    /// None for a word: whether a version ignores a word cannot be seen.
    wrong: Option<String>,
}

type Wrap<'w> = &'w dyn Fn(Toml) -> Toml;

/// The probes, parents first.
pub(super) fn all() -> Vec<Probe> {
    let mut probes = Probes { list: Vec::new(), seen: HashSet::new() };
    for field in ROOT.fields.iter().filter(|field| field.ignored.is_none()) {
        for key in std::iter::once(&field.key).chain(field.aliases) {
            if !matches!(*key, "config_server" | "model_catalog_json") {
                probes.field(field, key, None, &|value| Toml::Table(with_what_it_needs(key, value)));
            }
        }
    }
    // An identity is a string that every version knows.
    let date = Toml::Raw("1979-05-27".to_owned());
    let around = |key: &str, value: Toml| Toml::Table(vec![(key.to_owned(), value)]);
    let identity = ["url", "identity", "a", "mcp_servers"].into_iter().fold(date, |value, key| around(key, value));
    probes.add(DATE, None, identity, None);
    probes.list
}

/// The whole policy around a top-level key.
fn with_what_it_needs(key: &str, value: Toml) -> Vec<(String, Toml)> {
    let text = |text: &str| Toml::Text(text.to_owned());
    let allowed = |names: &[&str]| {
        let entries = names.iter().map(|name| ((*name).to_owned(), Toml::Raw("true".to_owned())));
        ("allowed_permission_profiles".to_owned(), Toml::Table(entries.collect()))
    };
    let mut value = value;
    let mut more = Vec::new();
    match (key, &mut value) {
        ("allowed_sandbox_modes", Toml::List(modes)) => modes.push(text("read-only")),
        ("allowed_permission_profiles", _) => more.push(("default_permissions".to_owned(), text(":read-only"))),
        ("default_permissions", _) => more.push(allowed(&[":read-only"])),
        ("permissions", Toml::Table(profiles)) if profiles.iter().any(|(name, _)| name == "p") => {
            more.push(("default_permissions".to_owned(), text("p")));
            more.push(allowed(&["p"]));
        }
        _ => {}
    }
    more.insert(0, (key.to_owned(), value));
    more
}

struct Probes {
    list: Vec<Probe>,
    seen: HashSet<String>,
}

impl Probes {
    fn add(&mut self, path: &str, parent: Option<&str>, valid: Toml, wrong: Option<Toml>) {
        // What has the same shape as something else is asked about once.
        if canonical(path) == path && self.seen.insert(path.to_owned()) {
            let (valid, wrong) = (valid.document(), wrong.map(|wrong| wrong.document()));
            let (path, parent) = (path.to_owned(), parent.map(str::to_owned));
            self.list.push(Probe { path, parent, valid, wrong });
        }
    }

    fn field(&mut self, field: &Field, path: &str, parent: Option<&str>, wrap: Wrap<'_>) {
        let key = path.rsplit('.').next().unwrap_or(path);
        let shape = shape_of(field, path);
        if matches!(shape, Shape::Anything | Shape::Json) {
            return;
        }
        let wrong =
            Toml::Raw(if matches!(shape, Shape::Integer(..) | Shape::Seconds) { "\"x\"" } else { "7" }.to_owned());
        self.add(path, parent, wrap(minimal(shape, path, key)), Some(wrap(wrong)));
        self.inside(shape, path, wrap);
    }

    fn inside(&mut self, shape: Shape, path: &str, wrap: Wrap<'_>) {
        let word = |probes: &mut Self, word: &str, value: Toml| {
            probes.add(&format!("{path}={word}"), Some(path), wrap(value), None);
        };
        match shape {
            Shape::List(item) => self.inside(*item, path, &|value| wrap(Toml::List(vec![value]))),
            Shape::Map(value) => self.named(*value, path, &|entries| wrap(Toml::Table(entries))),
            Shape::Table(table) => self.table(table, path, wrap),
            Shape::AnyOf(_, shapes) => shapes.iter().for_each(|shape| self.inside(*shape, path, wrap)),
            Shape::Word(words) => {
                for text in words.allowed.iter().chain(words.tolerated.iter().map(|(word, _)| word)) {
                    word(self, text, Toml::Text((*text).to_owned()));
                }
            }
            Shape::Variant(variants) => {
                for variant in variants {
                    let name = variant.name.to_owned();
                    let Some(settings) = variant.settings else {
                        word(self, variant.name, Toml::Text(name));
                        continue;
                    };
                    let at = format!("{path}.{name}");
                    let wrap = |value| wrap(Toml::Table(vec![(name.clone(), value)]));
                    let valid = minimal(Shape::Table(settings), &at, &name);
                    self.add(&at, Some(path), wrap(valid), Some(wrap(Toml::Raw("7".to_owned()))));
                    self.table(settings, &at, &wrap);
                }
            }
            Shape::Tagged(tagged) => {
                for (name, table) in tagged.variants {
                    let tag = (tagged.tag.to_owned(), Toml::Text((*name).to_owned()));
                    let tagged_as = |value: Toml| match value {
                        Toml::Table(mut entries) => {
                            entries.insert(0, tag.clone());
                            wrap(Toml::Table(entries))
                        }
                        other => wrap(other),
                    };
                    let at = format!("{path}.{}={name}", tagged.tag);
                    self.add(&at, Some(path), tagged_as(minimal(Shape::Table(table), path, name)), None);
                    self.table(table, path, &tagged_as);
                }
            }
            _ => {}
        }
    }

    fn table(&mut self, table: &Table, path: &str, wrap: Wrap<'_>) {
        for field in table.fields {
            for key in std::iter::once(&field.key).chain(field.aliases) {
                let at = format!("{path}.{key}");
                self.field(field, &at, Some(path), &|value| {
                    let mut entries = needed(table, path, field.key);
                    entries.push(((*key).to_owned(), value));
                    wrap(Toml::Table(entries))
                });
            }
        }
        if let Some(others) = table.others {
            self.named(*others, path, &|entries| {
                let mut all = needed(table, path, "");
                all.extend(entries);
                wrap(Toml::Table(all))
            });
        }
    }

    /// The values of a table with names of the administrator's choice.
    fn named(&mut self, shape: Shape, path: &str, wrap: &dyn Fn(Vec<(String, Toml)>) -> Toml) {
        if matches!(shape, Shape::Anything | Shape::Json) {
            return;
        }
        let at = format!("{path}.*");
        let inner = |value| wrap(vec![(name(path).to_owned(), value)]);
        let wrong = Toml::Raw("7".to_owned());
        self.add(&at, Some(path), inner(minimal(shape, &at, "*")), Some(inner(wrong)));
        self.inside(shape, &at, &inner);
    }
}

fn shape_of(field: &Field, path: &str) -> Shape {
    match path {
        "model_providers" => PROVIDERS,
        "permissions.network" => Shape::Table(&NETWORK),
        "model_providers.*.gateway_oauth" => GATEWAY,
        _ => field.shape,
    }
}

/// A name for the table at a path.
fn name(path: &str) -> &'static str {
    let last = path.rsplit('.').next().unwrap_or(path);
    match last {
        "permissions" => "p",
        "allowed_permission_profiles" => ":read-only",
        "domains" => "a.com",
        "unix_sockets" | "workspace_roots" | "filesystem" => "/srv",
        "origins" => "https://a.com",
        "features" => "apps",
        _ => "c",
    }
}

/// The keys that a table cannot do without, except one.
fn needed(table: &Table, path: &str, except: &str) -> Vec<(String, Toml)> {
    let fields = table.fields.iter().filter(|field| {
        let by_rule = match path {
            "model_providers.*" => matches!(field.key, "name" | "base_url"),
            "rules.prefix_rules" => field.key == "decision",
            "rules.prefix_rules.pattern" => field.key == "token" && except != "any_of",
            _ => false,
        };
        (field.presence == Presence::Required || by_rule) && field.key != except
    });
    fields
        .map(|field| {
            (
                field.key.to_owned(),
                minimal(shape_of(field, &format!("{path}.{}", field.key)), &format!("{path}.{}", field.key), field.key),
            )
        })
        .collect()
}

/// A right value, as small as it can be.
fn minimal(shape: Shape, path: &str, key: &str) -> Toml {
    let text = |text: &str| Toml::Text(text.to_owned());
    match shape {
        Shape::Bool => Toml::Raw("true".to_owned()),
        Shape::Text | Shape::Anything | Shape::Json => text(match key {
            "default_permissions" => ":read-only",
            "extends" => ":workspace",
            "model_provider" => "openai",
            "base_url" | "authorization_url" | "token_url" | "device_authorization_url" => "https://a.test/v1",
            "sqlite_home" | "log_dir" => "/tmp/provost-conformance/x",
            "host" => "a.com",
            "deny_read" => "/srv",
            _ => "x",
        }),
        Shape::AbsolutePath => text("/srv/x"),
        Shape::Seconds => Toml::Raw("1".to_owned()),
        Shape::Integer(min, max) => Toml::Raw(min.max(2).min(max).to_string()),
        Shape::Word(words) => text(words.allowed[0]),
        Shape::List(item) => Toml::List(vec![minimal(*item, path, key)]),
        Shape::Map(value) => Toml::Table(vec![(name(path).to_owned(), minimal(*value, &format!("{path}.*"), "*"))]),
        Shape::Table(table) => {
            let mut entries = needed(table, path, "");
            // Empty, it would be taken for a profile.
            if path == "permissions.network" {
                entries.push(("enabled".to_owned(), Toml::Raw("true".to_owned())));
            }
            if let Some(value) = table.others {
                entries.push((name(path).to_owned(), minimal(*value, &format!("{path}.*"), "*")));
            }
            Toml::Table(entries)
        }
        Shape::Variant(variants) => {
            let plain = variants.iter().find(|variant| variant.settings.is_none());
            text(plain.map_or("x", |variant| variant.name))
        }
        Shape::Tagged(tagged) => {
            let (name, table) = tagged.variants[0];
            let mut entries = vec![(tagged.tag.to_owned(), text(name))];
            entries.extend(needed(table, path, ""));
            Toml::Table(entries)
        }
        Shape::AnyOf(_, shapes) => minimal(shapes[0], path, key),
    }
}
