//! Commands that the agent ran or wanted to run, as clients reported them. Their words are sealed.

use jiff::Timestamp;
use provost_model::{MemberId, WorkspaceId};

use crate::db::{Row, Tx};
use crate::{Error, Result, Sealer};

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentCommandRow {
    /// The client's id of the thread.
    pub thread_id: String,
    /// The model's id of the call.
    pub call_id: String,
    /// Whose session it was.
    pub member_id: MemberId,
    /// When.
    pub at: Timestamp,
    /// Its words.
    pub argv: Vec<String>,
    /// What became of it: `ran`, `failed`, `denied`.
    pub outcome: String,
}

/// Adds commands; those that are there stay as they are.
pub async fn insert(tx: &mut Tx, ws: WorkspaceId, sealer: &Sealer, commands: &[AgentCommandRow]) -> Result<()> {
    let sql = "INSERT INTO agent_commands (workspace_id, thread_id, call_id, member_id, at, argv_sealed, outcome)
        VALUES $rows ON CONFLICT (workspace_id, thread_id, call_id) DO NOTHING";
    let rows = commands.iter().map(|command| {
        let argv = serde_json::to_vec(&command.argv).expect("texts turn into JSON");
        let sealed = sealer.seal(&seal_place(ws, &command.thread_id, &command.call_id), &argv);
        vec![
            ws.into(),
            command.thread_id.as_str().into(),
            command.call_id.as_str().into(),
            command.member_id.into(),
            command.at.into(),
            sealed.as_slice().into(),
            command.outcome.as_str().into(),
        ]
    });
    tx.insert_many(sql, rows.collect()).await
}

/// Commands since a time, oldest first, after a place: the time and the ids of the last one seen.
pub async fn list_since(
    tx: &mut Tx,
    ws: WorkspaceId,
    sealer: &Sealer,
    (at, thread_id, call_id): (Timestamp, &str, &str),
    limit: u32,
) -> Result<Vec<AgentCommandRow>> {
    let sql = "SELECT * FROM agent_commands WHERE workspace_id = $1 AND at >= $2
            AND (at > $2 OR thread_id > $3 OR (thread_id = $3 AND call_id > $4))
        ORDER BY at, thread_id, call_id LIMIT $5";
    let args = [ws.into(), at.into(), thread_id.into(), call_id.into(), limit.into()];
    tx.rows(sql, args).await?.iter().map(|row| read(row, ws, sealer)).collect()
}

/// A command whose words are still sealed.
#[derive(Debug, Clone)]
pub struct SealedCommandRow {
    /// The client's id of the thread.
    pub thread_id: String,
    /// The model's id of the call.
    pub call_id: String,
    /// Whose session it was.
    pub member_id: MemberId,
    /// When.
    pub at: Timestamp,
    /// What became of it: `ran`, `failed`, `denied`.
    pub outcome: String,
    argv_sealed: Vec<u8>,
}

impl SealedCommandRow {
    /// Its words.
    ///
    /// # Errors
    /// If it was sealed elsewhere, or is not what was sealed.
    pub fn argv(&self, ws: WorkspaceId, sealer: &Sealer) -> Result<Vec<String>> {
        open(ws, sealer, (&self.thread_id, &self.call_id), &self.argv_sealed)
    }
}

/// As [`list_since`], without opening anything: for who asks about very many, and elsewhere than here.
pub async fn sealed_since(
    tx: &mut Tx,
    ws: WorkspaceId,
    (at, thread_id, call_id): (Timestamp, &str, &str),
    limit: u32,
) -> Result<Vec<SealedCommandRow>> {
    let sql = "SELECT thread_id, call_id, member_id, at, outcome, argv_sealed FROM agent_commands
        WHERE workspace_id = $1 AND at >= $2 AND (at > $2 OR thread_id > $3 OR (thread_id = $3 AND call_id > $4))
        ORDER BY at, thread_id, call_id LIMIT $5";
    let args = [ws.into(), at.into(), thread_id.into(), call_id.into(), limit.into()];
    let read = |row: &Row| {
        Ok(SealedCommandRow {
            thread_id: row.text("thread_id")?,
            call_id: row.text("call_id")?,
            member_id: row.parse("member_id")?,
            at: row.time("at")?,
            outcome: row.text("outcome")?,
            argv_sealed: row.bytes("argv_sealed")?,
        })
    };
    tx.rows(sql, args).await?.iter().map(read).collect()
}

/// When the latest command was that is kept.
pub async fn latest(tx: &mut Tx, ws: WorkspaceId) -> Result<Option<Timestamp>> {
    let sql = "SELECT at FROM agent_commands WHERE workspace_id = $1 ORDER BY at DESC LIMIT 1";
    tx.row(sql, [ws.into()]).await?.map(|row| row.time("at")).transpose()
}

/// Forgets those from before a time.
pub async fn delete_before(tx: &mut Tx, ws: WorkspaceId, before: Timestamp) -> Result<()> {
    let sql = "DELETE FROM agent_commands WHERE workspace_id = $1 AND at < $2";
    tx.execute(sql, [ws.into(), before.into()]).await?;
    Ok(())
}

/// What a command's words are sealed to.
pub(crate) fn seal_place(ws: WorkspaceId, thread_id: &str, call_id: &str) -> String {
    format!("agent_command:{ws}:{thread_id}:{call_id}")
}

fn open(ws: WorkspaceId, sealer: &Sealer, (thread, call): (&str, &str), sealed: &[u8]) -> Result<Vec<String>> {
    let argv = sealer.open(&seal_place(ws, thread, call), sealed)?;
    serde_json::from_slice(&argv).map_err(|error| Error::Corrupt("JSON", error.to_string()))
}

fn read(row: &Row, ws: WorkspaceId, sealer: &Sealer) -> Result<AgentCommandRow> {
    let (thread_id, call_id) = (row.text("thread_id")?, row.text("call_id")?);
    Ok(AgentCommandRow {
        argv: open(ws, sealer, (&thread_id, &call_id), &row.bytes("argv_sealed")?)?,
        thread_id,
        call_id,
        member_id: row.parse("member_id")?,
        at: row.time("at")?,
        outcome: row.text("outcome")?,
    })
}
