//! Model providers.

use jiff::Timestamp;
use provost_model::{Model, Upstream, UpstreamId, WorkspaceId, name_key};

use super::Page;
use crate::db::{Row, Tx};
use crate::{Error, Result, Sealer};

/// An upstream as admins see it: without its key.
#[derive(Debug, Clone)]
pub struct UpstreamRow {
    /// Its id.
    pub id: UpstreamId,
    /// Its name.
    pub name: String,
    /// Where it is.
    pub base_url: String,
    /// Its key, sealed to [`seal_place`]; none for providers without one.
    pub api_key_sealed: Option<Vec<u8>>,
    /// What it serves.
    pub models: Vec<Model>,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What an upstream's key is sealed to.
pub fn seal_place(id: UpstreamId) -> String {
    format!("upstream:{id}")
}

/// Adds an upstream.
pub async fn insert(tx: &mut Tx, ws: WorkspaceId, upstream: &UpstreamRow) -> Result<()> {
    let sql = "INSERT INTO upstreams
            (id, workspace_id, name, name_key, base_url, api_key_sealed, models, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)";
    let args = [
        upstream.id.into(),
        ws.into(),
        upstream.name.as_str().into(),
        name_key(&upstream.name).into(),
        upstream.base_url.as_str().into(),
        upstream.api_key_sealed.clone().into(),
        to_json(&upstream.models).into(),
        upstream.created_at.into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// Replaces an upstream's fields.
pub async fn update(tx: &mut Tx, ws: WorkspaceId, upstream: &UpstreamRow) -> Result<()> {
    let sql = "UPDATE upstreams
        SET name = $3, name_key = $4, base_url = $5, api_key_sealed = $6, models = $7, updated_at = $8
        WHERE workspace_id = $1 AND id = $2";
    let args = [
        ws.into(),
        upstream.id.into(),
        upstream.name.as_str().into(),
        name_key(&upstream.name).into(),
        upstream.base_url.as_str().into(),
        upstream.api_key_sealed.clone().into(),
        to_json(&upstream.models).into(),
        upstream.updated_at.into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// Removes an upstream.
pub async fn delete(tx: &mut Tx, ws: WorkspaceId, id: UpstreamId) -> Result<()> {
    tx.execute("DELETE FROM upstreams WHERE workspace_id = $1 AND id = $2", [ws.into(), id.into()]).await?;
    Ok(())
}

/// One upstream.
pub async fn get(tx: &mut Tx, ws: WorkspaceId, id: UpstreamId) -> Result<Option<UpstreamRow>> {
    let sql = "SELECT * FROM upstreams WHERE workspace_id = $1 AND id = $2";
    tx.row(sql, [ws.into(), id.into()]).await?.map(|row| read(&row)).transpose()
}

/// A page of the upstreams, by age.
pub async fn list(tx: &mut Tx, ws: WorkspaceId, page: &Page) -> Result<Vec<UpstreamRow>> {
    let sql = "SELECT * FROM upstreams WHERE workspace_id = $1 AND id > $2 ORDER BY id LIMIT $3";
    let after = page.after.clone().unwrap_or_default();
    tx.rows(sql, [ws.into(), after.into(), page.limit.into()]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<UpstreamRow> {
    Ok(UpstreamRow {
        id: row.parse("id")?,
        name: row.text("name")?,
        base_url: row.text("base_url")?,
        api_key_sealed: row.opt_bytes("api_key_sealed")?,
        models: row.json("models")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

fn to_json(models: &[Model]) -> String {
    serde_json::to_string(models).expect("models turn into JSON")
}

/// Every upstream, for the snapshot.
pub(crate) async fn load_all(tx: &mut Tx, ws: WorkspaceId, sealer: &Sealer) -> Result<Vec<Upstream>> {
    let everything = Page { after: None, limit: u32::MAX };
    list(tx, ws, &everything).await?.into_iter().map(|row| snapshot(row, sealer)).collect()
}

/// One upstream, for the snapshot.
pub(crate) async fn load(tx: &mut Tx, ws: WorkspaceId, id: UpstreamId, sealer: &Sealer) -> Result<Option<Upstream>> {
    get(tx, ws, id).await?.map(|row| snapshot(row, sealer)).transpose()
}

fn snapshot(row: UpstreamRow, sealer: &Sealer) -> Result<Upstream> {
    let open = |sealed: Vec<u8>| {
        let plain = sealer.open(&seal_place(row.id), &sealed)?;
        String::from_utf8(plain).map_err(|error| Error::Corrupt("upstream key", error.utf8_error().to_string()))
    };
    let api_key = row.api_key_sealed.map(open).transpose()?;
    Ok(Upstream {
        id: row.id,
        name: row.name.into(),
        base_url: row.base_url.into(),
        api_key: api_key.map(Into::into),
        models: row.models.into(),
    })
}
