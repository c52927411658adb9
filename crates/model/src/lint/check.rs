//! Walks a tree along the schema and says where the two differ.

use std::fmt;

use super::document::{Node, Place, Value};
use super::report::Report;
use super::schema::{Field, Presence, ROOT, Shape, Table, Tagged, Variant, Words};

/// Checks a whole layer.
pub(super) fn check(tree: &Node<'_>, table: &'static Table, report: &mut Report) {
    Walk { report, secret: false }.table(tree, table, &Path::Root);
}

/// Checks one value that stands at a path of keys.
pub(super) fn check_at(node: &Node<'_>, shape: Shape, key: &str, report: &mut Report) {
    Walk { report, secret: false }.shape(node, shape, &Path::Root.key(key));
}

/// The way from the root to a value, as administrators write it.
#[derive(Clone, Copy)]
pub(super) enum Path<'p> {
    Root,
    Key(&'p Path<'p>, &'p str),
    Index(&'p Path<'p>, usize),
}

impl<'p> Path<'p> {
    pub(super) fn key(&'p self, key: &'p str) -> Path<'p> {
        Path::Key(self, key)
    }

    pub(super) fn index(&'p self, index: usize) -> Path<'p> {
        Path::Index(self, index)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Key(parent, key) => {
                parent.fmt(f)?;
                if !matches!(parent, Path::Root) {
                    f.write_str(".")?;
                }
                f.write_str(&quoted_key(key))
            }
            Path::Index(parent, index) => {
                parent.fmt(f)?;
                write!(f, "[{index}]")
            }
        }
    }
}

/// A key as it is written: bare if TOML allows, quoted otherwise, cut if somebody pasted a novel.
pub(super) fn quoted_key(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let short: String = key.chars().take(80).collect();
    let dots = if short.len() < key.len() { "…" } else { "" };
    if !key.is_empty() && key.chars().all(bare) { format!("{short}{dots}") } else { format!("{short:?}{dots}") }
}

/// A list of words for a sentence: `"a", "b" or "c"`.
fn listed<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let quoted: Vec<String> = words.into_iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

struct Walk<'r> {
    report: &'r mut Report,
    /// Whether messages must not repeat values.
    secret: bool,
}

