//! Checking what a member types: a code of their app, or a recovery code.

use jiff::Timestamp;
use provost_model::{FactorKind, MemberId};
use provost_store::Change;
use provost_store::tables::second_factors::{self, SecondFactorRow};
use provost_web::{App, Result};

use super::{recovery, totp};

/// Which factor a code shows, if any. Part of the change: a code that was taken stays taken only if the
/// session that it opens is there.
pub(crate) async fn take(change: &mut Change, app: &App, member: MemberId, typed: &str) -> Result<Option<FactorKind>> {
    let (ws, now) = (change.workspace_id(), change.at());
    for factor in second_factors::list(change, ws, member).await? {
        if factor.kind == FactorKind::Totp && take_totp(change, app, &factor, typed, now).await? {
            return Ok(Some(FactorKind::Totp));
        }
    }
    let Some(hash) = recovery::hash(member, typed) else { return Ok(None) };
    let taken = second_factors::take_recovery_code(change, ws, member, &hash).await?;
    Ok(taken.then_some(FactorKind::RecoveryCode))
}

/// Whether a code is this factor's, and takes it.
pub(crate) async fn take_totp(
    change: &mut Change,
    app: &App,
    factor: &SecondFactorRow,
    typed: &str,
    now: Timestamp,
) -> Result<bool> {
    let otp: String = typed.chars().filter(|c| !c.is_whitespace()).take(16).collect();
    let secret = app.store.unseal(&second_factors::seal_place(factor.id), &factor.sealed).await?;
    let Some(step) = totp::step_of(&secret, &otp, now, factor.last_step) else { return Ok(false) };
    let ws = change.workspace_id();
    Ok(second_factors::take_step(change, ws, factor.id, step, now).await?)
}
