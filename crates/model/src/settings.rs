use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{MemberId, Permission, PermissionSet, Proof, SignInMethod};

/// The settings of a workspace. A toggle that is on grants its permission to every member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Settings {
    /// The name of the workspace.
    pub name: String,
    /// Allow members to use Codex Local.
    pub codex_local: bool,
    /// Allow members to sign clients in with a device code.
    pub device_code_login: bool,
    /// Allow members to create access tokens.
    pub codex_access_tokens: bool,
    /// The longest lifetime of a new access token, in days; none is no limit.
    pub access_token_max_days: Option<u32>,
    /// Allow members to use Codex cloud.
    pub codex_cloud: bool,
    /// Post answers to Slack when a task completes.
    pub slack_post_answers: bool,
    /// Allow the Codex agent to access the internet.
    pub agent_internet_access: bool,
    /// Allow members to administer Codex.
    pub administer_codex: bool,
    /// Require a second factor of local accounts.
    pub require_mfa: bool,
    /// Keep prompts and answers (sealed). Off: only facts about them are kept.
    pub store_content: bool,
    /// How long events are kept, in days.
    pub retention_days: u32,
    /// Members sign in through the workspace's identity provider only; but for the owners named
    /// in `break_glass_owner_ids`.
    pub sso_required: bool,
    /// Owners who may sign in with a password when the identity provider is required, and away.
    pub break_glass_owner_ids: Vec<MemberId>,
    /// A new API key works only when a second person has approved it.
    pub api_key_approval: bool,
    /// What becomes of API keys whose maker leaves.
    pub leaver_api_keys: LeaverApiKeys,
    /// A session ends after so many minutes without use.
    pub session_idle_minutes: u32,
    /// A session ends after so many hours whatever happens.
    pub session_max_hours: u32,
    /// Policies, their rules and rollouts change only when a second person has agreed.
    pub policy_approval: bool,
    /// Clients are told to report their sessions here (an `[otel]` block rides along with the policy).
    pub telemetry: bool,
    /// The commands that clients report are kept (sealed), so that a change can be simulated against
    /// them. Off: only that there was one, and what became of it.
    pub record_commands: bool,
}

/// What becomes of the API keys that somebody made who leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeaverApiKeys {
    /// They are listed in the receipt, and an owner decides.
    #[default]
    Keep,
    /// They are revoked with everything else.
    Revoke,
}

impl Default for Settings {
    /// A new workspace: Codex Local on, everything else off.
    fn default() -> Self {
        Self {
            name: String::new(),
            codex_local: true,
            device_code_login: false,
            codex_access_tokens: false,
            access_token_max_days: None,
            codex_cloud: false,
            slack_post_answers: false,
            agent_internet_access: false,
            administer_codex: false,
            require_mfa: false,
            store_content: false,
            retention_days: 30,
            sso_required: false,
            break_glass_owner_ids: Vec::new(),
            api_key_approval: false,
            leaver_api_keys: LeaverApiKeys::Keep,
            session_idle_minutes: 24 * 60,
            session_max_hours: 7 * 24,
            policy_approval: false,
            telemetry: false,
            record_commands: false,
        }
    }
}

impl Settings {
    /// Whether a member may sign in with what we keep of them (a password, a passkey, a link), rather
    /// than through the workspace's identity provider.
    pub fn may_sign_in_here(&self, member: MemberId) -> bool {
        !self.sso_required || self.break_glass_owner_ids.contains(&member)
    }

    /// Whether a session may rest on this proof. Where a second factor is required, who signs in here must
    /// have shown one; an identity provider asks for its own.
    pub fn is_enough(&self, proof: &Proof) -> bool {
        let is_strong = proof.second_factor.is_some() || proof.method == SignInMethod::Passkey;
        !self.require_mfa || proof.connection_id.is_some() || is_strong
    }

    /// Each toggle: its name, whether it is on, and the permission that it grants.
    pub fn toggles(&self) -> [(&'static str, bool, Permission); 7] {
        use Permission::*;
        [
            ("codex_local", self.codex_local, CodexLocalUse),
            ("device_code_login", self.device_code_login, CodexLocalDeviceCode),
            ("codex_access_tokens", self.codex_access_tokens, CodexAccessTokensCreate),
            ("codex_cloud", self.codex_cloud, CodexCloudUse),
            ("agent_internet_access", self.agent_internet_access, CodexCloudInternetAccess),
            ("slack_post_answers", self.slack_post_answers, CodexSlackPostAnswers),
            ("administer_codex", self.administer_codex, CodexAdminister),
        ]
    }

    /// What every member may do because of the toggles.
    pub fn granted(&self) -> PermissionSet {
        self.toggles().into_iter().filter(|(_, on, _)| *on).map(|(_, _, p)| p).collect()
    }
}
