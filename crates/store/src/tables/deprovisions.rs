//! Receipts of deprovisioning: what ended, and when each node had let go.

use jiff::Timestamp;
use provost_model::{DeprovisionId, GroupId, MemberId, NodeId, WorkspaceId};
use serde_json::Value;

use super::Page;
use crate::Result;
use crate::db::{Row, Tx};

/// A receipt.
#[derive(Debug, Clone)]
pub struct DeprovisionRow {
    /// Its id.
    pub id: DeprovisionId,
    /// Who left.
    pub member_id: MemberId,
    /// Their address at the time.
    pub member_email: String,
    /// Why: `suspended`, `deleted` or `last_granting_group`.
    pub cause: String,
    /// The group that they were taken out of.
    pub group_id: Option<GroupId>,
    /// When.
    pub at: Timestamp,
    /// How many of each kind ended.
    pub ended: Value,
    /// What ended, one by one.
    pub items: Value,
}

/// A node that ran when somebody left.
#[derive(Debug, Clone)]
pub struct NodeRow {
    /// Of which receipt.
    pub deprovision_id: DeprovisionId,
    /// Which node.
    pub node_id: NodeId,
    /// When it had let go of them; none if it has not said so.
    pub applied_at: Option<Timestamp>,
    /// How many of their open streams it cut.
    pub streams_ended: i64,
    /// Whether it still runs, as far as is known.
    pub runs: bool,
}

/// What a node has yet to say that it has let go of.
#[derive(Debug, Clone)]
pub struct Pending {
    /// Of which receipt.
    pub deprovision_id: DeprovisionId,
    /// Where.
    pub workspace_id: WorkspaceId,
    /// Who left.
    pub member_id: MemberId,
    /// The version of the workspace from which on it holds.
    pub version: i64,
}

/// Adds a receipt, and notes every node that runs: each is to say when it has let go.
pub async fn insert(tx: &mut Tx, ws: WorkspaceId, version: i64, row: &DeprovisionRow) -> Result<()> {
    let sql = "INSERT INTO deprovisions
            (id, workspace_id, member_id, member_email, cause, group_id, version, at, ended, items)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let args = [
        row.id.into(),
        ws.into(),
        row.member_id.into(),
        row.member_email.as_str().into(),
        row.cause.as_str().into(),
        row.group_id.into(),
        version.into(),
        row.at.into(),
        row.ended.to_string().into(),
        row.items.to_string().into(),
    ];
    tx.execute(sql, args).await?;
    let sql = "INSERT INTO deprovision_nodes (deprovision_id, node_id, applied_at, streams_ended)
        SELECT CAST($1 AS TEXT), id, NULL, 0 FROM nodes";
    tx.execute(sql, [row.id.into()]).await?;
    Ok(())
}

/// Whether a change of this version has made a receipt of this member.
pub async fn is_made(tx: &mut Tx, ws: WorkspaceId, member: MemberId, version: i64) -> Result<bool> {
    let sql = "SELECT 1 AS one FROM deprovisions WHERE workspace_id = $1 AND member_id = $2 AND version = $3";
    Ok(tx.row(sql, [ws.into(), member.into(), version.into()]).await?.is_some())
}

/// One receipt.
pub async fn get(tx: &mut Tx, ws: WorkspaceId, id: DeprovisionId) -> Result<Option<DeprovisionRow>> {
    let sql = "SELECT * FROM deprovisions WHERE workspace_id = $1 AND id = $2";
    tx.row(sql, [ws.into(), id.into()]).await?.map(|row| read(&row)).transpose()
}

/// A page of the receipts, by age: a member's, or everybody's.
pub async fn list(tx: &mut Tx, ws: WorkspaceId, member: Option<MemberId>, page: &Page) -> Result<Vec<DeprovisionRow>> {
    let sql = "SELECT * FROM deprovisions
        WHERE workspace_id = $1 AND (CAST($2 AS TEXT) IS NULL OR member_id = $2) AND id > $3
        ORDER BY id LIMIT $4";
    let after = page.after.clone().unwrap_or_default();
    tx.rows(sql, [ws.into(), member.into(), after.into(), page.limit.into()]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<DeprovisionRow> {
    Ok(DeprovisionRow {
        id: row.parse("id")?,
        member_id: row.parse("member_id")?,
        member_email: row.text("member_email")?,
        cause: row.text("cause")?,
        group_id: row.opt_parse("group_id")?,
        at: row.time("at")?,
        ended: row.json("ended")?,
        items: row.json("items")?,
    })
}

/// The nodes of the receipts from one to another (both included, by id).
pub async fn nodes(tx: &mut Tx, ws: WorkspaceId, from: DeprovisionId, to: DeprovisionId) -> Result<Vec<NodeRow>> {
    let sql = "SELECT n.deprovision_id, n.node_id, n.applied_at, n.streams_ended, r.id AS runs
        FROM deprovisions d JOIN deprovision_nodes n ON n.deprovision_id = d.id LEFT JOIN nodes r ON r.id = n.node_id
        WHERE d.workspace_id = $1 AND d.id >= $2 AND d.id <= $3 ORDER BY n.deprovision_id, n.node_id";
    let node = |row: &Row| {
        Ok(NodeRow {
            deprovision_id: row.parse("deprovision_id")?,
            node_id: row.parse("node_id")?,
            applied_at: row.opt_time("applied_at")?,
            streams_ended: row.int("streams_ended")?,
            runs: row.opt_text("runs")?.is_some(),
        })
    };
    tx.rows(sql, [ws.into(), from.into(), to.into()]).await?.iter().map(node).collect()
}

/// What a node has yet to say that it has let go of, in every workspace.
pub async fn pending(tx: &mut Tx, node: NodeId) -> Result<Vec<Pending>> {
    let sql = "SELECT d.id, d.workspace_id, d.member_id, d.version
        FROM deprovision_nodes n JOIN deprovisions d ON d.id = n.deprovision_id
        WHERE n.node_id = $1 AND n.applied_at IS NULL";
    let pending = |row: &Row| {
        Ok(Pending {
            deprovision_id: row.parse("id")?,
            workspace_id: row.parse("workspace_id")?,
            member_id: row.parse("member_id")?,
            version: row.int("version")?,
        })
    };
    tx.rows(sql, [node.into()]).await?.iter().map(pending).collect()
}

/// A node says that it has let go.
pub async fn apply(tx: &mut Tx, id: DeprovisionId, node: NodeId, at: Timestamp, streams_ended: i64) -> Result<()> {
    let sql = "UPDATE deprovision_nodes SET applied_at = $3, streams_ended = $4
        WHERE deprovision_id = $1 AND node_id = $2 AND applied_at IS NULL";
    tx.execute(sql, [id.into(), node.into(), at.into(), streams_ended.into()]).await?;
    Ok(())
}
