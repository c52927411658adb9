//! Every finding, line by line, as it is found.

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use provost_web::{App, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use utoipa::ToSchema;

use super::{Finding, Simulation, SimulationSummary, not_read, run};

/// How an export is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ExportFormat {
    /// A JSON object a line: `{"kind": "member" | "session" | "command", …}`, and at the end `{"kind": "summary", …}`.
    Jsonl,
    /// One of the lists, with a line of names at its head.
    Csv,
}

/// Which list a CSV holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ExportList {
    Members,
    Sessions,
    Commands,
}

/// A line of JSON.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Line<'a> {
    Member(&'a super::SimulatedMember),
    Session(&'a super::SimulatedSession),
    Command(&'a super::SimulatedCommand),
    Summary(&'a SimulationSummary),
}

impl ExportList {
    /// The columns of its rows: paths into the JSON of a finding.
    fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Members => &[
                "member_id",
                "email",
                "policy_changes",
                "before.policy_id",
                "before.policy_name",
                "before.policy_version",
                "before.decided_by",
                "before.position",
                "before.may_use_codex",
                "after.policy_id",
                "after.policy_name",
                "after.policy_version",
                "after.decided_by",
                "after.position",
                "after.may_use_codex",
                "gains",
                "loses",
            ],
            Self::Sessions => &[
                "thread_id",
                "member_id",
                "email",
                "last_at",
                "client_version",
                "approval_policy",
                "sandbox_policy",
                "before",
                "after",
                "reasons",
            ],
            Self::Commands => &[
                "thread_id",
                "call_id",
                "member_id",
                "email",
                "at",
                "argv",
                "outcome",
                "before",
                "after",
                "rule_before",
                "rule_after",
            ],
        }
    }

    fn holds(self, finding: &Finding) -> bool {
        match self {
            Self::Members => matches!(finding, Finding::Member(_)),
            Self::Sessions => matches!(finding, Finding::Session(_)),
            Self::Commands => matches!(finding, Finding::Command(_)),
        }
    }
}

/// Runs a simulation whose findings are sent as they come. An export that was cut short breaks off: it has no last
/// line, and its connection ends in an error.
pub(crate) fn export(
    app: App,
    simulation: Simulation,
    (format, list): (ExportFormat, ExportList),
    turn: OwnedSemaphorePermit,
) -> Response {
    let (findings, found) = mpsc::channel::<Vec<Finding>>(2);
    let running = tokio::spawn(async move {
        let _turn = turn;
        // What finds nothing sends nothing, and would not notice that nobody reads.
        let reader = findings.clone();
        tokio::select! {
            done = run(&app, simulation, findings) => done,
            () = reader.closed() => Err(not_read()),
        }
    });
    let head = match format {
        ExportFormat::Jsonl => Bytes::new(),
        ExportFormat::Csv => Bytes::from(format!("{}\r\n", list.columns().join(","))),
    };
    let state = (found, Some(running), head);
    let lines = stream::unfold(state, move |(mut found, mut running, head)| async move {
        if !head.is_empty() {
            return Some((Ok(head), (found, running, Bytes::new())));
        }
        if let Some(page) = found.recv().await {
            return Some((Ok(write(&page, format, list)), (found, running, Bytes::new())));
        }
        let end = match running.take()?.await.expect("a simulation does not panic") {
            Ok(summary) if format == ExportFormat::Jsonl => Ok(json_line(&Line::Summary(&summary)).into()),
            Ok(_) => Ok(Bytes::new()),
            Err(error) => Err(std::io::Error::other(error.message().to_owned())),
        };
        Some((end, (found, None, Bytes::new())))
    });
    let (kind, name) = match format {
        ExportFormat::Jsonl => ("application/x-ndjson", "attachment; filename=\"simulation.jsonl\""),
        ExportFormat::Csv => ("text/csv; charset=utf-8", "attachment; filename=\"simulation.csv\""),
    };
    let headers =
        [(CONTENT_TYPE, HeaderValue::from_static(kind)), (CONTENT_DISPOSITION, HeaderValue::from_static(name))];
    (headers, Body::from_stream(lines)).into_response()
}

fn write(page: &[Finding], format: ExportFormat, list: ExportList) -> Bytes {
    let mut out = Vec::new();
    for finding in page {
        let line = match finding {
            Finding::Member(row) => Line::Member(row),
            Finding::Session(row) => Line::Session(row),
            Finding::Command(row) => Line::Command(row),
        };
        match format {
            ExportFormat::Jsonl => out.extend(json_line(&line)),
            ExportFormat::Csv if list.holds(finding) => out.extend(csv_line(&line, list)),
            ExportFormat::Csv => {}
        }
    }
    out.into()
}

fn json_line(line: &Line<'_>) -> Vec<u8> {
    let mut text = serde_json::to_vec(line).expect("texts and numbers turn into JSON");
    text.push(b'\n');
    text
}

fn csv_line(line: &Line<'_>, list: ExportList) -> Vec<u8> {
    let row = serde_json::to_value(line).expect("texts and numbers turn into JSON");
    let cells = list.columns().iter().map(|column| {
        let value = column.split('.').try_fold(&row, |value, key| value.get(key)).unwrap_or(&Value::Null);
        match value {
            Value::Null => String::new(),
            Value::String(text) => cell(text),
            other => cell(&other.to_string()),
        }
    });
    format!("{}\r\n", cells.collect::<Vec<_>>().join(",")).into_bytes()
}

/// A cell, quoted where it must be. What a spreadsheet would take for a formula is marked as text.
fn cell(text: &str) -> String {
    let marked = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() };
    match marked.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", marked.replace('"', "\"\"")),
        false => marked,
    }
}

/// Every finding, in memory: for an answer that lists few.
pub(crate) async fn collect(app: &App, simulation: Simulation) -> Result<(SimulationSummary, Vec<Finding>)> {
    let (findings, mut found) = mpsc::channel(2);
    let all = async {
        let mut all = Vec::new();
        while let Some(page) = found.recv().await {
            all.extend(page);
        }
        all
    };
    let (summary, all) = tokio::join!(run(app, simulation, findings), all);
    Ok((summary?, all))
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn cells_are_quoted_and_are_no_formulas() {
        assert_eq!(cell("plain"), "plain");
        assert_eq!(cell("[\"a\",\"b\"]"), "\"[\"\"a\"\",\"\"b\"\"]\"");
        assert_eq!(cell("a\nb"), "\"a\nb\"");
        for formula in ["=1+1", "+1", "-1", "@x", "\t=1"] {
            assert!(cell(formula).starts_with('\''), "{formula}");
        }
    }
}
