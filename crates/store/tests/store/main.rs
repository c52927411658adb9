//! The store, from outside, on both databases. Run through `make test` (or `mk/with-postgres`), which
//! provides the PostgreSQL.

mod acts;
mod agent_facts;
mod changes;
mod credentials;
mod data_keys;
mod database;
mod deletion;
mod deprovisions;
mod gather;
mod last_good;
mod ledger;
mod migrations;
mod names;
mod outage;
mod policies;
#[path = "../../../testkit/src/postgres.rs"]
#[expect(unreachable_pub, reason = "it is public in its own crate")]
mod postgres;
mod random_changes;
mod recorder;
mod revocations;
mod rollouts;
mod rows;
mod saml;
mod scim_groups;
mod scim_users;
mod sealing;
mod sign_ins;
mod tenants;
