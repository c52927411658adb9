//! Device-code sign-in (`client-contract.md` §1.2): the client shows a code, its member types it on
//! a page or has it approved through the API, and the client, which polls, gets an authorization
//! code together with the PKCE pair that the server made for it.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use http::request::Parts;
use jiff::SignedDuration;
use provost_model::event::{EventType, Target};
use provost_model::{DeviceLoginId, Permission};
use provost_store::Store;
use provost_store::tables::authorization_codes::{self, CodeRow};
use provost_store::tables::device_logins::{self, DeviceLoginRow, DeviceLoginState};
use provost_web::{App, Error, Json, NOT_ALLOWED, Principal, Result, Secret, Session, hash_secret, network, origin};
use serde::Deserialize;
use serde_json::json;

use super::authorize::{CODE_LIFETIME, is_client_id};
use super::method;

/// How long a member has; the client gives up after as long.
const LIFETIME: SignedDuration = SignedDuration::from_mins(15);
/// How often the client may ask, in seconds; a string on the wire.
const INTERVAL: &str = "2";
/// How many may wait at once, in all and from one address: anybody can start one.
const MAX_WAITING: i64 = 10_000;
const MAX_WAITING_FROM_ONE: i64 = 200;
/// Letters that are not mistaken for others, and spell nothing (RFC 8628 §6.1).
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

#[derive(Deserialize)]
pub(crate) struct Start {
    client_id: String,
}

/// `POST /api/accounts/deviceauth/usercode`.
pub(crate) async fn start(State(app): State<App>, parts: Parts, Json(body): Json<Start>) -> Result<Response> {
    if !is_offered(&app.store) {
        // Clients know this status, and say that device sign-in is not enabled.
        return Err(Error::new(StatusCode::NOT_FOUND, "device_code_login_off", "device-code sign-in is off"));
    }
    if !is_client_id(&body.client_id) {
        return Err(Error::invalid("client_id", "invalid_client_id", "`client_id` is 1 to 100 letters, digits, _ - ."));
    }
    let now = app.store.clock().now();
    let from = origin(&parts);
    let mut tx = app.store.write().await?;
    let ip = from.ip.unwrap_or_default();
    let waiting = device_logins::count(&mut tx, now).await?;
    let network_of = |ip: &str| network(ip.parse().ok());
    let here = network_of(&ip);
    let from_here = waiting.iter().filter(|(ip, _)| network_of(ip) == here);
    if waiting.values().sum::<i64>() >= MAX_WAITING
        || from_here.map(|(_, count)| count).sum::<i64>() >= MAX_WAITING_FROM_ONE
    {
        return Err(Error::too_many("too many device sign-ins wait: try again in some minutes", 60));
    }
    let login = DeviceLoginRow {
        id: DeviceLoginId::new(now),
        user_code: user_code(),
        client_id: body.client_id,
        user_agent: from.user_agent.unwrap_or_default(),
        ip,
        state: DeviceLoginState::Pending,
        member: None,
        expires_at: now + LIFETIME,
    };
    device_logins::insert(&mut tx, &login, now).await?;
    tx.commit().await?;
    let answer = json!({ "device_auth_id": login.id, "user_code": login.user_code, "interval": INTERVAL });
    Ok(axum::Json(answer).into_response())
}

/// Whether anybody at all may sign in with a device code: by the toggle, or by a role. Who may is
/// asked again of the member who approves. (An owner holds everything; that alone turns nothing on.)
fn is_offered(store: &Store) -> bool {
    store.world().workspaces.values().any(|workspace| {
        let by_role = |role: &provost_model::Role| role.permissions.contains(Permission::CodexLocalDeviceCode);
        workspace.settings.device_code_login || workspace.roles.values().any(|role| by_role(role))
    })
}

fn user_code() -> String {
    let mut bytes = [0u8; 32];
    let mut letters = Vec::with_capacity(8);
    while letters.len() < 8 {
        aws_lc_rs::rand::fill(&mut bytes).expect("the operating system gives random bytes");
        // 240 is the largest multiple of 20 in a byte: what lies beyond would favour some letters.
        letters.extend(bytes.iter().filter(|byte| **byte < 240).map(|byte| ALPHABET[usize::from(*byte) % 20] as char));
    }
    let code: String = letters[..8].iter().collect();
    format!("{}-{}", &code[..4], &code[4..])
}

#[derive(Deserialize)]
pub(crate) struct Poll {
    device_auth_id: String,
    user_code: String,
}

