//! Which member it is that an identity provider vouches for.

use std::collections::BTreeMap;

use axum::response::Response;
use http::request::Parts;
use provost_model::event::{Actor, EventType, Target};
use provost_model::{BuiltinRole, Email, GroupId, GroupSource, MemberId, Proof, SignInMethod};
use provost_store::tables::connections::{self, ConnectionRow};
use provost_store::tables::members::{self, MemberRow};
use provost_store::tables::{domains, groups, identities, scim_groups, workspaces};
use provost_store::{Change, Touched};
use provost_web::{App, Result, origin};
use serde_json::{Value, json};

use super::{Refusal, refuse};
use crate::deprovision::left_group;
use crate::pages::{redirect_with, safe_next};
use crate::sign_in;

/// The longest subject (OpenID Connect Core §2 allows 255 ASCII characters; SAML's NameIDs are 256).
const MAX_SUBJECT: usize = 256;

/// What a provider says of who arrives. The protocols have checked that it says so.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    /// Who it is, for good: it stays when the address changes.
    pub(crate) subject: String,
    /// The address.
    pub(crate) email: Option<Email>,
    /// Whether the provider stands by the address. (One that says nothing does, for the domains that
    /// the workspace has verified.)
    pub(crate) email_verified: bool,
    /// The name.
    pub(crate) name: Option<String>,
    /// The groups, if it says.
    pub(crate) groups: Option<Vec<String>>,
}

/// Signs in whoever it is, and goes on to `next`, a path of our own.
pub(crate) async fn arrive(
    app: &App,
    parts: &Parts,
    connection: &ConnectionRow,
    arrival: Arrival,
    method: SignInMethod,
    next: &str,
) -> Result<Response> {
    if !connection.enabled {
        return Ok(refuse(app, parts, connection, &Refusal::forbidden("connection_disabled", DISABLED)));
    }
    let ws = connection.workspace_id;
    let actor = Actor::anonymous(arrival.email.as_ref().map(Email::to_string));
    let mut change = app.store.change(ws, actor, origin(parts)).await?;
    // It was read before the provider was asked, who takes their time: what it says now counts.
    if connections::get(&mut change, ws, connection.id).await?.as_ref() != Some(connection) {
        let message = "This way of signing in was changed at this moment. Sign in again.";
        return Ok(refuse(app, parts, connection, &Refusal::forbidden("connection_changed", message)));
    }
    let member = match find_or_make(&mut change, connection, &arrival).await? {
        Ok(member) => member,
        Err(refusal) => return Ok(refuse(app, parts, connection, &refusal)),
    };
    change.act_as(Actor::member(member.id, &member.email), origin(parts));
    follow_email(&mut change, &member, &arrival).await?;
    follow_groups(app, &mut change, connection, member.id, arrival.groups.as_deref()).await?;
    let now = change.at();
    identities::note(&mut change, ws, connection.id, &arrival.subject, member.id, now).await?;
    let proof = Proof::through(connection.id, method);
    let cookie = sign_in::open(&mut change, app, parts, member.id, proof).await?;
    change.commit().await?;
    Ok(redirect_with(safe_next(Some(next)), cookie.header))
}

const DISABLED: &str = "This way of signing in is turned off. Ask an owner of the workspace.";

async fn find_or_make(
    change: &mut Change,
    connection: &ConnectionRow,
    arrival: &Arrival,
) -> Result<std::result::Result<MemberRow, Refusal>> {
    let ws = connection.workspace_id;
    let subject = arrival.subject.as_str();
    if subject.is_empty() || subject.len() > MAX_SUBJECT || subject.contains(char::is_control) {
        let message = "The identity provider did not say who you are. Ask its administrator.";
        return Ok(Err(Refusal::bad("invalid_subject", message)));
    }
    if let Some(id) = identities::member(change, ws, connection.id, subject).await? {
        return Ok(match members::get(change, ws, id).await? {
            Some(row) if row.active => Ok(row),
            _ => Err(suspended()),
        });
    }
    // A first time: from here on it is the address that says who it is.
    let Some(email) = arrival.email.as_ref().filter(|_| arrival.email_verified) else {
        let message = "The identity provider sent no verified e-mail address. Ask its administrator.";
        return Ok(Err(Refusal::forbidden("no_verified_email", message)));
    };
    if domains::owner(change, &email.domain()).await? != Some(ws) {
        let message = format!(
            "The workspace has not shown that {} is its domain, so addresses there cannot be taken from the \
             identity provider. Ask an owner to verify the domain.",
            email.domain()
        );
        return Ok(Err(Refusal::forbidden("domain_not_verified", message)));
    }
    match members::get_by_email(change, ws, email).await? {
        Some(row) if !row.active => Ok(Err(suspended())),
        // Whoever has the address now is not who had it before.
        Some(row) if identities::subject(change, ws, connection.id, row.id).await?.is_some() => {
            let message =
                "The identity provider knew somebody else by this e-mail address. Ask an owner to forget who that was.";
            Ok(Err(Refusal::forbidden("another_subject", message)))
        }
        Some(row) => Ok(Ok(row)),
        None if connection.create_members => Ok(Ok(make(change, connection, email, arrival).await?)),
        None => {
            let message = "You are not a member of this workspace. Ask an owner or an admin to add you.";
            Ok(Err(Refusal::forbidden("not_a_member", message)))
        }
    }
}

