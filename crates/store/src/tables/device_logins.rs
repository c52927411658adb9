//! Device sign-ins that wait for their member (`client-contract.md` §1.2).

use std::collections::HashMap;

use jiff::Timestamp;
use provost_model::{DeviceLoginId, MemberId, WorkspaceId};

use crate::db::{Row, Tx};
use crate::{Error, Result};

/// A device sign-in.
#[derive(Debug, Clone)]
pub struct DeviceLoginRow {
    /// Its id: the secret that the client polls with.
    pub id: DeviceLoginId,
    /// What the member types.
    pub user_code: String,
    /// Which client (OAuth `client_id`).
    pub client_id: String,
    /// What the client calls itself: shown to the member.
    pub user_agent: String,
    /// Where the client is: shown to the member.
    pub ip: String,
    /// Where it stands.
    pub state: DeviceLoginState,
    /// Who decided.
    pub member: Option<(WorkspaceId, MemberId)>,
    /// When it stops working.
    pub expires_at: Timestamp,
}

/// Where a device sign-in stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceLoginState {
    /// Nobody has decided.
    Pending,
    /// A member said yes.
    Approved,
    /// A member said no.
    Denied,
    /// The client has taken its code.
    Consumed,
}

impl DeviceLoginState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Consumed => "consumed",
        }
    }
}

/// Adds a device sign-in.
pub async fn insert(tx: &mut Tx, login: &DeviceLoginRow, now: Timestamp) -> Result<()> {
    let sql = "INSERT INTO device_logins (id, user_code, client_id, user_agent, ip, state, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let args = [
        login.id.into(),
        login.user_code.as_str().into(),
        login.client_id.as_str().into(),
        login.user_agent.as_str().into(),
        login.ip.as_str().into(),
        login.state.as_str().into(),
        now.into(),
        login.expires_at.into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// The device sign-in that a client polls for.
pub async fn get(tx: &mut Tx, id: DeviceLoginId, now: Timestamp) -> Result<Option<DeviceLoginRow>> {
    let sql = "SELECT * FROM device_logins WHERE id = $1 AND expires_at > $2";
    tx.row(sql, [id.into(), now.into()]).await?.map(|row| read(&row)).transpose()
}

/// The device sign-in that a member typed the code of.
pub async fn get_by_user_code(tx: &mut Tx, user_code: &str, now: Timestamp) -> Result<Option<DeviceLoginRow>> {
    let sql = "SELECT * FROM device_logins WHERE user_code = $1 AND expires_at > $2";
    tx.row(sql, [user_code.into(), now.into()]).await?.map(|row| read(&row)).transpose()
}

/// A member decides; whether nobody had before.
pub async fn decide(
    tx: &mut Tx,
    id: DeviceLoginId,
    state: DeviceLoginState,
    (ws, member): (WorkspaceId, MemberId),
) -> Result<bool> {
    let sql = "UPDATE device_logins SET state = $2, workspace_id = $3, member_id = $4
        WHERE id = $1 AND state = 'pending'";
    Ok(tx.execute(sql, [id.into(), state.as_str().into(), ws.into(), member.into()]).await? > 0)
}

/// The client takes its code; whether this was the first time.
pub async fn consume(tx: &mut Tx, id: DeviceLoginId) -> Result<bool> {
    let sql = "UPDATE device_logins SET state = 'consumed' WHERE id = $1 AND state IN ('approved', 'denied')";
    Ok(tx.execute(sql, [id.into()]).await? > 0)
}

/// Ends the device sign-ins that a member has decided and whose client has not taken its code; how many
/// still worked.
pub async fn delete_all(tx: &mut Tx, ws: WorkspaceId, member: MemberId, now: Timestamp) -> Result<usize> {
    let sql = "DELETE FROM device_logins WHERE workspace_id = $1 AND member_id = $2 AND state <> 'consumed'
        RETURNING expires_at";
    let rows = tx.rows(sql, [ws.into(), member.into()]).await?;
    let ends = rows.iter().map(|row| row.time("expires_at")).collect::<Result<Vec<_>>>()?;
    Ok(ends.into_iter().filter(|at| *at > now).count())
}

/// Forgets device sign-ins that nobody can use any more.
pub async fn delete_expired(tx: &mut Tx, now: Timestamp) -> Result<u64> {
    tx.execute("DELETE FROM device_logins WHERE expires_at < $1", [now.into()]).await
}

/// How many wait, by address: a stranger can start them.
pub async fn count(tx: &mut Tx, now: Timestamp) -> Result<HashMap<String, i64>> {
    let sql = "SELECT ip, COUNT(*) AS n FROM device_logins WHERE state = 'pending' AND expires_at > $1 GROUP BY ip";
    let rows = tx.rows(sql, [now.into()]).await?;
    rows.iter().map(|row| Ok((row.text("ip")?, row.int("n")?))).collect()
}

fn read(row: &Row) -> Result<DeviceLoginRow> {
    let state = match row.text("state")?.as_str() {
        "pending" => DeviceLoginState::Pending,
        "approved" => DeviceLoginState::Approved,
        "denied" => DeviceLoginState::Denied,
        "consumed" => DeviceLoginState::Consumed,
        other => return Err(Error::Corrupt("device sign-in", format!("state `{other}`"))),
    };
    Ok(DeviceLoginRow {
        id: row.parse("id")?,
        user_code: row.text("user_code")?,
        client_id: row.text("client_id")?,
        user_agent: row.text("user_agent")?,
        ip: row.text("ip")?,
        state,
        member: row.opt_parse("workspace_id")?.zip(row.opt_parse("member_id")?),
        expires_at: row.time("expires_at")?,
    })
}
