//! Which event becomes which record.

use std::fmt;
use std::str::FromStr;

use crate::event::EventType;

/// A kind of log file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LogType {
    /// `AUTH_LOG`: who signed in, and who could not.
    Auth,
    /// `AUDIT_LOG`: what admins did.
    Audit,
    /// `CODEX_LOG`: what Codex did.
    Codex,
    /// `CODEX_SECURITY_LOG`: what somebody should look at.
    CodexSecurity,
    /// `CODEX_TURN`: what a turn used.
    CodexTurn,
    /// A type of the hosted product of which nothing happens here: there are no files of it.
    Empty(&'static str),
}

impl LogType {
    /// Those of which there are files.
    pub const KEPT: [Self; 5] = [Self::Auth, Self::Audit, Self::Codex, Self::CodexSecurity, Self::CodexTurn];

    /// The types of the hosted product whose things are not here.
    const EMPTY: [&'static str; 5] =
        ["APP_LOG", "APP_AUTH_LOG", "CUSTOM_AGENTS_LOG", "CONVERSATION_MESSAGE", "CHATGPT_PLUGIN_SPREADSHEET"];

    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "AUTH_LOG",
            Self::Audit => "AUDIT_LOG",
            Self::Codex => "CODEX_LOG",
            Self::CodexSecurity => "CODEX_SECURITY_LOG",
            Self::CodexTurn => "CODEX_TURN",
            Self::Empty(name) => name,
        }
    }
}

impl fmt::Display for LogType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for LogType {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let kept = Self::KEPT.into_iter().find(|kind| kind.as_str() == text);
        let empty = || Self::EMPTY.into_iter().find(|name| *name == text).map(Self::Empty);
        kept.or_else(empty).ok_or_else(|| format!("there is no log type `{text}`"))
    }
}

