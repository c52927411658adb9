//! `/api/v1/members/{id}/sign-ins`, `/api/v1/session/sign-ins`: who signed in, who tried to, and what
//! became of it.

use axum::extract::State;
use provost_model::event::Event;
use provost_model::{MemberId, WorkspaceId};
use provost_store::tables::members;
use provost_store::trails;
use provost_web::{App, Error, ErrorBody, List, ListQuery, PathId, Permit, Principal, Query, Result, Session, permits};

/// The sign-ins of a member, newest first.
#[utoipa::path(get, path = "/api/v1/members/{id}/sign-ins", tag = "Sessions",
    params(("id" = MemberId, Path), ListQuery),
    responses((status = 200, body = List<Event>), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn list(
    permit: Permit<permits::MembersRead>,
    State(app): State<App>,
    PathId(id): PathId<MemberId>,
    Query(query): Query<ListQuery>,
) -> Result<List<Event>> {
    let ws = permit.workspace.id;
    let row = members::get(&mut app.store.read().await?, ws, id).await?;
    let row = row.ok_or_else(|| Error::not_found("member"))?;
    history(&app, ws, id, row.email.as_str(), &query).await
}

/// One's own sign-ins, newest first.
#[utoipa::path(get, path = "/api/v1/session/sign-ins", tag = "Sessions", params(ListQuery),
    responses((status = 200, body = List<Event>), (status = 401, body = ErrorBody)))]
pub(crate) async fn own(
    session: Session,
    State(app): State<App>,
    Query(query): Query<ListQuery>,
) -> Result<List<Event>> {
    let Principal::Member(member) = &session.caller.principal else { unreachable!("a session is a member's") };
    history(&app, session.caller.workspace.id, member.id, member.email.as_str(), &query).await
}

async fn history(app: &App, ws: WorkspaceId, member: MemberId, email: &str, query: &ListQuery) -> Result<List<Event>> {
    let before = query.place()?;
    let mut tx = app.store.read().await?;
    let events = trails::sign_ins(&mut tx, ws, member, email, before, query.limit()? + 1).await?;
    List::new(events, query, |event| event.seq.to_string())
}