impl Walk<'_> {
    fn shape(&mut self, node: &Node<'_>, shape: Shape, path: &Path<'_>) {
        match (shape, &node.value) {
            (Shape::Anything, _) | (Shape::Bool, Value::Bool(_)) => {}
            (Shape::Text, Value::Text(_)) => {}
            (Shape::Text, Value::Date(_)) => {
                let message = format!("`{path}` is a string. Put the date in double quotes.");
                self.report.warn(node.place, path, "unquoted_date", message);
            }
            (Shape::AbsolutePath, Value::Text(_) | Value::Date(_)) => {
                let path_text = node.text().unwrap_or_default();
                if !(path_text.starts_with('/') || path_text == "~" || path_text.starts_with("~/")) {
                    let message = format!(
                        "`{path}` must be absolute: start it with `/` or `~/`. Clients on Linux and macOS refuse others."
                    );
                    self.report.error(node.place, path, "relative_path", message);
                }
            }
            (Shape::Integer(min, max), Value::Integer(integer)) => {
                if !(min..=max).contains(integer) {
                    let range =
                        if max == i64::MAX { format!("at least {min}") } else { format!("from {min} to {max}") };
                    let message = format!("`{path}` must be {range}.");
                    self.report.error(node.place, path, "out_of_range", message);
                }
            }
            (Shape::Seconds, Value::Integer(seconds)) if *seconds >= 0 => {}
            (Shape::Seconds, Value::Float { .. }) => {}
            (Shape::Json, Value::List(items)) => {
                for (index, node) in items.iter().enumerate() {
                    self.shape(node, shape, &path.index(index));
                }
            }
            (Shape::Json, Value::Table(entries)) => {
                for entry in entries {
                    self.shape(&entry.node, shape, &path.key(&entry.key));
                }
            }
            (Shape::Json, Value::Float { finite: false }) => {
                let message = "Clients pass this value on as JSON, which has no infinite numbers and no `nan`.";
                self.report.error(node.place, path, "not_json", message);
            }
            (Shape::Json, _) => {}
            (Shape::Word(words), _) => self.word(node, words, path),
            (Shape::List(item), Value::List(items)) => {
                for (index, node) in items.iter().enumerate() {
                    self.shape(node, *item, &path.index(index));
                }
            }
            (Shape::Map(value), Value::Table(entries)) => {
                for entry in entries {
                    self.shape(&entry.node, *value, &path.key(&entry.key));
                }
            }
            (Shape::Table(table), _) => self.table(node, table, path),
            (Shape::Variant(variants), _) => self.variant(node, variants, path),
            (Shape::Tagged(tagged), _) => self.tagged(node, tagged, path),
            (Shape::AnyOf(words, shapes), _) => self.any_of(node, words, shapes, path),
            _ => self.wrong_type(node, shape, path),
        }
    }

    fn wrong_type(&mut self, node: &Node<'_>, shape: Shape, path: &Path<'_>) {
        let kind = node.kind();
        let fix = match (shape, &node.value) {
            (Shape::Bool, Value::Text(text)) if matches!(text.as_ref(), "true" | "false") => {
                format!(" Remove the quotes: `{text}`.")
            }
            (Shape::List(Shape::Text | Shape::Word(_) | Shape::Variant(_)), Value::Text(text))
                if self.may_show(text) =>
            {
                format!(" Put it in brackets: `{path} = [\"{text}\"]`.")
            }
            (Shape::List(Shape::Table(_) | Shape::Tagged(_)), Value::Table(_)) => {
                format!(" Write `[[{path}]]` instead of `[{path}]`, or put the table in brackets.")
            }
            _ => String::new(),
        };
        let misplaced = self.misplaced(path).unwrap_or_default();
        let message = format!("`{path}` must be {}, but this is {kind}.{fix}{misplaced}", describe(shape));
        self.report.error(node.place, path, "wrong_type", message);
    }

    /// A key that belongs to the top level but stands below a table header is the most frequent slip in TOML.
    fn misplaced(&self, path: &Path<'_>) -> Option<String> {
        match path {
            Path::Key(parent @ Path::Key(..), key) if ROOT.field(key).is_some() => Some(format!(
                " `{key}` is a top-level key: move the line above the first table header, for here it belongs to `[{parent}]`."
            )),
            _ => None,
        }
    }

    fn may_show(&self, text: &str) -> bool {
        !self.secret && text.len() <= 64 && text.chars().all(|c| !c.is_control() && c != '"' && c != '\\')
    }

    fn word(&mut self, node: &Node<'_>, words: &'static Words, path: &Path<'_>) {
        // Clients also take `{ word = {} }`, which nobody writes on purpose.
        let sole = match node.entries() {
            [entry] if words.as_table => Some(entry),
            _ => None,
        };
        let word = match (node.text(), sole) {
            (Some(word), _) => word,
            (None, Some(entry)) => {
                let value = &entry.node;
                if !(value.entries().is_empty() && value.is_table() || value.is_list() && value.items().is_empty()) {
                    return self.wrong_type(node, Shape::Word(words), path);
                }
                let message = format!("Write the word as a string: `\"{}\"`.", quoted_key(&entry.key));
                self.report.warn(node.place, path, "word_as_table", message);
                entry.key.as_ref()
            }
            _ => return self.wrong_type(node, Shape::Word(words), path),
        };
        if words.allowed.contains(&word) {
            return;
        }
        let note =
            |list: &'static [(&str, &'static str)]| list.iter().find(|(key, _)| *key == word).map(|(_, note)| *note);
        if let Some(note) = note(words.tolerated) {
            self.report.warn(node.place, path, "outdated_value", note);
        } else if let Some(note) = note(words.refused) {
            self.report.error(node.place, path, "forbidden_value", note);
        } else {
            self.unknown_word(node.place, word, words.allowed.iter().copied(), path);
        }
    }

    fn unknown_word(
        &mut self,
        place: Place,
        word: &str,
        allowed: impl IntoIterator<Item = &'static str> + Clone,
        path: &Path<'_>,
    ) {
        let shown =
            if self.may_show(word) { format!("\"{word}\" is not a value of") } else { "Unknown value for".into() };
        let choices = listed(allowed.clone());
        let guess =
            self.report.guess(word, allowed).map(|word| format!(" Did you mean \"{word}\"?")).unwrap_or_default();
        let message = format!("{shown} `{path}`. Use {choices}.{guess}");
        self.report.error(place, path, "unknown_value", message);
    }

    fn variant(&mut self, node: &Node<'_>, variants: &'static [Variant], path: &Path<'_>) {
        let names = current(variants);
        let (name, settings) = match (node.text(), node.entries()) {
            (Some(text), _) => (text, None),
            (None, [entry]) => (entry.key.as_ref(), Some(entry)),
            _ => return self.wrong_type(node, Shape::Variant(variants), path),
        };
        let Some(variant) = variants.iter().find(|variant| variant.name == name) else {
            return self.unknown_word(node.place, name, names, path);
        };
        if let Some(note) = variant.note {
            self.report.warn(node.place, path, "outdated_value", note);
        }
        match (variant.settings, settings) {
            (Some(table), Some(entry)) => self.table(&entry.node, table, &path.key(&entry.key)),
            (Some(table), None) => {
                let required = table.fields.iter().filter(|field| field.presence == Presence::Required);
                let keys: Vec<&str> = required.map(|field| field.key).collect();
                let message = format!(
                    "\"{name}\" needs settings: write `{{ {name} = {{ … }} }}` with the keys {}.",
                    keys.join(", ")
                );
                self.report.error(node.place, path, "missing_settings", message);
            }
            (None, Some(entry)) => {
                let empty = entry.node.entries().is_empty() && entry.node.items().is_empty();
                if empty && (entry.node.is_table() || entry.node.is_list()) {
                    let message = format!("Write the word as a string: `\"{name}\"`.");
                    self.report.warn(node.place, path, "word_as_table", message);
                } else {
                    let message = format!("\"{name}\" takes no settings. Write it as a string: `\"{name}\"`.");
                    self.report.error(node.place, path, "wrong_type", message);
                }
            }
            (None, None) => {}
        }
    }

    fn tagged(&mut self, node: &Node<'_>, tagged: &'static Tagged, path: &Path<'_>) {
        if !node.is_table() {
            return self.wrong_type(node, Shape::Tagged(tagged), path);
        }
        let Some(tag) = node.get(tagged.tag) else {
            let choices = listed(tagged.variants.iter().map(|(name, _)| *name));
            let message = format!("`{path}` lacks the key `{}`. Set it to {choices}.", tagged.tag);
            return self.report.error(node.place, path, "missing_field", message);
        };
        let at_tag = path.key(tagged.tag);
        let Some(name) = tag.text() else {
            return self.wrong_type(tag, Shape::Text, &at_tag);
        };
        match tagged.variants.iter().find(|(variant, _)| *variant == name) {
            Some((_, table)) => self.fields(node, table, Some(tagged.tag), path),
            None => self.unknown_word(tag.place, name, tagged.variants.iter().map(|(name, _)| *name), &at_tag),
        }
    }

    fn any_of(&mut self, node: &Node<'_>, words: &'static str, shapes: &'static [Shape], path: &Path<'_>) {
        let trials = shapes.iter().map(|shape| {
            let mut report = Report::default();
            Walk { report: &mut report, secret: self.secret }.shape(node, *shape, path);
            (report, *shape)
        });
        let best = trials.min_by_key(|(report, _)| report.weight());
        match best {
            // What an alternative says about the insides of a table is more use than the list of alternatives.
            Some((report, shape)) if report.errors() == 0 || inner(node, shape) => self.report.absorb(report),
            _ => {
                let misplaced = self.misplaced(path).unwrap_or_default();
                let message = format!("`{path}` must be {words}.{misplaced}");
                self.report.error(node.place, path, "wrong_type", message);
            }
        }
    }

    fn table(&mut self, node: &Node<'_>, table: &'static Table, path: &Path<'_>) {
        match &node.value {
            Value::Table(_) => self.fields(node, table, None, path),
            Value::List(items) if table.listable && !table.fields.is_empty() => {
                self.positions(node, items, table, path)
            }
            _ => self.wrong_type(node, Shape::Table(table), path),
        }
    }

    /// A table written as a list of its values: clients take it if the order and the count are right.
    fn positions(&mut self, node: &Node<'_>, items: &[Node<'_>], table: &'static Table, path: &Path<'_>) {
        let missing = table.fields.iter().skip(items.len()).any(|field| field.presence != Presence::Defaulted);
        if missing || items.len() > table.fields.len() {
            return self.wrong_type(node, Shape::Table(table), path);
        }
        let before = self.report.weight();
        for (item, field) in items.iter().zip(table.fields) {
            self.field(item, field, &path.key(field.key));
        }
        if self.report.weight() == before {
            let message =
                format!("`{path}` is a table. A list of its values is easily misread; name the keys instead.");
            self.report.warn(node.place, path, "table_as_list", message);
        }
    }

    fn fields(&mut self, node: &Node<'_>, table: &'static Table, tag: Option<&str>, path: &Path<'_>) {
        for field in table.fields {
            let mut entries = node.entries().iter().filter(|e| e.key == field.key || field.aliases.contains(&&*e.key));
            match entries.next() {
                Some(_) => {
                    if let Some(twice) = entries.next() {
                        let other = if twice.key == field.key { field.aliases[0] } else { field.key };
                        let message = format!("`{}` and `{other}` are the same key. Keep one of the two.", twice.key);
                        self.report.error(twice.place, &path.key(&twice.key), "duplicate_field", message);
                    }
                }
                None if field.presence == Presence::Required => {
                    let name = path.to_string();
                    let message = format!("`{name}` lacks the required key `{}`: {}", field.key, field.docs);
                    self.report.error(node.place, &path.key(field.key), "missing_field", message);
                }
                None => {}
            }
        }
        for entry in node.entries() {
            let path = path.key(&entry.key);
            if let Some(field) = table.field(&entry.key) {
                self.field(&entry.node, field, &path);
            } else if let Some(shape) = table.others {
                self.shape(&entry.node, *shape, &path);
            } else if tag != Some(&*entry.key) {
                self.unknown_key(entry.place, &entry.key, table, &path);
            }
        }
    }

    fn field(&mut self, node: &Node<'_>, field: &'static Field, path: &Path<'_>) {
        if let Some(why) = field.ignored {
            let message = format!("`{path}` has no effect here. {why}");
            return self.report.warn(node.place, path, "ignored_in_cloud_policy", message);
        }
        let outer = self.secret;
        self.secret |= field.secret;
        self.shape(node, field.shape, path);
        self.secret = outer;
    }

    fn unknown_key(&mut self, place: Place, key: &str, table: &'static Table, path: &Path<'_>) {
        let known = table.fields.iter().map(|field| field.key);
        let guess = self.report.guess(key, known.clone()).map(|key| format!(" Did you mean `{key}`?"));
        let hint = self.misplaced(path).or(guess).unwrap_or_default();
        if table.strict {
            let choices: Vec<&str> = known.collect();
            let message = format!(
                "`{path}` is unknown, and clients refuse unknown keys here. Known are: {}.{hint}",
                choices.join(", ")
            );
            self.report.error(place, path, "unknown_key", message);
        } else {
            let message = format!("Clients do not know `{path}` and ignore it.{hint}");
            self.report.warn(place, path, "unknown_key", message);
        }
    }
}

