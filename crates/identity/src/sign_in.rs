//! Signing in with e-mail and password: for the API and the page alike.

use http::request::Parts;
use http::{HeaderValue, StatusCode};
use provost_model::event::{Actor, EventType};
use provost_model::{Email, FactorKind, MemberId, Proof, SignInMethod, WorkspaceId};
use provost_store::Change;
use provost_store::tables::{members, second_factors, sessions};
use provost_web::{App, Error, Result, SessionCookie, SignInOrigin, address, origin};
use serde_json::json;

use crate::failures::{self, Failure};
use crate::{mfa, password};

/// The same whether the account, the password or the activity is missing: a stranger learns nothing.
const REFUSED: &str = "the e-mail address or the password is wrong, or the account is suspended";

/// Whose password was right.
pub(crate) struct Known {
    pub(crate) workspace_id: WorkspaceId,
    pub(crate) member_id: MemberId,
    pub(crate) email: Email,
}

/// What has begun.
pub(crate) enum Begun {
    /// A session: its cookie, and the one by which the browser is known.
    Session(Box<SessionCookie>, HeaderValue),
    /// A wait for the second factor: its cookie.
    Waiting {
        /// Binds the browser.
        cookie: HeaderValue,
        /// How the factor is shown; none where one must be set up first.
        methods: Vec<FactorKind>,
    },
}

/// Checks a password, and goes on.
pub(crate) async fn sign_in(
    app: &App,
    parts: &Parts,
    email: &str,
    password: &str,
    otp: Option<&str>,
    next: &str,
) -> Result<(MemberId, Begun)> {
    let known = check_password(app, parts, email, password).await?;
    let begun = go_on(app, parts, &known, SignInMethod::Password, otp, next).await?;
    Ok((known.member_id, begun))
}

async fn check_password(app: &App, parts: &Parts, email: &str, password: &str) -> Result<Known> {
    let now = app.store.clock().now();
    let email = Email::try_from(email.to_owned()).map_err(|_| Error::unauthorized(REFUSED))?;
    let device = mfa::device::of(app, parts, &email);
    let from = SignInOrigin { ip: address(parts), device: device.as_deref() };
    app.sign_ins
        .try_password(&email.key(), from, now)
        .map_err(|seconds| Error::too_many("too many tries to sign in: wait a little, then try again", seconds))?;
    let logins = members::logins(&mut app.store.read().await?, &email).await?;
    if logins.is_empty() {
        password::verify(password, None).await;
        record_stranger(app, parts, &email);
        return Err(Error::unauthorized(REFUSED));
    }
    for login in &logins {
        let matches = password::verify(password, login.password_hash.as_deref()).await;
        let may_sign_in_here = app
            .store
            .workspace(login.workspace_id)
            .is_some_and(|workspace| workspace.settings.may_sign_in_here(login.member_id));
        if matches && login.active && may_sign_in_here {
            return Ok(Known { workspace_id: login.workspace_id, member_id: login.member_id, email });
        }
        let reason = match (matches, login.active) {
            (true, true) => "sso_required",
            (true, false) => "suspended",
            (false, _) if login.password_hash.is_none() => "no_password",
            _ => "wrong_password",
        };
        failures::record(app, parts, login.workspace_id, Failure::of(&email, METHOD, reason));
        if reason == "sso_required" {
            // Who knows the password may know this.
            let message = "this workspace signs in through its identity provider: choose it on the sign-in page";
            return Err(Error::new(StatusCode::FORBIDDEN, "sso_required", message));
        }
    }
    Err(Error::unauthorized(REFUSED))
}

const METHOD: SignInMethod = SignInMethod::Password;

/// Goes on after the first factor: to a session where that is enough, or where the second came along;
/// else to a wait for it.
pub(crate) async fn go_on(
    app: &App,
    parts: &Parts,
    known: &Known,
    method: SignInMethod,
    otp: Option<&str>,
    next: &str,
) -> Result<Begun> {
    let Known { workspace_id: ws, member_id: member, email } = known;
    let mut change = app.store.change(*ws, Actor::member(*member, email), origin(parts)).await?;
    let factors = second_factors::list(&mut change, *ws, *member).await?;
    let proof = match otp {
        _ if factors.is_empty() => Proof::by(method),
        None => Proof::by(method),
        Some(otp) => {
            mfa::pending::count_code(app, *member)?;
            let Some(factor) = mfa::codes::take(&mut change, app, *member, otp).await? else {
                let reason = "wrong_second_factor";
                failures::record(app, parts, *ws, Failure::of(email, method, reason));
                return Err(mfa::pending::wrong_code());
            };
            Proof::by(method).and(factor)
        }
    };
    let is_enough = app.store.workspace(*ws).is_some_and(|workspace| workspace.settings.is_enough(&proof));
    if is_enough && (factors.is_empty() || proof.second_factor.is_some()) {
        let cookie = open(&mut change, app, parts, *member, proof).await?;
        change.commit().await?;
        app.sign_ins.forgive(&email.key());
        return Ok(Begun::Session(Box::new(cookie), mfa::device::remember(app, parts, email)));
    }
    // Nothing was written: the wait begins by itself.
    drop(change);
    let must_enrol = factors.is_empty();
    let cookie = mfa::pending::begin(app, parts, *ws, *member, method, next, must_enrol).await?;
    let methods = if must_enrol { Vec::new() } else { mfa::methods(&factors) };
    Ok(Begun::Waiting { cookie, methods })
}

/// A try with an address that nobody has is recorded where there is only one place it can be for.
fn record_stranger(app: &App, parts: &Parts, email: &Email) {
    let world = app.store.world();
    if let [id] = world.workspaces.keys().copied().collect::<Vec<_>>()[..] {
        failures::record(app, parts, id, Failure::of(email, METHOD, "unknown_account"));
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
    let mut change = app.store.change(workspace_id, Actor::member(member_id, email), origin(parts)).await?;
    let cookie = open(&mut change, app, parts, member_id, proof).await?;
    change.commit().await?;
    Ok(cookie)
}

/// Begins a session as part of a change, whose actor is the member.
pub(crate) async fn open(
    change: &mut Change,
    app: &App,
    parts: &Parts,
    member_id: MemberId,
    proof: Proof,
) -> Result<SessionCookie> {
    let workspace = app.store.workspace(change.workspace_id()).ok_or_else(|| Error::unauthorized(REFUSED))?;
    let cookie = SessionCookie::new(parts, &workspace, member_id, proof, change.at());
    let (hash, row) = &cookie.row;
    // Asked again now that nobody can be shut out at the same time: a session that began behind their
    // back would be there when they are let in again.
    let ws = change.workspace_id();
    if !members::is_active(change, ws, member_id).await? {
        return Err(Error::unauthorized(REFUSED));
    }
    sessions::insert(change, hash, row).await?;
    let mut details = json!({ "method": proof.method, "session_id": row.id });
    if let Some(factor) = proof.second_factor {
        details["second_factor"] = json!(factor);
    }
    if let Some(connection) = proof.connection_id {
        details["connection_id"] = json!(connection);
    }
    if proof.connection_id.is_none() && workspace.settings.sso_required {
        details["break_glass"] = json!(true);
    }
    change.record(EventType::SignInSucceeded, None, details);
    Ok(cookie)
}
