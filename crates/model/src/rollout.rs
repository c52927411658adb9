use std::hash::Hasher;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{ClientVersion, GroupId, Member, MemberId, Percent, Policy, PolicyId, RolloutId, Workspace};

/// The next version of a policy, on its way to everybody who gets the policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// Its id.
    pub id: RolloutId,
    /// The version that is rolled out.
    pub candidate: Arc<Policy>,
    /// To how many of the members, in hundredths of a percent.
    pub share: u32,
    /// To the members of these groups only; empty is everybody.
    pub groups: Box<[GroupId]>,
    /// To clients from this version on.
    pub min_client_version: Option<ClientVersion>,
    /// To clients up to this version.
    pub max_client_version: Option<ClientVersion>,
    /// While it is paused: the members who have the version already, sorted. Nobody else gets it.
    pub holders: Option<Box<[MemberId]>>,
}

/// Where a rollout stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RolloutStatus {
    /// Those in its share get the new version.
    Running,
    /// Those who have the new version keep it, nobody else gets it.
    Paused,
    /// It was halted by its guard: everybody gets the version of before.
    Halted,
    /// Everybody gets the new version.
    Finished,
    /// Somebody called it off: everybody gets the version of before.
    Cancelled,
}

impl RolloutStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::Running, Self::Paused, Self::Halted, Self::Finished, Self::Cancelled];

    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Halted => "halted",
            Self::Finished => "finished",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether it is under way: neither halted nor finished nor cancelled.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Running | Self::Paused)
    }
}

impl std::str::FromStr for RolloutStatus {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|status| status.as_str() == text);
        found.ok_or_else(|| format!("there is no rollout status `{text}`"))
    }
}

/// One of the steps that a rollout takes by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RolloutStage {
    /// To how many of the members.
    pub percent: Percent,
    /// For how long, before the next one begins.
    pub minutes: u32,
}

/// How far a rollout reaches now, whichever clients the members use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RolloutReach {
    /// The active members who get the policy.
    pub members: usize,
    /// Those of them who get the new version of it.
    pub reached: usize,
}

impl Workspace {
    /// How far the rollout of a policy reaches now. Looks at every member.
    pub fn rollout_reach(&self, policy: PolicyId, now: Timestamp) -> RolloutReach {
        let mut reach = RolloutReach::default();
        let Some(policy) = self.policies.get(&policy) else { return reach };
        for member in self.members.values().filter(|member| member.active) {
            let excepted = self.exception_of(member, now).and_then(|found| self.policies.get(&found.policy_id));
            if excepted.or_else(|| self.policy_for(member)).is_some_and(|found| found.id == policy.id) {
                reach.members += 1;
                reach.reached +=
                    usize::from(policy.rollout.as_ref().is_some_and(|found| found.takes_member(self, member)));
            }
        }
        reach
    }
}

impl Rollout {
    /// A share that is everybody.
    pub const ALL: u32 = 10_000;

    /// Whether a member of a workspace gets the next version on a client of this version (none: it does not
    /// say).
    ///
    /// Who gets it at a share gets it at every larger one too.
    pub fn reaches(&self, workspace: &Workspace, member: &Member, client: Option<ClientVersion>) -> bool {
        self.takes_version(client) && self.takes_member(workspace, member)
    }

    /// Whether a member gets the next version, on a client that it takes. A group that is gone has no
    /// members; where all of them are gone, nobody is reached.
    fn takes_member(&self, workspace: &Workspace, member: &Member) -> bool {
        let is_in = |group: &GroupId| workspace.groups.contains_key(group) && member.is_in(*group);
        (self.groups.is_empty() || self.groups.iter().any(is_in))
            && self.place(member.id) < self.share
            && self.holders.as_ref().is_none_or(|holders| holders.binary_search(&member.id).is_ok())
    }

    /// A client that does not say its version is reached only where versions do not matter.
    fn takes_version(&self, client: Option<ClientVersion>) -> bool {
        match client {
            None => self.min_client_version.is_none() && self.max_client_version.is_none(),
            Some(version) => {
                self.min_client_version.is_none_or(|min| version >= min)
                    && self.max_client_version.is_none_or(|max| version <= max)
            }
        }
    }

    /// Where a member stands in the line of this rollout, below [`Self::ALL`]: the same on every node and
    /// at every time, and another one in every rollout, so that not the same people are always first.
    fn place(&self, member: MemberId) -> u32 {
        // FNV-1a, spelled out: a hasher of a library may change its mind between versions.
        let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
        hash.write(self.id.to_string().as_bytes());
        hash.write(member.to_string().as_bytes());
        // The low bits of FNV follow the last byte closely.
        let mixed = hash.finish();
        let mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        u32::try_from((mixed >> 32) % u64::from(Self::ALL)).expect("it is below 10,000")
    }
}

struct Fnv(u64);

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests;
