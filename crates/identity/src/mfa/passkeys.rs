//! Passkeys (WebAuthn Level 3) as second factors. What a passkey is asked is kept here, sealed, for a few
//! minutes, and answered once; the user is always verified (by PIN or finger).

use aws_lc_rs::digest::{SHA256, digest};
use http::request::Parts;
use http::{StatusCode, Uri};
use jiff::SignedDuration;
use provost_model::{FactorKind, Member, MemberId, SecondFactorId, TokenHash, WorkspaceId};
use provost_store::Tx;
use provost_store::tables::second_factors::{self, SecondFactorRow};
use provost_store::tables::{pending_sign_ins, sessions};
use provost_web::{App, Error, Result, Session, SessionCookie};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use webauthn_rs::prelude::{
    Passkey, PasskeyAuthentication, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, Url, Uuid,
    Webauthn, WebauthnBuilder,
};

use super::factors;
use super::pending::{self, Pending};
use crate::api::second_factors::may_add;

/// So long for the passkey to answer.
const ANSWER_WITHIN: SignedDuration = SignedDuration::from_mins(5);

/// Whether passkeys can be had at this address: they are bound to a name, an IP address is none.
pub(crate) fn are_possible(app: &App) -> bool {
    webauthn(app).is_ok()
}

fn webauthn(app: &App) -> Result<Webauthn> {
    let unavailable = || {
        let message = "passkeys are bound to a host name, and this Provost is reached by an address: set \
                       `public_url` to a name";
        Error::conflict("passkeys_unavailable", message)
    };
    let host = app.public_url.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned));
    let url = Url::parse(&app.public_url).map_err(|_| unavailable())?;
    let builder = WebauthnBuilder::new(host.as_deref().unwrap_or_default(), &url).map_err(|_| unavailable())?;
    builder.rp_name("Provost").build().map_err(|_| unavailable())
}

/// The passkeys among these factors.
async fn passkeys(app: &App, rows: &[SecondFactorRow]) -> Result<Vec<(SecondFactorId, Passkey)>> {
    let mut passkeys = Vec::new();
    for row in rows.iter().filter(|row| row.kind == FactorKind::Passkey) {
        passkeys.push((row.id, open(app, &second_factors::seal_place(row.id), &row.sealed).await?));
    }
    Ok(passkeys)
}

fn seal<T: Serialize>(app: &App, place: &str, value: &T) -> Vec<u8> {
    let text = serde_json::to_vec(value).expect("what WebAuthn keeps is plain data");
    app.store.sealer().seal(place, &text)
}

async fn open<T: DeserializeOwned>(app: &App, place: &str, sealed: &[u8]) -> Result<T> {
    let plain = app.store.unseal(place, sealed).await?;
    serde_json::from_slice(&plain).map_err(|error| {
        tracing::error!(%error, "a passkey that was kept cannot be read");
        Error::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "a passkey that was kept cannot be read")
    })
}

fn registration(member: MemberId) -> String {
    let [registration, _] = pending_sign_ins::seal_places(member);
    registration
}

fn authentication(member: MemberId) -> String {
    let [_, authentication] = pending_sign_ins::seal_places(member);
    authentication
}

/// What a new passkey is asked, for a session.
pub(crate) async fn begin_registration(tx: &mut Tx, app: &App, session: &Session, member: &Member) -> Result<Value> {
    let (ws, now) = (session.caller.workspace.id, app.store.clock().now());
    let (email, member) = (&member.email, member.id);
    let present = passkeys(app, &second_factors::list(tx, ws, member).await?).await?;
    let present = present.iter().map(|(_, passkey)| passkey.cred_id().clone()).collect();
    // A handle that says nothing to who reads it out of the passkey, and stays the same.
    let hash = digest(&SHA256, format!("{ws} {member}").as_bytes());
    let handle = Uuid::from_slice(&hash.as_ref()[..16]).expect("sixteen bytes");
    let begun = webauthn(app)?.start_passkey_registration(handle, email.as_str(), email.as_str(), Some(present));
    let (challenge, state) = begun.map_err(|error| refused(&error))?;
    let sealed = seal(app, &registration(member), &state);
    pending_sign_ins::set_challenge(tx, &session.hash, ws, member, &sealed, now + ANSWER_WITHIN).await?;
    Ok(serde_json::to_value(challenge).expect("a challenge is plain data"))
}

