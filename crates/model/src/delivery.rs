//! Which policy a client is sent: an exception, else the rules; and of that policy, which version.

use std::sync::Arc;

use jiff::Timestamp;

use crate::{ClientVersion, DeviceEnrolment, Member, Permission, Policy, PolicyException, RolloutId, Workspace};

/// What a client is sent, and what said so.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// The policy, at the version that this client gets; none constrains nothing.
    pub policy: Option<&'a Arc<Policy>>,
    /// The exception that chose it, rather than the rules.
    pub exception: Option<&'a Arc<PolicyException>>,
    /// The rollout that chose the version, rather than what is published.
    pub rollout: Option<RolloutId>,
}

impl Workspace {
    /// What a member's client is sent now. A member who may not use Codex Local gets no policy rather than a
    /// refusal: clients show a refusal as an outage, and the member hears why at the model call.
    pub fn sent(&self, member: &Member, client: Option<ClientVersion>, now: Timestamp) -> Option<&Arc<Policy>> {
        if !self.may(member, Permission::CodexLocalUse) {
            return None;
        }
        self.delivery(member, client, now).policy
    }

    /// What a member's client is sent now if the member may use Codex Local, and what said so.
    pub fn delivery(&self, member: &Member, client: Option<ClientVersion>, now: Timestamp) -> Delivery<'_> {
        let exception = self.exception_of(member, now);
        let excepted = exception.and_then(|exception| self.policies.get(&exception.policy_id));
        let Some(policy) = excepted.or_else(|| self.policy_for(member)) else {
            return Delivery { policy: None, exception: None, rollout: None };
        };
        let exception = exception.filter(|_| excepted.is_some());
        match policy.rollout.as_ref().filter(|rollout| rollout.reaches(self, member, client)) {
            Some(rollout) => Delivery { policy: Some(&rollout.candidate), exception, rollout: Some(rollout.id) },
            None => Delivery { policy: Some(policy), exception, rollout: None },
        }
    }

    /// The exception that a member has now.
    pub fn exception_of(&self, member: &Member, now: Timestamp) -> Option<&Arc<PolicyException>> {
        if self.policy_exceptions.is_empty() {
            return None;
        }
        self.policy_exceptions.get(&member.id).filter(|exception| exception.expires_at > now)
    }

    /// What a machine of this enrolment is sent: the published version, since a rollout goes by members.
    pub fn device_delivery(&self, enrolment: &DeviceEnrolment) -> Option<&Arc<Policy>> {
        self.policy_in(&[enrolment.group_id])
    }
}
