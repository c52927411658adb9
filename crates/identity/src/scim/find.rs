//! Lists and searches (RFC 7644 §3.4.2). What an index answers is asked of it; any other filter goes
//! through everything, a page at a time.

use axum::response::Response;
use http::StatusCode;
use provost_model::scim::{Filter, MAX_RESULTS, Projection, ResourceKind, SearchRequest, Sort, SortKey};
use provost_model::{Email, GroupId, GroupSource, MemberId, WorkspaceId};
use provost_store::Tx;
use provost_store::tables::scim_groups::{self, ScimGroupRow};
use provost_store::tables::scim_users::{self, ScimUserRow};
use provost_store::tables::{Offset, group_members};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer::scim_json;
use super::problem::Problem;
use super::{Scim, render};

const LIST_RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
/// How many rows are read at once by who goes through all.
const SCAN_PAGE: u32 = 1_000;
/// How many resources one search looks at. The workspaces that this is made for have fewer members.
const MAX_SCANNED: i64 = 100_000;
/// How many who share one `externalId` are looked at: it is to be unique, and nothing keeps it so.
const NAMESAKES: u32 = 1_000;

/// The parameters of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListQuery {
    filter: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    start_index: Option<i64>,
    count: Option<i64>,
    attributes: Option<String>,
    excluded_attributes: Option<String>,
}

impl ListQuery {
    /// What they ask for. RFC 7644 §3.4.2.4: a start below one is one, a negative count is none.
    pub(crate) fn wanted(&self) -> Result<SearchRequest, Problem> {
        let count = usize::try_from(self.count.unwrap_or(i64::MAX).max(0)).unwrap_or(MAX_RESULTS);
        Ok(SearchRequest {
            projection: Projection::parse(self.attributes.as_deref(), self.excluded_attributes.as_deref())?,
            filter: self.filter.as_deref().map(Filter::parse).transpose()?,
            sort: match &self.sort_by {
                Some(by) => Some(Sort::parse(by, self.sort_order.as_deref())?),
                None => None,
            },
            start_index: usize::try_from(self.start_index.unwrap_or(1).max(1)).unwrap_or(usize::MAX),
            count: count.min(MAX_RESULTS),
        })
    }
}

/// A page of what was found.
pub(crate) struct Found {
    pub(crate) total: i64,
    /// Whole: what is not asked for is left out when they are shown.
    pub(crate) resources: Vec<Map<String, Value>>,
}

/// A list, as it is answered.
pub(crate) fn list_response(found: Found, wanted: &SearchRequest) -> Response {
    let shown = |resource: Map<String, Value>| {
        let is_group = resource.get("meta").is_some_and(|meta| meta["resourceType"] == ResourceKind::Group.name());
        let kind = if is_group { ResourceKind::Group } else { ResourceKind::User };
        Value::Object(wanted.projection.apply(kind, resource))
    };
    let resources: Vec<Value> = found.resources.into_iter().map(shown).collect();
    let body = json!({
        "schemas": [LIST_RESPONSE],
        "totalResults": found.total,
        "startIndex": wanted.start_index,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    });
    scim_json(StatusCode::OK, &body)
}

/// What was found so far: of those that match, as many as the page may need.
struct Finding<'a> {
    wanted: &'a SearchRequest,
    kind: ResourceKind,
    total: i64,
    matching: Vec<(Option<SortKey>, Map<String, Value>)>,
}

impl<'a> Finding<'a> {
    fn new(wanted: &'a SearchRequest, kind: ResourceKind) -> Self {
        Self { wanted, kind, total: 0, matching: Vec::new() }
    }

    fn look_at(&mut self, resources: Vec<Map<String, Value>>) {
        let SearchRequest { filter, sort, start_index, count, .. } = self.wanted;
        let end = (start_index - 1).saturating_add(*count);
        for resource in resources {
            if filter.as_ref().is_some_and(|filter| !filter.matches(self.kind, &resource)) {
                continue;
            }
            self.total += 1;
            match sort {
                Some(sort) => self.matching.push((Some(sort.key(self.kind, &resource)), resource)),
                None if self.matching.len() < end => self.matching.push((None, resource)),
                None => {}
            }
        }
        self.sort();
        self.matching.truncate(end);
    }

    fn sort(&mut self) {
        let Some(sort) = &self.wanted.sort else { return };
        // A stable sort: of those that are alike, the older comes first.
        self.matching.sort_by(|(one, _), (other, _)| match (one, other) {
            (Some(one), Some(other)) => sort.compare(one, other),
            _ => std::cmp::Ordering::Equal,
        });
    }

