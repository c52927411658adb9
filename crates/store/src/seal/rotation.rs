//! Changes of the data keys. Each is one commit that every node follows, and is recorded in the ledger of
//! every workspace, since the keys are everybody's.

use jiff::{SignedDuration, Timestamp};
use provost_model::event::{Actor, EventType, NewEvent, Origin, Target};
use provost_model::{EventId, WorkspaceId};
use serde_json::{Value, json};

use super::keyring::new_row;
use super::ring::{FIRST, prefix};
use super::{MasterKey, columns, random};
use crate::db::Tx;
use crate::tables::data_keys::{self, DataKeyId, DataKeyRow, Purpose};
use crate::{Error, Result, Store, ledger};

/// So many data keys at once are more than anybody needs.
const MOST: usize = 100;
/// How long ago a key must have got its successor to be retired: whatever is sealed under it by then has
/// been written.
const SETTLES_IN: SignedDuration = SignedDuration::from_mins(1);

/// A data key, and what still needs it.
#[derive(Debug, Clone)]
pub struct DataKeyUse {
    /// The key.
    pub row: DataKeyRow,
    /// Whether it seals what is sealed now.
    pub is_current: bool,
    /// How many values in the database are sealed under it; none where values are not what it is for, or were
    /// not counted.
    pub values: Option<i64>,
}

impl DataKeyUse {
    /// What it does: `seals` what is sealed now, `opens` what was sealed before, `marks`, or `retired`.
    pub fn state(&self) -> &'static str {
        match (self.row.retired_at, self.is_current, self.row.purpose) {
            (Some(_), ..) => "retired",
            (None, true, _) => "seals",
            (None, false, Purpose::Mark) => "marks",
            (None, false, Purpose::Seal | Purpose::First) => "opens",
        }
    }
}

impl Store {
    /// All data keys, by age. Counting values reads every one of them.
    pub async fn data_keys(&self, count: bool) -> Result<Vec<DataKeyUse>> {
        let mut tx = self.read().await?;
        let rows = data_keys::list(&mut tx).await?;
        let counts = match count {
            true => Some(columns::counts(&mut tx, |_| true).await?),
            false => None,
        };
        let current = newest(&rows).map(|row| row.id);
        let uses = rows.into_iter().map(|row| {
            let count = |prefix: &[u8]| counts.as_ref().map(|counts| counts.get(prefix).copied().unwrap_or_default());
            let values = match row.purpose {
                Purpose::Seal => count(&prefix(row.id)),
                Purpose::First => count(&[FIRST]),
                Purpose::Mark => None,
            };
            DataKeyUse { is_current: Some(row.id) == current, row, values }
        });
        Ok(uses.collect())
    }

    /// Makes a new data key, which seals on every node within a second. What is sealed stays as it is.
    pub async fn rotate_data_key(&self, actor: &Actor, origin: &Origin) -> Result<DataKeyRow> {
        let (master, now) = (&self.sealer().masters().current, self.clock().now());
        // Before anything is locked: a KMS takes its time.
        let row = new_row(master, Purpose::Seal, &random(), now).await?;
        let mut tx = self.write().await?;
        data_keys::lock(&mut tx).await?;
        let live = live(&mut tx).await?;
        if live.len() >= MOST {
            return Err(Error::Refused(format!("there are {MOST} data keys already: reseal, and retire old ones")));
        }
        if let Some(other) = live.iter().find(|row| row.master_key != master.name()) {
            let message = format!(
                "the data keys are wrapped by the master key {}, the current one is {}: rewrap them first",
                other.master_key,
                master.name()
            );
            return Err(Error::Refused(message));
        }
        let row = DataKeyRow {
            generation: live.iter().map(|row| row.generation).max().unwrap_or_default() + 1,
            version: next_version(&mut tx).await?,
            ..row
        };
        data_keys::insert(&mut tx, &row).await?;
        let details = json!({ "master_key": row.master_key });
        tell_all(&mut tx, EventType::EncryptionKeyRotated, Some(row.id), details, actor, origin, now).await?;
        tx.commit().await?;
        self.reload_keys().await;
        Ok(row)
    }

    /// Wraps every data key with this master key, all or none; how many those were. The one that wrapped them
    /// before is needed no more, by any node that has the new one.
    pub async fn rewrap_data_keys(&self, master: &MasterKey, actor: &Actor, origin: &Origin) -> Result<usize> {
        self.sealer().reload(&self.inner.db).await?;
        let mut tx = self.read().await?;
        let rows = live(&mut tx).await?;
        drop(tx);
        let seen = rows.iter().map(|row| row.version).max();
        let mut wrapped = Vec::new();
        for row in rows {
            let secret = self.sealer().secret(row.id).ok_or(Error::UnknownDataKey(row.id))?;
            let fresh = master.wrap(&row, &secret).await?;
            wrapped.push(DataKeyRow { wrapped: fresh, master_key: master.name().to_owned(), ..row });
        }
        let now = self.clock().now();
        let mut tx = self.write().await?;
        data_keys::lock(&mut tx).await?;
        if live(&mut tx).await?.iter().map(|row| row.version).max() != seen {
            return Err(Error::Refused("the data keys changed meanwhile: do it again".to_owned()));
        }
        let version = next_version(&mut tx).await?;
        master.save()?;
        for row in &wrapped {
            data_keys::set_wrapped(&mut tx, &DataKeyRow { version, ..row.clone() }).await?;
        }
        let details = json!({ "master_key": master.name(), "data_keys": wrapped.len() });
        tell_all(&mut tx, EventType::EncryptionKeyRewrapped, None, details, actor, origin, now).await?;
        tx.commit().await?;
        self.reload_keys().await;
        Ok(wrapped.len())
    }