/// What a record of an event looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `AUTH_LOG` with this action.
    Auth(&'static str),
    /// `AUDIT_LOG` with this action and result, of an admin or (false) of anybody.
    Audit(&'static str, &'static str, bool),
    /// `CODEX_LOG` with this event type.
    Codex(&'static str),
    /// `CODEX_SECURITY_LOG` with this event type.
    Security(&'static str),
    /// `CODEX_TURN` and `CODEX_LOG`.
    Turn,
}

const fn admin(action: &'static str) -> Shape {
    Shape::Audit(action, "SUCCESS", true)
}

const fn member(action: &'static str) -> Shape {
    Shape::Audit(action, "SUCCESS", false)
}

/// The shape of the records of a type. The documented name of an action where it has one, else one in its manner.
pub fn shape(kind: EventType) -> Shape {
    use EventType as E;
    match kind {
        E::SignInSucceeded => Shape::Auth("login_success"),
        E::SignInFailed | E::ClientRefused | E::WorkloadRefused => Shape::Auth("login_failed"),
        E::SignedOut | E::ClientSignedOut => Shape::Auth("logout_success"),
        E::ClientSignedIn | E::TokenRefreshed | E::WorkloadSignedIn => Shape::Auth("token_issued"),
        E::DeviceLoginApproved => Shape::Auth("device_login_approved"),
        E::DeviceLoginDenied => Shape::Auth("device_login_denied"),

        E::TurnCompleted | E::TurnFailed => Shape::Turn,
        E::TurnRefused => Shape::Codex("PROMPT_RESPONSE_RECEIVED"),
        E::PolicyFetched => Shape::Codex("POLICY_FETCHED"),
        E::AccessTokenCreated => Shape::Codex("ACCESS_TOKEN_CREATED"),
        E::AccessTokenRevoked => Shape::Codex("ACCESS_TOKEN_REVOKED"),
        E::AccessTokenRotated => Shape::Codex("ACCESS_TOKEN_ROTATED"),

        E::PolicyContradicted => Shape::Security("POLICY_CONTRADICTED"),
        E::CredentialLeaked => Shape::Security("CREDENTIAL_LEAKED"),
        E::TokenReuseDetected => Shape::Security("TOKEN_REUSE_DETECTED"),

        E::WorkspaceCreated => admin("WORKSPACE_CREATE"),
        E::SettingsUpdated => admin("WORKSPACE_TOGGLE_FEATURE"),
        E::MemberCreated => admin("INVITE_SEND"),
        E::MemberUpdated => admin("USER_ROLE_UPDATED"),
        E::MemberSuspended => admin("USER_SUSPEND"),
        E::MemberReactivated => admin("USER_REACTIVATE"),
        E::MemberDeleted => admin("USER_DELETE"),
        E::MemberJoined => member("INVITE_ACCEPT"),
        E::MemberDeprovisioned => admin("USER_DEPROVISION"),
        E::GroupCreated => admin("GROUP_CREATE"),
        E::GroupUpdated => admin("GROUP_EDIT"),
        E::GroupDeleted => admin("GROUP_DELETE"),
        E::GroupMemberAdded | E::GroupMembersUpdated => admin("GROUP_ADD_USERS"),
        E::GroupMemberRemoved => admin("GROUP_REMOVE_USER"),
        E::RoleCreated => admin("ROLE_CREATE"),
        E::RoleUpdated => admin("ROLE_UPDATE"),
        E::RoleDeleted => admin("ROLE_DELETE"),
        E::RoleAssigned => admin("ROLE_ASSIGN"),
        E::RoleUnassigned => admin("ROLE_UNASSIGN"),
        E::DefaultRoleUpdated => admin("ROLE_SET_DEFAULT"),
        E::PolicyCreated => admin("POLICY_CREATE"),
        E::PolicyUpdated => admin("POLICY_UPDATE"),
        E::PolicyDeleted => admin("POLICY_DELETE"),
        E::PolicyRulesUpdated => admin("WORKSPACE_SET_POLICY"),
        E::PolicySimulated => admin("POLICY_SIMULATE"),
        E::PolicyProposed => admin("POLICY_PROPOSE"),
        E::PolicyProposalApproved => admin("POLICY_PROPOSAL_APPROVE"),
        E::PolicyProposalDenied => admin("POLICY_PROPOSAL_DENY"),
        E::RolloutStarted => admin("POLICY_ROLLOUT_START"),
        E::RolloutUpdated => admin("POLICY_ROLLOUT_UPDATE"),
        E::RolloutPaused => admin("POLICY_ROLLOUT_PAUSE"),
        E::RolloutResumed => admin("POLICY_ROLLOUT_RESUME"),
        E::RolloutHalted => admin("POLICY_ROLLOUT_HALT"),
        E::RolloutFinished => admin("POLICY_ROLLOUT_FINISH"),
        E::RolloutCancelled => admin("POLICY_ROLLOUT_CANCEL"),
        E::PolicyExceptionRequested => member("POLICY_EXCEPTION_REQUEST"),
        E::PolicyExceptionApproved => admin("POLICY_EXCEPTION_APPROVE"),
        E::PolicyExceptionDenied => admin("POLICY_EXCEPTION_DENY"),
        E::PolicyExceptionEnded => admin("POLICY_EXCEPTION_END"),
        E::DeviceEnrolmentCreated => admin("DEVICE_ENROLMENT_CREATE"),
        E::DeviceEnrolmentRotated => admin("DEVICE_ENROLMENT_ROTATE"),
        E::DeviceEnrolmentRevoked => admin("DEVICE_ENROLMENT_REVOKE"),
        E::UpstreamCreated => admin("UPSTREAM_CREATE"),
        E::UpstreamUpdated => admin("UPSTREAM_UPDATE"),
        E::UpstreamDeleted => admin("UPSTREAM_DELETE"),
        E::ApiKeyCreated => admin("API_KEY_CREATE"),
        E::ApiKeyRevoked => admin("API_KEY_REVOKE"),
        E::ApiKeyRequested => member("API_KEY_REQUEST"),
        E::ApiKeyApproved => admin("API_KEY_APPROVE"),
        E::ApiKeyDenied => admin("API_KEY_DENY"),
        E::ApiKeyUpdated => admin("API_KEY_UPDATE"),
        E::ApiKeyRotated => admin("API_KEY_ROTATE"),
        E::WorkloadIdentityCreated => admin("WORKLOAD_IDENTITY_CREATE"),
        E::WorkloadIdentityUpdated => admin("WORKLOAD_IDENTITY_UPDATE"),
        E::WorkloadIdentityDeleted => admin("WORKLOAD_IDENTITY_DELETE"),
        E::SessionRevoked => admin("SESSION_REVOKE"),
        E::SecondFactorAdded => member("MFA_ADD"),
        E::SecondFactorRemoved => member("MFA_REMOVE"),
        E::RecoveryCodesCreated => member("MFA_RECOVERY_CODES_CREATE"),
        E::ConnectionCreated => admin("SSO_CONNECTION_CREATE"),
        E::ConnectionUpdated => admin("SSO_CONNECTION_UPDATE"),
        E::ConnectionDeleted => admin("SSO_CONNECTION_DELETE"),
        E::DomainCreated => admin("DOMAIN_CREATE"),
        E::DomainVerified => admin("DOMAIN_VERIFY"),
        E::DomainDeleted => admin("DOMAIN_DELETE"),
        E::AuditRead => admin("LIST_WORKSPACE_LOG_FILES"),
        E::SigningKeyCreated => admin("SIGNING_KEY_CREATE"),
        E::EncryptionKeyRotated => admin("ENCRYPTION_KEY_ROTATE"),
        E::EncryptionKeyRewrapped => admin("ENCRYPTION_KEY_REWRAP"),
        E::EncryptionKeyResealed => admin("ENCRYPTION_KEY_RESEAL"),
        E::EncryptionKeyRetired => admin("ENCRYPTION_KEY_RETIRE"),
        E::EncryptionKeyRestored => admin("ENCRYPTION_KEY_RESTORE"),
        E::RequestRefused => Shape::Audit("REQUEST_REFUSED", "BLOCKED", false),
        E::EventsLost => Shape::Audit("EVENTS_LOST", "ERROR", true),
    }
}