/// `POST /api/accounts/deviceauth/token`. 403 is "not yet"; any other refusal stops the client.
pub(crate) async fn poll(State(app): State<App>, Json(body): Json<Poll>) -> Result<Response> {
    let gone = || Error::new(StatusCode::GONE, "device_login_expired", "this device sign-in is over: start again");
    let id: DeviceLoginId = body.device_auth_id.parse().map_err(|_| gone())?;
    let now = app.store.clock().now();
    let login = device_logins::get(&mut app.store.read().await?, id, now).await?;
    let login = login.filter(|login| login.user_code == body.user_code).ok_or_else(gone)?;
    let method = match login.state {
        DeviceLoginState::Pending => {
            let message = "the member has not decided yet";
            return Err(Error::new(StatusCode::FORBIDDEN, "deviceauth_authorization_pending", message));
        }
        DeviceLoginState::Consumed => return Err(gone()),
        DeviceLoginState::Denied => method::DEVICE_CODE_DENIED,
        DeviceLoginState::Approved => method::DEVICE_CODE,
    };
    let (workspace_id, member_id) = login.member.ok_or_else(gone)?;
    let may = app.store.workspace(workspace_id).is_some_and(|workspace| {
        let member = workspace.members.get(&member_id);
        member.is_some_and(|member| workspace.may(member, Permission::CodexLocalDeviceCode))
    });
    let method = if method == method::DEVICE_CODE && !may { method::DEVICE_CODE_REFUSED } else { method };
    let verifier = Secret::new("").text;
    let challenge = URL_SAFE_NO_PAD.encode(hash_secret(&verifier));
    let secret = Secret::new("code-");
    let code = CodeRow {
        workspace_id,
        member_id,
        client_id: login.client_id,
        // The client writes its own idea of our address before this path, so only the path counts.
        redirect_uri: String::new(),
        code_challenge: challenge.clone(),
        method: method.to_owned(),
        expires_at: now + CODE_LIFETIME,
        grant_id: None,
    };
    let mut tx = app.store.write().await?;
    if !device_logins::consume(&mut tx, id).await? {
        return Err(gone());
    }
    authorization_codes::insert(&mut tx, &secret.hash, &code, now).await?;
    tx.commit().await?;
    let answer = json!({ "authorization_code": secret.text, "code_challenge": challenge, "code_verifier": verifier });
    Ok(axum::Json(answer).into_response())
}

/// What a member decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The device signs in as them.
    Approve,
    /// It does not.
    Deny,
}

/// The device sign-in that a member typed the code of, if it still waits.
pub(crate) async fn find(app: &App, session: &Session, code: &str) -> Result<DeviceLoginRow> {
    let now = app.store.clock().now();
    let key = format!("device:{}", session.caller.id());
    app.guesses.try_once(&key, now).map_err(|seconds| Error::too_many("too many codes: wait a little", seconds))?;
    // Typed by hand: in any case, with or without the dash.
    let letters: String = code.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase();
    let unknown = || Error::not_found("code: it is mistyped, or older than 15 minutes");
    let (Some(first), Some(last)) = (letters.get(..4), letters.get(4..)) else { return Err(unknown()) };
    let user_code = format!("{first}-{last}");
    let login = device_logins::get_by_user_code(&mut app.store.read().await?, &user_code, now).await?;
    login.filter(|login| login.state == DeviceLoginState::Pending).ok_or_else(unknown)
}

/// Decides. A member who may not sign in with a device code cannot approve: the device is told why.
pub(crate) async fn decide(app: &App, session: &Session, code: &str, decision: Decision) -> Result<DeviceLoginRow> {
    let caller = &session.caller;
    let login = find(app, session, code).await?;
    let Principal::Member(member) = &caller.principal else { unreachable!("a session is a member's") };
    let may = caller.may(Permission::CodexLocalDeviceCode);
    let (state, kind) = match decision {
        // The device collects its refusal (`DEVICE_CODE_REFUSED`) where it would collect its tokens.
        Decision::Approve if !may => (DeviceLoginState::Approved, EventType::ClientRefused),
        Decision::Approve => (DeviceLoginState::Approved, EventType::DeviceLoginApproved),
        Decision::Deny => (DeviceLoginState::Denied, EventType::DeviceLoginDenied),
    };
    let mut change = caller.change(app).await?;
    if !device_logins::decide(&mut change, login.id, state, (caller.workspace.id, member.id)).await? {
        return Err(Error::not_found("code: somebody has decided already"));
    }
    let details = json!({
        "client_id": login.client_id, "device_ip": login.ip, "device_user_agent": login.user_agent,
        "reason": (decision == Decision::Approve && !may).then_some(Permission::CodexLocalDeviceCode),
    });
    change.record(kind, Target::new("device_login", login.id, login.user_code.as_str()), details);
    change.commit().await?;
    if decision == Decision::Approve && !may {
        return Err(Error::new(StatusCode::FORBIDDEN, "forbidden", NOT_ALLOWED));
    }
    Ok(login)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_codes_are_eight_letters_in_two_halves() {
        for _ in 0..100 {
            let code = user_code();
            assert!(code.len() == 9 && code.as_bytes()[4] == b'-', "{code}");
            assert!(code.bytes().all(|byte| byte == b'-' || ALPHABET.contains(&byte)), "{code}");
        }
    }
}
