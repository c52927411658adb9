//! `/api/v1/settings`.

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use provost_model::event::{EventType, Target};
use provost_model::{BuiltinRole, LeaverApiKeys, MemberId, Settings};
use provost_store::tables::{sessions, workspaces};
use provost_store::{Change, Touched};
use provost_web::{
    AnyMember, App, Caller, Error, ErrorBody, Etag, Json, Permit, Principal, Result, name, nullable, permits, present,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::access_tokens::MAX_DAYS;
use crate::sso::check_required;

/// A change of the settings: only what it names.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettingsPatch {
    #[serde(default, deserialize_with = "present")]
    name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    codex_local: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    device_code_login: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    codex_access_tokens: Option<bool>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u32>)]
    access_token_max_days: Option<Option<u32>>,
    #[serde(default, deserialize_with = "present")]
    codex_cloud: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    slack_post_answers: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    agent_internet_access: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    administer_codex: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    require_mfa: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    store_content: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    retention_days: Option<u32>,
    #[serde(default, deserialize_with = "present")]
    sso_required: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    break_glass_owner_ids: Option<Vec<MemberId>>,
    #[serde(default, deserialize_with = "present")]
    api_key_approval: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    leaver_api_keys: Option<LeaverApiKeys>,
    /// 5 to 10080.
    #[serde(default, deserialize_with = "present")]
    session_idle_minutes: Option<u32>,
    /// 1 to 720.
    #[serde(default, deserialize_with = "present")]
    session_max_hours: Option<u32>,
    #[serde(default, deserialize_with = "present")]
    policy_approval: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    telemetry: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    record_commands: Option<bool>,
}

impl SettingsPatch {
    fn apply(self, to: &Settings) -> Result<Settings> {
        if self.access_token_max_days.flatten().is_some_and(|days| !(1..=MAX_DAYS).contains(&days)) {
            let message = format!("the longest lifetime is 1 to {MAX_DAYS} days; null is no limit");
            return Err(Error::invalid("access_token_max_days", "out_of_range", message));
        }
        if self.retention_days.is_some_and(|days| !(1..=3_650).contains(&days)) {
            let message = "events are kept for 1 to 3650 days";
            return Err(Error::invalid("retention_days", "out_of_range", message));
        }
        if self.session_idle_minutes.is_some_and(|minutes| !(5..=10_080).contains(&minutes)) {
            let message = "a session ends after 5 to 10080 minutes without use";
            return Err(Error::invalid("session_idle_minutes", "out_of_range", message));
        }
        if self.session_max_hours.is_some_and(|hours| !(1..=720).contains(&hours)) {
            let message = "a session ends after 1 to 720 hours whatever happens";
            return Err(Error::invalid("session_max_hours", "out_of_range", message));
        }
        Ok(Settings {
            name: self.name.map_or_else(|| Ok(to.name.clone()), |text| name("name", &text, 100))?,
            codex_local: self.codex_local.unwrap_or(to.codex_local),
            device_code_login: self.device_code_login.unwrap_or(to.device_code_login),
            codex_access_tokens: self.codex_access_tokens.unwrap_or(to.codex_access_tokens),
            access_token_max_days: self.access_token_max_days.unwrap_or(to.access_token_max_days),
            codex_cloud: self.codex_cloud.unwrap_or(to.codex_cloud),
            slack_post_answers: self.slack_post_answers.unwrap_or(to.slack_post_answers),
            agent_internet_access: self.agent_internet_access.unwrap_or(to.agent_internet_access),
            administer_codex: self.administer_codex.unwrap_or(to.administer_codex),
            require_mfa: self.require_mfa.unwrap_or(to.require_mfa),
            store_content: self.store_content.unwrap_or(to.store_content),
            retention_days: self.retention_days.unwrap_or(to.retention_days),
            sso_required: self.sso_required.unwrap_or(to.sso_required),
            break_glass_owner_ids: self.break_glass_owner_ids.unwrap_or_else(|| to.break_glass_owner_ids.clone()),
            api_key_approval: self.api_key_approval.unwrap_or(to.api_key_approval),
            leaver_api_keys: self.leaver_api_keys.unwrap_or(to.leaver_api_keys),
            session_idle_minutes: self.session_idle_minutes.unwrap_or(to.session_idle_minutes),
            session_max_hours: self.session_max_hours.unwrap_or(to.session_max_hours),
            policy_approval: self.policy_approval.unwrap_or(to.policy_approval),
            telemetry: self.telemetry.unwrap_or(to.telemetry),
            record_commands: self.record_commands.unwrap_or(to.record_commands),
        })
    }
}

