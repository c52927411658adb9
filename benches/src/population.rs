//! A workspace of any size.

use std::path::Path;

use anyhow::{Context, Result};
use provost_model::event::{Actor, EventType, Origin};
use provost_model::{
    ApiKeyId, BuiltinRole, Clock, Email, GrantId, GroupId, GroupSource, MemberId, Permission, PolicyId, PolicyRule,
    RoleId, Scope, WorkspaceId,
};
use provost_server::config::{Config, ServeArgs};
use provost_server::node::open_store;
use provost_store::tables::api_keys::{self, ApiKeyRow};
use provost_store::tables::groups::GroupRow;
use provost_store::tables::members::MemberRow;
use provost_store::tables::policies::PolicyRow;
use provost_store::tables::roles::RoleRow;
use provost_store::tables::{groups, members, policies, policy_rules, roles, workspaces};
use provost_store::{Store, Touched};
use provost_web::{AccessClaims, Keys, Secret};
use serde_json::json;

/// How large.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Members.
    pub members: usize,
    /// Groups; each member is in three of them.
    pub groups: usize,
    /// Policies; each is named by one rule, the last is also the fallback.
    pub policies: usize,
}

/// The size that the goals speak of.
pub const LARGE: Size = Size { members: 100_000, groups: 1_000, policies: 50 };

/// The same with few members.
pub const SMALL: Size = Size { members: 100, groups: 10, policies: 5 };

/// A server's configuration on free ports, with its data here.
pub fn config(data: &Path) -> Result<Config> {
    config_on(data, None)
}

/// The same on this database: SQLite in `data` without one.
pub fn config_on(data: &Path, database_url: Option<&str>) -> Result<Config> {
    let mut args = ServeArgs::default();
    args.settings.database_url = database_url.map(str::parse).transpose().context("a database URL")?;
    args.settings.data = Some(data.to_owned());
    args.settings.listen = Some("127.0.0.1:0".parse()?);
    args.settings.http_listen = Some("127.0.0.1:0".parse().context("an address")?);
    args.settings.public_url = Some("https://127.0.0.1:8443".parse().context("a URL")?);
    Config::load(args, &|_| None)
}

/// Fills a data directory; the tokens of so many members.
pub async fn populate(data: &Path, size: Size, tokens: usize) -> Result<Vec<String>> {
    let members = populate_in(&config(data)?, size, tokens).await?;
    Ok(members.into_iter().map(|(_, token)| token).collect())
}

/// Fills the database of a configuration; so many members, each with a token.
pub async fn populate_in(config: &Config, size: Size, tokens: usize) -> Result<Vec<(MemberId, String)>> {
    let store = open_store(config, Clock::system()).await?;
    let mut change = store.create_workspace("Bench", Actor::system(), Origin::default()).await?;
    let (ws, now) = (change.workspace_id(), change.at());
    let group_ids: Vec<GroupId> = (0..size.groups).map(|_| GroupId::new(now)).collect();
    for (n, id) in group_ids.iter().enumerate() {
        let row = GroupRow {
            id: *id,
            name: format!("Group {n}"),
            source: GroupSource::Manual,
            member_count: 0,
            created_at: now,
            updated_at: now,
        };
        groups::insert(&mut change, ws, &row).await?;
    }
    let mut member_ids = Vec::with_capacity(size.members);
    for n in 0..size.members {
        let row = MemberRow {
            id: MemberId::new(now),
            email: Email::try_from(format!("member-{n}@bench.example"))?,
            name: format!("Member {n}"),
            active: true,
            builtin_role: BuiltinRole::Member,
            created_at: now,
            updated_at: now,
        };
        members::insert(&mut change, ws, &row, None).await?;
        for k in [1, 7, 31] {
            groups::add_member(&mut change, ws, group_ids[(n * k + k) % size.groups], row.id).await?;
        }
        member_ids.push(row.id);
    }
    for n in 0..10 {
        let row = RoleRow {
            id: RoleId::new(now),
            name: format!("Role {n}"),
            description: String::new(),
            permissions: [Permission::ALL[n]].into_iter().collect(),
            created_at: now,
            updated_at: now,
        };
        roles::insert(&mut change, ws, &row).await?;
        for group in group_ids.iter().skip(n).step_by(10) {
            roles::assign_to_group(&mut change, row.id, *group).await?;
        }
    }
    let mut rules = Vec::new();
    for n in 0..size.policies {
        let id = PolicyId::new(now);
        let row = PolicyRow {
            id,
            name: format!("Policy {n}"),
            version: 1,
            contents: POLICY.to_owned(),
            defaults: Some("model_reasoning_effort = \"medium\"\n".to_owned()),
            created_by: "bench".to_owned(),
            created_at: now,
            note: String::new(),
            restores: None,
            approved_by: None,
        };
        policies::insert(&mut change, ws, &row).await?;
        rules.push(PolicyRule { group_id: group_ids[(n * 13) % size.groups], policy_id: id });
    }
    policy_rules::replace(&mut change, ws, &rules).await?;
    workspaces::set_fallback(&mut change, ws, rules.last().map(|rule| rule.policy_id)).await?;
    change.touch(Touched::Workspace);
    change.record(EventType::WorkspaceCreated, None, json!({}));
    change.commit().await?;
    let keys = Keys::open(store.clone(), "https://127.0.0.1:8443".to_owned()).await?;
    let step = (size.members / tokens).max(1);
    let chosen = member_ids.iter().step_by(step).take(tokens);
    let tokens = chosen.map(|id| Ok((*id, token(&keys, ws, *id, now)?))).collect();
    store.close(std::time::Duration::from_secs(10)).await;
    tokens
}

/// Adds a key that may do everything: its secret.
pub async fn admin_key(store: &Store) -> Result<String> {
    let ws = *store.world().workspaces.keys().next().context("a workspace")?;
    let mut change = store.change(ws, Actor::system(), Origin::default()).await?;
    let secret = Secret::new("pk-");
    let key = ApiKeyRow {
        last4: "last".to_owned(),
        scopes: Scope::ALL.to_vec(),
        ..ApiKeyRow::new(ApiKeyId::new(change.at()), "bench", change.at())
    };
    api_keys::insert(&mut change, ws, &key, &secret.hash).await?;
    change.touch(Touched::ApiKey(key.id));
    change.record(EventType::ApiKeyCreated, None, json!({}));
    change.commit().await?;
    Ok(secret.text)
}

fn token(keys: &Keys, workspace_id: WorkspaceId, member_id: MemberId, now: jiff::Timestamp) -> Result<String> {
    let claims = AccessClaims { workspace_id, member_id, grant_id: GrantId::new(now), exp: now.as_second() + 3600 };
    Ok(keys.sign_access_token(claims, &json!({ "scope": "openid profile email offline_access" }))?)
}

/// A policy of usual length.
pub const POLICY: &str = r#"allowed_approval_policies = ["on-request"]
allowed_sandbox_modes = ["read-only", "workspace-write"]
allowed_web_search_modes = ["cached"]

[features]
browser_use = false
computer_use = false

[rules]
prefix_rules = [
  { pattern = [{ token = "git" }, { any_of = ["push", "commit"] }], decision = "prompt", justification = "Review before it leaves" },
  { pattern = [{ token = "rm" }], decision = "forbidden", justification = "Not with an agent" },
]
"#;
