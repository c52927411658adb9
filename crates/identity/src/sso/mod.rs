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
use provost_model::{Protocol, SignInMethod};
use provost_store::tables::connections::ConnectionRow;
use provost_web::pages::Page;
use provost_web::{App, Error, Result, address};

pub(crate) use arrive::{Arrival, arrive};
pub(crate) use begin::begin;
pub(crate) use required::{check_required, keep_break_glass};

use crate::failures::{self, Failure};

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

/// Counts a step that anybody can take: each is remembered, or read, or asks a provider.
fn count_step(app: &App, parts: &Parts, step: &str) -> Result<()> {
    let counted = app.sign_ins.try_provider(step, address(parts), app.store.clock().now());
    let message = "too many sign-ins from this address: wait a little, then try again";
    counted.map_err(|seconds| Error::too_many(message, seconds))
}

/// Records a refusal and shows it.
pub(crate) fn refuse(app: &App, parts: &Parts, connection: &ConnectionRow, refusal: &Refusal) -> Response {
    let reason = refusal.reason;
    let method = match connection.protocol {
        Protocol::Oidc => SignInMethod::Oidc,
        Protocol::Saml => SignInMethod::Saml,
    };
    let failure = Failure { email: None, connection: Some(connection.id), method, reason };
    failures::record(app, parts, connection.workspace_id, failure);
    not_signed_in(&refusal.message, Some(reason), refusal.status)
}

/// The page of who is not signed in.
pub(crate) fn page(message: &str, status: StatusCode) -> Response {
    not_signed_in(message, None, status)
}

fn not_signed_in(message: &str, reason: Option<&str>, status: StatusCode) -> Response {
    let body = html! {
        p.alert role="alert" { (message) }
        @if let Some(reason) = reason {
            p { "For whoever helps you: " code { (reason) } }
        }
        p { a href="/sign-in" { "Back to the sign-in" } }
    };
    Page::new("You are not signed in", body).with_status(status).into_response()
}
