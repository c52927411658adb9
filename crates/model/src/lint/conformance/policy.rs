//! A generated policy: trees that can be written as TOML, and made smaller.

/// A value, as it will be written.
#[derive(Debug, Clone)]
pub(super) enum Toml {
    /// Written as it is: numbers, truth values, dates, and what is no TOML at all.
    Raw(String),
    Text(String),
    List(Vec<Toml>),
    Table(Vec<(String, Toml)>),
}

/// The layers of one device, strongest first; each is a table.
#[derive(Debug, Clone)]
pub(super) struct Policy(pub(super) Vec<Toml>);

impl Toml {
    pub(super) fn entries(&mut self) -> Option<&mut Vec<(String, Toml)>> {
        match self {
            Self::Table(entries) => Some(entries),
            _ => None,
        }
    }

    /// As the value of a key.
    fn write(&self, out: &mut String) {
        match self {
            Self::Raw(raw) => out.push_str(raw),
            Self::Text(text) => out.push_str(&quoted(text)),
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index > 0 { ", " } else { "" });
                    item.write(out);
                }
                out.push(']');
            }
            Self::Table(entries) => {
                out.push('{');
                for (index, (key, value)) in entries.iter().enumerate() {
                    out.push_str(if index > 0 { ", " } else { " " });
                    out.push_str(&written_key(key));
                    out.push_str(" = ");
                    value.write(out);
                }
                out.push_str(" }");
            }
        }
    }

    /// As a whole document: values first, then a header for each table.
    pub(super) fn document(&self) -> String {
        let Self::Table(entries) = self else { return String::new() };
        let mut out = String::new();
        let (tables, values): (Vec<_>, Vec<_>) =
            entries.iter().partition(|(_, value)| matches!(value, Self::Table(entries) if !entries.is_empty()));
        let line = |out: &mut String, key: &str, value: &Toml| {
            out.push_str(&written_key(key));
            out.push_str(" = ");
            value.write(out);
            out.push('\n');
        };
        for (key, value) in values {
            line(&mut out, key, value);
        }
        for (key, table) in tables {
            out.push_str(&format!("[{}]\n", written_key(key)));
            if let Self::Table(entries) = table {
                entries.iter().for_each(|(key, value)| line(&mut out, key, value));
            }
        }
        out
    }

    /// Every tree that lacks one key or item of this one.
    fn smaller(&self) -> Vec<Toml> {
        let mut all = Vec::new();
        match self {
            Self::Raw(_) | Self::Text(_) => {}
            Self::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    let with = |replacement: Option<Toml>| {
                        let mut items = items.clone();
                        items.splice(index..=index, replacement);
                        Self::List(items)
                    };
                    all.push(with(None));
                    all.extend(item.smaller().into_iter().map(|item| with(Some(item))));
                }
            }
            Self::Table(entries) => {
                for (index, (key, value)) in entries.iter().enumerate() {
                    let with = |replacement: Option<Toml>| {
                        let mut entries = entries.clone();
                        entries.splice(index..=index, replacement.map(|value| (key.clone(), value)));
                        Self::Table(entries)
                    };
                    all.push(with(None));
                    all.extend(value.smaller().into_iter().map(|value| with(Some(value))));
                }
            }
        }
        all
    }
}

impl Policy {
    pub(super) fn texts(&self) -> Vec<String> {
        self.0.iter().map(Toml::document).collect()
    }

    /// Every policy that lacks one layer, key or item of this one; the largest cuts first.
    pub(super) fn smaller(&self) -> Vec<Policy> {
        let mut all = Vec::new();
        for (index, layer) in self.0.iter().enumerate() {
            let with = |replacement: Option<Toml>| {
                let mut layers = self.0.clone();
                layers.splice(index..=index, replacement);
                Policy(layers)
            };
            if self.0.len() > 1 {
                all.push(with(None));
            }
            all.extend(layer.smaller().into_iter().map(|layer| with(Some(layer))));
        }
        all
    }
}

fn written_key(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !key.is_empty() && key.chars().all(bare) { key.to_owned() } else { quoted(key) }
}

fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        c if c.is_control() => format!("\\u{:04X}", c as u32),
        c => c.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}
