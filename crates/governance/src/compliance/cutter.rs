//! Cuts the ledger into log files.
//!
//! Events stand in one line, without gaps, in the order in which they were committed; a cursor says how far they are cut.
//! Who cuts holds the cursor's row, writes the files and moves the cursor in one transaction: a crash leaves either
//! both or neither, so that no event is missing from the files, and none is in two.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use provost_model::compliance::{LogType, record};
use provost_model::{LogFileId, WorkspaceId};
use provost_store::ledger::{self, Filter};
use provost_store::tables::log_files;
use provost_store::{Result, Store};

/// The most bytes of a file, as documented: 15 MB.
const MAX_BYTES: usize = 15_000_000;
/// How many events are read at a time.
const BATCH: u32 = 1_000;
/// How many events one cut takes at most: what it writes is held in memory until it commits.
const MOST_EVENTS: usize = 20_000;

/// Cuts the ledgers of all workspaces every so often, for as long as the node runs. Every node does; one at a time cuts.
pub async fn cut_log_files(store: Store, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        if let Err(error) = cut_now(&store).await {
            // What is not cut now is cut later, the same.
            tracing::warn!(%error, "log files cannot be cut");
        }
    }
}

/// Cuts what there is.
pub async fn cut_now(store: &Store) -> Result<()> {
    for ws in store.world().workspaces.keys() {
        while cut(store, *ws).await? {}
    }
    Ok(())
}

/// A file in the making.
#[derive(Default)]
struct Pending {
    lines: Vec<u8>,
    max_event_at: Option<Timestamp>,
}

/// One cut of a workspace; whether there may be more.
async fn cut(store: &Store, ws: WorkspaceId) -> Result<bool> {
    if !log_files::is_behind(&mut store.read().await?, ws).await? {
        return Ok(false);
    }
    let mut tx = store.write().await?;
    let (mut seq, last_end) = log_files::take_cursor(&mut tx, ws).await?;
    let mut files: BTreeMap<LogType, Pending> = BTreeMap::new();
    let (mut taken, mut is_full, mut is_last) = (0, false, false);
    while !is_full && !is_last && taken < MOST_EVENTS {
        let events = ledger::list(&mut tx, ws, &Filter { after: seq, limit: BATCH, ..Filter::default() }).await?;
        is_last = events.len() < BATCH as usize;
        for event in events {
            let lines: Vec<_> = record(ws, &event).into_iter().map(|record| (record.log, line(&record.json))).collect();
            is_full = lines
                .iter()
                .any(|(log, line)| files.get(log).is_some_and(|file| file.lines.len() + line.len() > MAX_BYTES));
            if is_full {
                break;
            }
            for (log, line) in lines {
                let file = files.entry(log).or_default();
                file.lines.extend(line);
                file.max_event_at = file.max_event_at.max(Some(event.at));
            }
            seq = event.seq;
            taken += 1;
        }
    }
    // Each file ends later than the one before it, whatever the clock says: readers go on from the end of the last.
    // (What is kept of a time is microseconds.)
    let now = store.clock().now();
    let mut end = now.max(last_end + SignedDuration::from_micros(1));
    for (log, file) in files {
        let times = (end, file.max_event_at.unwrap_or(end));
        log_files::insert(&mut tx, ws, store.sealer(), (LogFileId::new(now), log), times, &file.lines).await?;
        end += SignedDuration::from_micros(1);
    }
    log_files::move_cursor(&mut tx, ws, seq, end).await?;
    tx.commit().await?;
    Ok(!is_last)
}

fn line(record: &serde_json::Value) -> Vec<u8> {
    let mut line = serde_json::to_vec(record).expect("a record turns into JSON");
    line.push(b'\n');
    line
}
