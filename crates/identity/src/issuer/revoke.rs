//! `POST /oauth/revoke` (RFC 7009): a client signs out. Answers 200 whatever it is given.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use provost_model::GrantId;
use provost_model::event::{Actor, EventType, Target};
use provost_store::Touched;
use provost_store::tables::grants;
use provost_web::{App, hash_secret, origin};
use serde::Deserialize;
use serde_json::json;

use super::error::OAuthError;
use super::request::Parameters;

#[derive(Deserialize)]
pub(crate) struct Request {
    token: Option<String>,
}

pub(crate) async fn revoke(
    State(app): State<App>,
    parts: Parts,
    Parameters(request): Parameters<Request>,
) -> Result<Response, OAuthError> {
    let token = request.token.as_deref().ok_or_else(|| OAuthError::invalid_request("token is missing"))?;
    let refresh_token = grants::get_refresh_token(&mut app.store.read().await?, &hash_secret(token)).await?;
    let found = match refresh_token {
        Some(row) => Some((row.grant.workspace_id, row.grant.id, row.grant.member_id)),
        None => {
            let claims = app.keys.check_access_token(token).await;
            claims.map(|claims| (claims.workspace_id, claims.grant_id, claims.member_id))
        }
    };
    if let Some((workspace_id, grant_id, member_id)) = found {
        let workspace = app.store.workspace(workspace_id);
        let member = workspace.and_then(|workspace| workspace.members.get(&member_id).cloned());
        let actor = member.map_or(Actor::anonymous(None), |member| Actor::member(member.id, &member.email));
        let mut change = app.store.change(workspace_id, actor, origin(&parts)).await?;
        let now = change.at();
        if grants::revoke(&mut change, workspace_id, grant_id, now).await? {
            change.touch(Touched::Grant(grant_id));
            change.record(EventType::ClientSignedOut, target(grant_id), json!({ "reason": "signed_out" }));
            change.commit().await?;
        }
    }
    Ok(axum::Json(json!({})).into_response())
}

fn target(grant: GrantId) -> Target {
    Target::new("client_session", grant, "")
}
