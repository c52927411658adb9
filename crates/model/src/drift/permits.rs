use toml::{Table, Value};

use super::Ran;
use crate::spelling::current_word;

/// What a policy permits a session to run with, as far as clients report it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permits {
    /// `allowed_approval_policies`; none is any.
    approval_policies: Option<Vec<String>>,
    /// `allowed_sandbox_modes`; none is any.
    sandbox_modes: Option<Vec<String>>,
    /// What some hosts may have instead of them (`remote_sandbox_config`).
    elsewhere: Vec<String>,
    /// Whether permission profiles say what the sandbox may be.
    by_profile: bool,
}

/// How something holds against a policy.
pub(super) struct Held {
    /// Where it does not.
    pub breaches: Vec<String>,
    /// Where that cannot be said.
    pub open: Vec<String>,
}

impl Permits {
    /// Everything.
    pub fn all() -> Self {
        Self::default()
    }

    /// Of the text of a policy; none where it cannot be read.
    pub fn of(requirements: &str) -> Option<Self> {
        let table: Table = requirements.parse().ok()?;
        let list = |table: &Table, key: &str| {
            let list = table.get(key)?.as_array()?;
            Some(list.iter().filter_map(word).collect::<Vec<_>>())
        };
        let hosts = table.get("remote_sandbox_config").and_then(Value::as_array);
        let hosts = hosts.into_iter().flatten().filter_map(Value::as_table);
        Some(Self {
            approval_policies: list(&table, "allowed_approval_policies"),
            sandbox_modes: list(&table, "allowed_sandbox_modes"),
            elsewhere: hosts.filter_map(|host| list(host, "allowed_sandbox_modes")).flatten().collect(),
            by_profile: ["allowed_permission_profiles", "default_permissions"]
                .iter()
                .any(|key| table.contains_key(*key)),
        })
    }

    /// Whether something might run as it did, and why not; none where that cannot be said, and why.
    pub fn would_permit(&self, ran: &Ran) -> (Option<bool>, Vec<String>) {
        let Held { breaches, open } = self.hold(ran);
        match (breaches.is_empty(), open.is_empty()) {
            (false, _) => (Some(false), breaches),
            (true, false) => (None, open),
            (true, true) => (Some(true), Vec::new()),
        }
    }

    /// Holds what ran against it.
    pub(super) fn hold(&self, ran: &Ran) -> Held {
        let mut held = Held { breaches: Vec::new(), open: Vec::new() };
        if let Some(allowed) = &self.approval_policies {
            let ran = current_word("approval_policy", &ran.approval_policy);
            if ran.is_empty() {
                held.open.push("The client did not report an approval policy.".to_owned());
            } else if !allowed.iter().any(|word| *word == ran) {
                held.breaches.push(breach("approval_policy", ran, "allowed_approval_policies", allowed));
            }
        }
        self.hold_sandbox(ran.sandbox_mode.as_str(), &mut held);
        held
    }

    fn hold_sandbox(&self, ran: &str, held: &mut Held) {
        let Some(allowed) = &self.sandbox_modes else {
            if self.by_profile {
                held.open.push("Permission profiles decide the sandbox, and clients do not report them.".to_owned());
            }
            return;
        };
        if ran.is_empty() {
            held.open.push("The client did not report its sandbox.".to_owned());
        } else if !["read-only", "workspace-write", "danger-full-access"].contains(&ran) {
            held.open.push(format!("The client reported a sandbox `{ran}`, which policies do not speak of."));
        } else if allowed.iter().any(|mode| mode == ran) {
        } else if self.elsewhere.iter().any(|mode| mode == ran) {
            held.open.push(format!("`{ran}` is permitted on some hosts only (`remote_sandbox_config`)."));
        } else {
            held.breaches.push(breach("sandbox_mode", ran, "allowed_sandbox_modes", allowed));
        }
    }
}

fn breach(what: &str, ran: &str, key: &str, allowed: &[String]) -> String {
    format!("It ran with {what} = \"{ran}\"; {key} permits {}.", allowed.join(", "))
}

/// A word of a list, as sessions report it: the table of a granular approval policy is `granular`.
fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(current_word("approval_policy", text).to_owned()),
        Value::Table(table) => table.keys().next().cloned(),
        _ => None,
    }
}
