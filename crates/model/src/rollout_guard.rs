//! Whether the clients that received a new version do worse than those that did not: pure functions over
//! what each client did since the rollout began.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Percent;

/// How unlikely a difference must be as mere chance before it counts. Small, since a rollout is looked at
/// over and over.
const CHANCE: f64 = 0.01;

/// When a rollout halts by itself. Every client counts once, however many turns it had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RolloutGuard {
    /// Nothing is concluded from fewer clients with the new version; with fewer of the others there is
    /// nothing to compare with.
    pub min_clients: u32,
    /// By how many percentage points more of the clients with the new version may stay silent (they
    /// fetched it and started no turn).
    pub max_silent_increase: Percent,
    /// By how many percentage points more of the turns may fail.
    pub max_failure_increase: Percent,
    /// How long after its first fetch a client is judged.
    pub grace_minutes: u32,
    /// How many may stay silent where there is nothing to compare with.
    pub max_silent: Percent,
    /// How many of the turns may fail where there is nothing to compare with.
    pub max_failure: Percent,
}

impl Default for RolloutGuard {
    fn default() -> Self {
        Self {
            min_clients: 10,
            max_silent_increase: Percent::from_hundredths(2_000),
            max_failure_increase: Percent::from_hundredths(1_000),
            grace_minutes: 30,
            max_silent: Percent::from_hundredths(5_000),
            max_failure: Percent::from_hundredths(5_000),
        }
    }
}

/// What a client with one of the two versions did since the rollout began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientFacts {
    /// When it first was sent the version, or when the rollout began if that is later.
    pub since: Timestamp,
    /// When it last fetched or used it.
    pub last_at: Timestamp,
    /// The turns that it began.
    pub turns: u32,
    /// Those of them that failed or were refused.
    pub failed_turns: u32,
}

/// What became of the clients that were sent one of the two versions.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct ArmFigures {
    /// How many were sent it since the rollout began.
    pub clients: u32,
    /// How many came back for a turn.
    pub came_back: u32,
    /// Their turns.
    pub turns: u64,
    /// Those of the turns that failed or were refused.
    pub failed_turns: u64,
    /// How many clients are judged: their grace is over.
    pub judged: u32,
    /// How many of the judged started no turn.
    pub silent: u32,
    /// The same as a percentage; null while none is judged.
    pub silent_percent: Option<Percent>,
    /// How many of its turns fail for a judged client that had turns, on the mean; null while none had.
    pub failure_percent: Option<Percent>,
    /// The sum of the clients' shares of failed turns, which `failure_percent` is the mean of.
    #[serde(skip)]
    failing: f64,
}

/// Counts the clients of one version.
pub fn arm<'a>(
    clients: impl IntoIterator<Item = &'a ClientFacts>,
    grace: SignedDuration,
    now: Timestamp,
) -> ArmFigures {
    let mut arm = ArmFigures::default();
    for client in clients {
        let has_turns = client.turns > 0;
        arm.clients += 1;
        arm.came_back += u32::from(has_turns);
        arm.turns += u64::from(client.turns);
        arm.failed_turns += u64::from(client.failed_turns.min(client.turns));
        // Those who came back wait for the end of their grace too: else they would be counted before
        // those who do not. One that has only just fetched again is still given its time.
        let is_over =
            now.duration_since(client.since) >= grace && (has_turns || now.duration_since(client.last_at) >= grace);
        if is_over {
            arm.judged += 1;
            arm.silent += u32::from(!has_turns);
            if has_turns {
                arm.failing += f64::from(client.failed_turns.min(client.turns)) / f64::from(client.turns);
            }
        }
    }
    arm.silent_percent = share(f64::from(arm.silent), arm.judged).map(Percent::of_share);
    arm.failure_percent = share(arm.failing, arm.judged - arm.silent).map(Percent::of_share);
    arm
}

fn share(part: f64, of: u32) -> Option<f64> {
    if of == 0 { None } else { Some(part / f64::from(of)) }
}

