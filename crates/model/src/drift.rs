//! Whether a session of the agent ran as its policy permits.

mod permits;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::PolicyId;

pub use permits::Permits;

/// For how long a client goes by what it was sent before it asks again (`client-contract.md` §2.3).
pub const CLIENT_CACHE: SignedDuration = SignedDuration::from_hours(1);

/// How what ran stands to what was to be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DriftState {
    /// It ran as the policy permits, and the policy is the newest, or the client may not know better yet.
    InStep,
    /// It ran under an earlier policy or version for longer than a client keeps one.
    Behind,
    /// It ran looser than the policy that its client had been sent.
    Contradicting,
    /// Nothing was reported that says so.
    Unknown,
}

impl DriftState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::InStep, Self::Behind, Self::Contradicting, Self::Unknown];

    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InStep => "in_step",
            Self::Behind => "behind",
            Self::Contradicting => "contradicting",
            Self::Unknown => "unknown",
        }
    }
}

impl std::str::FromStr for DriftState {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| "it is `in_step`, `behind`, `contradicting` or `unknown`".to_owned())
    }
}

/// A state, and what says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The state.
    pub state: DriftState,
    /// A sentence for each thing that speaks for it.
    pub reasons: Vec<String>,
}

impl Verdict {
    fn of(state: DriftState, reasons: impl Into<Vec<String>>) -> Self {
        Self { state, reasons: reasons.into() }
    }
}

/// What a session ran with, as its client reported it. Empty: not reported.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ran {
    /// `never`, `on-request`, `granular`, `untrusted`.
    pub approval_policy: String,
    /// `read-only`, `workspace-write`, `danger-full-access`.
    pub sandbox_mode: String,
    /// When the part of the session began that this is about.
    pub at: Timestamp,
}

/// Which policy, at which version; none is "no policy".
pub type Version = Option<(PolicyId, u32)>;

/// A policy that a device was sent.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Which.
    pub version: Version,
    /// What it permits; none where its text is gone.
    pub permits: Option<Permits>,
    /// When it was first sent this.
    pub first_at: Timestamp,
    /// When it was last sent this.
    pub last_at: Timestamp,
}

/// Holds what ran against what its device was sent, latest first, and what it would be sent now.
pub fn judge(sent: &[Sent], current: (Version, &Permits), ran: &Ran) -> Verdict {
    let Some((latest, earlier)) = sent.split_first() else { return never_sent(current, ran) };
    let Some(permits) = &latest.permits else {
        return Verdict::of(DriftState::Unknown, ["The policy that the client was sent is gone.".to_owned()]);
    };
    let held = permits.hold(ran);
    if !held.breaches.is_empty() {
        // A process that runs goes by the earlier one until it asks again.
        let is_late = |sent: &&Sent| sent.permits.as_ref().is_some_and(|permits| permits.hold(ran).breaches.is_empty());
        let in_time = ran.at < latest.first_at + CLIENT_CACHE;
        if let Some(earlier) = earlier.iter().find(is_late).filter(|_| in_time) {
            let reason = format!("It ran as {} permits, which the client was sent before.", name(earlier.version));
            return Verdict::of(DriftState::Behind, [reason]);
        }
        return Verdict::of(DriftState::Contradicting, held.breaches);
    }
    if let Some(reason) = left_behind(latest, current.0, ran.at) {
        return Verdict::of(DriftState::Behind, [reason]);
    }
    if held.open.is_empty() { Verdict::of(DriftState::InStep, []) } else { Verdict::of(DriftState::Unknown, held.open) }
}

/// Why a device that went on at a time has fallen behind, if it has.
pub fn left_behind(latest: &Sent, current: Version, went_on_at: Timestamp) -> Option<String> {
    let is_behind = latest.version != current && went_on_at > latest.last_at + CLIENT_CACHE;
    is_behind.then(|| {
        let (latest, current) = (name(latest.version), name(current));
        format!("The client was last sent {latest} more than an hour before, and {current} is due to it.")
    })
}

/// A client that has asked no node for its policy.
fn never_sent((current, permits): (Version, &Permits), ran: &Ran) -> Verdict {
    let held = permits.hold(ran);
    let never = "The client has not fetched its policy.".to_owned();
    match current {
        None => Verdict::of(DriftState::InStep, []),
        Some(_) if held.breaches.is_empty() => Verdict::of(DriftState::Unknown, [never]),
        Some(_) => Verdict::of(DriftState::Contradicting, [held.breaches, vec![never]].concat()),
    }
}

fn name(version: Version) -> String {
    match version {
        None => "no policy".to_owned(),
        Some((id, version)) => format!("version {version} of the policy {id}"),
    }
}

#[cfg(test)]
mod tests;
