//! Keeps the snapshots equal to the database: the whole at start, then only what changed.

use std::sync::Arc;

use jiff::Timestamp;
use provost_model::{MemberId, Workspace, WorkspaceId, World};

use crate::change::Touched;
use crate::db::{Db, Tx};
use crate::tables::{
    access_tokens, api_keys, device_enrolments, grants, groups, members, policies, policy_exceptions, roles, upstreams,
    workspaces,
};
use crate::{Error, Result, Sealer};

/// Brings `world` up to what the database holds. A workspace that cannot be read stays as it was and
/// holds back no other; the error is the last such one.
pub(crate) async fn refresh(db: &Db, sealer: &Sealer, world: &mut World, now: Timestamp) -> Result<()> {
    let mut tx = db.read().await?;
    let mut result = Ok(());
    for (id, version) in workspaces::versions(&mut tx).await? {
        let known = world.workspaces.get(&id).cloned();
        if known.as_ref().is_some_and(|known| known.version == version) {
            continue;
        }
        match bring_up(&mut tx, sealer, id, known, version, now).await {
            Ok(workspace) => drop(world.workspaces.insert(id, Arc::new(workspace))),
            Err(error @ Error::Unavailable(_)) => return Err(error),
            Err(error) => {
                tracing::error!(workspace = %id, %error, "a workspace cannot be read; going on with its last snapshot");
                result = Err(error);
            }
        }
    }
    result
}

/// The snapshot of a workspace at `version`, which is what `tx` sees, from the one that is known.
pub(crate) async fn bring_up(
    tx: &mut Tx,
    sealer: &Sealer,
    id: WorkspaceId,
    known: Option<Arc<Workspace>>,
    version: i64,
    now: Timestamp,
) -> Result<Workspace> {
    let mut workspace = match known {
        Some(known) if known.version < version => {
            let mut workspace = Workspace::clone(&known);
            let mut members = Vec::new();
            for touched in changes_since(tx, id, known.version).await? {
                match touched {
                    Touched::Member(id) => members.push(id),
                    other => reload(tx, sealer, &mut workspace, other).await?,
                }
            }
            reload_members(tx, &mut workspace, &members).await?;
            workspace
        }
        // New here, or older than what is known: the database was restored from a backup.
        _ => whole(tx, sealer, id, now).await?,
    };
    workspace.version = version;
    let expired = workspace.revoked_grants.iter().filter(|(_, until)| **until < now);
    for grant in expired.map(|(id, _)| *id).collect::<Vec<_>>() {
        workspace.revoked_grants.remove(&grant);
    }
    Ok(workspace)
}

async fn changes_since(tx: &mut Tx, id: WorkspaceId, version: i64) -> Result<Vec<Touched>> {
    let sql = "SELECT kind, id FROM changes WHERE workspace_id = $1 AND version > $2 ORDER BY version";
    let rows = tx.rows(sql, [id.into(), version.into()]).await?;
    rows.iter().map(|row| Touched::from_columns(&row.text("kind")?, &row.text("id")?)).collect()
}

async fn whole(tx: &mut Tx, sealer: &Sealer, id: WorkspaceId, now: Timestamp) -> Result<Workspace> {
    let mut workspace = Workspace::new(id);
    workspaces::load(tx, &mut workspace).await?;
    for group in groups::load_all(tx, id).await? {
        workspace.set_group(group.id, Some(group));
    }
    for role in roles::load_all(tx, id).await? {
        workspace.set_role(role.id, Some(role));
    }
    for member in members::load_all(tx, id).await? {
        workspace.set_member(member);
    }
    workspace.policies =
        policies::load_all(tx, id).await?.into_iter().map(|policy| (policy.id, Arc::new(policy))).collect();
    let exceptions = policy_exceptions::load_all(tx, id, now).await?;
    workspace.policy_exceptions = exceptions.into_iter().map(|found| (found.member_id, Arc::new(found))).collect();
    let enrolments = device_enrolments::load_all(tx, id).await?;
    workspace.device_enrolments = enrolments.into_iter().map(|(hash, found)| (hash, Arc::new(found))).collect();
    for upstream in upstreams::load_all(tx, id, sealer).await? {
        workspace.set_upstream(upstream.id, Some(upstream));
    }
    let tokens = access_tokens::load_all(tx, id).await?;
    workspace.access_tokens = tokens.into_iter().map(|(hash, token)| (hash, Arc::new(token))).collect();
    let keys = api_keys::load_all(tx, id).await?;
    workspace.api_keys = keys.into_iter().map(|(hash, key)| (hash, Arc::new(key))).collect();
    workspace.revoked_grants = grants::load_revoked(tx, id, now).await?.into_iter().collect();
    Ok(workspace)
}

/// Members change in great numbers (a provider provisions them, a group is filled): all at once, and
/// after the groups and roles that they are in.
async fn reload_members(tx: &mut Tx, workspace: &mut Workspace, ids: &[MemberId]) -> Result<()> {
    let mut found = members::load_many(tx, workspace.id, ids).await?;
    for id in ids {
        match found.remove(id) {
            Some(member) => workspace.set_member(member),
            None => drop(workspace.members.remove(id)),
        }
    }
    Ok(())
}

async fn reload(tx: &mut Tx, sealer: &Sealer, workspace: &mut Workspace, touched: Touched) -> Result<()> {
    let ws = workspace.id;
    match touched {
        Touched::Workspace => workspaces::load(tx, workspace).await?,
        Touched::Member(id) => reload_members(tx, workspace, &[id]).await?,
        Touched::Group(id) => workspace.set_group(id, groups::load(tx, ws, id).await?),
        Touched::Role(id) => workspace.set_role(id, roles::load(tx, ws, id).await?),
        Touched::Policy(id) => match policies::load(tx, ws, id).await? {
            Some(policy) => drop(workspace.policies.insert(id, Arc::new(policy))),
            None => drop(workspace.policies.remove(&id)),
        },
        Touched::PolicyException(id) => {
            match policy_exceptions::load(tx, ws, id).await? {
                Some((true, found)) => drop(workspace.policy_exceptions.insert(found.member_id, Arc::new(found))),
                // It waits, or is over, or is gone with its member or its policy.
                _ => workspace.policy_exceptions.retain(|_, exception| exception.id != id),
            }
        }
        Touched::DeviceEnrolment(id) => {
            for (hash, enrolment) in device_enrolments::load(tx, ws, id).await? {
                match enrolment {
                    Some(enrolment) => drop(workspace.device_enrolments.insert(hash, Arc::new(enrolment))),
                    None => drop(workspace.device_enrolments.remove(&hash)),
                }
            }
        }
        Touched::Upstream(id) => workspace.set_upstream(id, upstreams::load(tx, ws, id, sealer).await?),
        Touched::AccessToken(id) => {
            for (hash, token) in access_tokens::load(tx, ws, id).await? {
                match token {
                    Some(token) => drop(workspace.access_tokens.insert(hash, Arc::new(token))),
                    None => drop(workspace.access_tokens.remove(&hash)),
                }
            }
        }
        Touched::ApiKey(id) => {
            for (hash, key) in api_keys::load(tx, ws, id).await? {
                match key {
                    Some(key) => drop(workspace.api_keys.insert(hash, Arc::new(key))),
                    None => drop(workspace.api_keys.remove(&hash)),
                }
            }
        }
        Touched::Grant(id) => {
            if let Some(until) = grants::load_revoked_one(tx, ws, id).await? {
                workspace.revoked_grants.insert(id, until);
            }
        }
    }
    Ok(())
}
