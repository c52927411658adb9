//! Links that work once.

use jiff::{SignedDuration, Timestamp};
use provost_model::{MemberId, WorkspaceId};
use provost_store::tables::links::{self, LinkRow};
use provost_store::{Result, Tx};
use provost_web::Secret;

/// How long an invitation works.
pub(crate) const INVITATION: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Makes a link with which a member signs in and sets a password; its path.
pub(crate) async fn invite(tx: &mut Tx, ws: WorkspaceId, member: MemberId, now: Timestamp) -> Result<String> {
    let secret = Secret::new("");
    let link = LinkRow { member: Some((ws, member)), expires_at: now + INVITATION };
    links::insert(tx, &secret.hash, link, now).await?;
    Ok(format!("/sign-in/link/{}", secret.text))
}
