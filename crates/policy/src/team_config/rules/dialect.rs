//! The functions of `.rules` files, with the checks and words of client 0.169.0 (`codex execpolicy check`).

use std::cell::RefCell;

use anyhow::{Result, anyhow, bail};
use provost_model::command::Action;
use starlark::environment::GlobalsBuilder;
use starlark::eval::Evaluator;
use starlark::starlark_module;
use starlark::values::Value;
use starlark::values::list::{ListRef, UnpackList};
use starlark::values::none::NoneType;

use super::{HostExecutable, MAX_RULES, NetworkRule, Rule};

/// What calls leave behind: each a [`Call`] as JSON. The evaluator carries foreign types only with unsafe code, and
/// strings without.
pub(super) type Calls = RefCell<Vec<String>>;

/// One call of a function below.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) enum Call {
    Prefix(Rule),
    Network(NetworkRule),
    Executable(HostExecutable),
}

const PROTOCOLS: [&str; 6] = ["http", "https", "https_connect", "http-connect", "socks5_tcp", "socks5_udp"];

#[starlark_module]
pub(super) fn functions(builder: &mut GlobalsBuilder) {
    /// A rule for commands by their first words.
    fn prefix_rule<'v>(
        pattern: UnpackList<Value<'v>>,
        decision: Option<&'v str>,
        r#match: Option<UnpackList<Value<'v>>>,
        not_match: Option<UnpackList<Value<'v>>>,
        justification: Option<&'v str>,
        canonical_matching: Option<bool>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> anyhow::Result<NoneType> {
        // Known to clients; it is said to compare programs by another name, and does nothing that can be seen.
        let _ = canonical_matching;
        let (line, column) = place(eval);
        let rule = Rule {
            pattern: words(&pattern.items)?,
            decision: action(decision)?,
            justification: justified(justification)?,
            line,
            column,
            matches: examples(r#match)?,
            not_matches: examples(not_match)?,
        };
        keep(eval, &Call::Prefix(rule))
    }

    /// Whether commands may reach a host.
    fn network_rule<'v>(
        host: &'v str,
        protocol: &'v str,
        decision: &'v str,
        justification: Option<&'v str>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> anyhow::Result<NoneType> {
        let host = host.trim();
        if host.is_empty() {
            bail!("invalid rule: network_rule host cannot be empty");
        }
        if host.contains(['/', '?', '#']) {
            bail!("invalid rule: network_rule host must be a hostname or IP literal (without scheme or path)");
        }
        if host.contains('*') {
            bail!("invalid rule: network_rule host must be a specific host; wildcards are not allowed");
        }
        if host.contains(char::is_whitespace) {
            bail!("invalid rule: network_rule host cannot contain whitespace");
        }
        if !PROTOCOLS.contains(&protocol) {
            bail!(
                "invalid rule: network_rule protocol must be one of http, https, socks5_tcp, socks5_udp (got {protocol})"
            );
        }
        let decision = match decision {
            "allow" | "prompt" => decision,
            "deny" | "forbidden" => "deny",
            other => bail!("invalid decision: {other}"),
        };
        justified(justification)?;
        let (line, _) = place(eval);
        let rule =
            NetworkRule { host: host.to_owned(), protocol: protocol.to_owned(), decision: decision.to_owned(), line };
        keep(eval, &Call::Network(rule))
    }

    /// Under which paths rules for a program's name hold.
    fn host_executable<'v>(
        name: &'v str,
        paths: UnpackList<Value<'v>>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> anyhow::Result<NoneType> {
        if name.is_empty() {
            bail!("invalid rule: host_executable name cannot be empty");
        }
        if name.contains(['/', '\\']) || matches!(name, "." | "..") {
            bail!("invalid rule: host_executable name must be a bare executable name (got {name})");
        }
        let mut known: Vec<String> = Vec::new();
        for path in &paths.items {
            let Some(path) = path.unpack_str() else {
                bail!("invalid rule: host_executable paths must be strings (got {})", path.get_type());
            };
            if !path.starts_with('/') {
                bail!("invalid rule: host_executable paths must be absolute (got {path})");
            }
            if path.trim_end_matches('/').rsplit('/').next() != Some(name) {
                bail!("invalid rule: host_executable path `{path}` must have basename `{name}`");
            }
            if !known.iter().any(|other| other == path) {
                known.push(path.to_owned());
            }
        }
        keep(eval, &Call::Executable(HostExecutable { name: name.to_owned(), paths: known }))
    }
}

