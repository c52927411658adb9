//! The data keys of a database: begun, read, and read again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::master_key::first_mark;
use super::ring::{HeldKey, Ring};
use super::{MasterKeys, Sealer, columns, random, wrong};
use crate::db::Db;
use crate::tables::data_keys::{self, DataKeyId, DataKeyRow, Purpose};
use crate::{Error, MasterKey, Result};

/// How long a node waits after it has seen a new key until it seals with it: by then every other node has
/// seen it too, and opens what it sealed.
const PACE: Duration = Duration::from_millis(500);

impl Sealer {
    /// With the data keys of a database; the first ones are made if it has none.
    pub(crate) async fn open_in(db: &Db, masters: MasterKeys, now: Timestamp) -> Result<Self> {
        let (masters, rows) = read_or_begin(db, masters, now).await?;
        Self::of_rows(masters, rows).await
    }

    /// With these data keys.
    pub(crate) async fn of_rows(masters: MasterKeys, rows: Vec<DataKeyRow>) -> Result<Self> {
        let ring = build(rows, None, &masters).await?;
        Ok(Self::of(masters, ring))
    }

    /// As before there were data keys: everything is sealed under this key.
    pub(crate) fn of_first(masters: MasterKeys, first: &[u8; 32]) -> Result<Self> {
        let mut keys = Ring::ephemeral().keys;
        let like = |purpose, secret| {
            let row = DataKeyRow { purpose, id: DataKeyId::random(), ..keys[0].row.clone() };
            HeldKey::new(row, secret, Instant::now())
        };
        let (first, mark) = (like(Purpose::First, *first), like(Purpose::Mark, first_mark(first)));
        keys.retain(|key| key.row.purpose == Purpose::Seal);
        keys.extend([first, mark]);
        Ok(Self::of(masters, Ring::new(0, keys)?))
    }

    /// The data keys as they are kept: wrapped.
    pub(crate) fn rows(&self) -> Vec<DataKeyRow> {
        self.ring().keys.iter().map(|key| key.row.clone()).collect()
    }

    /// The master keys.
    pub(crate) fn masters(&self) -> &MasterKeys {
        &self.0.masters
    }

    /// The data key itself.
    pub(super) fn secret(&self, id: DataKeyId) -> Option<[u8; 32]> {
        self.ring().keys.iter().find(|key| key.row.id == id).map(|key| key.secret)
    }

    /// Reads the data keys again if they changed; whether they did.
    pub(crate) async fn reload(&self, db: &Db) -> Result<bool> {
        let _turn = self.0.reading.lock().await;
        let mut tx = db.read().await?;
        if data_keys::version(&mut tx).await? == Some(self.ring().version) {
            return Ok(false);
        }
        let rows = data_keys::list(&mut tx).await?;
        drop(tx);
        self.take(rows).await
    }

    /// Goes over to the data keys of a database that is there at last; they may be an older backup's.
    pub(crate) async fn go_over(&self, db: &Db, now: Timestamp) -> Result<bool> {
        let _turn = self.0.reading.lock().await;
        let (_, rows) = read_or_begin(db, self.0.masters.clone(), now).await?;
        self.take(rows).await
    }

    async fn take(&self, rows: Vec<DataKeyRow>) -> Result<bool> {
        let before = self.0.ring.load_full();
        self.0.ring.store(Arc::new(build(rows, Some(&before), &self.0.masters).await?));
        Ok(true)
    }
}

/// Unwraps what is not in memory already.
async fn build(rows: Vec<DataKeyRow>, before: Option<&Ring>, masters: &MasterKeys) -> Result<Ring> {
    let version = rows.iter().map(|row| row.version).max().unwrap_or_default();
    let mut keys = Vec::new();
    for row in rows.into_iter().filter(|row| row.retired_at.is_none()) {
        let held = before.and_then(|before| before.keys.iter().find(|key| key.row.id == row.id));
        keys.push(match held {
            Some(held) if held.row.wrapped == row.wrapped => held.clone(),
            // Wrapped anew by a master key that comes after ours: the data key is still the same one.
            Some(held) if !masters.hold(&row.master_key) => {
                let error = masters.lack(&row.master_key);
                tracing::warn!(key = %row.id, %error, "going on with the data key in memory until the next start");
                held.clone()
            }
            Some(held) if masters.unwrap(&row).await? != held.secret => {
                return Err(wrong(format!("the data key {} became another one: it was altered", row.id)));
            }
            Some(held) => HeldKey::new(row, held.secret, held.seals_from),
            None => {
                let secret = masters.unwrap(&row).await?;
                let pace = if before.is_some() { PACE } else { Duration::ZERO };
                HeldKey::new(row, secret, Instant::now() + pace)
            }
        });
    }
    Ring::new(version, keys)
}

