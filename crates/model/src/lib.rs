//! The words and the rules of Provost: ids, members, groups, roles, permissions, policies, events,
//! and the pure decisions over them. No I/O, no async, no SQL, no HTTP.
//!
//! Everything that decides takes a [`Workspace`] snapshot, so that the same function answers the
//! request, the policy lookup and the explainer.

mod allowed_ips;
mod client_version;
mod clock;
mod cloud;
pub mod command;
pub mod compliance;
mod credential;
mod decision;
mod deep;
mod delivery;
mod device_enrolment;
pub mod drift;
pub mod effective;
mod email;
pub mod event;
mod group;
mod hex;
mod id;
mod kept;
pub mod lint;
mod member;
mod pattern;
mod percent;
mod permission;
mod policy;
pub mod policy_diff;
mod policy_exception;
mod proof;
mod role;
mod rollout;
mod rollout_guard;
pub mod scim;
mod settings;
pub mod simulate;
mod spelling;
pub mod surface;
mod telemetry;
mod upstream;
mod workspace;

pub use allowed_ips::{AllowedIps, MAX_ALLOWED_IPS};
pub use client_version::ClientVersion;
pub use clock::Clock;
pub use cloud::CloudRefusal;
pub use credential::{AccessToken, ApiKey, ApiKeyStatus, Scope, TokenHash};
pub use decision::{Decision, Reason};
pub use delivery::Delivery;
pub use device_enrolment::DeviceEnrolment;
pub use email::{Email, InvalidEmail, name_key};
pub use group::{Group, GroupSource};
pub use hex::hex;
pub use id::*;
pub use member::{BuiltinRole, Member};
pub use pattern::{MAX_PATTERN_BYTES, Pattern};
pub use percent::Percent;
pub use permission::{Permission, PermissionSet, UnknownPermission};
pub use policy::{Bundle, Considered, DecidedBy, Lookup, Policy, PolicyRule, PolicyRules};
pub use policy_exception::PolicyException;
pub use proof::{FactorKind, Proof, Protocol, SignInMethod};
pub use role::Role;
pub use rollout::{Rollout, RolloutReach, RolloutStage, RolloutStatus};
pub use rollout_guard::{ArmFigures, ClientFacts, ComparedWith, HaltCause, RolloutGuard, Verdict, arm};
pub use settings::{LeaverApiKeys, Settings};
pub use upstream::{Model, ModelRoute, Upstream};
pub use workspace::{Map, Workspace, World};
