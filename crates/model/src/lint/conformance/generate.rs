//! Policies over the whole schema: most of them right, some slightly wrong, some wrong in several places.

use super::policy::{Policy, Toml};
use super::random::Random;
use super::words;
use crate::lint::schema::{Field, GATEWAY, NETWORK, PROVIDERS, Presence, ROOT, Shape, Table, Tagged, Variant, Words};

/// The policy of a seed and an index, always the same.
pub(super) fn policy(seed: u64, index: u64) -> Policy {
    let mut random = Random::new(seed, index);
    // Of a thousand values so many are wrong: mostly none, so that the rules across keys are reached.
    let wrong = random.pick(&[0, 0, 0, 0, 8, 8, 30, 120]);
    let layers = random.pick(&[1, 1, 1, 1, 2, 2, 3]);
    let mut generator = Generator { random, wrong };
    Policy((0..layers).map(|_| generator.layer()).collect())
}

struct Generator {
    random: Random,
    wrong: usize,
}

impl Generator {
    fn layer(&mut self) -> Toml {
        let count = self.random.pick(&[1, 1, 2, 2, 3, 4, 6]);
        let mut entries: Vec<(String, Toml)> = Vec::new();
        for _ in 0..count {
            // The keys with rules of their own come up more often than the many switches.
            let rich = [
                "permissions",
                "model_providers",
                "rules",
                "experimental_network",
                "permissions",
                "mcp_servers",
                "allowed_permission_profiles",
                "allowed_sandbox_modes",
                "otel",
                "hooks",
                "application",
            ];
            let key = if self.random.chance(550) {
                self.random.pick(&rich)
            } else {
                let fields = ROOT.fields.iter().filter(|field| field.key != "config_server" || self.wrong > 100);
                let fields: Vec<&Field> = fields.collect();
                let index = self.random.below(fields.len());
                fields[index].key
            };
            if entries.iter().any(|(other, _)| *other == key) && !self.slip(3) {
                continue;
            }
            let field = ROOT.field(key).expect("the key is of the schema");
            // The catalogue is a file on the device, which every test device lacks.
            if key == "model_catalog_json" && self.wrong == 0 {
                continue;
            }
            entries.push((self.name_of(field), self.field(field, "")));
        }
        if self.slip(4) {
            entries.push(("totally_unknown".to_owned(), self.anything(2)));
        }
        let mut layer = Toml::Table(entries);
        if !self.random.chance(if self.wrong > 0 { 250 } else { 80 }) {
            self.put_right(&mut layer);
        }
        layer
    }

    /// Whether to do something wrong here, so many times as often as elsewhere.
    fn slip(&mut self, times: usize) -> bool {
        self.random.chance(self.wrong * times)
    }

    fn name_of(&mut self, field: &Field) -> String {
        let alias = !field.aliases.is_empty() && self.random.chance(300);
        if alias { self.random.pick(field.aliases).to_owned() } else { field.key.to_owned() }
    }

    fn field(&mut self, field: &Field, parent: &str) -> Toml {
        let shape = match field.key {
            "model_providers" => PROVIDERS,
            "network" if parent == "permissions" => Shape::Table(&NETWORK),
            "gateway_oauth" => GATEWAY,
            _ => field.shape,
        };
        self.value(shape, parent, field.key)
    }

