use std::hash::Hasher;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{ClientVersion, GroupId, Member, MemberId, Policy, RolloutId};

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
}

impl Rollout {
    /// A share that is everybody.
    pub const ALL: u32 = 10_000;

    /// Whether a member gets the next version on a client of this version (none: it does not say).
    ///
    /// Who gets it at a share gets it at every larger one too.
    pub fn reaches(&self, member: &Member, client: Option<ClientVersion>) -> bool {
        self.takes_version(client)
            && (self.groups.is_empty() || self.groups.iter().any(|group| member.is_in(*group)))
            && self.place(member.id) < self.share
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
