//! One file per table (and the tables that hang on it): its rows, its statements.
//!
//! `load…` reads what the snapshot holds; `get` and `list` read what admins are shown.

pub mod access_tokens;
pub mod agent_commands;
pub mod agent_sessions;
pub mod api_keys;
pub mod authorization_codes;
pub mod client_versions;
pub mod connections;
pub mod data_keys;
pub mod deprovisions;
pub mod device_enrolments;
pub mod device_logins;
pub mod domains;
pub mod grants;
pub mod group_members;
pub mod groups;
pub mod idempotency_keys;
pub mod identities;
pub mod links;
pub mod log_files;
pub mod members;
pub mod nodes;
pub mod oidc_sign_ins;
pub mod pending_sign_ins;
pub mod policies;
pub mod policy_deliveries;
pub mod policy_exceptions;
pub mod policy_proposals;
pub mod policy_rules;
pub mod replaced_secrets;
pub mod roles;
pub mod rollouts;
pub mod saml_assertions;
pub mod saml_requests;
pub mod scim_groups;
pub mod scim_users;
pub mod second_factors;
pub mod sessions;
pub mod signing_keys;
pub mod upstreams;
pub mod workload_identities;
pub mod workspaces;

/// A page of a list: what comes after the cursor (the last id of the page before), so many.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The last id of the page before; none for the first page.
    pub after: Option<String>,
    /// At most so many rows.
    pub limit: u32,
}

/// A page of a list by its place: so many are skipped (SCIM's `startIndex` less one), so many follow.
#[derive(Debug, Clone, Copy, Default)]
pub struct Offset {
    /// So many rows are left out.
    pub skip: i64,
    /// At most so many rows.
    pub limit: u32,
}
