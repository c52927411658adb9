//! `/api/v1/policy-lookup`: which policy somebody gets, and why.

use std::sync::Arc;

use axum::extract::State;
use jiff::Timestamp;
use provost_model::{
    ClientVersion, DecidedBy, Email, Group, GroupId, Lookup, Member, Percent, Policy, PolicyId, Rollout, RolloutId,
    Workspace,
};
use provost_store::tables::members;
use provost_web::{App, Error, ErrorBody, Permit, Query, Result, permits};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Of whom: one of the two.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct LookupQuery {
    /// A member's address.
    email: Option<String>,
    /// A group: of somebody who is in it and no other.
    group_id: Option<String>,
    /// Of a member: on a client of this version, such as `0.169.0`. Absent: one that does not say.
    client_version: Option<String>,
}

/// Which policy, and why.
#[derive(Serialize, ToSchema)]
pub(crate) struct LookupBody {
    /// Null: no policy, nothing is constrained.
    policy: Option<LookupPolicy>,
    pub(crate) decided_by: LookupDecidedBy,
    /// The rules that were looked at, in order, up to the one that matched.
    pub(crate) considered: Vec<LookupConsidered>,
    /// The rollout of a new version of the policy that is under way.
    rollout: Option<LookupRollout>,
}

/// The policy.
#[derive(Serialize, ToSchema)]
pub(crate) struct LookupPolicy {
    id: PolicyId,
    name: String,
    version: u32,
}

/// A rollout that is under way.
#[derive(Serialize, ToSchema)]
pub(crate) struct LookupRollout {
    id: RolloutId,
    /// The version that is rolled out.
    version: u32,
    percent: Percent,
    /// Whether the member gets it: then it is the version of `policy`. Null of a group, since a rollout goes
    /// by members.
    reached: Option<bool>,
}

/// What decided.
#[derive(Serialize, ToSchema)]
pub(crate) struct LookupDecidedBy {
    /// `rule`, `fallback` or `none`; where an exception went before the rules, `exception`.
    pub(crate) kind: &'static str,
    /// Of the rule, from zero.
    position: Option<usize>,
    /// Of the rule.
    group: Option<LookupGroup>,
}

/// A group.
#[derive(Serialize, ToSchema)]
pub(crate) struct LookupGroup {
    id: GroupId,
    name: String,
}

/// One rule that was looked at.
#[derive(Serialize, ToSchema)]
pub(crate) struct LookupConsidered {
    /// From zero.
    position: usize,
    /// Null if the group is gone.
    group: Option<LookupGroup>,
    /// Whether the group is gone: then the rule matches nobody.
    dangling: bool,
    matched: bool,
}

impl From<&Group> for LookupGroup {
    fn from(group: &Group) -> Self {
        Self { id: group.id, name: group.name.to_string() }
    }
}

impl From<&Policy> for LookupPolicy {
    fn from(policy: &Policy) -> Self {
        Self { id: policy.id, name: policy.name.to_string(), version: policy.version }
    }
}

impl LookupRollout {
    fn new(rollout: &Rollout, reached: Option<bool>) -> Self {
        let percent = Percent::from_hundredths(rollout.share);
        Self { id: rollout.id, version: rollout.candidate.version, percent, reached }
    }
}

impl LookupBody {
    /// Of a member on a client of a version, or (with none) of a group.
    pub(crate) fn new(
        workspace: &Workspace,
        lookup: Lookup,
        of: Option<(&Member, Option<ClientVersion>)>,
        now: Timestamp,
    ) -> Self {
        let exception = of.and_then(|(member, _)| workspace.exception_of(member, now));
        let excepted = exception.and_then(|exception| workspace.policies.get(&exception.policy_id));
        let published = excepted.or(lookup.policy.as_ref()).map(Arc::as_ref);
        let rollout = published.and_then(|policy| policy.rollout.as_deref());
        let reached = rollout.and_then(|rollout| of.map(|(member, client)| rollout.reaches(workspace, member, client)));
        // What they would be sent.
        let candidate = rollout.filter(|_| reached == Some(true)).map(|rollout| &*rollout.candidate);
        let (kind, position, group) = match &lookup.decided_by {
            _ if excepted.is_some() => ("exception", None, None),
            DecidedBy::Rule(position, group) => ("rule", Some(*position), Some(group.as_ref().into())),
            DecidedBy::Fallback => ("fallback", None, None),
            DecidedBy::None => ("none", None, None),
        };
        let considered = lookup.considered.iter().map(|rule| LookupConsidered {
            position: rule.position,
            group: rule.group.as_deref().map(LookupGroup::from),
            dangling: rule.group.is_none(),
            matched: rule.matched,
        });
        Self {
            policy: candidate.or(published).map(LookupPolicy::from),
            decided_by: LookupDecidedBy { kind, position, group },
            considered: considered.collect(),
            rollout: rollout.map(|rollout| LookupRollout::new(rollout, reached)),
        }
    }
}

/// Which policy a member, or a group, gets, and why.
#[utoipa::path(get, path = "/api/v1/policy-lookup", tag = "Policies", params(LookupQuery),
    responses((status = 200, body = LookupBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 422, body = ErrorBody)))]
pub(crate) async fn show(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    Query(query): Query<LookupQuery>,
) -> Result<axum::Json<LookupBody>> {
    let (workspace, now) = (&permit.workspace, app.store.clock().now());
    let client = query.client_version.map(|text| text.parse::<ClientVersion>()).transpose();
    let client = client.map_err(|error| Error::invalid("client_version", "invalid_query", error.to_string()))?;
    let body = match (query.email, query.group_id) {
        (Some(email), None) => {
            let unknown = || Error::not_found("member").with_field("email");
            let email = Email::try_from(email).map_err(|_| unknown())?;
            let row = members::get_by_email(&mut app.store.read().await?, workspace.id, &email).await?;
            let member = row.and_then(|row| workspace.members.get(&row.id)).ok_or_else(unknown)?;
            LookupBody::new(workspace, workspace.lookup_member(member), Some((member, client)), now)
        }
        (None, Some(group)) => {
            let unknown = || Error::not_found("group").with_field("group_id");
            let group: GroupId = group.parse().map_err(|_| unknown())?;
            if !workspace.groups.contains_key(&group) {
                return Err(unknown());
            }
            LookupBody::new(workspace, workspace.lookup_group(group), None, now)
        }
        _ => return Err(Error::invalid("email", "invalid_query", "ask with either `email` or `group_id`")),
    };
    Ok(axum::Json(body))
}
