//! Log records of clients, as OTLP in JSON.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::Value;

use super::report::{Feed, MAX_ITEMS, Report, believed, id, sandbox, text};

/// No command that is kept has more bytes.
const MAX_COMMAND_BYTES: usize = 16 * 1024;

/// What log records tell.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) reports: Vec<Report>,
    pub(super) commands: Vec<Command>,
}

/// A command that the agent ran or wanted to run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) thread_id: String,
    pub(super) call_id: String,
    pub(super) at: Timestamp,
    pub(super) argv: Vec<String>,
    pub(super) outcome: &'static str,
}

/// The attributes of a record, by name.
struct Record<'a>(HashMap<&'a str, &'a Value>);

impl<'a> Record<'a> {
    fn of(record: &'a Value) -> Self {
        let attributes = list(&record["attributes"]).iter().take(100);
        Self(attributes.filter_map(|attribute| Some((attribute["key"].as_str()?, &attribute["value"]))).collect())
    }

    fn get(&self, name: &str) -> &'a Value {
        self.0.get(name).map_or(&Value::Null, |value| &value["stringValue"])
    }

    fn at(&self, now: Timestamp) -> Timestamp {
        believed(self.get("event.timestamp").as_str().and_then(|text| text.parse().ok()), now)
    }
}

/// What they tell; records of other kinds are passed over. Whom they say they are from is not read.
pub(super) fn read(body: &Value, now: Timestamp) -> Told {
    let scopes = list(&body["resourceLogs"]).iter().flat_map(|resource| list(&resource["scopeLogs"]));
    let records = scopes.flat_map(|scope| list(&scope["logRecords"])).take(MAX_ITEMS);
    let records: Vec<Record<'_>> = records.map(Record::of).collect();
    let named = |name: &'static str| records.iter().filter(move |record| record.get("event.name") == name);
    let denied: Vec<&str> = named("codex.tool_decision")
        .filter(|record| record.get("decision").as_str().is_some_and(|decision| !decision.starts_with("approved")))
        .filter_map(|record| record.get("call_id").as_str())
        .collect();
    Told {
        reports: named("codex.conversation_starts").filter_map(|record| report(record, now)).collect(),
        commands: named("codex.tool_result").filter_map(|record| command(record, &denied, now)).collect(),
    }
}

fn report(record: &Record<'_>, now: Timestamp) -> Option<Report> {
    Some(Report {
        feed: Feed::Otlp,
        thread_id: id(record.get("conversation.id"))?,
        at: record.at(now),
        client_version: text(record.get("app.version")),
        originator: text(record.get("originator")),
        model: text(record.get("model")),
        approval_policy: text(record.get("approval_policy")),
        sandbox_policy: sandbox(record.get("sandbox_policy")),
        network_access: String::new(),
    })
}

fn command(record: &Record<'_>, denied: &[&str], now: Timestamp) -> Option<Command> {
    let arguments = record.get("arguments").as_str().filter(|text| text.len() <= MAX_COMMAND_BYTES)?;
    let call_id = id(record.get("call_id"))?;
    let outcome = match record.get("success").as_str() {
        _ if denied.contains(&call_id.as_str()) => "denied",
        Some("true") => "ran",
        _ => "failed",
    };
    let thread_id = id(record.get("conversation.id"))?;
    Some(Command { thread_id, at: record.at(now), argv: argv(arguments)?, call_id, outcome })
}

/// The words of a call of a shell tool: `exec_command` says `cmd`, others `command`, as a text for the
/// shell or as a list of words. What the client adds to run a text (`bash -lc`) is added here too.
fn argv(arguments: &str) -> Option<Vec<String>> {
    let arguments: Value = serde_json::from_str(arguments).ok()?;
    let command = arguments.get("cmd").or_else(|| arguments.get("command"))?;
    if let Some(script) = command.as_str() {
        return Some(["bash", "-lc", script].map(str::to_owned).to_vec());
    }
    command.as_array()?.iter().map(|word| word.as_str().map(str::to_owned)).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_a_list_of_words() {
        let words = |text: &str| argv(text).map(|words| words.join("|"));
        assert_eq!(words(r#"{"cmd":"rm -r x"}"#).as_deref(), Some("bash|-lc|rm -r x"));
        assert_eq!(words(r#"{"command":["git","push"]}"#).as_deref(), Some("git|push"));
        for other in ["", "[]", "{}", r#"{"cmd":1}"#, r#"{"command":["a",1]}"#, r#"{"path":"x"}"#] {
            assert_eq!(words(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_no_report_is_passed_over() {
        let now = Timestamp::UNIX_EPOCH;
        for body in [
            "null",
            "[]",
            "1",
            r#"{"resourceLogs":1}"#,
            r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[1,{"attributes":[1,{"key":1}]}]}]}]}"#,
        ] {
            let told = read(&serde_json::from_str(body).expect("JSON"), now);
            assert!(told.reports.is_empty() && told.commands.is_empty(), "{body}");
        }
    }
}