/// What the clients with the new version were held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ComparedWith {
    /// The clients that still get the version of before.
    Baseline,
    /// Too few of those were seen: the guard's absolute thresholds.
    Thresholds,
}

/// Why a rollout is to be halted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HaltCause {
    /// Clients fetch the new version and do not come back for a turn.
    Silent,
    /// Turns fail.
    Failures,
}

/// What a guard says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// What the clients were held against; none while there are too few of them.
    pub compared_with: Option<ComparedWith>,
    /// Why to halt, if so.
    pub halt: Option<HaltCause>,
}

impl RolloutGuard {
    /// How long after its first fetch a client is judged.
    pub fn grace(&self) -> SignedDuration {
        SignedDuration::from_mins(self.grace_minutes.into())
    }

    /// Whether the clients with the new version do worse than the others.
    pub fn judge(&self, candidate: &ArmFigures, baseline: &ArmFigures) -> Verdict {
        let min = self.min_clients.max(1);
        if candidate.judged < min {
            return Verdict { compared_with: None, halt: None };
        }
        let has_baseline = baseline.judged >= min;
        let silent = (f64::from(candidate.silent), candidate.judged);
        let failing = (candidate.failing, candidate.judged - candidate.silent);
        let is_silent = match has_baseline {
            true => {
                let others = (f64::from(baseline.silent), baseline.judged);
                is_worse(silent, others, self.max_silent_increase)
            }
            false => exceeds(silent, self.max_silent),
        };
        // The turns of both are looked at only where enough clients had some.
        let others = (baseline.failing, baseline.judged - baseline.silent);
        let fails = failing.1 >= min
            && match others.1 >= min {
                true => is_worse(failing, others, self.max_failure_increase),
                false => exceeds(failing, self.max_failure),
            };
        let halt = match (is_silent, fails) {
            (true, _) => Some(HaltCause::Silent),
            (false, true) => Some(HaltCause::Failures),
            (false, false) => None,
        };
        let compared_with = if has_baseline { ComparedWith::Baseline } else { ComparedWith::Thresholds };
        Verdict { compared_with: Some(compared_with), halt }
    }
}

fn exceeds((part, of): (f64, u32), most: Percent) -> bool {
    share(part, of).is_some_and(|share| share > most.share())
}

/// Whether a share is larger than another by more than is allowed, and more than chance would make it.
fn is_worse((part, of): (f64, u32), (other_part, other_of): (f64, u32), most: Percent) -> bool {
    let (Some(one), Some(other)) = (share(part, of), share(other_part, other_of)) else { return false };
    // Parts of a client are rounded to what speaks against a difference.
    let (fewest, most_of_others) = (part.floor() as u32, other_part.ceil() as u32);
    one - other > most.share() && chance_of((fewest, of), (most_of_others, other_of)) < CHANCE
}

/// How likely so many or more of the first kind are in the first of two groups, were there no difference
/// between them: Fisher's exact test, one-sided. Unlike a test of normal approximations it holds for a
/// handful of clients too.
fn chance_of((part, of): (u32, u32), (other_part, other_of): (u32, u32)) -> f64 {
    let (hits, all) = (part + other_part, of + other_of);
    // The hypergeometric probability of `part`, then of each larger one by its ratio to the one before;
    // as logarithms, since of great numbers each alone is next to nothing.
    let mut ln_each = ln_choose(hits, part) + ln_choose(all - hits, of - part) - ln_choose(all, of);
    let mut sum = ln_each.exp();
    for found in part..hits.min(of) {
        let up = f64::from(hits - found) * f64::from(of - found);
        let down = f64::from(found + 1) * f64::from(all - hits + found + 1 - of);
        ln_each += (up / down).ln();
        sum += ln_each.exp();
    }
    sum.min(1.0)
}

/// The logarithm of the number of ways to choose `some` of `all`.
fn ln_choose(all: u32, some: u32) -> f64 {
    let some = some.min(all - some);
    (1..=some).map(|n| (f64::from(all - some + n) / f64::from(n)).ln()).sum()
}

#[cfg(test)]
mod tests;
