//! The admin API: one file per resource.

pub(crate) mod events;
