//! Token exchange (RFC 8693): a workload brings the token that its own platform gave it, and goes
//! with a short access token.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use jiff::SignedDuration;
use provost_model::event::{Actor, EventType, Origin, Target};
use provost_model::{AccessTokenId, Member, Pattern, WorkspaceId};
use provost_store::Touched;
use provost_store::tables::access_tokens::{self, AccessTokenRow};
use provost_store::tables::members;
use provost_store::tables::workload_identities::{self, WorkloadIdentityRow};
use provost_web::{App, IssuerError, Secret, SecretKind, hash_secret, network};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

use super::error::OAuthError;

/// `grant_type` of a token exchange.
pub(super) const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// What may be brought: the tokens of CI systems are called either.
const SUBJECT_TYPES: [&str; 2] = ["urn:ietf:params:oauth:token-type:id_token", "urn:ietf:params:oauth:token-type:jwt"];
/// The longest token: those of CI systems have one to four kilobytes.
const MAX_TOKEN_BYTES: usize = 16 * 1024;
/// By how much the clocks of others may be wrong.
const SKEW: i64 = 60;
/// How old a token may be, in seconds, whenever it ends.
const MAX_AGE: i64 = 3_600;
/// The most tokens of one identity that live at once.
const MAX_LIVE: i64 = 1_000;

/// What a workload asks for (RFC 8693 §2.1).
#[derive(Deserialize)]
pub(super) struct Request {
    subject_token: Option<String>,
    subject_token_type: Option<String>,
    actor_token: Option<String>,
    requested_token_type: Option<String>,
    /// The id of the workspace, where the token alone does not tell it.
    audience: Option<String>,
}

/// What a workload is given (RFC 8693 §2.2.1).
#[derive(Serialize)]
pub(super) struct Issued {
    access_token: String,
    issued_token_type: &'static str,
    token_type: &'static str,
    expires_in: i64,
}

/// Why a token is refused, for the events, and what its bearer hears.
struct Denial {
    reason: &'static str,
    description: String,
}

fn deny(reason: &'static str, description: impl Into<String>) -> Denial {
    Denial { reason, description: description.into() }
}