fn keep(eval: &Evaluator<'_, '_, '_>, call: &Call) -> anyhow::Result<NoneType> {
    let calls = eval.extra.and_then(|extra| extra.downcast_ref::<Calls>());
    let mut calls = calls.ok_or_else(|| anyhow!("nobody listens"))?.borrow_mut();
    if calls.len() == MAX_RULES {
        bail!("a file of more than {MAX_RULES} rules is not read");
    }
    calls.push(serde_json::to_string(call)?);
    Ok(NoneType)
}

/// Where the function is called, from 1.
fn place(eval: &Evaluator<'_, '_, '_>) -> (u32, u32) {
    let Some(location) = eval.call_stack_top_location() else { return (1, 1) };
    let begin = location.resolve_span().begin;
    (number(begin.line), number(begin.column))
}

/// A line or column counted from 0, counted from 1.
pub(super) fn number(from_zero: usize) -> u32 {
    u32::try_from(from_zero).unwrap_or(u32::MAX).saturating_add(1)
}

fn words(pattern: &[Value<'_>]) -> Result<Vec<Vec<String>>> {
    if pattern.is_empty() {
        bail!("invalid pattern element: pattern cannot be empty");
    }
    let word = |value: &Value<'_>| {
        if let Some(text) = value.unpack_str() {
            return Ok(vec![text.to_owned()]);
        }
        let Some(list) = ListRef::from_value(*value) else {
            bail!(
                "invalid pattern element: pattern element must be a string or list of strings (got {})",
                value.get_type()
            );
        };
        if list.is_empty() {
            bail!("invalid pattern element: pattern alternatives cannot be empty");
        }
        let text = |value: &Value<'_>| match value.unpack_str() {
            Some(text) => Ok(text.to_owned()),
            None => bail!("invalid pattern element: pattern alternative must be a string (got {})", value.get_type()),
        };
        list.iter().map(|value| text(&value)).collect()
    };
    pattern.iter().map(word).collect()
}

fn action(decision: Option<&str>) -> Result<Action> {
    Ok(match decision {
        None | Some("allow") => Action::Allow,
        Some("prompt") => Action::Prompt,
        Some("forbidden") => Action::Forbidden,
        Some(other) => bail!("invalid decision: {other}"),
    })
}

fn justified(justification: Option<&str>) -> Result<Option<String>> {
    if justification.is_some_and(|text| text.trim().is_empty()) {
        bail!("invalid rule: justification cannot be empty");
    }
    Ok(justification.map(str::to_owned))
}

fn examples(list: Option<UnpackList<Value<'_>>>) -> Result<Vec<Vec<String>>> {
    let example = |value: Value<'_>| {
        if let Some(line) = value.unpack_str() {
            let words = shlex::split(line);
            let words = words.ok_or_else(|| anyhow!("invalid example: example string has invalid shell syntax"))?;
            if words.is_empty() {
                bail!("invalid example: example cannot be an empty string");
            }
            return Ok(words);
        }
        let Some(list) = ListRef::from_value(value) else {
            bail!("invalid example: example must be a string or list of strings (got {})", value.get_type());
        };
        if list.is_empty() {
            bail!("invalid example: example cannot be an empty list");
        }
        let word = |value: Value<'_>| match value.unpack_str() {
            Some(text) => Ok(text.to_owned()),
            None => bail!("invalid example: example tokens must be strings (got {})", value.get_type()),
        };
        list.iter().map(word).collect()
    };
    list.map(|list| list.items.into_iter().map(example).collect()).unwrap_or_else(|| Ok(Vec::new()))
}