    fn value(&mut self, shape: Shape, parent: &str, key: &str) -> Toml {
        if self.slip(1) {
            return self.anything(2);
        }
        match shape {
            Shape::Anything | Shape::Json => self.anything(2),
            Shape::Bool => Toml::Raw(self.random.pick(&["true", "false"]).to_owned()),
            Shape::Text => self.text(parent, key),
            Shape::AbsolutePath => self.text(parent, "path"),
            Shape::Seconds => Toml::Raw(self.random.pick(&["0", "1", "2.5", "600"]).to_owned()),
            Shape::Integer(min, max) => self.integer(min, max),
            Shape::Word(words) => self.word(words),
            Shape::List(item) => {
                let empty = self.random.chance(30) || self.slip(2);
                let count = if empty { 0 } else { self.random.pick(&[1, 1, 2, 3]) };
                Toml::List((0..count).map(|_| self.value(*item, parent, key)).collect())
            }
            Shape::Map(value) => {
                let mut entries = Vec::new();
                self.names(*value, key, &mut entries);
                Toml::Table(entries)
            }
            Shape::Table(table) => self.table(table, key),
            Shape::Variant(variants) => self.variant(variants),
            Shape::Tagged(tagged) => self.tagged(tagged, key),
            Shape::AnyOf(_, shapes) => {
                let shape = self.random.pick(shapes);
                self.value(shape, parent, key)
            }
        }
    }

    fn text(&mut self, parent: &str, key: &str) -> Toml {
        let words = words::texts(parent, key);
        // The ordinary words stand first.
        let end = if self.random.chance(700) { words.len().div_ceil(2) } else { words.len() };
        let text = words[self.random.below(end)];
        if self.slip(1) { Toml::Raw("1979-05-27".to_owned()) } else { Toml::Text(text.to_owned()) }
    }

    fn integer(&mut self, min: i64, max: i64) -> Toml {
        let inside = [min, max, min.saturating_add(1), max.saturating_sub(1), min.max(1).min(max)];
        let outside = [min.saturating_sub(1), max.saturating_add(1), 0, -1, 65536];
        let number = if self.slip(4) { self.random.pick(&outside) } else { self.random.pick(&inside) };
        Toml::Raw(number.to_string())
    }

    fn word(&mut self, words: &Words) -> Toml {
        let mut word = self.random.pick(words.allowed);
        if !words.tolerated.is_empty() && self.random.chance(60) {
            word = self.random.pick(words.tolerated).0;
        }
        if !words.refused.is_empty() && self.slip(3) {
            word = self.random.pick(words.refused).0;
        }
        if self.slip(2) {
            return Toml::Table(vec![(word.to_owned(), self.anything(1))]);
        }
        Toml::Text(if self.slip(1) { word.to_uppercase() } else { word.to_owned() })
    }

    fn names(&mut self, value: Shape, key: &str, entries: &mut Vec<(String, Toml)>) {
        let (usual, odd) = words::names(key);
        for _ in 0..self.random.pick(&[0, 1, 1, 2, 3]) {
            let name = if self.random.chance(60) { self.random.pick(odd) } else { self.random.pick(usual) };
            if entries.iter().all(|(other, _)| other != name) {
                entries.push((name.to_owned(), self.value(value, key, name)));
            }
        }
    }

    fn table(&mut self, table: &Table, key: &str) -> Toml {
        if table.listable && self.slip(1) {
            let count = self.random.below(table.fields.len() + 2);
            let values = table.fields.iter().take(count).map(|field| self.field(field, key));
            return Toml::List(values.collect());
        }
        let mut entries = Vec::new();
        self.fields(table, key, &mut entries);
        if let Some(others) = table.others {
            self.names(*others, key, &mut entries);
        }
        Toml::Table(entries)
    }

    fn fields(&mut self, table: &Table, key: &str, entries: &mut Vec<(String, Toml)>) {
        // Some three optional keys of a table, however many there are.
        let usual = (2600 / table.fields.len().max(1)).clamp(60, 600);
        for field in table.fields.iter().filter(|field| !UNEXPLORED.contains(&field.key)) {
            let needed = field.presence == Presence::Required || key_that_matters(field.key);
            if if needed { !self.slip(2) } else { self.random.chance(usual) } {
                entries.push((self.name_of(field), self.field(field, key)));
            }
        }
        if self.slip(3) || self.random.chance(15) {
            entries.push(("unknown".to_owned(), self.anything(1)));
        }
    }

