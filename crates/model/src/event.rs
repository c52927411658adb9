//! The catalogue of events: every kind of thing that Provost records, and the shape of a record.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{ApiKeyId, DeviceEnrolmentId, Email, EventId, MemberId, WorkspaceId};

macro_rules! catalogue {
    ($($(#[doc = $doc:literal])* $name:ident = $wire:tt;)*) => {
        /// What happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
        pub enum EventType {
            $($(#[doc = $doc])* #[serde(rename = $wire)] $name,)*
        }

        impl EventType {
            /// Every type.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $wire),* }
            }

            /// What it means.
            pub fn description(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),*).trim_ascii()),* }
            }
        }
    };
}

catalogue! {
    /// A workspace was created, with its first owner.
    WorkspaceCreated = "workspace.created";
    /// Settings were changed; details hold each changed field, before and after.
    SettingsUpdated = "settings.updated";
    /// A member was added.
    MemberCreated = "member.created";
    /// A member was changed; details hold each changed field.
    MemberUpdated = "member.updated";
    /// A member was suspended: sessions and tokens ended.
    MemberSuspended = "member.suspended";
    /// A suspended member was let back in.
    MemberReactivated = "member.reactivated";
    /// A member was deleted: sessions and tokens ended.
    MemberDeleted = "member.deleted";
    /// A member accepted an invitation and set a password.
    MemberJoined = "member.joined";
    /// A group was created.
    GroupCreated = "group.created";
    /// A group was renamed.
    GroupUpdated = "group.updated";
    /// A group was deleted.
    GroupDeleted = "group.deleted";
    /// A member was added to a group.
    GroupMemberAdded = "group.member_added";
    /// A member was removed from a group.
    GroupMemberRemoved = "group.member_removed";
    /// Members were added to and removed from a group at once, by the identity provider; details
    /// hold how many, and whom.
    GroupMembersUpdated = "group.members_updated";
    /// Everything that a member who left had running was ended; details hold the receipt.
    MemberDeprovisioned = "member.deprovisioned";
    /// A role was created.
    RoleCreated = "role.created";
    /// A role was changed.
    RoleUpdated = "role.updated";
    /// A role was deleted.
    RoleDeleted = "role.deleted";
    /// A role was given to a group or member.
    RoleAssigned = "role.assigned";
    /// A role was taken from a group or member.
    RoleUnassigned = "role.unassigned";
    /// The default role was changed.
    DefaultRoleUpdated = "default_role.updated";
    /// A policy was created.
    PolicyCreated = "policy.created";
    /// A policy got a new version.
    PolicyUpdated = "policy.updated";
    /// A policy was deleted.
    PolicyDeleted = "policy.deleted";
    /// The policy rules or the fallback were changed; details hold both, before and after.
    PolicyRulesUpdated = "policy_rules.updated";
    /// A change of policies was proposed, and waits for a second person.
    PolicyProposed = "policy_proposal.created";
    /// A second person agreed to a proposal: it was done.
    PolicyProposalApproved = "policy_proposal.approved";
    /// A second person turned a proposal down, or whoever made it took it back.
    PolicyProposalDenied = "policy_proposal.denied";
    /// A rollout of a new version of a policy began.
    RolloutStarted = "rollout.started";
    /// A rollout reaches more, fewer or other members; details hold both, before and after.
    RolloutUpdated = "rollout.updated";
    /// A rollout was paused: who has the new version keeps it, nobody else gets it.
    RolloutPaused = "rollout.paused";
    /// A paused rollout goes on.
    RolloutResumed = "rollout.resumed";
    /// A rollout was halted because clients that received it did worse: everybody gets the version
    /// of before; details hold the figures.
    RolloutHalted = "rollout.halted";
    /// A rollout was finished: everybody gets the new version.
    RolloutFinished = "rollout.finished";
    /// A rollout was cancelled: everybody gets the version of before.
    RolloutCancelled = "rollout.cancelled";
    /// A member asked for another policy for a time.
    PolicyExceptionRequested = "policy_exception.requested";
    /// Another person approved an exception; details hold until when.
    PolicyExceptionApproved = "policy_exception.approved";
    /// Another person denied an exception, or whoever asked took it back.
    PolicyExceptionDenied = "policy_exception.denied";
    /// An exception ended: at its time, or before it by somebody.
    PolicyExceptionEnded = "policy_exception.ended";
    /// An address was made at which machines get the policy of a group.
    DeviceEnrolmentCreated = "device_enrolment.created";
    /// An address for machines got a new secret; the old one works for a while longer.
    DeviceEnrolmentRotated = "device_enrolment.rotated";
    /// An address for machines was revoked.
    DeviceEnrolmentRevoked = "device_enrolment.revoked";
    /// A session ran looser than the policy that its client had been sent.
    PolicyContradicted = "policy.contradicted";
    /// A change of policies was simulated, which reads recorded commands; details hold what was asked.
    PolicySimulated = "policy.simulated";
    /// A client fetched its policy; details hold policy, version and client.
    PolicyFetched = "policy.fetched";
    /// An upstream was added.
    UpstreamCreated = "upstream.created";
    /// An upstream was changed.
    UpstreamUpdated = "upstream.updated";
    /// An upstream was removed.
    UpstreamDeleted = "upstream.deleted";
    /// A new data key was made, and seals what is sealed from now on; details name the master key that wraps it.
    EncryptionKeyRotated = "encryption_key.rotated";
    /// Every data key was wrapped with another master key; details name it.
    EncryptionKeyRewrapped = "encryption_key.rewrapped";
    /// What was sealed under older data keys was sealed under the newest; details count the values.
    EncryptionKeyResealed = "encryption_key.resealed";
    /// A data key that nothing needs any more was retired: it opens nothing since.
    EncryptionKeyRetired = "encryption_key.retired";
    /// A retired data key was taken back: it opens again what it sealed.
    EncryptionKeyRestored = "encryption_key.restored";
    /// An access token was created.
    AccessTokenCreated = "access_token.created";
    /// An access token was revoked.
    AccessTokenRevoked = "access_token.revoked";
    /// An access token got a new secret; the old one works for a while longer.
    AccessTokenRotated = "access_token.rotated";
    /// An API key was asked for, and waits for a second person.
    ApiKeyRequested = "api_key.requested";
    /// A second person approved an API key.
    ApiKeyApproved = "api_key.approved";
    /// A second person denied an API key, or whoever asked for it took it back.
    ApiKeyDenied = "api_key.denied";
    /// An API key was changed: its name, or the addresses that it works from.
    ApiKeyUpdated = "api_key.updated";
    /// An API key got a new secret; the old one works for a while longer.
    ApiKeyRotated = "api_key.rotated";
    /// A secret of ours was reported as found where it does not belong; details hold what was done.
    CredentialLeaked = "credential.leaked";
    /// A workload identity was created.
    WorkloadIdentityCreated = "workload_identity.created";
    /// A workload identity was changed.
    WorkloadIdentityUpdated = "workload_identity.updated";
    /// A workload identity was deleted.
    WorkloadIdentityDeleted = "workload_identity.deleted";
    /// A workload exchanged its token for access.
    WorkloadSignedIn = "workload.signed_in";
    /// A workload was refused; details hold why.
    WorkloadRefused = "workload.refused";
    /// An API key was created.
    ApiKeyCreated = "api_key.created";
    /// An API key was revoked.
    ApiKeyRevoked = "api_key.revoked";
    /// Somebody signed in to the console.
    SignInSucceeded = "sign_in.succeeded";
    /// Somebody failed to sign in; details hold why.
    SignInFailed = "sign_in.failed";
    /// Somebody signed out of the console.
    SignedOut = "sign_in.ended";
    /// A session was ended by its member elsewhere, or by an admin.
    SessionRevoked = "session.revoked";
    /// A member added a second factor.
    SecondFactorAdded = "second_factor.added";
    /// A second factor was removed, by its member or by an admin.
    SecondFactorRemoved = "second_factor.removed";
    /// A member made new recovery codes; the earlier ones stopped working.
    RecoveryCodesCreated = "recovery_codes.created";
    /// A connection to an identity provider was created.
    ConnectionCreated = "connection.created";
    /// A connection to an identity provider was changed.
    ConnectionUpdated = "connection.updated";
    /// A connection to an identity provider was deleted.
    ConnectionDeleted = "connection.deleted";
    /// A domain was added, to be verified.
    DomainCreated = "domain.created";
    /// A domain was verified.
    DomainVerified = "domain.verified";
    /// A domain was removed.
    DomainDeleted = "domain.deleted";
    /// A client signed in; details hold how (device code, browser) and which client.
    ClientSignedIn = "client.signed_in";
    /// A client was refused a sign-in or a token; details hold why.
    ClientRefused = "client.refused";
    /// A client signed out or was signed out.
    ClientSignedOut = "client.signed_out";
    /// A client renewed its tokens.
    TokenRefreshed = "token.refreshed";
    /// A refresh token was used long after it was replaced: the client session was ended.
    TokenReuseDetected = "token.reuse_detected";
    /// A member approved a device sign-in.
    DeviceLoginApproved = "device_login.approved";
    /// A member denied a device sign-in.
    DeviceLoginDenied = "device_login.denied";
    /// A model call was answered; details hold model, usage and how it ended.
    TurnCompleted = "turn.completed";
    /// A model call was refused before it was dispatched; details hold why.
    TurnRefused = "turn.refused";
    /// A model call failed at the upstream; details hold how.
    TurnFailed = "turn.failed";
    /// A caller was refused something that it may not; details hold what it needed.
    RequestRefused = "request.refused";
    /// Audit data was read; details hold what.
    AuditRead = "audit.read";
    /// A signing key was made.
    SigningKeyCreated = "signing_key.created";
    /// Events could not be written for a time and the memory for them ran full; details hold how
    /// many are missing.
    EventsLost = "events.lost";
}

