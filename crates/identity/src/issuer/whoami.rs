//! `GET /api/accounts/v1/user-auth-credential/whoami`: whose access token is this
//! (`client-contract.md` §1.4).

use axum::Json;
use provost_web::{Client, Error, Result, Via};
use serde_json::{Value, json};

use super::tokens::PLAN;

pub(crate) async fn show(client: Client) -> Result<Json<Value>> {
    if !matches!(client.via, Via::AccessToken(_)) {
        return Err(Error::unauthorized("this is for access tokens (`at-…`)"));
    }
    Ok(Json(json!({
        "email": client.member.email,
        "chatgpt_user_id": client.member.id,
        "chatgpt_account_id": client.workspace.id,
        "chatgpt_plan_type": PLAN,
        "chatgpt_account_is_fedramp": false,
    })))
}
