//! What the tests do over and over: a workspace, a change, one row of each kind.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use provost_model::event::{Actor, EventType, Origin};
use provost_model::{
    BuiltinRole, Email, FactorKind, GroupId, GroupSource, MemberId, Model, PermissionSet, PolicyId, Proof, RoleId,
    SessionId, SignInMethod, UpstreamId, WorkspaceId,
};
use provost_store::tables::groups::GroupRow;
use provost_store::tables::members::{self, MemberRow};
use provost_store::tables::policies::PolicyRow;
use provost_store::tables::roles::RoleRow;
use provost_store::tables::sessions::SessionRow;
use provost_store::tables::upstreams::UpstreamRow;
use provost_store::tables::{Page, groups};
use provost_store::{Change, Result, Store, Touched};
use serde_json::json;

pub(crate) const EVERYTHING: Page = Page { after: None, limit: 1_000 };

pub(crate) async fn workspace(store: &Store) -> Result<WorkspaceId> {
    let mut change = store.create_workspace("Acme", Actor::system(), Origin::default()).await?;
    let id = change.workspace_id();
    change.record(EventType::WorkspaceCreated, None, json!({}));
    change.touch(Touched::Workspace);
    change.commit().await?;
    Ok(id)
}

pub(crate) async fn change(store: &Store, ws: WorkspaceId) -> Result<Change> {
    store.change(ws, Actor::system(), Origin::default()).await
}

/// Commits with an event, whichever.
pub(crate) async fn commit(mut change: Change) -> Result<()> {
    change.record(EventType::SettingsUpdated, None, json!({}));
    change.commit().await
}

pub(crate) async fn add_member(store: &Store, ws: WorkspaceId, email: &str) -> Result<MemberRow> {
    let mut change = change(store, ws).await?;
    let row = member(change.at(), email);
    members::insert(&mut change, ws, &row, None).await?;
    change.touch(Touched::Member(row.id));
    commit(change).await?;
    Ok(row)
}

pub(crate) async fn add_group(store: &Store, ws: WorkspaceId, name: &str) -> Result<GroupRow> {
    let mut change = change(store, ws).await?;
    let row = group(change.at(), name);
    groups::insert(&mut change, ws, &row).await?;
    change.touch(Touched::Group(row.id));
    commit(change).await?;
    Ok(row)
}

pub(crate) fn email(text: &str) -> Email {
    Email::try_from(text.to_owned()).expect("an e-mail address")
}

pub(crate) fn member(at: Timestamp, address: &str) -> MemberRow {
    MemberRow {
        id: MemberId::new(at),
        email: email(address),
        name: String::new(),
        active: true,
        builtin_role: BuiltinRole::Member,
        created_at: at,
        updated_at: at,
    }
}

pub(crate) fn group(at: Timestamp, name: &str) -> GroupRow {
    let source = GroupSource::Manual;
    GroupRow { id: GroupId::new(at), name: name.to_owned(), source, member_count: 0, created_at: at, updated_at: at }
}

pub(crate) fn role(at: Timestamp, name: &str, permissions: PermissionSet) -> RoleRow {
    let description = format!("What {name} is for");
    RoleRow { id: RoleId::new(at), name: name.to_owned(), description, permissions, created_at: at, updated_at: at }
}

pub(crate) fn policy(at: Timestamp, name: &str) -> PolicyRow {
    PolicyRow {
        id: PolicyId::new(at),
        name: name.to_owned(),
        version: 1,
        contents: "allowed_sandbox_modes = [\"read-only\"]\n".to_owned(),
        defaults: Some("model = \"gpt\"\n".to_owned()),
        created_by: MemberId::new(at).to_string(),
        created_at: at,
        note: "the audit wants it".to_owned(),
        restores: None,
        approved_by: None,
    }
}

pub(crate) fn upstream(at: Timestamp, name: &str) -> UpstreamRow {
    UpstreamRow {
        id: UpstreamId::new(at),
        name: name.to_owned(),
        base_url: "https://models.example/v1".to_owned(),
        api_key_sealed: None,
        models: vec![model("small"), model("large")],
        created_at: at,
        updated_at: at,
    }
}

pub(crate) fn model(slug: &str) -> Model {
    Model {
        slug: slug.to_owned(),
        display_name: Some(format!("The {slug} one")),
        upstream_model: None,
        input_price: Some(0.1),
        cached_input_price: None,
        output_price: Some(1e-3),
    }
}

/// Rows are compared as they print: each prints all that it holds.
#[track_caller]
pub(crate) fn assert_same<T: Debug>(found: T, expected: T) {
    assert_eq!(format!("{found:#?}"), format!("{expected:#?}"));
}

/// Waits until something is so, and no longer; fails when `patience` is over.
pub(crate) async fn eventually(patience: Duration, what: &str, mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < patience, "not within {patience:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A session of a member.
pub(crate) fn session(ws: WorkspaceId, member_id: MemberId, now: Timestamp) -> SessionRow {
    SessionRow {
        id: SessionId::new(now),
        workspace_id: ws,
        member_id,
        csrf_token: "csrf".to_owned(),
        proof: Proof::by(SignInMethod::Password).and(FactorKind::Totp),
        ip: "192.0.2.1".to_owned(),
        user_agent: "a browser".to_owned(),
        created_at: now,
        last_used_at: now,
        expires_at: now + SignedDuration::from_mins(1),
    }
}
