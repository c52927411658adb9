//! Runs a simulation: every member, every recorded session and command, in one reading of the database.

mod export;
mod judge;
mod names;
mod rows;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use provost_model::simulate::{Proposal, Verdicts};
use provost_model::{MemberId, Workspace};
use provost_store::Tx;
use provost_store::tables::agent_sessions::{AgentSessionRow, Filter};
use provost_store::tables::{agent_commands, agent_sessions};
use provost_web::{App, Error, Result};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinHandle, spawn_blocking};

pub(crate) use export::{ExportFormat, ExportList, collect, export};
pub(crate) use names::find;
pub(crate) use rows::{SimulatedCommand, SimulatedMember, SimulatedSession, SimulationSummary};

use self::judge::{Counts, Judge, Versions};

/// Facts that are read at once, and members that are looked at at once.
const PAGE: u32 = 8_192;
/// For how long whoever reads an export may read nothing: the database keeps what the run reads.
const STALLED: Duration = Duration::from_secs(30);
/// How long one run may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// Lets one simulation run at a time on a node: each keeps a processor and a connection busy.
#[derive(Clone)]
pub(crate) struct Simulations(pub(crate) Arc<Semaphore>);

impl Default for Simulations {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

/// Something that would be different.
pub(crate) enum Finding {
    Member(Box<SimulatedMember>),
    Session(Box<SimulatedSession>),
    Command(Box<SimulatedCommand>),
}

/// What is asked.
pub(crate) struct Simulation {
    pub(crate) workspace: Arc<Workspace>,
    pub(crate) proposal: Proposal,
    pub(crate) days: u32,
    /// Until when: now.
    pub(crate) now: Timestamp,
    /// At most so many of each list are found; all are counted.
    pub(crate) room: usize,
    pub(crate) with_emails: bool,
}

/// Where findings go.
pub(crate) type Findings = mpsc::Sender<Vec<Finding>>;

/// What a page of facts comes to.
type Judged = JoinHandle<provost_store::Result<(Counts, Vec<Finding>)>>;

/// Runs it. Dropped, or with nobody who takes the findings, it ends after the page that is being looked at.
pub(crate) async fn run(app: &App, simulation: Simulation, findings: Findings) -> Result<SimulationSummary> {
    let run = Run { app, simulation, findings };
    tokio::time::timeout(PATIENCE, run.all()).await.unwrap_or_else(|_| {
        let message = "the simulation took longer than ten minutes and was ended: ask about fewer days";
        Err(Error::too_many(message, 60))
    })
}

struct Run<'a> {
    app: &'a App,
    simulation: Simulation,
    findings: Findings,
}

impl Run<'_> {
    async fn all(self) -> Result<SimulationSummary> {
        let Simulation { workspace, proposal, days, now, .. } = &self.simulation;
        let (ws, now, since) = (workspace.id, *now, *now - SignedDuration::from_hours(24 * i64::from(*days)));
        let after = proposal.apply(workspace);
        let has_versions = Versions::matter(workspace) || Versions::matter(&after);
        let mut judge = Judge {
            ws,
            sealer: self.app.store.sealer().clone(),
            before: Verdicts::new(Arc::clone(workspace), now),
            after: Verdicts::new(Arc::new(after), now),
            now,
            with_emails: self.simulation.with_emails,
            versions: Versions::default(),
        };
        // One transaction: all facts are of one moment.
        let mut tx = self.app.store.read().await?;
        if has_versions {
            judge.versions = versions(&mut tx, ws).await?;
        }
        let judge = Arc::new(judge);
        let members = self.members(&judge).await?;
        let sessions = self.sessions(&judge, &mut tx, since).await?;
        let commands = self.commands(&judge, &mut tx, since).await?;
        let latest_command_at = agent_commands::latest(&mut tx, ws).await?;
        let settings = &workspace.settings;
        let commands_are_recorded = settings.telemetry && settings.record_commands;
        Ok(SimulationSummary {
            days: *days,
            since,
            until: now,
            members_total: members.total,
            members_changed: members.changed,
            members_policy_changed: members.changed - members.aside,
            sessions_total: sessions.total,
            sessions_changed: sessions.changed,
            commands_total: commands.total,
            commands_changed: commands.changed,
            sessions_of_gone_members: sessions.aside,
            commands_of_gone_members: commands.aside,
            session_transitions: sessions.transitions(),
            command_transitions: commands.transitions(),
            commands_are_recorded,
            latest_command_at,
            notes: notes(workspace, *days, latest_command_at),
        })
    }

    async fn members(&self, judge: &Arc<Judge>) -> Result<Counts> {
        let ids: Vec<MemberId> = self.simulation.workspace.members.keys().copied().collect();
        let mut turn = Turn::new(self);
        for ids in ids.chunks(PAGE as usize) {
            let (judge, ids, room) = (Arc::clone(judge), ids.to_vec(), turn.room);
            turn.next(spawn_blocking(move || Ok(judge.members(&ids, room)))).await?;
        }
        turn.end().await
    }

    async fn sessions(&self, judge: &Arc<Judge>, tx: &mut Tx, since: Timestamp) -> Result<Counts> {
        let mut turn = Turn::new(self);
        let mut filter = Filter { limit: PAGE, ..Filter::default() };
        loop {
            let mut page = agent_sessions::list(tx, judge.ws, &filter).await?;
            let is_last = page.len() < PAGE as usize || page.last().is_none_or(|session| session.last_at < since);
            filter.before = page.last().map(place);
            page.retain(|session| session.last_at >= since);
            let (judge, room) = (Arc::clone(judge), turn.room);
            turn.next(spawn_blocking(move || Ok(judge.sessions(page, room)))).await?;
            if is_last {
                return turn.end().await;
            }
        }
    }

    async fn commands(&self, judge: &Arc<Judge>, tx: &mut Tx, since: Timestamp) -> Result<Counts> {
        let mut turn = Turn::new(self);
        let (mut at, mut thread_id, mut call_id) = (since, String::new(), String::new());
        loop {
            let page = agent_commands::sealed_since(tx, judge.ws, (at, &thread_id, &call_id), PAGE).await?;
            let is_last = page.len() < PAGE as usize;
            if let Some(last) = page.last() {
                (at, thread_id, call_id) = (last.at, last.thread_id.clone(), last.call_id.clone());
            }
            let (judge, room) = (Arc::clone(judge), turn.room);
            turn.next(spawn_blocking(move || judge.commands(&page, room))).await?;
            if is_last {
                return turn.end().await;
            }
        }
    }
}