    fn found(self) -> Found {
        let page = self.matching.into_iter().skip(self.wanted.start_index - 1).take(self.wanted.count);
        Found { total: self.total, resources: page.map(|(_, resource)| resource).collect() }
    }
}

/// The rows of a page where all are listed; none if it lies beyond them, or is empty.
fn offset(wanted: &SearchRequest, total: i64) -> Option<Offset> {
    let skip = i64::try_from(wanted.start_index - 1).ok().filter(|skip| *skip < total)?;
    let limit = u32::try_from(wanted.count).ok().filter(|limit| *limit > 0)?;
    Some(Offset { skip, limit })
}

/// The users that a request asks for.
pub(crate) async fn users(scim: &Scim, ws: WorkspaceId, wanted: &SearchRequest) -> Result<Found, Problem> {
    let base = scim.base();
    let mut tx = scim.store.read().await?;
    let SearchRequest { filter, sort, .. } = wanted;
    let mut finding = Finding::new(wanted, ResourceKind::User);
    if let Some(rows) = named_users(&mut tx, ws, filter.as_ref()).await? {
        finding.look_at(shown_users(&mut tx, ws, &base, rows).await?);
        return Ok(finding.found());
    }
    let count = scim_users::count(&mut tx, ws).await?;
    if filter.is_none() && sort.is_none() {
        let rows = match offset(wanted, count) {
            Some(page) => scim_users::list(&mut tx, ws, page).await?,
            None => Vec::new(),
        };
        return Ok(Found { total: count, resources: shown_users(&mut tx, ws, &base, rows).await? });
    }
    check_cost(count)?;
    drop(tx);
    let _turn = scim.scans.acquire().await;
    let mut tx = scim.store.read().await?;
    let mut after = None;
    loop {
        let rows = scim_users::list_after(&mut tx, ws, after, SCAN_PAGE).await?;
        let Some(last) = rows.last() else { break };
        after = Some(last.member.id);
        finding.look_at(shown_users(&mut tx, ws, &base, rows).await?);
        // Others have their turn between two pages.
        tokio::task::yield_now().await;
    }
    Ok(finding.found())
}

/// The groups that a request asks for.
pub(crate) async fn groups(scim: &Scim, ws: WorkspaceId, wanted: &SearchRequest) -> Result<Found, Problem> {
    let base = scim.base();
    let mut tx = scim.store.read().await?;
    let SearchRequest { filter, sort, .. } = wanted;
    let mut finding = Finding::new(wanted, ResourceKind::Group);
    if let Some(mut rows) = named_groups(&mut tx, ws, filter.as_ref()).await? {
        rows.retain(|row| row.source == GroupSource::Scim);
        finding.look_at(candidates(&mut tx, ws, &base, filter.as_ref(), rows).await?);
    } else {
        let count = scim_groups::count(&mut tx, ws, Some(GroupSource::Scim)).await?;
        if filter.is_none() && sort.is_none() {
            let rows = match offset(wanted, count) {
                Some(page) => scim_groups::list(&mut tx, ws, Some(GroupSource::Scim), page).await?,
                None => Vec::new(),
            };
            let resources = candidates(&mut tx, ws, &base, None, rows).await?;
            let found = Found { total: count, resources };
            return with_members(&mut tx, ws, &base, wanted, found).await;
        }
        check_cost(count)?;
        let _turn = scim.scans.acquire().await;
        let mut page = Offset { skip: 0, limit: SCAN_PAGE };
        loop {
            let rows = scim_groups::list(&mut tx, ws, Some(GroupSource::Scim), page).await?;
            if rows.is_empty() {
                break;
            }
            page.skip += i64::from(SCAN_PAGE);
            finding.look_at(candidates(&mut tx, ws, &base, filter.as_ref(), rows).await?);
            tokio::task::yield_now().await;
        }
    }
    with_members(&mut tx, ws, &base, wanted, finding.found()).await
}

/// The users that a filter names, by an index; none if it names none.
async fn named_users(
    tx: &mut Tx,
    ws: WorkspaceId,
    filter: Option<&Filter>,
) -> Result<Option<Vec<ScimUserRow>>, Problem> {
    let Some((key, text)) = filter.and_then(Filter::equals) else { return Ok(None) };
    let one = match key {
        "id" => match text.parse::<MemberId>() {
            Ok(id) => scim_users::get(tx, ws, id).await?,
            Err(_) => None,
        },
        "username" => scim_users::get_by_user_name(tx, ws, &storable(text)).await?,
        // The address by which a member goes: another of theirs is not looked for.
        "emails.value" => match Email::try_from(text.to_owned()) {
            Ok(email) => scim_users::get_by_email(tx, ws, &email).await?,
            Err(_) => None,
        },
        "externalid" => {
            let page = Offset { skip: 0, limit: NAMESAKES };
            return Ok(Some(scim_users::get_by_external_id(tx, ws, &storable(text), page).await?));
        }
        _ => return Ok(None),
    };
    Ok(Some(one.into_iter().collect()))
}

