//! `POST …/.search`: a list that is asked for in a body (RFC 7644 §3.4.3).

use axum::extract::State;
use axum::response::Response;
use provost_model::scim::{MAX_RESULTS, ResourceKind, SearchRequest};

use super::Scim;
use super::body::{Body, object};
use super::find::{self, Found, list_response};
use super::problem::Problem;
use super::provisioner::Provisioner;

/// Among the users.
pub(crate) async fn users(
    provisioner: Provisioner,
    State(scim): State<Scim>,
    Body(body): Body,
) -> Result<Response, Problem> {
    let wanted = SearchRequest::parse(object(&body)?)?;
    Ok(list_response(find::users(&scim, provisioner.workspace.id, &wanted).await?, &wanted))
}

/// Among the groups.
pub(crate) async fn groups(
    provisioner: Provisioner,
    State(scim): State<Scim>,
    Body(body): Body,
) -> Result<Response, Problem> {
    let wanted = SearchRequest::parse(object(&body)?)?;
    Ok(list_response(find::groups(&scim, provisioner.workspace.id, &wanted).await?, &wanted))
}

/// Among both: first the users, then the groups, unless an order is asked for.
pub(crate) async fn all(
    provisioner: Provisioner,
    State(scim): State<Scim>,
    Body(body): Body,
) -> Result<Response, Problem> {
    let wanted = SearchRequest::parse(object(&body)?)?;
    let ws = provisioner.workspace.id;
    let first = wanted.start_index - 1;
    if wanted.sort.is_none() {
        let mut found = find::users(&scim, ws, &wanted).await?;
        // The groups come where the users end.
        let users = usize::try_from(found.total).unwrap_or(usize::MAX);
        let rest = SearchRequest {
            start_index: first.saturating_sub(users) + 1,
            count: wanted.count - found.resources.len(),
            ..wanted.clone()
        };
        let groups = find::groups(&scim, ws, &rest).await?;
        found.total += groups.total;
        found.resources.extend(groups.resources);
        return Ok(list_response(found, &wanted));
    }
    // In order, the page may begin anywhere among either: both are found up to its end, and merged.
    let end = first.saturating_add(wanted.count);
    if end > 10 * MAX_RESULTS {
        let detail = "an ordered search of users and groups together shows the first 2,000: search one of the two";
        return Err(Problem::too_many(detail));
    }
    let whole = SearchRequest { start_index: 1, count: end, ..wanted.clone() };
    let users = find::users(&scim, ws, &whole).await?;
    let groups = find::groups(&scim, ws, &whole).await?;
    let total = users.total + groups.total;
    let kinds = [(ResourceKind::User, users.resources), (ResourceKind::Group, groups.resources)];
    let mut both: Vec<_> = kinds
        .into_iter()
        .flat_map(|(kind, resources)| resources.into_iter().map(move |resource| (kind, resource)))
        .map(|(kind, resource)| (wanted.sort.as_ref().map(|sort| sort.key(kind, &resource)), resource))
        .collect();
    if let Some(sort) = &wanted.sort {
        both.sort_by(|(one, _), (other, _)| match (one, other) {
            (Some(one), Some(other)) => sort.compare(one, other),
            _ => std::cmp::Ordering::Equal,
        });
    }
    let resources = both.into_iter().map(|(_, resource)| resource).skip(first).take(wanted.count).collect();
    Ok(list_response(Found { total, resources }, &wanted))
}
