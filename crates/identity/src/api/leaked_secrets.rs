//! `/api/v1/leaked-secrets`: secrets of ours that were found where they do not belong.

use std::collections::HashSet;

use axum::Json as Answer;
use axum::extract::State;
use jiff::Timestamp;
use provost_model::event::{EventType, Target};
use provost_model::{ApiKeyStatus, TokenHash};
use provost_store::tables::{access_tokens, api_keys, device_enrolments, grants};
use provost_store::{Change, Touched};
use provost_web::{
    App, Error, ErrorBody, Json, Permit, Result, SecretKind, Sighting, TelemetrySighting, find_secrets,
    find_telemetry_tokens, hash_secret, last4, optional_text, permits,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::leaked_telemetry;

/// The most secrets of one report.
const MAX_SECRETS: usize = 1_000;

/// Where secrets were found.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Report {
    /// What was found: a file, a line, a whole diff.
    #[serde(default)]
    text: String,
    /// What was found, one by one.
    #[serde(default)]
    secrets: Vec<String>,
    /// Where: a URL, for the events.
    #[serde(default)]
    source: String,
    /// Whether to revoke what is live.
    #[serde(default)]
    revoke: bool,
}

/// What was found, without any secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct Found {
    /// One row for each secret.
    data: Vec<FoundSecret>,
}

/// A secret that was found.
#[derive(Serialize, ToSchema)]
pub(crate) struct FoundSecret {
    /// `api_key`, `access_token`, `device_enrolment` or `telemetry_token`.
    kind: &'static str,
    /// `live`; `ended`: revoked, expired or replaced; `waiting`: for approval; `unknown`: it has the
    /// form and the checksum of a secret of Provost, and is none of this workspace.
    status: &'static str,
    /// Its last four characters.
    last4: String,
    /// Whose id it is, of a telemetry token that of the client session or access token that it was made for; null if
    /// unknown.
    id: Option<String>,
    name: Option<String>,
    /// Who made it, or whose it is.
    created_by: Option<String>,
    /// Whether this report revoked it: with a telemetry token that client session or access token.
    revoked: bool,
}

/// A credential, of any kind.
pub(super) struct Credential {
    pub(super) touched: Touched,
    pub(super) target: Target,
    pub(super) name: String,
    pub(super) created_by: Option<String>,
    pub(super) status: &'static str,
    pub(super) is_new: bool,
}

/// What was found in a text.
enum Seen<'a> {
    Secret(Sighting<'a>),
    Telemetry(TelemetrySighting<'a>),
}

/// Report secrets that were found: which are ours, which are live, whose they are; and revoke those.
/// Reporting twice is reporting once. No answer and no event holds a secret.
#[utoipa::path(post, path = "/api/v1/leaked-secrets", tag = "Leaked secrets", request_body = Report,
    responses((status = 200, body = Found), (status = 403, body = ErrorBody), (status = 413, body = ErrorBody),
        (status = 422, body = ErrorBody)))]
pub(crate) async fn report(
    permit: Permit<permits::LeakedSecrets>,
    State(app): State<App>,
    Json(body): Json<Report>,
) -> Result<Answer<Found>> {
    let source = optional_text("source", &body.source, 500)?;
    let is_telling = find_secrets(&source).iter().any(|sighting| sighting.is_checked)
        || !find_telemetry_tokens(app.store.sealer(), &source).is_empty();
    if is_telling {
        return Err(Error::invalid("source", "holds_a_secret", "`source` is kept: leave the secret out of it"));
    }
    let texts = body.secrets.iter().chain([&body.text]);
    let mut seen = HashSet::new();
    let sightings = texts.flat_map(|text| {
        let telemetry = find_telemetry_tokens(app.store.sealer(), text).into_iter().map(Seen::Telemetry);
        find_secrets(text).into_iter().map(Seen::Secret).chain(telemetry)
    });
    let sightings: Vec<_> = sightings.filter(|sighting| seen.insert(sighting.secret())).collect();
    if sightings.len() > MAX_SECRETS {
        let message = format!("more than {MAX_SECRETS} secrets in one report: send it in parts");
        return Err(Error::invalid("text", "too_many", message));
    }
    let mut change = permit.change(&app).await?;
    let now = change.at();
    let mut data = Vec::new();
    let mut is_changed = false;
    for sighting in sightings {
        let (kind, last4) = (sighting.kind(), last4(sighting.secret()).to_owned());
        let hash = hash_secret(sighting.secret());
        let found = match &sighting {
            Seen::Telemetry(token) => leaked_telemetry::find(&mut change, token).await?,
            Seen::Secret(secret) => match secret.kind {
                SecretKind::ApiKey => api_key(&app, &mut change, &hash, now).await?,
                SecretKind::AccessToken => access_token(&app, &mut change, &hash, now).await?,
                SecretKind::DeviceEnrolment => device_enrolment(&app, &mut change, &hash, now).await?,
            },
        };
        let Some(found) = found else {
            // Without a checksum, what is not known here is just some text.
            if sighting.is_checked() {
                let (id, name, created_by) = (None, None, None);
                data.push(FoundSecret { kind, status: "unknown", last4, id, name, created_by, revoked: false });
            }
            continue;
        };
        let revoked = body.revoke && matches!(found.status, "live" | "waiting");
        if revoked {
            let ws = change.workspace_id();
            match found.touched {
                Touched::ApiKey(id) => api_keys::revoke(&mut change, ws, id, now).await?,
                Touched::AccessToken(id) => access_tokens::revoke(&mut change, ws, id, now).await?,
                Touched::DeviceEnrolment(id) => device_enrolments::revoke(&mut change, ws, id, now).await?,
                Touched::Grant(id) => {
                    grants::revoke(&mut change, ws, id, now).await?;
                }
                _ => unreachable!("it is one of these"),
            }
            change.touch(found.touched);
        }
        if revoked || found.is_new {
            is_changed = true;
            let details = json!({ "source": source, "status": found.status, "last4": last4, "revoked": revoked });
            change.record(EventType::CredentialLeaked, found.target.clone(), details);
        }
        data.push(FoundSecret {
            kind,
            status: found.status,
            last4,
            id: Some(found.target.id),
            name: Some(found.name),
            created_by: found.created_by,
            revoked,
        });
    }
    if is_changed {
        change.commit().await?;
    }
    Ok(Answer(Found { data }))
}

