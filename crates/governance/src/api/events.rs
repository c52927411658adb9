//! `/api/v1/events`: the ledger of the workspace.

use axum::extract::State;
use provost_model::event::{Event, EventType};
use provost_store::ledger::{self, Filter};
use provost_web::{App, Error, ErrorBody, List, ListQuery, Permit, Query, Result, optional_text, permits};
use serde::Deserialize;
use utoipa::IntoParams;

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventsQuery {
    /// Only this type, e.g. `policy.updated`.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Only by the actor with this id or e-mail address.
    actor: Option<String>,
    /// Only after the event with this `seq` (or id).
    after: Option<String>,
    /// At most so many rows: 1 to 1000, 100 if absent.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The events, newest last.
#[utoipa::path(get, path = "/api/v1/events", tag = "Events", params(EventsQuery),
    responses((status = 200, body = List<Event>), (status = 403, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn list(
    permit: Permit<permits::EventsRead>,
    State(app): State<App>,
    Query(query): Query<EventsQuery>,
) -> Result<List<Event>> {
    let unknown = |message: String| Error::invalid("type", "unknown_event_type", message);
    let kind = query.kind.map(|kind| kind.parse::<EventType>().map_err(unknown)).transpose()?;
    let page = ListQuery { limit: query.limit, cursor: query.cursor };
    let actor = query.actor.map(|actor| optional_text("actor", &actor, 300)).transpose()?;
    let after = page.after()?.or(query.after).map(|after| optional_text("after", &after, 100)).transpose()?;
    let mut tx = app.store.read().await?;
    let after = match after {
        None => 0,
        Some(text) => ledger::place(&mut tx, permit.workspace.id, &text).await?.ok_or_else(|| {
            Error::invalid("after", "unknown_event", "`after` is the `seq` or the id of an event of this workspace")
        })?,
    };
    let filter = Filter { kind, actor, after, limit: page.limit()? + 1 };
    let events = ledger::list(&mut tx, permit.workspace.id, &filter).await?;
    List::new(events, &page, |event| event.seq.to_string())
}