/// The groups that a filter names, by an index; none if it names none.
async fn named_groups(
    tx: &mut Tx,
    ws: WorkspaceId,
    filter: Option<&Filter>,
) -> Result<Option<Vec<ScimGroupRow>>, Problem> {
    let Some((key, text)) = filter.and_then(Filter::equals) else { return Ok(None) };
    let one = match key {
        "id" => match text.parse::<GroupId>() {
            Ok(id) => scim_groups::get(tx, ws, id).await?,
            Err(_) => None,
        },
        "displayname" => scim_groups::get_by_name(tx, ws, &storable(text)).await?,
        "externalid" => {
            let page = Offset { skip: 0, limit: NAMESAKES };
            return Ok(Some(scim_groups::get_by_external_id(tx, ws, &storable(text), page).await?));
        }
        "members.value" => {
            let Ok(member) = text.parse::<MemberId>() else { return Ok(Some(Vec::new())) };
            let groups = group_members::groups_of(tx, ws, &[member]).await?;
            let ids: Vec<GroupId> = groups.into_values().flatten().map(|(id, _)| id).collect();
            let mut rows: Vec<_> = scim_groups::get_many(tx, ws, &ids).await?.into_values().collect();
            rows.sort_by_key(|row| row.id);
            return Ok(Some(rows));
        }
        _ => return Ok(None),
    };
    Ok(Some(one.into_iter().collect()))
}

/// PostgreSQL's text holds no NUL, so nothing has a name with one.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

async fn shown_users(
    tx: &mut Tx,
    ws: WorkspaceId,
    base: &str,
    rows: Vec<ScimUserRow>,
) -> Result<Vec<Map<String, Value>>, Problem> {
    let ids: Vec<MemberId> = rows.iter().map(|row| row.member.id).collect();
    let groups = group_members::groups_of(tx, ws, &ids).await?;
    let shown = |row: &ScimUserRow| {
        let groups = groups.get(&row.member.id).map(Vec::as_slice).unwrap_or_default();
        render::user(base, row, groups).value
    };
    Ok(rows.iter().map(shown).collect())
}

/// Groups as a filter looks at them: of their members only those that it asks for, where it says so.
async fn candidates(
    tx: &mut Tx,
    ws: WorkspaceId,
    base: &str,
    filter: Option<&Filter>,
    rows: Vec<ScimGroupRow>,
) -> Result<Vec<Map<String, Value>>, Problem> {
    let mut shown = Vec::with_capacity(rows.len());
    let asked = filter.filter(|filter| filter.mentions("members"));
    for row in &rows {
        let members = match asked.map(|filter| filter.only_values("members")) {
            None => None,
            Some(Some(values)) => {
                let asked: Vec<MemberId> = values.iter().filter_map(|value| value.parse().ok()).collect();
                Some(group_members::among(tx, ws, row.id, &asked).await?)
            }
            Some(None) => Some(group_members::ids_of(tx, ws, row.id).await?),
        };
        shown.push(render::group(base, row, members.as_deref()).value);
    }
    Ok(shown)
}

/// The page of groups with their members, unless nobody wants to see them.
async fn with_members(
    tx: &mut Tx,
    ws: WorkspaceId,
    base: &str,
    wanted: &SearchRequest,
    mut found: Found,
) -> Result<Found, Problem> {
    if !wanted.projection.includes(ResourceKind::Group, "members") {
        return Ok(found);
    }
    for group in &mut found.resources {
        let id = group.get("id").and_then(Value::as_str).and_then(|id| id.parse::<GroupId>().ok());
        let Some(id) = id else { continue };
        let members = group_members::ids_of(tx, ws, id).await?;
        render::set_members(base, group, &members);
    }
    Ok(found)
}

fn check_cost(count: i64) -> Result<(), Problem> {
    if count > MAX_SCANNED {
        let detail = format!(
            "this would look at {count} resources; look one up by `userName eq`, `externalId eq`, `id eq` or \
             `emails.value eq`, or list them without a filter and without `sortBy`"
        );
        return Err(Problem::too_many(detail));
    }
    Ok(())
}
