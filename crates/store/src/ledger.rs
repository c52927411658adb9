//! The ledger: every event of a workspace in one line without gaps, each chained to the one before
//! by its hash.

use aws_lc_rs::digest::{Context, SHA256};
use provost_model::WorkspaceId;
use provost_model::event::{Actor, ActorKind, Event, EventType, NewEvent};

use serde::Serialize;

use crate::db::{Row, Tx};
use crate::{Error, Result};

/// Appends events, in order, to the ledger of their workspace.
pub(crate) async fn append(tx: &mut Tx, workspace_id: WorkspaceId, events: &[NewEvent]) -> Result<()> {
    // Takes the head's row first: whoever appends next waits until this has committed.
    let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
    let head = "UPDATE ledger_heads SET seq = seq + $2 WHERE workspace_id = $1 RETURNING seq, hash";
    let head = tx.row(head, [workspace_id.into(), count.into()]).await?;
    let head = head.ok_or_else(|| Error::Corrupt("ledger", "it has no head".to_owned()))?;
    let mut seq = head.int("seq")? - count;
    let mut hash = head.hash("hash")?;
    let mut rows = Vec::with_capacity(events.len());
    for event in events {
        seq += 1;
        let line = Line::new(event);
        hash = line.hash(&hash, seq);
        rows.push(vec![
            workspace_id.into(),
            seq.into(),
            line.id.into(),
            line.kind.into(),
            line.at.into(),
            line.actor_kind.into(),
            line.actor_id.into(),
            line.actor_email.into(),
            line.target.into(),
            line.origin.into(),
            line.details.into(),
            (&hash).into(),
        ]);
    }
    let sql = "INSERT INTO events
            (workspace_id, seq, id, type, at, actor_kind, actor_id, actor_email, target, origin, details, hash)
        VALUES $rows";
    tx.insert_many(sql, rows).await?;
    let sql = "UPDATE ledger_heads SET hash = $2 WHERE workspace_id = $1";
    tx.execute(sql, [workspace_id.into(), (&hash).into()]).await?;
    Ok(())
}

/// Which events are asked for.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only this type.
    pub kind: Option<EventType>,
    /// Only by the actor with this id or address.
    pub actor: Option<String>,
    /// Only after this place.
    pub after: i64,
    /// At most so many.
    pub limit: u32,
}

/// Events of a workspace, oldest first.
pub async fn list(tx: &mut Tx, workspace_id: WorkspaceId, filter: &Filter) -> Result<Vec<Event>> {
    let sql = "SELECT * FROM events WHERE workspace_id = $1 AND seq > $2
            AND (CAST($3 AS TEXT) IS NULL OR type = $3)
            AND (CAST($4 AS TEXT) IS NULL OR actor_id = $4 OR actor_email = $4)
        ORDER BY seq LIMIT $5";
    let kind = filter.kind.map(EventType::as_str);
    let args =
        [workspace_id.into(), filter.after.into(), kind.into(), filter.actor.clone().into(), filter.limit.into()];
    tx.rows(sql, args).await?.iter().map(read).collect()
}

/// Whether an event of a type has something with this id as its target.
pub async fn has_target(tx: &mut Tx, workspace_id: WorkspaceId, kind: EventType, id: &str) -> Result<bool> {
    let sql = "SELECT seq FROM events WHERE workspace_id = $1 AND type = $2 AND target LIKE $3 LIMIT 1";
    let pattern = format!("%\"{id}\"%");
    Ok(tx.row(sql, [workspace_id.into(), kind.as_str().into(), pattern.into()]).await?.is_some())
}

/// The place of an event, given as its `seq` or its id.
pub async fn place(tx: &mut Tx, workspace_id: WorkspaceId, text: &str) -> Result<Option<i64>> {
    if let Ok(seq) = text.parse() {
        return Ok(Some(seq));
    }
    let sql = "SELECT seq FROM events WHERE workspace_id = $1 AND id = $2";
    let row = tx.row(sql, [workspace_id.into(), text.into()]).await?;
    row.map(|row| row.int("seq")).transpose()
}