fn suspended() -> Refusal {
    Refusal::forbidden("suspended", "Your account is suspended. Ask an owner or an admin of the workspace.")
}

/// Somebody new, just in time.
async fn make(change: &mut Change, connection: &ConnectionRow, email: &Email, arrival: &Arrival) -> Result<MemberRow> {
    let (ws, now) = (change.workspace_id(), change.at());
    let name: String = arrival.name.iter().flat_map(|name| name.chars()).filter(|c| !c.is_control()).collect();
    let row = MemberRow {
        id: MemberId::new(now),
        email: email.clone(),
        name: name.trim().chars().take(200).collect(),
        active: true,
        builtin_role: BuiltinRole::Member,
        created_at: now,
        updated_at: now,
    };
    members::insert(change, ws, &row, None).await?;
    change.touch(Touched::Member(row.id));
    let details = json!({ "builtin_role": row.builtin_role, "invited": false, "connection_id": connection.id });
    change.record(EventType::MemberCreated, Target::new("member", row.id, row.email.as_str()), details);
    Ok(row)
}

/// The address may change at the provider. It changes here if nobody else has the new one and its
/// domain is the workspace's; otherwise the member keeps the old one. So does whoever may break the
/// glass: theirs is what they sign in with when the provider is away.
async fn follow_email(change: &mut Change, member: &MemberRow, arrival: &Arrival) -> Result<()> {
    let ws = change.workspace_id();
    let Some(email) = arrival.email.as_ref().filter(|email| arrival.email_verified && **email != member.email) else {
        return Ok(());
    };
    let is_ours = domains::owner(change, &email.domain()).await? == Some(ws);
    let namesake = members::get_by_email(change, ws, email).await?;
    if !is_ours || namesake.is_some_and(|other| other.id != member.id) {
        return Ok(());
    }
    if workspaces::settings(change, ws).await?.break_glass_owner_ids.contains(&member.id) {
        return Ok(());
    }
    let after = MemberRow { email: email.clone(), updated_at: change.at(), ..member.clone() };
    members::update(change, ws, &after).await?;
    change.touch(Touched::Member(member.id));
    let changed = json!({ "email": { "before": member.email, "after": email } });
    let target = Target::new("member", member.id, email.as_str());
    change.record(EventType::MemberUpdated, target, json!({ "changed": changed }));
    Ok(())
}

/// The groups that the connection maps follow what the provider says; where it says nothing of
/// groups, they stay.
async fn follow_groups(
    app: &App,
    change: &mut Change,
    connection: &ConnectionRow,
    member: MemberId,
    said: Option<&[String]>,
) -> Result<()> {
    let Some(said) = said else { return Ok(()) };
    let ws = change.workspace_id();
    let mapping = connection.config.get("groups").cloned().unwrap_or(Value::Null);
    let mapping: BTreeMap<String, GroupId> = serde_json::from_value(mapping).unwrap_or_default();
    // Two names may lead to one group: either will do.
    let mut wanted: BTreeMap<GroupId, bool> = BTreeMap::new();
    for (name, group) in &mapping {
        *wanted.entry(*group).or_default() |= said.contains(name);
    }
    for (id, is_wanted) in wanted {
        let Some(group) = scim_groups::get(change, ws, id).await?.filter(|group| group.source == GroupSource::Manual)
        else {
            continue;
        };
        let (changed, kind) = if is_wanted {
            (groups::add_member(change, ws, id, member).await?, EventType::GroupMemberAdded)
        } else {
            (groups::remove_member(change, ws, id, member).await?, EventType::GroupMemberRemoved)
        };
        if changed {
            change.touch(Touched::Member(member));
            let details = json!({ "member_id": member, "connection_id": connection.id });
            change.record(kind, Target::new("group", id, group.name.as_str()), details);
            // The last granting group takes everything along that ran before this sign-in.
            if let Some(workspace) = app.store.workspace(ws).filter(|_| !is_wanted) {
                left_group(change, &workspace, id, &[member]).await?;
            }
        }
    }
    Ok(())
}
