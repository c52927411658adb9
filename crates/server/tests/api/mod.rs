//! The admin API, the issuer, the pages and delivery, as they look on the wire. One module per
//! resource, named as in its URL; then one per promise that all of them keep.
//!
//! A scene is played on each database; its transcript must be the same on both, and is a snapshot.

mod redaction;
pub(crate) mod stage;

mod access_tokens;
mod api_keys;
mod applied_policies;
mod authenticator;
mod client_versions;
mod compliance;
mod default_role;
mod deprovisions;
mod device_enrolments;
mod device_logins;
mod encryption_at_rest;
mod encryption_keys;
mod events;
mod groups;
mod key_approval;
mod leaked_secrets;
mod left_behind;
mod members;
mod mfa;
mod passkeys;
mod policies;
mod policy_exceptions;
mod policy_explain;
mod policy_explain_rules;
mod policy_lookup;
mod policy_proposals;
mod policy_rules;
mod policy_set;
mod policy_simulations;
mod policy_versions;
mod roles;
mod rollouts;
mod sessions;
mod sessions_list;
mod settings;
mod upstreams;
mod workload_identities;

mod access;
mod bodies;
mod concurrency;
mod delivery;
mod escalation;
mod idempotency;
mod in_flight;
mod issuer;
mod last_good;
mod ledger;
mod openapi;
mod outage;
mod pages;
mod pagination;
mod streams;
mod stuffing;
mod team_config;
mod team_config_harm;
mod telemetry;
pub(crate) mod tenants;

pub(crate) use stage::PATIENT;
use stage::{BOTH, client, play, status};
