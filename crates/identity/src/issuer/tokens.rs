//! What a client is given when it has signed in: an id token, an access token, a refresh token.

use jiff::SignedDuration;
use provost_model::{Member, Workspace};
use provost_store::tables::grants::{self, ACCESS_TOKEN_LIFETIME, GrantRow};
use provost_store::{Result, Tx};
use provost_web::{AccessClaims, App, Secret};
use serde::Serialize;
use serde_json::json;

/// How long a client session lives, however often it is renewed.
pub(crate) const GRANT_LIFETIME: SignedDuration = SignedDuration::from_hours(90 * 24);

/// The plan that turns managed policy on in clients (`client-contract.md` §1.7).
pub(crate) const PLAN: &str = "enterprise";

/// The answer of the token endpoint: what Codex clients need (`client-contract.md` §1.2), and what
/// RFC 6749 §5.1 asks for.
#[derive(Serialize)]
pub(crate) struct Tokens {
    id_token: String,
    access_token: String,
    refresh_token: String,
    token_type: &'static str,
    expires_in: i64,
    scope: &'static str,
}

/// Issues tokens of a client session.
pub(crate) async fn issue(
    app: &App,
    tx: &mut Tx,
    grant: &GrantRow,
    workspace: &Workspace,
    member: &Member,
) -> Result<Tokens> {
    let now = app.store.clock().now();
    let refresh_token = Secret::new("rt-");
    grants::insert_refresh_token(tx, grant.id, &refresh_token.hash, now).await?;
    let exp = (now + ACCESS_TOKEN_LIFETIME).as_second();
    let about = json!({
        "chatgpt_account_id": workspace.id,
        "chatgpt_plan_type": PLAN,
        "chatgpt_user_id": member.id,
        "user_id": member.id,
        "organizations": [{ "id": workspace.id, "title": workspace.settings.name, "is_default": true, "role": "user" }],
    });
    let claims = AccessClaims { workspace_id: workspace.id, member_id: member.id, grant_id: grant.id, exp };
    // Two tokens of one second must differ, so that each can be told from the other.
    let jti = &Secret::new("").text[..22];
    let more = json!({
        "iat": now.as_second(), "jti": jti, "client_id": grant.client_id, "scope": SCOPE,
        "email": member.email, "https://api.openai.com/auth": about,
    });
    let id_claims = json!({
        "sub": member.id, "iat": now.as_second(), "exp": exp, "email": member.email, "email_verified": true,
        "name": member.name, "https://api.openai.com/auth": about,
        "https://api.openai.com/profile": { "email": member.email, "email_verified": true },
    });
    Ok(Tokens {
        id_token: app.keys.sign_id_token(&grant.client_id, &id_claims)?,
        access_token: app.keys.sign_access_token(claims, &more)?,
        refresh_token: refresh_token.text,
        token_type: "Bearer",
        expires_in: ACCESS_TOKEN_LIFETIME.as_secs(),
        scope: SCOPE,
    })
}

const SCOPE: &str = "openid profile email offline_access";
