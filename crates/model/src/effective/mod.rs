//! What a client makes of all the files that bind it: every key, its value, where it comes from and what it hides.
//!
//! Two kinds of layers are merged apart, as clients of 0.169.0 do. **Requirements** bind: policies from the server,
//! stronger than the system's own `requirements.toml`. **Configurations** say where a session starts: a repository's
//! `.codex/config.toml` over the developer's own, over the managed defaults, over the system's. What a configuration
//! says is then held against the requirements, and each [`Key`] of it says whether it stands or what takes its place.
//!
//! Pure, and as fast as the texts are short: a usual policy takes well under a millisecond.

mod client;
mod hosts;
mod keys;
mod verdict;

use serde::Serialize;
use serde_json::Value;

use crate::deep::with_room;
use crate::lint::Problem;
use crate::lint::document::{self, Node};
use crate::lint::merge;
use crate::lint::report::Report;

/// What a layer is, which says how strong it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LayerKind {
    /// A policy from the server.
    CloudPolicy,
    /// `/etc/codex/requirements.toml`.
    SystemRequirements,
    /// `.codex/config.toml` of a repository: Team Config.
    TeamConfig,
    /// The developer's own `config.toml`.
    UserConfig,
    /// The managed defaults of a policy.
    CloudDefaults,
    /// `/etc/codex/config.toml`.
    SystemConfig,
}

impl LayerKind {
    /// All, from the strongest to the weakest of its kind: first the requirements, then the configurations.
    pub const ALL: [Self; 6] = [
        Self::CloudPolicy,
        Self::SystemRequirements,
        Self::TeamConfig,
        Self::UserConfig,
        Self::CloudDefaults,
        Self::SystemConfig,
    ];

    /// Whether it binds, rather than saying where a session starts.
    pub fn requires(self) -> bool {
        matches!(self, Self::CloudPolicy | Self::SystemRequirements)
    }
}

/// One text.
#[derive(Debug, Clone, Copy)]
pub struct Layer<'a> {
    /// What it is.
    pub kind: LayerKind,
    /// The TOML text.
    pub contents: &'a str,
}

/// What a client makes of the layers. Layers are named by their position in what was given.
#[derive(Debug, Clone, Default)]
pub struct Effective {
    /// What binds.
    pub requirements: Vec<Key>,
    /// Where a session starts.
    pub config: Vec<Key>,
    /// What stands in a layer and does nothing.
    pub ignored: Vec<Ignored>,
    /// Layers that are no TOML: with one among the requirements no client starts. They are left out of the rest.
    pub unreadable: Vec<(usize, Problem)>,
}

/// One value of the merged texts. Lists are one value, except those to which every layer adds: each of their elements has
/// a key of its own, with its position at the end.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// Dotted, quoted as TOML does: `experimental_network.domains."*.example.com"`.
    pub key: String,
    /// As the client reads it: with what is always added, and words of old in their new spelling.
    pub value: Value,
    /// Which layer it comes from; none for the client's own default.
    pub layer: Option<usize>,
    /// What the other layers say, strongest first: weaker ones, and for a switch that stays off also stronger ones.
    pub overrode: Vec<Overridden>,
    /// Of a configuration's value: whether the requirements let it stand. None if no requirement is about it.
    pub permitted: Option<Verdict>,
}

/// A value that does not count.
#[derive(Debug, Clone, PartialEq)]
pub struct Overridden {
    /// Its layer.
    pub layer: usize,
    /// What it says.
    pub value: Value,
}

/// What the requirements make of a configuration's value.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Whether it stands.
    pub allowed: bool,
    /// What the session runs with.
    pub becomes: Value,
    /// The key of the requirement that says so.
    pub by: String,
}

/// A key that does nothing where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// Its layer.
    pub layer: usize,
    /// Dotted.
    pub key: String,
    /// Why.
    pub why: &'static str,
}

/// Merges the layers of one device. Their order counts only among those of one kind: the first is the strongest.
///
/// `hostname` decides `remote_sandbox_config`; without it only entries for every host apply, and the key stays among the
/// answers.
#[must_use]
pub fn effective(layers: &[Layer<'_>], hostname: Option<&str>) -> Effective {
    let longest = layers.iter().find(|layer| crate::deep::nests(layer.contents)).map_or("", |layer| layer.contents);
    let merged = with_room(longest, || merge_all(layers, hostname));
    // Without memory for a stack nothing can be said; a text that needs one is hostile to begin with.
    merged.unwrap_or_default()
}

fn merge_all(layers: &[Layer<'_>], hostname: Option<&str>) -> Effective {
    let mut found = Effective::default();
    let (mut requirements, mut configs) = (Vec::new(), Vec::new());
    for kind in LayerKind::ALL {
        for (index, layer) in layers.iter().enumerate().filter(|(_, layer)| layer.kind == kind) {
            let mut report = Report::default();
            let Some(mut tree) = document::parse(index, layer.contents, &mut report) else {
                let mut texts = vec![""; index];
                texts.push(layer.contents);
                found.unreadable.extend(report.finish(&texts).into_iter().map(|problem| (index, problem)));
                continue;
            };
            if kind.requires() {
                client::drop_ignored(&mut tree, kind, &mut found.ignored);
                client::name_network(&mut tree);
                hosts::choose(&mut tree, hostname);
                requirements.push(tree);
            } else {
                configs.push(tree);
            }
        }
    }
    let texts: Vec<&str> = layers.iter().map(|layer| layer.contents).collect();
    found.requirements = keys_of(requirements, &texts, true);
    found.config = keys_of(configs, &texts, false);
    verdict::hold(&mut found);
    found
}

fn keys_of(trees: Vec<Node<'_>>, texts: &[&str], requires: bool) -> Vec<Key> {
    let flat: Vec<_> = trees.iter().map(|tree| keys::by_name(tree, texts, requires)).collect();
    let merged = match requires {
        true => Some(merge::layers(trees, &mut Report::default())),
        false => merge::configs(trees),
    };
    let merged = merged.map(|tree| keys::list(&tree, texts, requires)).unwrap_or_default();
    let with_overridden = merged.into_iter().map(|mut key| {
        for layer in &flat {
            if let Some((index, value)) = layer.get(&key.key)
                && Some(*index) != key.layer
                && !key.joined
            {
                key.overrode.push(Overridden { layer: *index, value: client::as_read(&key.key, value.clone()) });
            }
        }
        Key {
            value: client::as_read(&key.key, key.value),
            key: key.key,
            layer: key.layer,
            overrode: key.overrode,
            permitted: None,
        }
    });
    with_overridden.collect()
}