impl std::str::FromStr for EventType {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().copied().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| format!("there is no event type `{text}`"))
    }
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Actor {
    /// What kind of caller.
    pub kind: ActorKind,
    /// Its id; none for an unknown caller or the system.
    pub id: Option<String>,
    /// The member's address, or what an unknown caller gave as theirs.
    pub email: Option<String>,
}

/// The kinds of callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// A member, in the console or through a client.
    Member,
    /// An API key.
    ApiKey,
    /// A machine without a signed-in member, through a device enrolment.
    Device,
    /// Somebody who is not signed in.
    Anonymous,
    /// Provost itself, or its operator at the command line.
    System,
}

impl ActorKind {
    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::ApiKey => "api_key",
            Self::Device => "device",
            Self::Anonymous => "anonymous",
            Self::System => "system",
        }
    }
}

impl Actor {
    /// A member.
    pub fn member(id: MemberId, email: &Email) -> Self {
        Self { kind: ActorKind::Member, id: Some(id.to_string()), email: Some(email.to_string()) }
    }

    /// An API key.
    pub fn api_key(id: ApiKeyId) -> Self {
        Self { kind: ActorKind::ApiKey, id: Some(id.to_string()), email: None }
    }

    /// A machine, by the enrolment that it has.
    pub fn device(id: DeviceEnrolmentId) -> Self {
        Self { kind: ActorKind::Device, id: Some(id.to_string()), email: None }
    }

