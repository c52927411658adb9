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

fn read(row: &Row, ws: WorkspaceId, sealer: &Sealer) -> Result<AgentCommandRow> {
    let (thread_id, call_id) = (row.text("thread_id")?, row.text("call_id")?);
    let argv = sealer.open(&seal_place(ws, &thread_id, &call_id), &row.bytes("argv_sealed")?)?;
    Ok(AgentCommandRow {
        argv: serde_json::from_slice(&argv).map_err(|error| Error::Corrupt("JSON", error.to_string()))?,
        thread_id,
        call_id,
        member_id: row.parse("member_id")?,
        at: row.time("at")?,
        outcome: row.text("outcome")?,
    })
}
