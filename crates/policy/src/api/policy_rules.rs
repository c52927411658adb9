//! `/api/v1/policy-rules`: the ordered rules and the fallback, replaced whole.

use std::collections::HashSet;

use axum::extract::State;
use http::HeaderMap;
use provost_model::{GroupId, PolicyId, PolicyRule};
use provost_store::tables::{groups, policies, policy_rules};
use provost_store::{Change, Tx};
use provost_web::{App, Error, ErrorBody, Etag, Json, Permit, Result, permits};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::policy_proposals::ProposalBody;
use crate::proposals::{ProposedChange, Written, submit};

const GROUP_GONE: &str = "there is no such group (it may have been deleted): remove the rule";
/// More are no order that a person can follow.
pub(crate) const MAX_RULES: usize = 1_000;

/// Who gets which policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyRulesBody {
    /// In order: the first rule whose group contains the member decides.
    pub(crate) rules: Vec<PolicyRuleBody>,
    /// For members whom no rule matches; null for none.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required)]
    pub(crate) fallback_policy_id: Option<PolicyId>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyRuleBody {
    pub(crate) group_id: GroupId,
    pub(crate) policy_id: PolicyId,
    /// Whether the group is gone: then the rule matches nobody. What a write says here is not read.
    #[serde(default)]
    pub(crate) dangling: bool,
}

impl PolicyRulesBody {
    /// Rules whose groups are all there.
    pub(crate) fn new(rules: Vec<(GroupId, PolicyId)>, fallback_policy_id: Option<PolicyId>) -> Self {
        let rule = |(group_id, policy_id)| PolicyRuleBody { group_id, policy_id, dangling: false };
        Self { rules: rules.into_iter().map(rule).collect(), fallback_policy_id }
    }
}

/// The rules and the fallback.
#[utoipa::path(get, path = "/api/v1/policy-rules", tag = "Policies",
    responses((status = 200, body = PolicyRulesBody), (status = 403, body = ErrorBody)))]
pub(crate) async fn show(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
) -> Result<Etag<PolicyRulesBody>> {
    Ok(Etag(read(&mut app.store.read().await?, permit.workspace.id).await?))
}

/// Replace the rules and the fallback: takes effect at once.
#[utoipa::path(put, path = "/api/v1/policy-rules", tag = "Policies", request_body = PolicyRulesBody,
    responses((status = 200, body = PolicyRulesBody), (status = 202, body = ProposalBody),
        (status = 403, body = ErrorBody), (status = 409, body = ErrorBody), (status = 412, body = ErrorBody),
        (status = 422, body = ErrorBody)))]
pub(crate) async fn update(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    headers: HeaderMap,
    Json(policy_rules): Json<PolicyRulesBody>,
) -> Result<Written> {
    let mut change = permit.change(&app).await?;
    let ws = change.workspace_id();
    Etag(read(&mut change, ws).await?).check(&headers)?;
    submit(&app, &permit, change, ProposedChange::UpdatePolicyRules { policy_rules }, None, Vec::new()).await
}

pub(crate) async fn read(tx: &mut Tx, ws: provost_model::WorkspaceId) -> Result<PolicyRulesBody> {
    let gone = policy_rules::gone_groups(tx, ws).await?;
    let rules = policy_rules::list(tx, ws).await?;
    let rules = rules.into_iter().map(|PolicyRule { group_id, policy_id }| PolicyRuleBody {
        group_id,
        policy_id,
        dangling: gone.contains(&group_id),
    });
    Ok(PolicyRulesBody { rules: rules.collect(), fallback_policy_id: policy_rules::fallback(tx, ws).await? })
}

/// Refuses rules that name what is not there, or that can never match.
pub(crate) async fn check(change: &mut Change, body: &PolicyRulesBody) -> Result<()> {
    let ws = change.workspace_id();
    if body.rules.len() > MAX_RULES {
        return Err(Error::invalid("rules", "too_many", format!("there can be at most {MAX_RULES} rules")));
    }
    let mut seen = HashSet::new();
    for (index, rule) in body.rules.iter().enumerate() {
        let field = |name: &str| format!("rules[{index}].{name}");
        if groups::get(change, ws, rule.group_id).await?.is_none() {
            return Err(Error::invalid(field("group_id"), "unknown_group", GROUP_GONE));
        }
        if policies::get(change, ws, rule.policy_id).await?.is_none() {
            return Err(Error::invalid(field("policy_id"), "unknown_policy", "there is no such policy"));
        }
        if !seen.insert(rule.group_id) {
            let message = "an earlier rule has the same group, so this one could never match: remove one of them";
            return Err(Error::invalid(field("group_id"), "duplicate_group", message));
        }
    }
    if let Some(id) = body.fallback_policy_id
        && policies::get(change, ws, id).await?.is_none()
    {
        return Err(Error::invalid("fallback_policy_id", "unknown_policy", "there is no such policy"));
    }
    Ok(())
}