/// The variants to recommend: those nothing needs to be said about.
fn current(variants: &'static [Variant]) -> impl Iterator<Item = &'static str> + Clone {
    variants.iter().filter(|variant| variant.note.is_none()).map(|variant| variant.name)
}

/// Whether the shape is the structured alternative for this value.
fn inner(node: &Node<'_>, shape: Shape) -> bool {
    match shape {
        Shape::Map(_) | Shape::Tagged(_) => !node.entries().is_empty(),
        Shape::Table(table) => node.entries().iter().any(|entry| table.field(&entry.key).is_some()),
        Shape::Word(_) => node.text().is_some(),
        _ => false,
    }
}

/// The shape in an administrator's words.
fn describe(shape: Shape) -> String {
    match shape {
        Shape::Anything | Shape::Json => "anything".to_owned(),
        Shape::Bool => "true or false".to_owned(),
        Shape::Text | Shape::AbsolutePath => "a string in double quotes".to_owned(),
        Shape::Seconds => "a number of seconds, at least 0".to_owned(),
        Shape::Integer(min, i64::MAX) => format!("a whole number, at least {min}"),
        Shape::Integer(min, max) => format!("a whole number from {min} to {max}"),
        Shape::Word(words) => format!("one of {}", listed(words.allowed.iter().copied())),
        Shape::List(item) => match item {
            Shape::Text => "a list of strings".to_owned(),
            Shape::Word(words) => format!("a list of {}", listed(words.allowed.iter().copied())),
            Shape::Variant(variants) => format!("a list of {}", listed(current(variants))),
            _ => "a list of tables".to_owned(),
        },
        Shape::Variant(variants) => format!("one of {}", listed(current(variants))),
        Shape::Map(_) | Shape::Table(_) | Shape::Tagged(_) => "a table".to_owned(),
        Shape::AnyOf(words, _) => words.to_owned(),
    }
}
