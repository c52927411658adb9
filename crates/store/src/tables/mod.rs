//! One file per table (and the tables that hang on it): its rows, its statements.
//!
//! `load…` reads what the snapshot holds; `get` and `list` read what admins are shown.

pub mod access_tokens;
pub mod api_keys;
pub mod authorization_codes;
pub mod connections;
pub mod device_logins;
pub mod grants;
pub mod groups;
pub mod idempotency_keys;
pub mod links;
pub mod members;
pub mod policies;
pub mod policy_rules;
pub mod roles;
pub mod saml_assertions;
pub mod saml_requests;
pub mod sessions;
pub mod signing_keys;
pub mod upstreams;
pub mod workspaces;

/// A page of a list: what comes after the cursor (the last id of the page before), so many.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The last id of the page before; none for the first page.
    pub after: Option<String>,
    /// At most so many rows.
    pub limit: u32,
}
