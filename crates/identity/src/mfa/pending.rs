//! Sign-ins whose password (or link) was right and that wait for the second factor: kept here, bound to
//! the browser by a cookie, for a short time and a few tries.

use http::request::Parts;
use http::{HeaderValue, StatusCode};
use jiff::SignedDuration;
use provost_model::event::Actor;
use provost_model::{Email, FactorKind, MemberId, Proof, SignInMethod, TokenHash, WorkspaceId};
use provost_store::Change;
use provost_store::tables::pending_sign_ins::{self, PendingSignInRow};
use provost_store::tables::second_factors;
use provost_web::{App, Error, Result, Secret, SessionCookie, cookie, hash_secret, origin, set_cookie};

use super::{codes, factors};
use crate::failures::{self, Failure};
use crate::sign_in;

const NAME: &str = "provost-second-factor";
const LASTS: SignedDuration = SignedDuration::from_mins(10);
/// So many codes for one password.
const MOST_TRIES: i64 = 5;

/// A sign-in that waits.
pub(crate) struct Pending {
    pub(crate) hash: TokenHash,
    pub(crate) row: PendingSignInRow,
    pub(crate) email: Email,
}

/// Begins to wait; the browser's cookie. Where the member has no factor, one is set up on the way.
pub(crate) async fn begin(
    app: &App,
    parts: &Parts,
    ws: WorkspaceId,
    member: MemberId,
    method: SignInMethod,
    next: &str,
    must_enrol: bool,
) -> Result<HeaderValue> {
    let now = app.store.clock().now();
    let secret = Secret::new("");
    let mut tx = app.store.write().await?;
    pending_sign_ins::delete_expired(&mut tx, now).await?;
    let factor_id = match must_enrol {
        true => Some(factors::begin_totp(&mut tx, app, ws, member, "Authenticator app", now).await?),
        false => None,
    };
    let expires_at = now + LASTS;
    let next = next.to_owned();
    let row = PendingSignInRow { workspace_id: ws, member_id: member, method, next, factor_id, tries: 0, expires_at };
    pending_sign_ins::insert(&mut tx, &secret.hash, &row).await?;
    tx.commit().await?;
    Ok(set_cookie(parts, NAME, &secret.text, LASTS.as_secs()))
}

/// Takes the cookie away.
pub(crate) fn clear(parts: &Parts) -> HeaderValue {
    set_cookie(parts, NAME, "", 0)
}

/// The sign-in of this browser that waits.
pub(crate) async fn find(app: &App, parts: &Parts) -> Result<Option<Pending>> {
    let Some(secret) = cookie(parts, NAME) else { return Ok(None) };
    let hash = hash_secret(secret);
    let now = app.store.clock().now();
    let Some(row) = pending_sign_ins::get(&mut app.store.read().await?, &hash, now).await? else { return Ok(None) };
    let workspace = app.store.workspace(row.workspace_id);
    let workspace = workspace.filter(|workspace| workspace.settings.may_sign_in_here(row.member_id));
    let member = workspace.and_then(|workspace| workspace.members.get(&row.member_id).cloned());
    Ok(member.filter(|member| member.active).map(|member| Pending { hash, row, email: member.email.clone() }))
}

/// There is none, or it is over.
pub(crate) fn over() -> Error {
    let message = "the sign-in took too long or too many tries: begin again with your password";
    Error::new(StatusCode::UNAUTHORIZED, "sign_in_expired", message)
}

/// Counts a try, of the account and of this sign-in.
pub(crate) async fn count_try(app: &App, pending: &Pending) -> Result<()> {
    count_code(app, pending.row.member_id)?;
    let mut tx = app.store.write().await?;
    let counted = pending_sign_ins::count_try(&mut tx, &pending.hash, MOST_TRIES).await?;
    if !counted {
        pending_sign_ins::delete(&mut tx, &pending.hash).await?;
    }
    tx.commit().await?;
    if counted { Ok(()) } else { Err(over()) }
}

/// Counts a try of an account.
pub(crate) fn count_code(app: &App, member: MemberId) -> Result<()> {
    let tried = app.sign_ins.try_code(&member.to_string(), app.store.clock().now());
    tried.map_err(|seconds| Error::too_many("too many codes: wait a little, then try again", seconds))
}

/// Begins the change with which a waiting sign-in ends: it ends once.
pub(crate) async fn close(app: &App, parts: &Parts, pending: &Pending) -> Result<Change> {
    let actor = Actor::member(pending.row.member_id, &pending.email);
    let mut change = app.store.change(pending.row.workspace_id, actor, origin(parts)).await?;
    if !pending_sign_ins::delete(&mut change, &pending.hash).await? {
        return Err(over());
    }
    Ok(change)
}

/// Begins the session, now that the factor was shown.
pub(crate) async fn open(
    mut change: Change,
    app: &App,
    parts: &Parts,
    pending: &Pending,
    factor: FactorKind,
) -> Result<SessionCookie> {
    let proof = Proof::by(pending.row.method).and(factor);
    let cookie = sign_in::open(&mut change, app, parts, pending.row.member_id, proof).await?;
    change.commit().await?;
    app.sign_ins.forgive(&pending.email.key());
    Ok(cookie)
}

/// Goes on with a code.
pub(crate) async fn finish(app: &App, parts: &Parts, pending: &Pending, typed: &str) -> Result<SessionCookie> {
    count_try(app, pending).await?;
    let mut change = close(app, parts, pending).await?;
    match codes::take(&mut change, app, pending.row.member_id, typed).await? {
        Some(factor) => open(change, app, parts, pending, factor).await,
        None => {
            // Not committed: the sign-in waits on.
            drop(change);
            Err(wrong(app, parts, pending))
        }
    }
}

/// A code that was wrong, recorded.
pub(crate) fn wrong(app: &App, parts: &Parts, pending: &Pending) -> Error {
    let failure = Failure::of(&pending.email, pending.row.method, "wrong_second_factor");
    failures::record(app, parts, pending.row.workspace_id, failure);
    wrong_code()
}

/// The code is wrong.
pub(crate) fn wrong_code() -> Error {
    let message = "the code is wrong, or was used before: take the one that your app shows now, or a recovery code";
    Error::new(StatusCode::UNAUTHORIZED, "wrong_second_factor", message)
}

/// Sets the required factor up with its first code, and goes on. The session, and the recovery codes.
pub(crate) async fn enrol(
    app: &App,
    parts: &Parts,
    pending: &Pending,
    typed: &str,
) -> Result<(SessionCookie, Vec<String>)> {
    let id = pending.row.factor_id.ok_or_else(over)?;
    count_try(app, pending).await?;
    let member = pending.row.member_id;
    let mut change = close(app, parts, pending).await?;
    if !second_factors::list(&mut change, pending.row.workspace_id, member).await?.is_empty() {
        // One was set up meanwhile: the password alone must not add another.
        return Err(over());
    }
    factors::confirm_totp(&mut change, app, member, id, typed).await?;
    let made = factors::renew_recovery_codes(&mut change, member).await?;
    let cookie = open(change, app, parts, pending, FactorKind::Totp).await?;
    Ok((cookie, made))
}
