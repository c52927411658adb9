//! Signing in with e-mail and password: for the API and the page alike.

use http::request::Parts;
use provost_model::event::{Actor, EventType};
use provost_model::{Email, MemberId, Proof, SignInMethod, WorkspaceId};
use provost_store::tables::{members, sessions};
use provost_web::{App, Error, Result, SessionCookie, origin};
use serde_json::json;

use crate::password;

/// The same whether the account, the password or the activity is missing: a stranger learns nothing.
const REFUSED: &str = "the e-mail address or the password is wrong, or the account is suspended";

/// Checks a password and begins a session.
pub(crate) async fn sign_in(
    app: &App,
    parts: &Parts,
    email: &str,
    password: &str,
) -> Result<(MemberId, SessionCookie)> {
    let now = app.store.clock().now();
    let email = Email::try_from(email.to_owned()).map_err(|_| Error::unauthorized(REFUSED))?;
    let account = format!("account:{}", email.key());
    let address = format!("address:{}", origin(parts).ip.unwrap_or_default());
    for key in [&account, &address] {
        app.sign_ins
            .try_once(key, now)
            .map_err(|seconds| Error::too_many("too many tries to sign in: wait a little, then try again", seconds))?;
    }
    let logins = members::logins(&mut app.store.read().await?, &email).await?;
    if logins.is_empty() {
        password::verify(password, None).await;
        record_stranger(app, parts, &email);
        return Err(Error::unauthorized(REFUSED));
    }
    for login in &logins {
        let matches = password::verify(password, login.password_hash.as_deref()).await;
        if matches && login.active {
            let proof = Proof::by(SignInMethod::Password);
            let cookie = begin(app, parts, login.workspace_id, login.member_id, &email, proof).await?;
            app.sign_ins.forgive(&account);
            return Ok((login.member_id, cookie));
        }
        let reason = match (matches, login.active) {
            (true, _) => "suspended",
            (false, _) if login.password_hash.is_none() => "no_password",
            _ => "wrong_password",
        };
        let actor = Actor::anonymous(Some(email.to_string()));
        let details = json!({ "method": "password", "reason": reason });
        app.store.record(login.workspace_id, EventType::SignInFailed, actor, origin(parts), None, details);
    }
    Err(Error::unauthorized(REFUSED))
}

/// A try with an address that nobody has is recorded where there is only one place it can be for.
fn record_stranger(app: &App, parts: &Parts, email: &Email) {
    let world = app.store.world();
    if let [id] = world.workspaces.keys().copied().collect::<Vec<_>>()[..] {
        let actor = Actor::anonymous(Some(email.to_string()));
        let details = json!({ "method": "password", "reason": "unknown_account" });
        app.store.record(id, EventType::SignInFailed, actor, origin(parts), None, details);
    }
}

/// Begins a session of a member who has proven to be one.
pub(crate) async fn begin(
    app: &App,
    parts: &Parts,
    workspace_id: WorkspaceId,
    member_id: MemberId,
    email: &Email,
    proof: Proof,
) -> Result<SessionCookie> {
    let workspace = app.store.workspace(workspace_id).ok_or_else(|| Error::unauthorized(REFUSED))?;
    let cookie = SessionCookie::new(parts, &workspace, member_id, proof, app.store.clock().now());
    let (hash, row) = &cookie.row;
    let mut change = app.store.change(workspace_id, Actor::member(member_id, email), origin(parts)).await?;
    // Asked again now that nobody can be shut out at the same time: a session that began behind their
    // back would be there when they are let in again.
    if !members::get(&mut change, workspace_id, member_id).await?.is_some_and(|member| member.active) {
        return Err(Error::unauthorized(REFUSED));
    }
    sessions::insert(&mut change, hash, row).await?;
    let mut details = json!({ "method": proof.method, "session_id": row.id });
    if let Some(factor) = proof.second_factor {
        details["second_factor"] = json!(factor);
    }
    if let Some(connection) = proof.connection_id {
        details["connection_id"] = json!(connection);
    }
    change.record(EventType::SignInSucceeded, None, details);
    change.commit().await?;
    Ok(cookie)
}
