//! The first workspace, and what tidies up.

use jiff::SignedDuration;
use provost_model::event::{Actor, EventType, Origin, Target};
use provost_model::{ApiKeyId, BuiltinRole, Email, MemberId, Scope, WorkspaceId};
use provost_store::tables::api_keys::{self, ApiKeyRow};
use provost_store::tables::links::{self, LinkRow};
use provost_store::tables::members::MemberRow;
use provost_store::tables::{
    access_tokens, authorization_codes, device_logins, grants, idempotency_keys, members, oidc_sign_ins,
    pending_sign_ins, saml_assertions, saml_requests, second_factors, sessions, workload_identities, workspaces,
};
use provost_store::{Change, Result, Store, Touched};
use provost_web::{Secret, SecretKind, session_limits};
use serde_json::json;

use crate::links::invite;

/// What a first workspace is made with.
#[derive(Debug)]
pub struct FirstWorkspace {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// Its owner.
    pub owner_id: MemberId,
    /// For an owner who has no password yet.
    pub handover: Option<Handover>,
}

/// What an operator at the command line passes on; shown this once.
#[derive(Debug)]
pub struct Handover {
    /// The path of the owner's first sign-in.
    pub sign_in_path: String,
    /// An API key that holds every scope.
    pub api_key: String,
}

/// Makes the first workspace with its owner; none if there is one already.
pub async fn create_first_workspace(
    store: &Store,
    name: &str,
    owner: &Email,
    password_hash: Option<String>,
    origin: Origin,
) -> Result<Option<FirstWorkspace>> {
    let mut change = store.create_workspace(name, Actor::system(), origin).await?;
    // Counted inside of the transaction: of two who set up at once, one is second.
    if workspaces::count(&mut change).await? > 1 {
        return Ok(None);
    }
    let (ws, now) = (change.workspace_id(), change.at());
    let member = MemberRow {
        id: MemberId::new(now),
        email: owner.clone(),
        name: String::new(),
        active: true,
        builtin_role: BuiltinRole::Owner,
        created_at: now,
        updated_at: now,
    };
    let has_password = password_hash.is_some();
    members::insert(&mut change, ws, &member, password_hash).await?;
    let handover = if has_password { None } else { Some(hand_over(&mut change, member.id).await?) };
    links::delete_setup_links(&mut change).await?;
    change.touch(Touched::Workspace);
    change.touch(Touched::Member(member.id));
    let details = json!({ "owner_id": member.id, "owner_email": owner });
    change.record(EventType::WorkspaceCreated, Target::new("workspace", ws, name), details);
    change.commit().await?;
    Ok(Some(FirstWorkspace { workspace_id: ws, owner_id: member.id, handover }))
}

async fn hand_over(change: &mut Change, owner: MemberId) -> Result<Handover> {
    let (ws, now) = (change.workspace_id(), change.at());
    let sign_in_path = invite(change, ws, owner, now).await?;
    let secret = Secret::checked(SecretKind::ApiKey);
    let key = ApiKeyRow {
        last4: secret.last4().to_owned(),
        scopes: Scope::ALL.to_vec(),
        known_by: vec![owner.to_string()],
        ..ApiKeyRow::new(ApiKeyId::new(now), "First key", now)
    };
    api_keys::insert(change, ws, &key, &secret.hash).await?;
    change.touch(Touched::ApiKey(key.id));
    let details = json!({ "scopes": key.scopes, "last4": key.last4, "expires_at": null });
    change.record(EventType::ApiKeyCreated, Target::new("api_key", key.id, key.name.as_str()), details);
    Ok(Handover { sign_in_path, api_key: secret.text })
}

/// While there is no workspace: a fresh link to set one up (earlier ones stop working); its path.
pub async fn setup_link(store: &Store) -> Result<Option<String>> {
    let now = store.clock().now();
    let mut tx = store.write().await?;
    if workspaces::count(&mut tx).await? > 0 {
        return Ok(None);
    }
    links::delete_setup_links(&mut tx).await?;
    let secret = Secret::new("");
    let link = LinkRow { member: None, expires_at: now + SignedDuration::from_hours(24) };
    links::insert(&mut tx, &secret.hash, link, now).await?;
    tx.commit().await?;
    Ok(Some(format!("/setup/{}", secret.text)))
}

/// Forgets what has expired. Call it every hour or so.
pub async fn housekeeping(store: &Store) -> Result<()> {
    let now = store.clock().now();
    let mut tx = store.write().await?;
    sessions::delete_expired(&mut tx, now).await?;
    for workspace in store.world().workspaces.values() {
        sessions::delete_over(&mut tx, workspace.id, session_limits(&workspace.settings, now)).await?;
    }
    device_logins::delete_expired(&mut tx, now).await?;
    authorization_codes::delete_expired(&mut tx, now - SignedDuration::from_hours(24)).await?;
    grants::delete_ended(&mut tx, now - SignedDuration::from_hours(30 * 24)).await?;
    idempotency_keys::delete_older(&mut tx, now - SignedDuration::from_hours(24)).await?;
    api_keys::delete_unanswered(&mut tx, now).await?;
    access_tokens::delete_ended_of_workloads(&mut tx, now - SignedDuration::from_hours(24)).await?;
    workload_identities::forget_tokens(&mut tx, now - SignedDuration::from_hours(1)).await?;
    oidc_sign_ins::delete_expired(&mut tx, now).await?;
    saml_requests::delete_expired(&mut tx, now).await?;
    saml_assertions::delete_expired(&mut tx, now).await?;
    second_factors::delete_abandoned(&mut tx, now - SignedDuration::from_hours(1)).await?;
    pending_sign_ins::delete_expired(&mut tx, now).await?;
    tx.commit().await
}