async fn read_or_begin(db: &Db, masters: MasterKeys, now: Timestamp) -> Result<(MasterKeys, Vec<DataKeyRow>)> {
    let mut tx = db.read().await?;
    let rows = data_keys::list(&mut tx).await?;
    if !rows.is_empty() {
        return Ok((settled(masters)?, rows));
    }
    let samples = columns::samples(&mut tx).await?;
    drop(tx);
    let new = first_keys(&masters, &samples, now).await?;

    let mut tx = db.write().await?;
    data_keys::lock(&mut tx).await?;
    let rows = data_keys::list(&mut tx).await?;
    if !rows.is_empty() {
        // Another node was faster.
        return Ok((settled(masters)?, rows));
    }
    masters.current.save()?;
    for row in &new {
        data_keys::insert(&mut tx, row).await?;
    }
    tx.commit().await?;
    Ok((masters, new))
}

/// With the master key that another process has just written to its file.
fn settled(masters: MasterKeys) -> Result<MasterKeys> {
    Ok(MasterKeys { current: masters.current.settled()?, ..masters })
}

/// The first data keys. Where values are there already, one of them is what they are sealed under.
async fn first_keys(masters: &MasterKeys, samples: &[columns::Sealed], now: Timestamp) -> Result<Vec<DataKeyRow>> {
    let first = match samples {
        [] => None,
        samples => Some(find_first(masters, samples)?),
    };
    let mark = first.map_or_else(random, |first| first_mark(&first));
    let secrets = first.map(|first| (Purpose::First, first)).into_iter();
    let secrets = secrets.chain([(Purpose::Mark, mark), (Purpose::Seal, random())]);
    let mut rows = Vec::new();
    for ((purpose, secret), generation) in secrets.zip(1..) {
        let row = new_row(&masters.current, purpose, &secret, now).await?;
        rows.push(DataKeyRow { generation, version: 1, ..row });
    }
    Ok(rows)
}

/// The master key under which values were sealed before there were data keys.
fn find_first(masters: &MasterKeys, samples: &[columns::Sealed]) -> Result<[u8; 32]> {
    for secret in masters.iter().filter_map(MasterKey::secret) {
        let sealer = Sealer::of_first(masters.clone(), secret)?;
        if samples.iter().any(|sample| sample.open(&sealer).is_ok()) {
            return Ok(*secret);
        }
    }
    Err(wrong(
        "what is sealed in this database does not open with the master key: give it the master key that was there \
         before ([keys] in the configuration, or PROVOST_MASTER_KEY), or beside its successor as the previous one \
         (PROVOST_PREVIOUS_MASTER_KEY)",
    ))
}

/// The row of a new data key; its place among the others is the caller's to say.
pub(super) async fn new_row(
    master: &MasterKey,
    purpose: Purpose,
    secret: &[u8; 32],
    now: Timestamp,
) -> Result<DataKeyRow> {
    let mut row = DataKeyRow {
        id: DataKeyId::random(),
        purpose,
        generation: 0,
        wrapped: Vec::new(),
        master_key: master.name().to_owned(),
        version: 0,
        created_at: now,
        retired_at: None,
    };
    row.wrapped = master.wrap(&row, secret).await?;
    Ok(row)
}

impl crate::Store {
    /// Opens a sealed value of the database, also when it is sealed under a data key that another node has
    /// just made.
    pub async fn unseal(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>> {
        match self.sealer().open(place, sealed) {
            Err(Error::UnknownDataKey(_)) => {
                self.inner.sealer.reload(&self.inner.db).await?;
                self.sealer().open(place, sealed)
            }
            opened => opened,
        }
    }
}
