//! The admin API: one file per resource.

pub(crate) mod access_tokens;
pub(crate) mod api_keys;
pub(crate) mod connections;
pub(crate) mod default_role;
pub(crate) mod deprovisions;
pub(crate) mod device_logins;
pub(crate) mod domains;
pub(crate) mod group_members;
pub(crate) mod groups;
pub(crate) mod leaked_secrets;
mod leaked_telemetry;
pub(crate) mod member_identities;
pub(crate) mod member_permissions;
pub(crate) mod member_sessions;
pub(crate) mod members;
pub(crate) mod passkeys;
pub(crate) mod recovery_codes;
pub(crate) mod role_assignments;
pub(crate) mod roles;
pub(crate) mod second_factors;
pub(crate) mod sessions;
pub(crate) mod settings;
pub(crate) mod sign_in_history;
pub(crate) mod workload_identities;