impl<'a> Seen<'a> {
    fn secret(&self) -> &'a str {
        match self {
            Self::Secret(found) => found.secret,
            Self::Telemetry(found) => found.secret,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Telemetry(_) => "telemetry_token",
            Self::Secret(found) => match found.kind {
                SecretKind::ApiKey => "api_key",
                SecretKind::AccessToken => "access_token",
                SecretKind::DeviceEnrolment => "device_enrolment",
            },
        }
    }

    fn is_checked(&self) -> bool {
        match self {
            Self::Secret(found) => found.is_checked,
            // Its mark is right.
            Self::Telemetry(_) => true,
        }
    }
}

/// The API key whose secret this is; notes that it leaked.
async fn api_key(app: &App, change: &mut Change, hash: &TokenHash, now: Timestamp) -> Result<Option<Credential>> {
    let ws = change.workspace_id();
    let Some(mut row) = api_keys::get_by_secret(change, ws, hash).await? else { return Ok(None) };
    let workspace = app.store.workspace(ws);
    let known = workspace.and_then(|workspace| workspace.api_keys.get(hash).cloned());
    let is_live = known.is_some_and(|key| key.expires_at.is_none_or(|end| end > now));
    let status = match row.status {
        _ if !is_live || row.revoked_at.is_some() => "ended",
        ApiKeyStatus::PendingApproval => "waiting",
        ApiKeyStatus::Active => "live",
    };
    let is_new = row.leaked_at.is_none();
    if is_new {
        row.leaked_at = Some(now);
        api_keys::update(change, ws, &row).await?;
    }
    Ok(Some(Credential {
        touched: Touched::ApiKey(row.id),
        target: Target::new("api_key", row.id, row.name.as_str()),
        name: row.name,
        created_by: row.created_by,
        status,
        is_new,
    }))
}

/// The access token whose secret this is; notes that it leaked.
async fn access_token(app: &App, change: &mut Change, hash: &TokenHash, now: Timestamp) -> Result<Option<Credential>> {
    let ws = change.workspace_id();
    let Some(mut row) = access_tokens::get_by_secret(change, ws, hash).await? else { return Ok(None) };
    let workspace = app.store.workspace(ws);
    let known = workspace.and_then(|workspace| workspace.access_tokens.get(hash).cloned());
    let is_live = known.is_some_and(|token| token.expires_at.is_none_or(|end| end > now));
    let is_new = row.leaked_at.is_none();
    if is_new {
        row.leaked_at = Some(now);
        access_tokens::update(change, ws, &row).await?;
    }
    Ok(Some(Credential {
        touched: Touched::AccessToken(row.id),
        target: Target::new("access_token", row.id, row.name.as_str()),
        name: row.name,
        created_by: Some(row.member_id.to_string()),
        status: if is_live && row.revoked_at.is_none() { "live" } else { "ended" },
        is_new,
    }))
}

/// The device enrolment whose secret this is; notes that it leaked.
async fn device_enrolment(
    app: &App,
    change: &mut Change,
    hash: &TokenHash,
    now: Timestamp,
) -> Result<Option<Credential>> {
    let ws = change.workspace_id();
    let Some(mut row) = device_enrolments::get_by_secret(change, ws, hash).await? else { return Ok(None) };
    let workspace = app.store.workspace(ws);
    let known = workspace.and_then(|workspace| workspace.device_enrolments.get(hash).cloned());
    let is_live = known.is_some_and(|enrolment| enrolment.expires_at.is_none_or(|end| end > now));
    let is_new = row.leaked_at.is_none();
    if is_new {
        row.leaked_at = Some(now);
        device_enrolments::update(change, ws, &row).await?;
    }
    Ok(Some(Credential {
        touched: Touched::DeviceEnrolment(row.id),
        target: Target::new("device_enrolment", row.id, row.name.as_str()),
        name: row.name,
        created_by: Some(row.created_by),
        status: if is_live && row.revoked_at.is_none() { "live" } else { "ended" },
        is_new,
    }))
}
