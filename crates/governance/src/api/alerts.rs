//! `/api/v1/alerts`: what somebody should look at.

use axum::extract::State;
use provost_model::event::Event;
use provost_store::trails;
use provost_web::{App, ErrorBody, List, ListQuery, Permit, Query, Result, permits};

/// The alerts, newest first: `token.reuse_detected` (a refresh token came twice: one of the two who had
/// it had stolen it, and the client session was ended), `credential.leaked` and `policy.contradicted`.
#[utoipa::path(get, path = "/api/v1/alerts", tag = "Events", params(ListQuery),
    responses((status = 200, body = List<Event>), (status = 403, body = ErrorBody)))]
pub(crate) async fn list(
    permit: Permit<permits::EventsRead>,
    State(app): State<App>,
    Query(query): Query<ListQuery>,
) -> Result<List<Event>> {
    let before = query.place()?;
    let mut tx = app.store.read().await?;
    let events = trails::alerts(&mut tx, permit.workspace.id, before, query.limit()? + 1).await?;
    List::new(events, &query, |event| event.seq.to_string())
}
