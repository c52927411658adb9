//! The credential that clients report with: it names a member and their device, and is good for nothing
//! but saying what ran there.
//!
//! Nothing of it is stored: it is marked with a key that is kept wrapped by the master key, and lives as long as
//! the member and the client session or access token that it was made for.

use axum::extract::FromRequestParts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::request::Parts;
use jiff::{SignedDuration, Timestamp};
use provost_model::{MemberId, WorkspaceId};
use provost_store::tables::grants::ACCESS_TOKEN_LIFETIME;
use provost_store::tables::{access_tokens, grants};
use provost_store::{Sealer, Store};

use crate::client::bearer;
use crate::{App, Client, Device, Error, Result, Via, origin};

/// What such a token begins with.
const PREFIX: &str = "tt-";
/// What the mark is for.
const PURPOSE: &str = "telemetry";
/// No token of ours is longer.
const MAX_BYTES: usize = 512;
/// How long the mark is: 32 bytes in base64url.
const MARK_CHARS: usize = 43;

/// Whose reports they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Claims {
    workspace_id: WorkspaceId,
    member_id: MemberId,
    via: Via,
    /// When it was made, to the hour before: so a client is sent the same for a while.
    hour: i64,
}

/// A telemetry token of ours in a text: what its mark says whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TelemetrySighting<'a> {
    /// The token. Never show it.
    pub secret: &'a str,
    /// Of which workspace.
    pub workspace_id: WorkspaceId,
    /// Of which member.
    pub member_id: MemberId,
    /// What it was made for, and ends with.
    pub via: Via,
}

/// Finds the telemetry tokens that were made here, whatever stands around them.
pub fn find_telemetry_tokens<'a>(sealer: &Sealer, text: &'a str) -> Vec<TelemetrySighting<'a>> {
    let sighting = |(at, prefix): (usize, &str)| {
        let said = text.as_bytes()[at + prefix.len()..].iter().take(MAX_BYTES);
        let said = said.take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')).count();
        let secret = text.get(at..at + prefix.len() + said + 1 + MARK_CHARS)?;
        let Claims { workspace_id, member_id, via, hour: _ } = Claims::open(sealer, secret)?;
        Some(TelemetrySighting { secret, workspace_id, member_id, via })
    };
    text.match_indices(PREFIX).filter_map(sighting).collect()
}

/// The token of a client. The same for an hour.
pub fn telemetry_token(sealer: &Sealer, client: &Client, now: Timestamp) -> String {
    let (workspace_id, member_id, via) = (client.workspace.id, client.member.id, client.via);
    Claims { workspace_id, member_id, via, hour: now.as_second().div_euclid(3600) }.seal(sealer)
}

impl Claims {
    fn seal(&self, sealer: &Sealer) -> String {
        let Self { workspace_id, member_id, via, hour } = self;
        let said = format!("{workspace_id} {member_id} {} {hour}", Device::from(*via));
        let mark = sealer.mark(PURPOSE, said.as_bytes());
        format!("{PREFIX}{}.{}", URL_SAFE_NO_PAD.encode(said), URL_SAFE_NO_PAD.encode(mark))
    }

    fn open(sealer: &Sealer, token: &str) -> Option<Self> {
        let (said, mark) = token.strip_prefix(PREFIX).filter(|_| token.len() <= MAX_BYTES)?.split_once('.')?;
        let (said, mark) = (URL_SAFE_NO_PAD.decode(said).ok()?, URL_SAFE_NO_PAD.decode(mark).ok()?);
        if !sealer.is_marked(PURPOSE, &said, &mark) {
            return None;
        }
        let mut words = std::str::from_utf8(&said).ok()?.split(' ');
        let mut next = || words.next();
        let (workspace_id, member_id) = (next()?.parse().ok()?, next()?.parse().ok()?);
        let device = next()?;
        let grant = device.parse().ok().map(Via::Grant);
        let via = grant.or_else(|| device.parse().ok().map(Via::AccessToken))?;
        Some(Self { workspace_id, member_id, via, hour: next()?.parse().ok()? })
    }
}

