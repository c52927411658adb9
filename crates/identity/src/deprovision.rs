//! Out everywhere at once: what ends when a member is suspended or deleted, or leaves the last group
//! that let them use Codex, and the receipt of it. Open streams end when each node's snapshot has it
//! (`provost_web::Running`), which the receipt then says.

use jiff::Timestamp;
use provost_model::event::{EventType, Target};
use provost_model::{DeprovisionId, GroupId, MemberId, Permission, Workspace};
use provost_store::tables::deprovisions::{self, DeprovisionRow};
use provost_store::tables::{
    access_tokens, authorization_codes, device_logins, grants, links, members, pending_sign_ins, sessions,
};
use provost_store::{Change, Touched};
use provost_web::{Result, is_live};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::left_behind;

/// At most so many things are named in a receipt; all of them are counted.
const MAX_ITEMS: usize = 1_000;

/// Why somebody is out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// They are suspended.
    Suspended,
    /// They are deleted.
    Deleted,
    /// They left this group, the last one that let them use Codex. They stay a member.
    LastGrantingGroup(GroupId),
}

impl Cause {
    fn as_str(self) -> &'static str {
        match self {
            Self::Suspended => "suspended",
            Self::Deleted => "deleted",
            Self::LastGrantingGroup(_) => "last_granting_group",
        }
    }

    fn group_id(self) -> Option<GroupId> {
        match self {
            Self::LastGrantingGroup(id) => Some(id),
            Self::Suspended | Self::Deleted => None,
        }
    }
}

/// How many of each kind ended.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub(crate) struct Ended {
    /// Sessions of the console.
    pub(crate) sessions: usize,
    /// Client sessions, with their refresh and access tokens.
    pub(crate) client_sessions: usize,
    /// Personal access tokens.
    pub(crate) access_tokens: usize,
    /// API keys that they had made, or knew.
    pub(crate) api_keys: usize,
    /// API keys that they had asked for and that waited for a second person.
    #[serde(default)]
    pub(crate) api_key_requests: usize,
    /// Workload identities that acted as them, or that they had made; they are disabled.
    #[serde(default)]
    pub(crate) workload_identities: usize,
    /// One-time links: invitations.
    pub(crate) links: usize,
    /// Device sign-ins in flight.
    pub(crate) device_logins: usize,
    /// Authorization codes in flight.
    pub(crate) authorization_codes: u64,
}

/// One thing that ended.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct Item {
    /// `session`, `client_session`, `access_token`, `api_key_request`, `api_key` or
    /// `workload_identity`.
    kind: String,
    id: String,
    /// What it is called: of a session the browser, of a client session the client.
    name: String,
    #[schema(value_type = String, format = DateTime)]
    ended_at: Timestamp,
}

/// Ends everything that a member has, as part of the change that shuts them out; the receipt.
/// `workspace` is the snapshot before the change.
pub(crate) async fn deprovision(
    change: &mut Change,
    workspace: &Workspace,
    member: MemberId,
    email: &str,
    cause: Cause,
) -> Result<DeprovisionId> {
    let (ws, now, version) = (change.workspace_id(), change.at(), change.version());
    let mut ended = Ended::default();
    let mut items = Vec::new();
    let mut item = |kind: &str, id: &dyn ToString, name: &str| {
        if items.len() < MAX_ITEMS {
            items.push(Item { kind: kind.to_owned(), id: id.to_string(), name: name.to_owned(), ended_at: now });
        }
    };
    // What was over by itself is swept up with the rest, and is not what this ended.
    for session in sessions::end_all(change, ws, member).await? {
        if is_live(&workspace.settings, &session, now) {
            ended.sessions += 1;
            item("session", &session.id, &session.user_agent);
        }
    }
    for grant in grants::end_all(change, ws, member, now).await? {
        change.touch(Touched::Grant(grant.id));
        if grant.expires_at > now {
            ended.client_sessions += 1;
            item("client_session", &grant.id, &grant.client_id);
        }
    }
    for token in access_tokens::end_all(change, ws, member, now).await? {
        change.touch(Touched::AccessToken(token.id));
        if token.expires_at.is_none_or(|at| at > now) {
            ended.access_tokens += 1;
            item("access_token", &token.id, &token.name);
        }
    }
    // Who left a group is a member still, as whom a workload may act again when they are back in it.
    let is_out = matches!(cause, Cause::Suspended | Cause::Deleted);
    let left_behind = left_behind::end(change, member, workspace.settings.leaver_api_keys, is_out).await?;
    ended.api_key_requests = left_behind.requests.len();
    ended.api_keys = left_behind.keys.len();
    ended.workload_identities = left_behind.identities.len();
    for key in &left_behind.requests {
        item("api_key_request", &key.id, &key.name);
    }
    for key in &left_behind.keys {
        item("api_key", &key.id, &key.name);
    }
    for identity in &left_behind.identities {
        item("workload_identity", &identity.id, &identity.name);
    }
    pending_sign_ins::delete_all(change, ws, member).await?;
    ended.links = links::delete_all(change, ws, member, now).await?;
    ended.device_logins = device_logins::delete_all(change, ws, member, now).await?;
    ended.authorization_codes = authorization_codes::expire_all(change, ws, member, now).await?;
    let row = DeprovisionRow {
        id: DeprovisionId::new(now),
        member_id: member,
        member_email: email.to_owned(),
        cause: cause.as_str().to_owned(),
        group_id: cause.group_id(),
        at: now,
        ended: json!(ended),
        items: json!(items),
    };
    deprovisions::insert(change, ws, version, &row).await?;
    change.touch(Touched::Member(member));
    let mut details = json!({ "deprovision_id": row.id, "cause": cause.as_str(), "ended": ended });
    if let Some(group) = cause.group_id() {
        details["group_id"] = json!(group);
    }
    change.record(EventType::MemberDeprovisioned, Target::new("member", member, email), details);
    Ok(row.id)
}

/// Members are taken out of a group, or the group is deleted, as part of a change: for whom it was the
/// last one that let them use Codex, everything ends. Call it before or after the rows are gone, once
/// for each group. `workspace` is the snapshot before the change.
pub(crate) async fn left_group(
    change: &mut Change,
    workspace: &Workspace,
    group: GroupId,
    members: &[MemberId],
) -> Result<Vec<DeprovisionId>> {
    let permission = Permission::CodexLocalUse;
    // Leaving a group that does not grant it takes nothing away.
    if !workspace.groups.get(&group).is_some_and(|group| group.granted.contains(permission)) {
        return Ok(Vec::new());
    }
    let (ws, version) = (change.workspace_id(), change.version());
    let mut receipts = Vec::new();
    for id in members {
        let Some(member) = workspace.members.get(id) else { continue };
        // Asked of the database, which the change has locked: another group may have been left a
        // moment ago, here or on another node.
        let groups = members::group_ids(change, ws, *id).await?;
        if workspace.loses_by_leaving(member, &groups, group, permission)
            && !deprovisions::is_made(change, ws, *id, version).await?
        {
            let cause = Cause::LastGrantingGroup(group);
            receipts.push(deprovision(change, workspace, *id, member.email.as_str(), cause).await?);
        }
    }
    Ok(receipts)
}
