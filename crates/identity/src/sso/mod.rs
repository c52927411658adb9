//! Sign-in through the workspace's identity provider.
//!
//! Two protocols lead to one place: [`oidc`] and [`saml`] find out what a provider says of who
//! arrives, and [`arrive`] decides which member that is, and begins the session.

mod arrive;
mod begin;
mod browser;
pub(crate) mod dns;
pub(crate) mod oidc;
mod required;
pub(crate) mod saml;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use maud::html;
use provost_model::event::{Actor, EventType};
use provost_store::tables::connections::ConnectionRow;
use provost_web::pages::Page;
use provost_web::{App, origin};
use serde_json::json;

pub(crate) use arrive::{Arrival, arrive};
pub(crate) use begin::begin;
pub(crate) use required::{check_required, keep_break_glass};

/// How many sign-ins of each protocol may wait at once: anybody can begin one.
pub(crate) const MAX_WAITING: i64 = 100_000;

/// Why nobody is signed in: recorded, and told to the member in words that lead on.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// For the event.
    pub(crate) reason: &'static str,
    /// For the page. Nothing that a provider or a browser sent goes in unless it is escaped there.
    pub(crate) message: String,
    /// Of the page.
    pub(crate) status: StatusCode,
}

impl Refusal {
    /// What came does not prove anything.
    pub(crate) fn bad(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), status: StatusCode::BAD_REQUEST }
    }

    /// What came proves who it is, and that one may not.
    pub(crate) fn forbidden(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), status: StatusCode::FORBIDDEN }
    }

    /// The provider does not do its part.
    pub(crate) fn provider(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), status: StatusCode::BAD_GATEWAY }
    }
}

/// Records a refusal and shows it.
pub(crate) fn refuse(app: &App, parts: &Parts, connection: &ConnectionRow, refusal: &Refusal) -> Response {
    let details = json!({
        "method": connection.protocol, "connection_id": connection.id, "reason": refusal.reason,
    });
    let actor = Actor::anonymous(None);
    app.store.record(connection.workspace_id, EventType::SignInFailed, actor, origin(parts), None, details);
    page(&refusal.message, refusal.status)
}

/// The page of who is not signed in.
pub(crate) fn page(message: &str, status: StatusCode) -> Response {
    let body = html! {
        p.alert role="alert" { (message) }
        p { a href="/sign-in" { "Back to the sign-in" } }
    };
    Page::new("You are not signed in", body).with_status(status).into_response()
}
