//! The admin API: one file per resource.

pub(crate) mod effective_policy;
pub(crate) mod policies;
pub(crate) mod policy_exceptions;
pub(crate) mod policy_explain;
pub(crate) mod policy_lint;
pub(crate) mod policy_lookup;
pub(crate) mod policy_rules;
pub(crate) mod policy_set;
pub(crate) mod policy_simulations;
pub(crate) mod policy_versions;