/// A client that reports with its telemetry token.
#[derive(Debug, Clone)]
pub struct Reporter(pub Client);

impl Reporter {
    async fn resolve(app: &App, parts: &Parts) -> Result<Self> {
        let claims = bearer(parts).and_then(|token| Claims::open(app.store.sealer(), token)).ok_or_else(nobody)?;
        let workspace = app.store.workspace(claims.workspace_id).ok_or_else(nobody)?;
        let member = workspace.members.get(&claims.member_id).filter(|member| member.active).cloned();
        let member = member.ok_or_else(nobody)?;
        if !is_live(&app.store, &claims).await? {
            return Err(nobody());
        }
        Ok(Self(Client { workspace, member, via: claims.via, origin: origin(parts), token: None }))
    }
}

/// Whether what the token was made for has neither ended nor been revoked. The snapshot knows that of
/// client sessions for as long as their access tokens live; the database knows the rest.
async fn is_live(store: &Store, claims: &Claims) -> Result<bool> {
    let (ws, now) = (claims.workspace_id, store.clock().now());
    let made_at = Timestamp::from_second(claims.hour.saturating_mul(3600)).unwrap_or(Timestamp::MIN);
    let is_new = now.duration_since(made_at) < ACCESS_TOKEN_LIFETIME.min(SignedDuration::from_hours(1));
    match claims.via {
        Via::Grant(id) => {
            if store.workspace(ws).is_none_or(|workspace| workspace.revoked_grants.contains_key(&id)) {
                return Ok(false);
            }
            if is_new {
                return Ok(true);
            }
            let grant = grants::get(&mut store.read().await?, ws, id).await?;
            Ok(grant.is_some_and(|grant| grant.is_live(now)))
        }
        Via::AccessToken(id) => {
            let token = access_tokens::get(&mut store.read().await?, ws, id).await?;
            Ok(token.is_some_and(|token| token.is_live(now)))
        }
    }
}

fn nobody() -> Error {
    Error::unauthorized("a telemetry token comes with the policy, and ends with the client's sign-in")
}

impl FromRequestParts<App> for Reporter {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        Self::resolve(app, parts).await
    }
}

#[cfg(test)]
mod tests {
    use provost_model::{AccessTokenId, GrantId};

    use super::*;

    #[test]
    fn a_token_says_whose_it_is_and_cannot_be_altered() {
        let (sealer, other) = (Sealer::ephemeral(), Sealer::ephemeral());
        let at = Timestamp::UNIX_EPOCH;
        for via in [Via::Grant(GrantId::new(at)), Via::AccessToken(AccessTokenId::new(at))] {
            let (workspace_id, member_id) = (WorkspaceId::new(at), MemberId::new(at));
            let claims = Claims { workspace_id, member_id, via, hour: 7 };
            let token = claims.seal(&sealer);
            assert_eq!(Claims::open(&sealer, &token), Some(claims));
            assert_eq!(Claims::open(&other, &token), None);
            let sighting = TelemetrySighting { secret: &token, workspace_id, member_id, via };
            for (before, behind) in [("", ""), ("\"Bearer ", "\""), ("att-tt-", ".x"), ("ü", "ü"), ("", "AAAA")] {
                let text = format!("{before}{token}{behind}");
                assert_eq!(find_telemetry_tokens(&sealer, &text), [sighting], "{text}");
                assert_eq!(find_telemetry_tokens(&other, &text), []);
                assert_eq!(find_telemetry_tokens(&sealer, &text[..before.len() + token.len() - 1]), []);
            }
            // The last letters of both parts hold bits that mean nothing, so letters are exchanged for far ones.
            for (index, letter) in token.char_indices() {
                let mut altered = token.clone();
                altered.replace_range(index..=index, if letter.is_ascii_lowercase() { "Z" } else { "q" });
                assert_eq!(Claims::open(&sealer, &altered), None, "{index}");
                assert_eq!(Claims::open(&sealer, &token[..index]), None, "cut at {index}");
            }
        }
        assert_eq!(Claims::open(&sealer, &format!("tt-{}", "a".repeat(100_000))), None);
    }
}
