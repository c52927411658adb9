//! Setting factors up and taking them away.

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use provost_model::event::{EventType, Target};
use provost_model::{FactorKind, MemberId, SecondFactorId, WorkspaceId};
use provost_store::tables::second_factors::{self, SecondFactorRow};
use provost_store::tables::{members, pending_sign_ins, sessions};
use provost_store::{Change, Touched, Tx};
use provost_web::{App, Error, Result};
use serde_json::json;

use super::{codes, recovery, totp};

/// A member has at most so many.
pub(crate) const MOST: usize = 10;
/// Between the secret and the first code that shows that it arrived.
pub(crate) const SET_UP_WITHIN: SignedDuration = SignedDuration::from_mins(15);

/// An authenticator app that is being set up, as its member is shown it.
pub(crate) struct NewTotp {
    pub(crate) id: SecondFactorId,
    pub(crate) secret: String,
    pub(crate) uri: String,
    pub(crate) qr_svg: String,
}

/// Begins to set up an app. It counts once it has shown a code.
pub(crate) async fn begin_totp(
    tx: &mut Tx,
    app: &App,
    ws: WorkspaceId,
    member: MemberId,
    name: &str,
    now: Timestamp,
) -> Result<SecondFactorId> {
    let id = SecondFactorId::new(now);
    second_factors::delete_unconfirmed(tx, ws, member, now - SET_UP_WITHIN).await?;
    let row = SecondFactorRow {
        id,
        member_id: member,
        kind: FactorKind::Totp,
        name: name.to_owned(),
        sealed: app.store.sealer().seal(&second_factors::seal_place(id), &totp::secret()),
        last_step: None,
        created_at: now,
        confirmed_at: None,
        last_used_at: None,
    };
    second_factors::insert(tx, ws, &row).await?;
    Ok(id)
}

/// Shows an app that is being set up, to whoever began it.
pub(crate) async fn show_totp(
    tx: &mut Tx,
    app: &App,
    ws: WorkspaceId,
    member: MemberId,
    id: SecondFactorId,
) -> Result<Option<NewTotp>> {
    let Some(row) = second_factors::get(tx, ws, member, id).await?.filter(|row| row.confirmed_at.is_none()) else {
        return Ok(None);
    };
    let secret = app.store.unseal(&second_factors::seal_place(id), &row.sealed).await?;
    let Some(workspace) = app.store.workspace(ws) else { return Ok(None) };
    let Some(account) = workspace.members.get(&member) else { return Ok(None) };
    let uri = totp::uri(&secret, &format!("Provost {}", workspace.settings.name), account.email.as_str());
    let qr_svg = totp::qr_svg(&uri)?;
    Ok(Some(NewTotp { id, secret: totp::base32(&secret), uri, qr_svg }))
}

/// Makes an app count, if the code is its.
pub(crate) async fn confirm_totp(
    change: &mut Change,
    app: &App,
    member: MemberId,
    id: SecondFactorId,
    otp: &str,
) -> Result<SecondFactorRow> {
    let (ws, now) = (change.workspace_id(), change.at());
    let row = second_factors::get(change, ws, member, id).await?;
    let row = row.filter(|row| {
        row.kind == FactorKind::Totp
            && row.confirmed_at.is_none()
            && now.duration_since(row.created_at) <= SET_UP_WITHIN
    });
    let row = row.ok_or_else(|| Error::not_found("second factor that is being set up"))?;
    if !codes::take_totp(change, app, &row, otp, now).await? {
        let message = "the code is wrong: take the one that the app shows now, and check that the clock of its \
                       device is right";
        return Err(Error::invalid("otp", "wrong_code", message));
    }
    add(change, &row).await?;
    Ok(SecondFactorRow { confirmed_at: Some(now), last_used_at: Some(now), ..row })
}

/// Makes a factor count that has shown that it works.
pub(crate) async fn add(change: &mut Change, row: &SecondFactorRow) -> Result<()> {
    let (ws, now) = (change.workspace_id(), change.at());
    if second_factors::list(change, ws, row.member_id).await?.len() >= MOST {
        return Err(too_many());
    }
    second_factors::confirm(change, ws, row.id, now).await?;
    change.touch(Touched::Member(row.member_id));
    let target = Target::new("second_factor", row.id, row.name.as_str());
    change.record(EventType::SecondFactorAdded, target, json!({ "kind": row.kind, "member_id": row.member_id }));
    Ok(())
}

fn too_many() -> Error {
    Error::conflict("too_many_second_factors", format!("you have {MOST} second factors: remove one first"))
}

/// Refuses who has no password here: their provider asks for the second factor. And who has enough.
pub(crate) async fn check_may_add(tx: &mut Tx, ws: WorkspaceId, member: MemberId) -> Result<Vec<SecondFactorRow>> {
    if !members::has_password(tx, ws, member).await? {
        let message = "you have no password here, so there is nothing for a second factor to stand beside: your \
                       identity provider asks for its own";
        return Err(Error::conflict("no_password", message));
    }
    let factors = second_factors::list(tx, ws, member).await?;
    if factors.len() >= MOST {
        return Err(too_many());
    }
    Ok(factors)
}

/// Takes a factor away; with the last one go the recovery codes.
pub(crate) async fn remove(change: &mut Change, member: MemberId, id: SecondFactorId) -> Result<()> {
    let ws = change.workspace_id();
    let gone = || Error::not_found("second factor");
    let row = second_factors::get(change, ws, member, id).await?.filter(|row| row.confirmed_at.is_some());
    let row = row.ok_or_else(gone)?;
    second_factors::delete(change, ws, member, id).await?;
    if second_factors::list(change, ws, member).await?.is_empty() {
        let now = change.at();
        second_factors::set_recovery_codes(change, ws, member, &[], now).await?;
    }
    change.touch(Touched::Member(member));
    let target = Target::new("second_factor", id, row.name);
    change.record(EventType::SecondFactorRemoved, target, json!({ "kind": row.kind, "member_id": member }));
    Ok(())
}

/// Takes everything away from a member who is locked out, and ends their sessions: whoever holds the lost
/// phone may be in one.
pub(crate) async fn reset(change: &mut Change, member: MemberId) -> Result<()> {
    let (ws, now) = (change.workspace_id(), change.at());
    let factors = second_factors::list(change, ws, member).await?;
    for factor in &factors {
        second_factors::delete(change, ws, member, factor.id).await?;
        let target = Target::new("second_factor", factor.id, factor.name.as_str());
        let details = json!({ "kind": factor.kind, "member_id": member, "reset": true });
        change.record(EventType::SecondFactorRemoved, target, details);
    }
    if factors.is_empty() {
        return Err(Error::new(StatusCode::NOT_FOUND, "not_found", "the member has no second factor"));
    }
    second_factors::set_recovery_codes(change, ws, member, &[], now).await?;
    sessions::end_all(change, ws, member).await?;
    pending_sign_ins::delete_all(change, ws, member).await?;
    change.touch(Touched::Member(member));
    Ok(())
}

/// New recovery codes; the earlier ones stop working.
pub(crate) async fn renew_recovery_codes(change: &mut Change, member: MemberId) -> Result<Vec<String>> {
    let (ws, now) = (change.workspace_id(), change.at());
    let made = recovery::generate();
    let hashes: Vec<_> = made.iter().filter_map(|code| recovery::hash(member, code)).collect();
    second_factors::set_recovery_codes(change, ws, member, &hashes, now).await?;
    let details = json!({ "member_id": member, "count": hashes.len() });
    change.record(EventType::RecoveryCodesCreated, None, details);
    Ok(made)
}
