//! The admin API: one file per resource.

mod authors;
pub(crate) mod device_enrolments;
pub(crate) mod effective_policy;
pub(crate) mod policies;
pub(crate) mod policy_diff;
pub(crate) mod policy_exceptions;
pub(crate) mod policy_explain;
pub(crate) mod policy_lint;
pub(crate) mod policy_lookup;
pub(crate) mod policy_proposals;
pub(crate) mod policy_rollback;
pub(crate) mod policy_rollouts;
pub(crate) mod policy_rules;
pub(crate) mod policy_set;
pub(crate) mod policy_simulations;
pub(crate) mod policy_versions;
pub(crate) mod rollouts;
pub(crate) mod team_config;
