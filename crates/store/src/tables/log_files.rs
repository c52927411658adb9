//! The log files of the Compliance API: what is cut from the ledger, sealed and compressed. They are kept in the
//! database, so that every node serves them and a backup has them with the events that they are made of.

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use provost_model::compliance::LogType;
use provost_model::{LogFileId, WorkspaceId};

use crate::db::{Row, Tx};
use crate::{Error, Result, Sealer};

/// What a file is listed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFileRow {
    /// Its id.
    pub id: LogFileId,
    /// What its records are.
    pub kind: LogType,
    /// When it was cut: later than the file before, in its workspace.
    pub end_time: Timestamp,
    /// When the latest event in it happened.
    pub max_event_at: Timestamp,
    /// In bytes, not compressed.
    pub size: i64,
    /// Of the contents, not compressed.
    pub sha256: [u8; 32],
}

/// How hard to compress: logs are written once, and read seldom.
const LEVEL: i32 = 3;

/// Takes the cursor in hand, and with it the right to cut; how far the ledger is cut, and until when. Whoever comes
/// second waits until the first has committed.
pub async fn take_cursor(tx: &mut Tx, ws: WorkspaceId) -> Result<(i64, Timestamp)> {
    let sql = "INSERT INTO log_cursors (workspace_id, seq, end_time) VALUES ($1, 0, 0)
        ON CONFLICT (workspace_id) DO UPDATE SET seq = log_cursors.seq RETURNING seq, end_time";
    let row = tx.row(sql, [ws.into()]).await?;
    let row = row.ok_or_else(|| Error::Corrupt("log cursor", "it is gone".to_owned()))?;
    Ok((row.int("seq")?, row.time("end_time")?))
}

/// Moves the cursor.
pub async fn move_cursor(tx: &mut Tx, ws: WorkspaceId, seq: i64, end_time: Timestamp) -> Result<()> {
    let sql = "UPDATE log_cursors SET seq = $2, end_time = $3 WHERE workspace_id = $1";
    tx.execute(sql, [ws.into(), seq.into(), end_time.into()]).await?;
    Ok(())
}

/// Whether there is something to cut.
pub async fn is_behind(tx: &mut Tx, ws: WorkspaceId) -> Result<bool> {
    let sql = "SELECT h.seq > COALESCE(c.seq, 0) AS behind FROM ledger_heads h
        LEFT JOIN log_cursors c ON c.workspace_id = h.workspace_id WHERE h.workspace_id = $1";
    let row = tx.row(sql, [ws.into()]).await?;
    row.map_or(Ok(false), |row| row.bool("behind"))
}

/// Keeps a file.
pub async fn insert(
    tx: &mut Tx,
    ws: WorkspaceId,
    sealer: &Sealer,
    (id, kind): (LogFileId, LogType),
    (end_time, max_event_at): (Timestamp, Timestamp),
    contents: &[u8],
) -> Result<()> {
    let packed =
        zstd::bulk::compress(contents, LEVEL).map_err(|error| Error::Corrupt("log file", error.to_string()))?;
    let sealed = sealer.seal(&seal_place(ws, id), &packed);
    let sql = "INSERT INTO log_files (workspace_id, id, type, end_time, max_event_at, size, sha256, contents_sealed)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let args = [
        ws.into(),
        id.into(),
        kind.as_str().into(),
        end_time.into(),
        max_event_at.into(),
        (contents.len() as i64).into(),
        digest(&SHA256, contents).as_ref().into(),
        sealed.as_slice().into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// Which files.
#[derive(Debug, Clone)]
pub struct Filter {
    /// Of these types.
    pub kinds: Vec<LogType>,
    /// Those that end after this.
    pub after: Timestamp,
    /// Those that end before this.
    pub before: Option<Timestamp>,
    /// At most so many.
    pub limit: u32,
}

/// Files, the earliest end first.
pub async fn list(tx: &mut Tx, ws: WorkspaceId, filter: &Filter) -> Result<Vec<LogFileRow>> {
    let sql = "SELECT id, type, end_time, max_event_at, size, sha256 FROM log_files
        WHERE workspace_id = $1 AND end_time > $2 AND end_time < $3
            AND type IN ($4, $5, $6, $7, $8) ORDER BY end_time LIMIT $9";
    let before = filter.before.unwrap_or(Timestamp::MAX);
    let mut args = vec![ws.into(), filter.after.into(), before.into()];
    // As many places as there are types.
    args.extend((0..LogType::KEPT.len()).map(|at| filter.kinds.get(at).map_or("", |kind| kind.as_str()).into()));
    args.push(filter.limit.into());
    tx.rows(sql, args).await?.iter().map(read).collect()
}

/// One file, with its contents as they are kept: to be opened ([`seal_place`]), and then [unpacked](unpack).
pub async fn sealed(tx: &mut Tx, ws: WorkspaceId, id: LogFileId) -> Result<Option<(LogFileRow, Vec<u8>)>> {
    let sql = "SELECT * FROM log_files WHERE workspace_id = $1 AND id = $2";
    let row = tx.row(sql, [ws.into(), id.into()]).await?;
    row.map(|row| Ok((read(&row)?, row.bytes("contents_sealed")?))).transpose()
}

/// The contents of a file that was opened.
pub fn unpack(file: &LogFileRow, packed: &[u8]) -> Result<Vec<u8>> {
    let contents = zstd::bulk::decompress(packed, usize::try_from(file.size).unwrap_or_default());
    contents.map_err(|error| Error::Corrupt("log file", error.to_string()))
}

/// Whether there is such a file.
pub async fn exists(tx: &mut Tx, ws: WorkspaceId, id: LogFileId) -> Result<bool> {
    let sql = "SELECT 1 AS one FROM log_files WHERE workspace_id = $1 AND id = $2";
    Ok(tx.row(sql, [ws.into(), id.into()]).await?.is_some())
}

/// When the latest event of a type happened that is in a file.
pub async fn max_event_at(tx: &mut Tx, ws: WorkspaceId, kind: LogType) -> Result<Option<Timestamp>> {
    let sql = "SELECT MAX(max_event_at) AS at FROM log_files WHERE workspace_id = $1 AND type = $2";
    let row = tx.row(sql, [ws.into(), kind.as_str().into()]).await?;
    row.map_or(Ok(None), |row| row.opt_time("at"))
}

/// Forgets the files that ended before a time.
pub async fn delete_before(tx: &mut Tx, ws: WorkspaceId, before: Timestamp) -> Result<()> {
    tx.execute("DELETE FROM log_files WHERE workspace_id = $1 AND end_time < $2", [ws.into(), before.into()]).await?;
    Ok(())
}

/// What a file's contents are sealed to.
pub fn seal_place(ws: WorkspaceId, id: LogFileId) -> String {
    format!("log_file:{ws}:{id}")
}

fn read(row: &Row) -> Result<LogFileRow> {
    Ok(LogFileRow {
        id: row.parse("id")?,
        kind: row.parse("type")?,
        end_time: row.time("end_time")?,
        max_event_at: row.time("max_event_at")?,
        size: row.int("size")?,
        sha256: row.hash("sha256")?,
    })
}
