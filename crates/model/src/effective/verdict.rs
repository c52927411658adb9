//! Holds what configurations say against the requirements, with the answers that client 0.169.0 gives.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{Effective, Key, Verdict};

/// Keys that mean the same in both kinds of layers: what a requirement says replaces what a configuration says.
const PINNED: &[&str] = &[
    "model_provider",
    "sqlite_home",
    "log_dir",
    "model_catalog_json",
    "check_for_update_on_startup",
    "allow_login_shell",
];

/// As [`PINNED`], whole tables.
const PINNED_TABLES: &[&str] = &["features.", "feedback.", "otel.", "model_providers."];

/// What clients start with when no layer says anything, in a project that the developer trusts.
const DEFAULTS: &[(&str, &str)] = &[
    ("approval_policy", "on-request"),
    ("approvals_reviewer", "user"),
    ("sandbox_mode", "workspace-write"),
    ("web_search", "cached"),
];

/// Which web search takes the place of one that is not allowed, by preference.
const WEB_SEARCH: &[&str] = &["cached", "indexed", "live"];

/// Gives every value of a configuration its verdict, and adds the client's own defaults where a requirement is about
/// them.
pub(super) fn hold(found: &mut Effective) {
    let requirements: HashMap<&str, &Value> =
        found.requirements.iter().map(|key| (key.key.as_str(), &key.value)).collect();
    let profiles: Vec<(&str, bool)> = requirements
        .iter()
        .filter_map(|(key, value)| {
            Some((key.strip_prefix("allowed_permission_profiles.")?.trim_matches('"'), *value == true))
        })
        .collect();
    let required = Required { requirements: &requirements, profiles };
    for key in &mut found.config {
        key.permitted = required.verdict(&key.key, &key.value);
    }
    for (name, default) in DEFAULTS {
        let value = json!(default);
        if !found.config.iter().any(|key| key.key == *name)
            && let Some(verdict) = required.verdict(name, &value)
        {
            let (key, overrode) = ((*name).to_owned(), Vec::new());
            found.config.push(Key { key, value, layer: None, overrode, permitted: Some(verdict) });
        }
    }
}

struct Required<'r> {
    requirements: &'r HashMap<&'r str, &'r Value>,
    /// The names of `allowed_permission_profiles`, and whether they may be chosen.
    profiles: Vec<(&'r str, bool)>,
}

impl Required<'_> {
    fn verdict(&self, key: &str, value: &Value) -> Option<Verdict> {
        match key {
            "approval_policy" => self.one_of("allowed_approval_policies", value, first),
            "approvals_reviewer" => self.one_of("allowed_approvals_reviewers", value, first),
            "web_search" => self.one_of("allowed_web_search_modes", value, web_search),
            "sandbox_mode" => self.sandbox_mode(value),
            "default_permissions" => self.profile(value),
            _ => self.pinned(key, value),
        }
    }

    fn one_of(&self, by: &str, value: &Value, instead: fn(&[Value]) -> Value) -> Option<Verdict> {
        let allowed = self.requirements.get(by)?.as_array()?;
        let stands = allowed.contains(value);
        let becomes = if stands { value.clone() } else { instead(allowed) };
        Some(Verdict { allowed: stands, becomes, by: by.to_owned() })
    }

    fn sandbox_mode(&self, value: &Value) -> Option<Verdict> {
        if !self.profiles.is_empty() {
            // Profiles replace the modes: whatever the mode, the session starts with the default profile.
            let by = "allowed_permission_profiles".to_owned();
            return Some(Verdict { allowed: false, becomes: self.default_profile(), by });
        }
        let verdict = self.one_of("allowed_sandbox_modes", value, |_| json!("read-only"));
        let stands = verdict.as_ref().is_none_or(|verdict| verdict.allowed);
        let deny_read = "permissions.filesystem.deny_read";
        if stands && value == "danger-full-access" && self.requirements.contains_key(&*format!("{deny_read}[0]")) {
            return Some(Verdict { allowed: false, becomes: json!("read-only"), by: deny_read.to_owned() });
        }
        verdict
    }

    fn profile(&self, value: &Value) -> Option<Verdict> {
        if self.profiles.is_empty() {
            return None;
        }
        let allowed = self.profiles.iter().any(|(name, allowed)| *allowed && value == name);
        let becomes = if allowed { value.clone() } else { self.default_profile() };
        Some(Verdict { allowed, becomes, by: "allowed_permission_profiles".to_owned() })
    }

    fn default_profile(&self) -> Value {
        self.requirements.get("default_permissions").map_or_else(|| json!(":workspace"), |value| (*value).clone())
    }

    fn pinned(&self, key: &str, value: &Value) -> Option<Verdict> {
        let pins = PINNED.contains(&key) || PINNED_TABLES.iter().any(|table| key.starts_with(table));
        let required = self.requirements.get(key).filter(|_| pins)?;
        Some(Verdict { allowed: *required == value, becomes: (*required).clone(), by: key.to_owned() })
    }
}

fn first(allowed: &[Value]) -> Value {
    allowed.first().cloned().unwrap_or(Value::Null)
}

fn web_search(allowed: &[Value]) -> Value {
    let preferred = WEB_SEARCH.iter().find(|mode| allowed.iter().any(|word| word == **mode));
    json!(preferred.unwrap_or(&"disabled"))
}