    /// Retires a data key: it opens nothing from now on, on any node. Refused while anything in the database is
    /// sealed under it. It stays in the table, since a node that hung all the while may yet write what it had
    /// sealed: [`Self::restore_data_key`].
    pub async fn retire_data_key(&self, id: DataKeyId, actor: &Actor, origin: &Origin) -> Result<()> {
        let refused = |why: String| Err(Error::Refused(format!("the data key {id} {why}")));
        let now = self.clock().now();
        // Most of the work before anything is locked.
        let mut tx = self.read().await?;
        let counts = columns::counts(&mut tx, |_| true).await?;
        drop(tx);
        let mut tx = self.write().await?;
        data_keys::lock(&mut tx).await?;
        // Whoever read a value that is sealed under it, to write it back, has done so.
        lock_changes(&mut tx).await?;
        let rows = live(&mut tx).await?;
        let Some(row) = rows.iter().find(|row| row.id == id) else {
            return refused("is not there, or retired already".to_owned());
        };
        if row.purpose == Purpose::Mark {
            return refused("makes marks: it stays, so that what is marked stays good".to_owned());
        }
        let Some(newest) = newest(&rows).filter(|newest| newest.id != id) else {
            return refused("is the one that seals: rotate first".to_owned());
        };
        if row.purpose == Purpose::Seal && now.duration_since(newest.created_at) < SETTLES_IN {
            return refused("has only just got a successor: wait a minute".to_owned());
        }
        let again = columns::counts(&mut tx, |column| column.is_written_back).await?;
        let prefix = if row.purpose == Purpose::First { vec![FIRST] } else { prefix(id).to_vec() };
        let values = [&counts, &again].map(|counts| counts.get(&prefix).copied().unwrap_or_default());
        if let Some(values) = values.into_iter().max().filter(|values| *values > 0) {
            return refused(format!("still opens {values} values: reseal first"));
        }
        let version = next_version(&mut tx).await?;
        data_keys::set_retired(&mut tx, id, Some(now), version).await?;
        tell_all(&mut tx, EventType::EncryptionKeyRetired, Some(id), json!({}), actor, origin, now).await?;
        tx.commit().await?;
        self.reload_keys().await;
        Ok(())
    }

    /// Takes back that a data key is retired: it opens again.
    pub async fn restore_data_key(&self, id: DataKeyId, actor: &Actor, origin: &Origin) -> Result<()> {
        let now = self.clock().now();
        let mut tx = self.write().await?;
        data_keys::lock(&mut tx).await?;
        let rows = data_keys::list(&mut tx).await?;
        let Some(row) = rows.iter().find(|row| row.id == id && row.retired_at.is_some()) else {
            return Err(Error::Refused(format!("there is no retired data key {id}")));
        };
        if !self.sealer().masters().hold(&row.master_key) {
            return Err(self.sealer().masters().lack(&row.master_key));
        }
        let version = next_version(&mut tx).await?;
        data_keys::set_retired(&mut tx, id, None, version).await?;
        tell_all(&mut tx, EventType::EncryptionKeyRestored, Some(id), json!({}), actor, origin, now).await?;
        tx.commit().await?;
        self.reload_keys().await;
        Ok(())
    }

    /// Here at once; elsewhere by [`super::follow`].
    async fn reload_keys(&self) {
        match self.sealer().reload(&self.inner.db).await {
            Ok(_) => self.inner.note_keys(),
            // It is committed: an error would say that it is not. The follower tries again.
            Err(error) => tracing::error!(%error, "the data keys changed but cannot be read back yet"),
        }
    }
}

async fn live(tx: &mut Tx) -> Result<Vec<DataKeyRow>> {
    Ok(data_keys::list(tx).await?.into_iter().filter(|row| row.retired_at.is_none()).collect())
}

fn newest(rows: &[DataKeyRow]) -> Option<&DataKeyRow> {
    rows.iter().rfind(|row| row.purpose == Purpose::Seal && row.retired_at.is_none())
}

async fn next_version(tx: &mut Tx) -> Result<i64> {
    Ok(data_keys::version(tx).await?.unwrap_or_default() + 1)
}

/// Waits for every change of a workspace that is under way, and holds up the next ones.
pub(super) async fn lock_changes(tx: &mut Tx) -> Result<()> {
    tx.execute("UPDATE workspaces SET version = version", []).await?;
    Ok(())
}

/// Records it in every workspace.
pub(super) async fn tell_all(
    tx: &mut Tx,
    kind: EventType,
    key: Option<DataKeyId>,
    details: Value,
    actor: &Actor,
    origin: &Origin,
    at: Timestamp,
) -> Result<()> {
    // In one order, so that two of these never wait for each other.
    for row in tx.rows("SELECT id FROM workspaces ORDER BY id", []).await? {
        let workspace_id: WorkspaceId = row.parse("id")?;
        let event = NewEvent {
            workspace_id,
            id: EventId::new(at),
            kind,
            at,
            actor: actor.clone(),
            target: key.map(|id| Target { kind: "encryption_key".to_owned(), id: id.to_string(), name: None }),
            origin: origin.clone(),
            details: details.clone(),
        };
        ledger::append(tx, workspace_id, &[event]).await?;
    }
    Ok(())
}