/// Takes what was asked, so that it is answered once whatever comes of it.
async fn taken<T: DeserializeOwned>(
    app: &App,
    hash: &TokenHash,
    ws: WorkspaceId,
    member: MemberId,
    place: &str,
) -> Result<T> {
    let now = app.store.clock().now();
    let mut tx = app.store.write().await?;
    let sealed = pending_sign_ins::take_challenge(&mut tx, hash, ws, member, now).await?;
    tx.commit().await?;
    let over = || Error::conflict("no_challenge", "nothing was asked of the passkey, or too long ago: begin again");
    // One that was asked something else opens nothing here.
    let sealed = sealed.ok_or_else(over)?;
    open(app, place, &sealed).await.map_err(|_| over())
}

/// Adds the passkey that answered.
pub(crate) async fn register(
    app: &App,
    session: &Session,
    member: MemberId,
    name: &str,
    credential: Value,
) -> Result<SecondFactorRow> {
    let answer: RegisterPublicKeyCredential = serde_json::from_value(credential).map_err(|_| unreadable())?;
    let ws = session.caller.workspace.id;
    let state: PasskeyRegistration = taken(app, &session.hash, ws, member, &registration(member)).await?;
    let passkey = webauthn(app)?.finish_passkey_registration(&answer, &state).map_err(|error| refused(&error))?;
    let mut change = may_add(app, session).await?;
    let now = change.at();
    let present = passkeys(app, &second_factors::list(&mut change, ws, member).await?).await?;
    if present.iter().any(|(_, other)| other.cred_id() == passkey.cred_id()) {
        return Err(Error::conflict("already_exists", "you have this passkey already"));
    }
    let id = SecondFactorId::new(now);
    let row = SecondFactorRow {
        id,
        member_id: member,
        kind: FactorKind::Passkey,
        name: name.to_owned(),
        sealed: seal(app, &second_factors::seal_place(id), &passkey),
        last_step: None,
        created_at: now,
        confirmed_at: None,
        last_used_at: Some(now),
    };
    second_factors::insert(&mut change, ws, &row).await?;
    factors::add(&mut change, &row).await?;
    sessions::set_second_factor(&mut change, &session.hash, FactorKind::Passkey).await?;
    change.commit().await?;
    Ok(row)
}

/// What a passkey is asked that the sign-in waits for.
pub(crate) async fn begin_authentication(app: &App, pending: &Pending) -> Result<Value> {
    let (ws, member) = (pending.row.workspace_id, pending.row.member_id);
    let now = app.store.clock().now();
    let mut tx = app.store.write().await?;
    let present = passkeys(app, &second_factors::list(&mut tx, ws, member).await?).await?;
    if present.is_empty() {
        return Err(Error::conflict("no_passkey", "you have no passkey: use a code"));
    }
    let present: Vec<Passkey> = present.into_iter().map(|(_, passkey)| passkey).collect();
    let (challenge, state) = webauthn(app)?.start_passkey_authentication(&present).map_err(|error| refused(&error))?;
    let sealed = seal(app, &authentication(member), &state);
    pending_sign_ins::set_challenge(&mut tx, &pending.hash, ws, member, &sealed, now + ANSWER_WITHIN).await?;
    tx.commit().await?;
    Ok(serde_json::to_value(challenge).expect("a challenge is plain data"))
}

/// Goes on with the passkey that answered.
pub(crate) async fn finish(app: &App, parts: &Parts, pending: &Pending, credential: Value) -> Result<SessionCookie> {
    pending::count_try(app, pending).await?;
    let (ws, member) = (pending.row.workspace_id, pending.row.member_id);
    let answer: PublicKeyCredential = serde_json::from_value(credential).map_err(|_| unreadable())?;
    let state: PasskeyAuthentication = taken(app, &pending.hash, ws, member, &authentication(member)).await?;
    let Ok(shown) = webauthn(app)?.finish_passkey_authentication(&answer, &state) else {
        return Err(pending::wrong(app, parts, pending));
    };
    let mut change = pending::close(app, parts, pending).await?;
    let now = change.at();
    // As it is kept now: it may have been removed meanwhile, or used.
    let present = passkeys(app, &second_factors::list(&mut change, ws, member).await?).await?;
    let Some((id, mut passkey)) = present.into_iter().find(|(_, passkey)| passkey.cred_id() == shown.cred_id()) else {
        return Err(pending::wrong(app, parts, pending));
    };
    passkey.update_credential(&shown);
    let sealed = seal(app, &second_factors::seal_place(id), &passkey);
    second_factors::note_use(&mut change, ws, id, &sealed, now).await?;
    pending::open(change, app, parts, pending, FactorKind::Passkey).await
}

fn unreadable() -> Error {
    Error::invalid("credential", "invalid_credential", "this is not what a passkey answers")
}

fn refused(error: &webauthn_rs::prelude::WebauthnError) -> Error {
    tracing::info!(%error, "a passkey was refused");
    Error::invalid("credential", "passkey_refused", "the passkey's answer is not good: try again, or with another one")
}
