use std::ops::Deref;

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::client::bearer;
use crate::{App, Caller, Client, Error, Principal};

/// Who asks for something for themselves: a caller of the admin API, or a member through the sign-in of
/// their Codex client, which is the one credential that every developer has at the terminal.
///
/// Only for what gives nobody any power: a client's token is no way into the admin API.
pub struct Asker(Caller);

impl Deref for Asker {
    type Target = Caller;
    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl FromRequestParts<App> for Asker {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        if bearer(parts).is_none_or(|token| token.starts_with("pk-")) {
            return Caller::resolve(app, parts).await.map(Self);
        }
        let Client { workspace, member, origin, .. } = Client::from_request_parts(parts, app).await?;
        Ok(Self(Caller { workspace, principal: Principal::Member(member), origin }))
    }
}