/// Looks at one page while the next is read.
struct Turn<'a> {
    run: &'a Run<'a>,
    /// How many more may be listed. The page that is being looked at may still take from it: what is too much is cut.
    room: usize,
    counts: Counts,
    pending: Option<Judged>,
}

impl<'a> Turn<'a> {
    fn new(run: &'a Run<'a>) -> Self {
        Self { run, room: run.simulation.room, counts: Counts::default(), pending: None }
    }

    /// Takes the page before, now that this one is under way.
    async fn next(&mut self, page: Judged) -> Result<()> {
        match self.pending.replace(page) {
            Some(before) => self.take(before).await,
            None => Ok(()),
        }
    }

    async fn end(mut self) -> Result<Counts> {
        if let Some(last) = self.pending.take() {
            self.take(last).await?;
        }
        Ok(self.counts)
    }

    async fn take(&mut self, page: Judged) -> Result<()> {
        let (counts, mut found) = page.await.expect("looking at facts does not panic")?;
        self.counts.add(counts);
        found.truncate(self.room);
        self.room -= found.len();
        if found.is_empty() {
            return Ok(());
        }
        let sent = tokio::time::timeout(STALLED, self.run.findings.send(found)).await;
        let is_taken = sent.is_ok_and(|sent| sent.is_ok());
        is_taken.then_some(()).ok_or_else(not_read)
    }
}

fn not_read() -> Error {
    Error::bad_request("not_read", "nobody reads the answer any more")
}

/// The versions of clients, of every session that is kept.
async fn versions(tx: &mut Tx, ws: provost_model::WorkspaceId) -> Result<Versions> {
    let mut versions = Versions::default();
    let mut filter = Filter { limit: PAGE, ..Filter::default() };
    loop {
        let page = agent_sessions::list(tx, ws, &filter).await?;
        page.iter().for_each(|session| versions.learn(session));
        match page.last() {
            Some(last) if page.len() == PAGE as usize => filter.before = Some(place(last)),
            _ => return Ok(versions),
        }
    }
}

fn place(session: &AgentSessionRow) -> (Timestamp, String) {
    (session.last_at, session.thread_id.clone())
}

/// What the figures do not cover.
fn notes(workspace: &Workspace, days: u32, latest_command_at: Option<Timestamp>) -> Vec<String> {
    let settings = &workspace.settings;
    let mut notes = Vec::new();
    if !(settings.telemetry && settings.record_commands) {
        let setting = if settings.telemetry { "`record_commands` is" } else { "`telemetry` is" };
        notes.push(match latest_command_at {
            Some(at) => format!("No commands have been recorded since {at}: the setting {setting} off."),
            None => format!("No commands are recorded: the setting {setting} off."),
        });
    }
    if days > settings.retention_days {
        notes.push(format!("Facts are kept for {} days: what is older was not looked at.", settings.retention_days));
    }
    notes
}
