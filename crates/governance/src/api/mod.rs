//! The admin API: one file per resource.

pub(crate) mod agent_sessions;
pub(crate) mod alerts;
pub(crate) mod applied_policies;
pub(crate) mod encryption_keys;
pub(crate) mod events;