    /// Somebody who is not signed in, and perhaps says who they are.
    pub fn anonymous(email: Option<String>) -> Self {
        Self { kind: ActorKind::Anonymous, id: None, email }
    }

    /// Provost itself.
    pub fn system() -> Self {
        Self { kind: ActorKind::System, id: None, email: None }
    }
}

/// What it was done to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Target {
    /// What kind of thing: `member`, `group`, `policy` …
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Its name at the time, so that the trail reads after it is gone.
    pub name: Option<String>,
}

impl Target {
    /// Something with an id and a name.
    pub fn new(kind: &str, id: impl ToString, name: impl Into<String>) -> Self {
        Self { kind: kind.to_owned(), id: id.to_string(), name: Some(name.into()) }
    }
}

/// Where a request came from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Origin {
    /// The request's id, as in its answer and in the logs.
    pub request_id: Option<String>,
    /// The address it came from.
    pub ip: Option<String>,
    /// What it calls itself.
    pub user_agent: Option<String>,
}

/// An event before it has its place in the ledger.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Whose ledger.
    pub workspace_id: WorkspaceId,
    /// Its id: consumers drop what they have seen.
    pub id: EventId,
    /// What.
    pub kind: EventType,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// To what.
    pub target: Option<Target>,
    /// From where.
    pub origin: Origin,
    /// The facts, by type.
    pub details: Value,
}

/// An event in the ledger.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// Its place: counts from one, without gaps, in each workspace.
    pub seq: i64,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Who did it.
    pub actor: Actor,
    /// What it was done to.
    pub target: Option<Target>,
    /// Where the request came from.
    pub origin: Origin,
    /// The facts, by type.
    pub details: Value,
    /// Chains it to the event before: SHA-256 over that one's hash and this one's content, in hex.
    pub hash: String,
}
