//! What if: a change of policies, rules, groups or settings, applied to a copy of the snapshot and held against the facts
//! that were recorded.
//!
//! [`Proposal::apply`] makes the workspace that would be; [`member_change`] says what becomes of a member,
//! [`Verdicts`] what becomes of a recorded session or command, before and after. "Before" is what the member would be
//! sent now, not what they were sent when it was recorded: only so the difference is the proposal's doing.

mod member;
mod proposal;
mod verdicts;

pub use member::{Because, MemberChange, Side, member_change};
pub use proposal::{Draft, GroupChange, Proposal};
pub use verdicts::{CommandVerdict, Rules, SessionVerdict, Sight, Verdicts};

#[cfg(test)]
mod tests;
