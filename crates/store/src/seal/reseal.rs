//! Moves what is sealed under old data keys to the newest one, a few values at a time, while everything
//! runs. What is done stays done: interrupted, it goes on from there when it is begun again.

use std::time::Duration;

use provost_model::event::{Actor, EventType, Origin};
use serde_json::json;

use super::columns::{SEALED, Sealed, SealedColumn};
use super::ring::prefix;
use super::rotation::{lock_changes, tell_all};
use crate::{Result, Store};

/// How many values are written in one transaction.
const BATCH: u32 = 100;
/// Between two of them, for those who wait to write.
const PAUSE: Duration = Duration::from_millis(5);
/// How often it looks whether a key that was made just now seals.
const LOOK: Duration = Duration::from_millis(50);

/// What was sealed anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resealed {
    /// So many values.
    pub values: u64,
    /// So many do not open under any key, and are as they were.
    pub unopened: u64,
}

impl Store {
    /// Seals everything anew that is not sealed under the newest data key.
    pub async fn reseal(&self, actor: &Actor, origin: &Origin) -> Result<Resealed> {
        self.sealer().reload(&self.inner.db).await?;
        // Only what every node opens is sealed.
        while !self.sealer().ring().is_settled() {
            tokio::time::sleep(LOOK).await;
        }
        let mut done = Resealed::default();
        for column in SEALED {
            let of_column = self.reseal_column(column).await?;
            done.values += of_column.values;
            done.unopened += of_column.unopened;
        }
        if done.values > 0 {
            let (mut tx, now, key) = (self.write().await?, self.clock().now(), self.sealer().current());
            let details = json!({ "values": done.values, "unopened": done.unopened });
            tell_all(&mut tx, EventType::EncryptionKeyResealed, Some(key), details, actor, origin, now).await?;
            tx.commit().await?;
        }
        Ok(done)
    }

    async fn reseal_column(&self, column: &'static SealedColumn) -> Result<Resealed> {
        let (mut done, mut after) = (Resealed::default(), Vec::new());
        let prefix = prefix(self.sealer().current());
        loop {
            let mut tx = self.read().await?;
            let found = column.others(&mut tx, &prefix, &after, BATCH).await?;
            drop(tx);
            let Some(last) = found.last() else { return Ok(done) };
            after.clone_from(&last.key);
            let fresh: Vec<(Sealed, Vec<u8>)> = found
                .into_iter()
                .filter_map(|sealed| match sealed.open(self.sealer()) {
                    Ok((place, plain)) => {
                        let fresh = self.sealer().seal(place, &plain);
                        Some((sealed, fresh))
                    }
                    Err(error) => {
                        let SealedColumn { table, column, .. } = column;
                        tracing::warn!(table, column, %error, "a sealed value stays as it is");
                        done.unopened += 1;
                        None
                    }
                })
                .collect();
            let mut tx = self.write().await?;
            if column.is_written_back {
                lock_changes(&mut tx).await?;
            }
            for (sealed, fresh) in fresh {
                done.values += u64::from(sealed.replace(&mut tx, fresh).await?);
            }
            tx.commit().await?;
            tokio::time::sleep(PAUSE).await;
        }
    }
}
