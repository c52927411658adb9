//! How a client reads a layer of requirements.

use std::borrow::Cow;

use serde_json::{Value as Json, json};

use super::{Ignored, LayerKind};
use crate::lint::document::{Entry, Node, Value};
use crate::lint::schema::{ROOT, Shape, Table};
use crate::spelling::current_word;

/// Takes out what clients do not act on, and says so.
pub(super) fn drop_ignored(tree: &mut Node<'_>, kind: LayerKind, ignored: &mut Vec<Ignored>) {
    let layer = tree.place.layer;
    if let Value::Table(entries) = &mut tree.value {
        entries.retain(|entry| {
            let known = ROOT.field(&entry.key);
            let why = match known {
                None => Some("Clients know no such key."),
                Some(field) if kind == LayerKind::CloudPolicy => field.ignored,
                Some(_) => None,
            };
            ignored.extend(why.map(|why| Ignored { layer, key: entry.key.to_string(), why }));
            why.is_none()
        });
    }
    drop_unknown(tree, &ROOT, "", ignored);
}

/// As above, within the tables whose keys are all known.
fn drop_unknown(node: &mut Node<'_>, table: &'static Table, path: &str, ignored: &mut Vec<Ignored>) {
    let layer = node.place.layer;
    let Value::Table(entries) = &mut node.value else { return };
    entries.retain_mut(|entry| {
        let Some(field) = table.field(&entry.key) else {
            if table.others.is_none() {
                let key = format!("{path}{}", entry.key);
                ignored.push(Ignored { layer, key, why: "Clients know no such key." });
            }
            return table.others.is_some();
        };
        if let Shape::Table(inner) = field.shape {
            let said_something = !entry.node.entries().is_empty();
            drop_unknown(&mut entry.node, inner, &format!("{path}{}.", entry.key), ignored);
            // What held nothing that counts says nothing, unlike a table that was left empty on purpose.
            return !said_something || !entry.node.entries().is_empty();
        }
        true
    });
}

/// The one name under which network rules are merged, whichever of the three was written.
pub(super) fn name_network(tree: &mut Node<'_>) {
    const NAME: &str = "experimental_network";
    let Value::Table(entries) = &mut tree.value else { return };
    if entries.iter().any(|entry| entry.key == NAME) {
        return;
    }
    if let Some(entry) = entries.iter_mut().find(|entry| entry.key == "network_proxy") {
        entry.key = Cow::Borrowed(NAME);
        return;
    }
    let permissions = entries.iter_mut().find(|entry| entry.key == "permissions");
    let Some(Value::Table(inner)) = permissions.map(|entry| &mut entry.node.value) else { return };
    let Some(position) = inner.iter().position(|entry| entry.key == "network") else { return };
    let network = inner.remove(position);
    if inner.is_empty() {
        entries.retain(|entry| entry.key != "permissions");
    }
    entries.push(Entry { key: Cow::Borrowed(NAME), ..network });
}

/// A value as the client shows it: old words in their new spelling, what is dropped dropped, what is implied added.
pub(super) fn as_read(key: &str, value: Json) -> Json {
    match (key, value) {
        ("allowed_approval_policies" | "allowed_approvals_reviewers", Json::Array(words)) => {
            words.into_iter().map(|word| current(key, word)).collect()
        }
        ("approval_policy" | "approvals_reviewer", value) => current(key, value),
        ("allowed_sandbox_modes", Json::Array(mut words)) => {
            words.retain(|word| word != "external-sandbox");
            Json::Array(words)
        }
        ("allowed_web_search_modes", Json::Array(mut words)) => {
            if !words.iter().any(|word| word == "disabled") {
                words.push(json!("disabled"));
            }
            Json::Array(words)
        }
        (_, value) => value,
    }
}

/// A word under the name that it has now; a granular approval policy with what it leaves unsaid.
fn current(key: &str, word: Json) -> Json {
    if let Some(text) = word.as_str() {
        return json!(current_word(key, text));
    }
    let Some(written) = word.get("granular").and_then(Json::as_object) else { return word };
    let mut granular = json!({ "skill_approval": false, "request_permissions": false });
    if let Some(all) = granular.as_object_mut() {
        all.extend(written.clone());
    }
    json!({ "granular": granular })
}