/// The settings of the workspace.
#[utoipa::path(get, path = "/api/v1/settings", tag = "Settings",
    responses((status = 200, body = Settings), (status = 401, body = ErrorBody)))]
pub(crate) async fn show(permit: Permit<AnyMember>) -> Etag<Settings> {
    Etag(Settings::clone(&permit.workspace.settings))
}

/// Change settings.
#[utoipa::path(patch, path = "/api/v1/settings", tag = "Settings", request_body = SettingsPatch,
    responses((status = 200, body = Settings), (status = 403, body = ErrorBody), (status = 412, body = ErrorBody),
        (status = 422, body = ErrorBody)))]
pub(crate) async fn update(
    permit: Permit<permits::WorkspaceSettingsWrite>,
    State(app): State<App>,
    headers: HeaderMap,
    Json(patch): Json<SettingsPatch>,
) -> Result<Etag<Settings>> {
    let mut change = permit.change(&app).await?;
    let ws = change.workspace_id();
    let before = Etag(workspaces::settings(&mut change, ws).await?);
    before.check(&headers)?;
    let after = patch.apply(&before.0)?;
    permit.may_grant(&app, after.granted().without(before.0.granted()))?;
    check_required(&app, &permit, &mut change, &before.0, &after).await?;
    if before.0.api_key_approval && !after.api_key_approval {
        check_owner(&app, &permit, "api_key_approval", "the approval of API keys")?;
    }
    if before.0.policy_approval && !after.policy_approval {
        check_owner(&app, &permit, "policy_approval", "the approval of policies")?;
    }
    let changed = differences(&json!(before.0), &json!(after));
    if changed.is_empty() {
        return Ok(Etag(after));
    }
    workspaces::set_settings(&mut change, ws, &after).await?;
    change.touch(Touched::Workspace);
    let mut details = json!({ "changed": changed });
    match end_sessions(&mut change, &before.0, &after).await? {
        0 => {}
        ended => details["sessions_ended"] = json!(ended),
    }
    let target = Target::new("workspace", ws, after.name.as_str());
    change.record(EventType::SettingsUpdated, target, details);
    change.commit().await?;
    Ok(Etag(after))
}

/// Ends the sessions of the console that could not begin any more; how many. They are refused besides
/// (`provost_web::Session`), but what is only refused would come back with the next change.
async fn end_sessions(change: &mut Change, before: &Settings, after: &Settings) -> Result<u64> {
    let ws = change.workspace_id();
    let mut ended = 0;
    let same_way_in =
        before.sso_required == after.sso_required && before.break_glass_owner_ids == after.break_glass_owner_ids;
    if after.sso_required && !same_way_in {
        ended += sessions::delete_begun_here(change, ws, &after.break_glass_owner_ids).await?;
    }
    if after.require_mfa && !before.require_mfa {
        ended += sessions::delete_of_one_factor(change, ws).await?;
    }
    Ok(ended)
}

/// The second person goes only by an owner's own session: who could take it away with a key, or as whoever
/// it is asked of, would need no second person.
fn check_owner(app: &App, caller: &Caller, setting: &'static str, what: &str) -> Result<()> {
    if matches!(&caller.principal, Principal::Member(member) if member.builtin_role == BuiltinRole::Owner) {
        return Ok(());
    }
    caller.record_refusal(app, json!({ "reason": "owner_required", "setting": setting }));
    let message = format!("only an owner, signed in, turns {what} off");
    Err(Error::new(StatusCode::FORBIDDEN, "owner_required", message).with_field(setting))
}

/// The fields of an object that differ, each with before and after.
pub(crate) fn differences(before: &Value, after: &Value) -> Map<String, Value> {
    let (Some(before), Some(after)) = (before.as_object(), after.as_object()) else { return Map::new() };
    let changed = after.iter().filter(|(field, value)| before.get(*field) != Some(value));
    changed.map(|(field, value)| (field.clone(), json!({ "before": before.get(field), "after": value }))).collect()
}