    fn variant(&mut self, variants: &'static [Variant]) -> Toml {
        let variant = &variants[self.random.below(variants.len())];
        let bare = variant.settings.is_none() != self.slip(2);
        match variant.settings {
            _ if bare => Toml::Text(variant.name.to_owned()),
            Some(settings) => Toml::Table(vec![(variant.name.to_owned(), self.table(settings, variant.name))]),
            None => Toml::Table(vec![(variant.name.to_owned(), self.anything(1))]),
        }
    }

    fn tagged(&mut self, tagged: &Tagged, key: &str) -> Toml {
        let (name, table) = tagged.variants[self.random.below(tagged.variants.len())];
        let mut entries = Vec::new();
        if !self.slip(2) {
            entries.push((tagged.tag.to_owned(), Toml::Text(name.to_owned())));
        }
        self.fields(table, key, &mut entries);
        if self.random.chance(100) {
            entries.reverse();
        }
        Toml::Table(entries)
    }

    /// A value that nobody asked for.
    fn anything(&mut self, depth: usize) -> Toml {
        let raw =
            ["1", "-1", "true", "false", "1.5", "inf", "1979-05-27", "07:32:00", "0x7f", "99999999999", "{}", "[]"];
        match self.random.below(if depth == 0 { 14 } else { 18 }) {
            at if at < raw.len() => Toml::Raw(raw[at].to_owned()),
            12 => Toml::Text(String::new()),
            13 => Toml::Text("x".to_owned()),
            14 | 15 => Toml::List(vec![self.anything(depth - 1)]),
            _ => Toml::Table(vec![("x".to_owned(), self.anything(depth - 1))]),
        }
    }

    /// What the rules across keys demand; without it, hardly a policy would get past them.
    fn put_right(&mut self, layer: &mut Toml) {
        let Some(entries) = layer.entries() else { return };
        let place = |entries: &[(String, Toml)], key: &str| entries.iter().position(|(other, _)| other == key);
        if let Some(index) = place(entries, "allowed_sandbox_modes")
            && let Toml::List(modes) = &mut entries[index].1
        {
            modes.push(Toml::Text("read-only".to_owned()));
        }
        let profiles: Vec<String> = match place(entries, "permissions").map(|index| &entries[index].1) {
            Some(Toml::Table(profiles)) => profiles.iter().map(|(name, _)| name.clone()).collect(),
            _ => Vec::new(),
        };
        let mut profiles = profiles.into_iter().filter(|name| !matches!(name.as_str(), "filesystem" | "network"));
        let named = ["permissions", "allowed_permission_profiles", "default_permissions"];
        if !named.iter().any(|key| place(entries, key).is_some()) {
            return;
        }
        let own: Vec<String> = profiles.by_ref().collect();
        let built_in = [":read-only", ":workspace", ":danger-full-access"].map(str::to_owned);
        let all: Vec<&String> = own.iter().chain(&built_in).collect();
        let default = all[self.random.below(if own.is_empty() { all.len() } else { own.len() })].clone();
        let kept = self.random.below(all.len()).max(1);
        let mut allowed: Vec<&String> = all.into_iter().rev().take(kept).filter(|name| **name != default).collect();
        allowed.push(&default);
        let yes = || Toml::Raw("true".to_owned());
        let allowed = allowed.into_iter().map(|name| (name.clone(), yes())).collect();
        entries.retain(|(key, _)| !matches!(key.as_str(), "allowed_permission_profiles" | "default_permissions"));
        entries.push(("default_permissions".to_owned(), Toml::Text(default)));
        entries.push(("allowed_permission_profiles".to_owned(), Toml::Table(allowed)));
    }
}

/// The inspection of encrypted requests inside a profile: clients check it further than the schema knows, and no
/// documentation mentions it.
const UNEXPLORED: [&str; 1] = ["mitm"];

/// Optional in the schema, demanded by a rule.
fn key_that_matters(key: &str) -> bool {
    matches!(key, "decision" | "token" | "name" | "base_url")
}
