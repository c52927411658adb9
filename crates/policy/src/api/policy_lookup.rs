//! `/api/v1/policy-lookup`: which policy somebody gets, and why.

use axum::extract::State;
use provost_model::{DecidedBy, Email, Group, GroupId, Lookup, Policy, PolicyId};
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
}

/// Which policy, and why.
#[derive(Serialize, ToSchema)]
pub(crate) struct LookupBody {
    /// Null: no policy, nothing is constrained.
    policy: Option<LookupPolicy>,
    pub(crate) decided_by: LookupDecidedBy,
    /// The rules that were looked at, in order, up to the one that matched.
    pub(crate) considered: Vec<LookupConsidered>,
}

/// The policy.
#[derive(Serialize, ToSchema)]
pub(crate) struct LookupPolicy {
    id: PolicyId,
    name: String,
    version: u32,
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

impl From<Lookup> for LookupBody {
    fn from(lookup: Lookup) -> Self {
        let (kind, position, group) = match &lookup.decided_by {
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
            policy: lookup.policy.as_deref().map(LookupPolicy::from),
            decided_by: LookupDecidedBy { kind, position, group },
            considered: considered.collect(),
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
    let workspace = &permit.workspace;
    let lookup = match (query.email, query.group_id) {
        (Some(email), None) => {
            let unknown = || Error::not_found("member").with_field("email");
            let email = Email::try_from(email).map_err(|_| unknown())?;
            let row = members::get_by_email(&mut app.store.read().await?, workspace.id, &email).await?;
            let member = row.and_then(|row| workspace.members.get(&row.id)).ok_or_else(unknown)?;
            workspace.lookup_member(member)
        }
        (None, Some(group)) => {
            let unknown = || Error::not_found("group").with_field("group_id");
            let group: GroupId = group.parse().map_err(|_| unknown())?;
            if !workspace.groups.contains_key(&group) {
                return Err(unknown());
            }
            workspace.lookup_group(group)
        }
        _ => return Err(Error::invalid("email", "invalid_query", "ask with either `email` or `group_id`")),
    };
    Ok(axum::Json(lookup.into()))
}
