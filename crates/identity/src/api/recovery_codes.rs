//! `/api/v1/recovery-codes`: for who has lost their second factor.

use axum::extract::State;
use provost_store::tables::second_factors;
use provost_web::{App, Created, Error, ErrorBody, Result, Session};
use serde::Serialize;
use utoipa::ToSchema;

use super::second_factors::own_id;
use crate::mfa::{check_fresh, factors};

/// Recovery codes.
#[derive(Serialize, ToSchema)]
pub(crate) struct RecoveryCodes {
    /// Each works once, in place of a code. They are shown this once.
    codes: Vec<String>,
}

/// Make ten recovery codes; the earlier ones stop working. Needs a session of the last 15 minutes that
/// showed the second factor.
#[utoipa::path(post, path = "/api/v1/recovery-codes", tag = "Second factors",
    responses((status = 201, body = RecoveryCodes), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub(crate) async fn create(session: Session, State(app): State<App>) -> Result<Created<RecoveryCodes>> {
    let codes = renew(&app, &session).await?;
    Ok(Created(RecoveryCodes { codes }))
}

/// Makes the codes of the session's member anew.
pub(crate) async fn renew(app: &App, session: &Session) -> Result<Vec<String>> {
    let member = own_id(session);
    let mut change = session.caller.change(app).await?;
    let ws = change.workspace_id();
    if second_factors::list(&mut change, ws, member).await?.is_empty() {
        let message = "recovery codes stand in for a second factor: set one up first";
        return Err(Error::conflict("no_second_factor", message));
    }
    check_fresh(session, true, change.at())?;
    let codes = factors::renew_recovery_codes(&mut change, member).await?;
    change.commit().await?;
    Ok(codes)
}