/// Walks the whole ledger of a workspace and says where the chain is broken, if it is.
pub async fn verify(tx: &mut Tx, workspace_id: WorkspaceId) -> Result<Result<i64, String>> {
    let head = "SELECT seq, hash FROM ledger_heads WHERE workspace_id = $1";
    let head = tx.row(head, [workspace_id.into()]).await?;
    let head = head.ok_or_else(|| Error::Corrupt("ledger", "it has no head".to_owned()))?;
    let (mut seq, mut hash) = (0, [0; 32]);
    loop {
        let sql = "SELECT * FROM events WHERE workspace_id = $1 AND seq > $2 ORDER BY seq LIMIT 1000";
        let rows = tx.rows(sql, [workspace_id.into(), seq.into()]).await?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            let found = row.int("seq")?;
            if found != seq + 1 {
                return Ok(Err(format!("event {} is missing", seq + 1)));
            }
            hash = Line::read(row)?.hash(&hash, found);
            if hash != row.hash("hash")? {
                return Ok(Err(format!("event {found} was altered")));
            }
            seq = found;
        }
    }
    let whole = seq == head.int("seq")? && hash == head.hash("hash")?;
    Ok(if whole { Ok(seq) } else { Err(format!("events after {seq} are missing")) })
}

/// An event as its row holds it: the texts that are hashed are the texts that are stored.
struct Line {
    id: String,
    kind: String,
    at: i64,
    actor_kind: String,
    actor_id: Option<String>,
    actor_email: Option<String>,
    target: Option<String>,
    origin: String,
    details: String,
}

impl Line {
    fn new(event: &NewEvent) -> Self {
        Self {
            id: event.id.to_string(),
            kind: event.kind.as_str().to_owned(),
            at: event.at.as_microsecond(),
            actor_kind: event.actor.kind.as_str().to_owned(),
            actor_id: event.actor.id.as_deref().map(storable),
            actor_email: event.actor.email.as_deref().map(storable),
            target: event.target.as_ref().map(to_json),
            origin: to_json(&event.origin),
            details: event.details.to_string(),
        }
    }

    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.text("id")?,
            kind: row.text("type")?,
            at: row.int("at")?,
            actor_kind: row.text("actor_kind")?,
            actor_id: row.opt_text("actor_id")?,
            actor_email: row.opt_text("actor_email")?,
            target: row.opt_text("target")?,
            origin: row.text("origin")?,
            details: row.text("details")?,
        })
    }

    /// SHA-256 over the hash before, the place, and each column behind its length, so that no two
    /// different lines read the same.
    fn hash(&self, previous: &[u8; 32], seq: i64) -> [u8; 32] {
        let mut context = Context::new(&SHA256);
        context.update(previous);
        context.update(&seq.to_be_bytes());
        context.update(&self.at.to_be_bytes());
        let columns = [
            Some(&self.id),
            Some(&self.kind),
            Some(&self.actor_kind),
            self.actor_id.as_ref(),
            self.actor_email.as_ref(),
            self.target.as_ref(),
            Some(&self.origin),
            Some(&self.details),
        ];
        for column in columns {
            // NULL is not the empty text.
            let length = column.map_or(u64::MAX, |text| text.len() as u64);
            context.update(&length.to_be_bytes());
            context.update(column.map_or(&[], |text| text.as_bytes()));
        }
        context.finish().as_ref().try_into().expect("SHA-256 is 32 bytes")
    }
}

/// PostgreSQL's text holds no NUL, and what a stranger gives as their address must not keep the
/// attempt out of the ledger. (In JSON it is escaped.)
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data turns into JSON")
}

pub(crate) fn read(row: &Row) -> Result<Event> {
    let kind = match row.text("actor_kind")?.as_str() {
        "member" => ActorKind::Member,
        "api_key" => ActorKind::ApiKey,
        "device" => ActorKind::Device,
        "anonymous" => ActorKind::Anonymous,
        _ => ActorKind::System,
    };
    let target = row.opt_text("target")?.map(|text| serde_json::from_str(&text)).transpose();
    Ok(Event {
        id: row.parse("id")?,
        seq: row.int("seq")?,
        kind: row.parse("type")?,
        at: row.time("at")?,
        actor: Actor { kind, id: row.opt_text("actor_id")?, email: row.opt_text("actor_email")? },
        target: target.map_err(|error| Error::Corrupt("event", error.to_string()))?,
        origin: row.json("origin")?,
        details: row.json("details")?,
        hash: provost_model::hex(&row.bytes("hash")?),
    })
}
