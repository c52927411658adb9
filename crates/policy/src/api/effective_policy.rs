//! `/api/v1/members/{id}/effective-policy`: what binds a member now.

use axum::extract::State;
use provost_model::MemberId;
use provost_web::{App, Error, ErrorBody, PathId, Permit, Result, permits};

use crate::explain::{Explanation, Question, Subject, Texts, explain};

/// Every effective key of a member's policy, and why it is this policy.
#[utoipa::path(get, path = "/api/v1/members/{id}/effective-policy", tag = "Policies",
    params(("id" = MemberId, Path)),
    responses((status = 200, body = Explanation), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn show(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    PathId(id): PathId<MemberId>,
) -> Result<axum::Json<Explanation>> {
    let member = permit.workspace.members.get(&id).ok_or_else(|| Error::not_found("member"))?;
    let subject = Subject::Member(member, None);
    explain(&app, &permit.workspace, subject, Texts::default(), Question::default()).await.map(axum::Json)
}