pub(super) async fn exchange(app: &App, from: Origin, request: &Request) -> Result<Issued, OAuthError> {
    let token = check_form(request)?;
    let Some(unchecked) = claims_of(token) else {
        return Err(refuse(app, &from, &[], &Value::Null, deny("not_a_token", "subject_token is not a JWT")));
    };
    let issuer = unchecked["iss"].as_str().unwrap_or_default();
    let mut fitting = workload_identities::of_issuer(&mut app.store.read().await?, issuer).await?;
    if let Some(audience) = &request.audience {
        let workspace: Option<WorkspaceId> = audience.parse().ok();
        fitting.retain(|identity| Some(identity.workspace_id) == workspace);
    }
    if fitting.is_empty() {
        let description = "the issuer of the token (iss) is not one whose tokens are taken here; `audience` of the \
            request is the id of the workspace, or absent";
        return Err(refuse(app, &from, &[], &unchecked, deny("issuer", description)));
    }
    let of_issuer = fitting.clone();
    fitting.retain(|identity| is_for(&unchecked, &identity.audience));
    if fitting.is_empty() {
        let denial = deny("audience", "the audience of the token (aud) is not the one that the admin set");
        return Err(refuse(app, &from, &of_issuer, &unchecked, denial));
    }
    // From here on the issuer vouches for what the token says.
    let claims = match app.issuer_keys.check_signature(app, issuer, token).await {
        Ok(claims) => claims,
        Err(error @ (IssuerError::Unavailable(_) | IssuerError::NotAnIssuer(_))) => {
            tracing::warn!(issuer, %error, "a workload waits for its issuer");
            let description = "the issuer of the token does not answer with its keys: try again in a moment";
            return Err(OAuthError::new(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", description));
        }
        Err(error) => return Err(refuse(app, &from, &fitting, &unchecked, deny("signature", error.to_string()))),
    };
    let chosen = check_times(app, &claims).and_then(|()| choose(&fitting, &claims));
    let issued = match chosen {
        Ok(identity) => match member_of(app, &identity) {
            Ok(member) => issue(app, from.clone(), &identity, &member, &claims).await?,
            Err(denial) => Err(denial),
        },
        Err(denial) => Err(denial),
    };
    issued.map_err(|denial| refuse(app, &from, &fitting, &claims, denial))
}

/// The token of a request that can be read.
fn check_form(request: &Request) -> Result<&str, OAuthError> {
    let token = request.subject_token.as_deref();
    let token = token.ok_or_else(|| OAuthError::invalid_request("subject_token is missing"))?;
    if !request.subject_token_type.as_deref().is_some_and(|kind| SUBJECT_TYPES.contains(&kind)) {
        let description = format!("subject_token_type is {} or {}", SUBJECT_TYPES[0], SUBJECT_TYPES[1]);
        return Err(OAuthError::invalid_request(description));
    }
    if request.requested_token_type.as_deref().is_some_and(|kind| kind != ACCESS_TOKEN) {
        return Err(OAuthError::invalid_request(format!("requested_token_type is {ACCESS_TOKEN}, or absent")));
    }
    if request.actor_token.is_some() {
        return Err(OAuthError::invalid_request("a token of an actor (actor_token) is not taken"));
    }
    if token.len() > MAX_TOKEN_BYTES {
        return Err(OAuthError::invalid_request("subject_token is longer than 16 kB"));
    }
    Ok(token)
}

/// What a token says of itself. Nothing vouches for it.
fn claims_of(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (_, payload, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else { return None };
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    claims.is_object().then_some(claims)
}

/// Whether a token is for an audience: `aud` is one, or a list of them (RFC 7519 §4.1.3).
fn is_for(claims: &Value, audience: &str) -> bool {
    match &claims["aud"] {
        Value::Array(list) => list.iter().any(|one| one.as_str() == Some(audience)),
        one => one.as_str() == Some(audience),
    }
}

fn check_times(app: &App, claims: &Value) -> Result<(), Denial> {
    let now = app.store.clock().now().as_second();
    let time = |claim: &str| match &claims[claim] {
        Value::Null => Ok(None),
        value => {
            // A number, which may have a fraction (RFC 7519 §2).
            #[expect(clippy::cast_possible_truncation, reason = "seconds fit, and what does not saturates")]
            let seconds = value.as_f64().map(|seconds| seconds as i64);
            seconds.map(Some).ok_or_else(|| deny("malformed", format!("`{claim}` of the token is not a time")))
        }
    };
    let missing = |claim: &str| deny("malformed", format!("the token has no `{claim}`"));
    let (exp, iat) = (time("exp")?.ok_or_else(|| missing("exp"))?, time("iat")?.ok_or_else(|| missing("iat"))?);
    if exp.saturating_add(SKEW) <= now {
        return Err(deny("expired", "the token has expired (exp)"));
    }
    if time("nbf")?.unwrap_or(iat).max(iat) > now.saturating_add(SKEW) {
        return Err(deny("not_yet_valid", "the token is from the future (iat, nbf): check the clocks"));
    }
    if now.saturating_sub(iat) > MAX_AGE + SKEW {
        return Err(deny("too_old", "the token was issued more than an hour ago (iat): ask for a fresh one"));
    }
    Ok(())
}

/// The one identity that a token fits.
fn choose(identities: &[WorkloadIdentityRow], claims: &Value) -> Result<WorkloadIdentityRow, Denial> {
    let fits = |pattern: &str, value: &Value| {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(yes) => yes.to_string(),
            _ => return false,
        };
        Pattern::parse(pattern).is_ok_and(|pattern| pattern.fits(&text))
    };
    let by_subject = identities
        .iter()
        .filter(|identity| claims["sub"].is_string() && fits(&identity.subject_pattern, &claims["sub"]));
    let by_subject: Vec<_> = by_subject.collect();
    let by_claims = by_subject
        .iter()
        .filter(|identity| identity.claims.iter().all(|(claim, pattern)| fits(pattern, &claims[claim.as_str()])));
    let by_claims: Vec<_> = by_claims.collect();
    match (by_subject.as_slice(), by_claims.as_slice()) {
        ([], _) => Err(deny("subject", "the subject of the token (sub) does not fit what the admin set")),
        (_, []) => Err(deny("claims", "the claims of the token do not fit the conditions that the admin set")),
        (_, [one]) => Ok(WorkloadIdentityRow::clone(one)),
        _ => Err(deny(
            "ambiguous",
            "the token fits more than one workload identity: an admin must tell them apart, \
            by audience, subject or claims; if they are of several workspaces, send `audience=<id of the workspace>`",
        )),
    }
}

fn member_of(app: &App, identity: &WorkloadIdentityRow) -> Result<Arc<Member>, Denial> {
    let workspace = app.store.workspace(identity.workspace_id);
    let member = workspace.and_then(|workspace| workspace.members.get(&identity.member_id).cloned());
    let member = member.filter(|member| member.active);
    member.ok_or_else(member_inactive)
}

fn member_inactive() -> Denial {
    deny("member_inactive", "the member that the workload acts as is suspended or gone")
}

async fn issue(
    app: &App,
    from: Origin,
    identity: &WorkloadIdentityRow,
    member: &Member,
    claims: &Value,
) -> Result<Result<Issued, Denial>, OAuthError> {
    let ws = identity.workspace_id;
    let mut change = app.store.change(ws, Actor::member(member.id, &member.email), from).await?;
    let now = change.at();
    // As the change finds it: it may have been disabled meanwhile.
    let current = workload_identities::get(&mut change, ws, identity.id).await?;
    if current.is_none_or(|current| WorkloadIdentityRow { last_used_at: identity.last_used_at, ..current } != *identity)
    {
        return Ok(Err(deny("changed", "the workload identity was changed at this moment: try again")));
    }
    // So may the member have been suspended: what it left behind would be there when they are let in again.
    if !members::is_active(&mut change, ws, member.id).await? {
        return Ok(Err(member_inactive()));
    }
    if !claims["jti"].is_null() {
        let jti = claims["jti"].as_str().map_or_else(|| claims["jti"].to_string(), str::to_owned);
        // Until the token is refused for its age anyway.
        let until = now + SignedDuration::from_secs(MAX_AGE + 2 * SKEW);
        if !workload_identities::use_token(&mut change, identity.id, &hash_secret(&jti), until).await? {
            return Ok(Err(deny("replayed", "the token was exchanged before (jti): ask for a fresh one")));
        }
    }
    // The snapshot forgets what has ended, so it holds no more of them than live at once.
    for ended in access_tokens::revoke_of_workload(&mut change, ws, identity.id, Some(now), now).await? {
        change.touch(Touched::AccessToken(ended));
    }
    if access_tokens::count_of_workload(&mut change, ws, identity.id, now).await? >= MAX_LIVE {
        let description = format!("{MAX_LIVE} tokens of this workload identity live already: reuse them, or wait");
        return Ok(Err(deny("too_many", description)));
    }
    let lifetime = SignedDuration::from_mins(i64::from(identity.max_minutes));
    let secret = Secret::checked(SecretKind::AccessToken);
    let row = AccessTokenRow {
        expires_at: Some(now + lifetime),
        workload_identity_id: Some(identity.id),
        ..AccessTokenRow::new(AccessTokenId::new(now), member.id, &identity.name, now)
    };
    access_tokens::insert(&mut change, ws, &row, &secret.hash).await?;
    change.touch(Touched::AccessToken(row.id));
    workload_identities::set_last_used(&mut change, ws, identity.id, now).await?;
    let mut details = json!({ "access_token_id": row.id, "expires_at": row.expires_at, "member_id": member.id });
    details["token"] = shown(claims);
    change.record(EventType::WorkloadSignedIn, target(identity), details);
    change.commit().await?;
    let (issued_token_type, token_type) = (ACCESS_TOKEN, "Bearer");
    Ok(Ok(Issued { access_token: secret.text, issued_token_type, token_type, expires_in: lifetime.as_secs() }))
}

/// Refuses a token. It is recorded where it was meant for one workspace; who keeps trying is slowed
/// down, and no longer recorded.
fn refuse(app: &App, from: &Origin, identities: &[WorkloadIdentityRow], claims: &Value, denial: Denial) -> OAuthError {
    let now = app.store.clock().now();
    let network = network(from.ip.as_deref().and_then(|ip| ip.parse().ok()));
    if app.guesses.try_once(&format!("workload {network}"), now).is_err() {
        let description = "too many refused tokens from this address: try again in a minute";
        return OAuthError::new(StatusCode::TOO_MANY_REQUESTS, "slow_down", description);
    }
    if let Some(first) = identities.first()
        && identities.iter().all(|identity| identity.workspace_id == first.workspace_id)
    {
        let details = json!({ "reason": denial.reason, "token": shown(claims) });
        let about = (identities.len() == 1).then(|| target(first));
        let actor = Actor::anonymous(None);
        app.store.record(first.workspace_id, EventType::WorkloadRefused, actor, from.clone(), about, details);
    }
    OAuthError::invalid_grant(denial.description)
}

/// What events show of a token.
fn shown(claims: &Value) -> Value {
    let text = |claim: &str| {
        let text = match &claims[claim] {
            Value::String(text) => text.clone(),
            Value::Null => return Value::Null,
            other => other.to_string(),
        };
        json!(text.chars().filter(|c| !c.is_control()).take(300).collect::<String>())
    };
    json!({ "iss": text("iss"), "sub": text("sub"), "aud": text("aud") })
}

fn target(identity: &WorkloadIdentityRow) -> Target {
    Target::new("workload_identity", identity.id, identity.name.as_str())
}
