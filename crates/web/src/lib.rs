//! How HTTP is spoken here: who calls and what they may, one error type, bodies, pages, limits, the
//! outgoing client. No business rules.

mod answer;
mod app;
mod body;
mod caller;
mod client;
mod cursor;
mod door;
mod error;
mod etag;
pub mod fetch;
mod idempotency;
mod keys;
mod last_use;
pub mod limits;
mod metrics;
mod origin;
mod outgoing;
pub mod pages;
mod permit;
mod rate_limit;
mod running;
mod secret;
mod session;

pub use answer::{Created, List};
pub use app::{App, AppParts};
pub use body::{Json, PathId, PathIds, Query, name, nullable, optional_text, present};
pub use caller::{Caller, Principal};
pub use client::{Client, NOT_ALLOWED, Refusal, Via};
pub use cursor::ListQuery;
pub use door::{Doorway, RequestId, door};
pub use error::{Error, ErrorBody, Result};
pub use etag::Etag;
pub use idempotency::idempotency;
pub use keys::{AccessClaims, Keys};
pub use last_use::LastUse;
pub use metrics::Metrics;
pub use origin::origin;
pub use outgoing::{literal_address, outgoing_client};
pub use permit::{Allows, AnyMember, Permit, permits};
pub use rate_limit::RateLimit;
pub use running::{Ended, Running, RunningGuard};
pub use secret::{Secret, hash_secret};
pub use session::{Session, SessionCookie, is_live, session_limits};
