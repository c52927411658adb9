//! The admin API: one file per resource.

pub(crate) mod alerts;
pub(crate) mod events;
