use std::collections::BTreeMap;

use provost_model::drift::{DriftState, Permits, Ran, judge};
use provost_model::event::{EventType, Target};
use provost_store::tables::agent_commands::{self, AgentCommandRow};
use provost_store::tables::agent_sessions::{self, AgentSessionRow};
use provost_store::{Result, Tx};
use provost_web::{App, Client, Device};
use serde_json::json;

use super::otlp::Command;
use super::policies::{Policies, current};
use super::report::{Feed, Report};

/// Keeps what was reported of sessions, and says of each how it stands to its policy.
pub(super) async fn sessions(app: &App, policies: &Policies, client: &Client, reports: Vec<Report>) -> Result<()> {
    // By thread, so that two who write at once take them in the same order.
    let mut by_thread: BTreeMap<String, Vec<Report>> = BTreeMap::new();
    for report in reports {
        by_thread.entry(report.thread_id.clone()).or_default().push(report);
    }
    if by_thread.is_empty() {
        return Ok(());
    }
    let ws = client.workspace.id;
    let mut contradicting = Vec::new();
    let mut tx = app.store.write().await?;
    for (thread_id, reports) in by_thread {
        let new = blank(client, thread_id, &reports, app);
        let Some(mut session) = agent_sessions::take(&mut tx, ws, &new).await? else {
            tracing::debug!(workspace = %ws, member = %client.member.id, "a thread of another member was reported");
            continue;
        };
        let before = session.verdict;
        for report in &reports {
            learn(&mut session, client, report);
            hold(&mut tx, app, policies, client, &mut session, report).await?;
        }
        agent_sessions::update(&mut tx, ws, &session).await?;
        if session.verdict == DriftState::Contradicting && before != DriftState::Contradicting {
            contradicting.push(session);
        }
    }
    tx.commit().await?;
    contradicting.iter().for_each(|session| record(app, client, session));
    Ok(())
}

fn blank(client: &Client, thread_id: String, reports: &[Report], app: &App) -> AgentSessionRow {
    let began = reports.iter().map(|report| report.at).min().unwrap_or_else(|| app.store.clock().now());
    AgentSessionRow {
        thread_id,
        member_id: client.member.id,
        device: Device::from(client.via).to_string(),
        client_version: String::new(),
        originator: String::new(),
        model: String::new(),
        approval_policy: String::new(),
        sandbox_policy: String::new(),
        network_access: String::new(),
        source: String::new(),
        policy: None,
        verdict: DriftState::Unknown,
        reasons: Vec::new(),
        started_at: began,
        last_at: reports.iter().map(|report| report.at).max().unwrap_or(began),
    }
}

/// Whether a report counts: what came under the client's own sign-in is not overruled by what came under
/// a token that lies in its policy cache.
fn counts(session: &AgentSessionRow, report: &Report) -> bool {
    report.feed == Feed::Analytics || session.source != Feed::Analytics.as_str()
}

fn learn(session: &mut AgentSessionRow, client: &Client, report: &Report) {
    session.started_at = session.started_at.min(report.at);
    session.last_at = session.last_at.max(report.at);
    if !counts(session, report) {
        return;
    }
    session.source = report.feed.as_str().to_owned();
    session.device = Device::from(client.via).to_string();
    let said = [
        (&mut session.client_version, &report.client_version),
        (&mut session.originator, &report.originator),
        (&mut session.model, &report.model),
        (&mut session.approval_policy, &report.approval_policy),
        (&mut session.sandbox_policy, &report.sandbox_policy),
        (&mut session.network_access, &report.network_access),
    ];
    for (known, said) in said.into_iter().filter(|(_, said)| !said.is_empty()) {
        known.clone_from(said);
    }
}

/// Holds a session to its policy, if the report says what it ran with.
async fn hold(
    tx: &mut Tx,
    app: &App,
    policies: &Policies,
    client: &Client,
    session: &mut AgentSessionRow,
    report: &Report,
) -> Result<()> {
    let says = !report.approval_policy.is_empty() || !report.sandbox_policy.is_empty();
    // Once it has contradicted its policy, a session stays one that did.
    if !says || !counts(session, report) || session.verdict == DriftState::Contradicting {
        return Ok(());
    }
    let (ws, now) = (client.workspace.id, app.store.clock().now());
    let sent = policies.sent(tx, app, client, now).await?;
    let current = current(client, report.client_version.parse().ok(), now);
    let permits = policies.permits(tx, ws, current).await?.unwrap_or_else(Permits::all);
    let ran = Ran {
        approval_policy: report.approval_policy.clone(),
        sandbox_mode: report.sandbox_policy.clone(),
        at: report.at,
    };
    let verdict = judge(&sent, (current, &permits), &ran);
    session.policy = sent.first().map_or(current, |sent| sent.version);
    (session.verdict, session.reasons) = (verdict.state, verdict.reasons);
    Ok(())
}

/// A session ran looser than its policy: once for each session.
fn record(app: &App, client: &Client, session: &AgentSessionRow) {
    let name = session.policy.and_then(|(id, _)| client.workspace.policies.get(&id)).map(|policy| policy.name.clone());
    let target = session.policy.map(|(id, _)| Target::new("policy", id, name.as_deref().unwrap_or_default()));
    let details = json!({
        "thread_id": session.thread_id, "device": session.device, "version": session.policy.map(|(_, version)| version),
        "approval_policy": session.approval_policy, "sandbox_policy": session.sandbox_policy,
        "network_access": session.network_access, "model": session.model,
        "client_version": session.client_version, "source": session.source, "reasons": session.reasons,
    });
    let (actor, origin) = (client.actor(), client.origin.clone());
    app.metrics.count_alert(EventType::PolicyContradicted.as_str());
    app.store.record(client.workspace.id, EventType::PolicyContradicted, actor, origin, target, details);
}

/// Keeps commands, sealed.
pub(super) async fn commands(app: &App, client: &Client, commands: Vec<Command>) -> Result<()> {
    // A statement may not bring the same row twice.
    let by_id: BTreeMap<_, _> =
        commands.into_iter().map(|command| ((command.thread_id.clone(), command.call_id.clone()), command)).collect();
    if by_id.is_empty() {
        return Ok(());
    }
    let rows: Vec<AgentCommandRow> = by_id
        .into_values()
        .map(|Command { thread_id, call_id, at, argv, outcome }| {
            let (member_id, outcome) = (client.member.id, outcome.to_owned());
            AgentCommandRow { thread_id, call_id, member_id, at, argv, outcome }
        })
        .collect();
    let mut tx = app.store.write().await?;
    agent_commands::insert(&mut tx, client.workspace.id, app.store.sealer(), &rows).await?;
    tx.commit().await
}
