//! `/sign-in`, `/sign-out`.

use axum::extract::{Form, State};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use http::header::SET_COOKIE;
use http::request::Parts;
use maud::html;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use provost_store::tables::connections;
use provost_web::pages::{Page, alert};
use provost_web::{App, Query, Result, Session, SessionCookie};
use serde::Deserialize;

use super::{redirect_with, safe_next};
use crate::api::sessions;
use crate::sign_in::{self, Begun};

#[derive(Deserialize)]
pub(crate) struct Next {
    next: Option<String>,
}

pub(crate) async fn show(State(app): State<App>, parts: Parts, Query(query): Query<Next>) -> Result<Response> {
    let next = safe_next(query.next.as_deref());
    if Session::resolve(&app, &parts).await?.is_some() {
        return Ok(Redirect::to(next).into_response());
    }
    Ok(page(&app, next, "", None).await?.into_response())
}

#[derive(Deserialize)]
pub(crate) struct Fields {
    email: String,
    password: String,
    next: Option<String>,
}

/// No CSRF token here: whoever forges this form must know the password of the account it signs in
/// to, and `SameSite` keeps the cookie of a session that is there from being sent along.
pub(crate) async fn submit(State(app): State<App>, parts: Parts, Form(fields): Form<Fields>) -> Result<Response> {
    let next = safe_next(fields.next.as_deref());
    Ok(match sign_in::sign_in(&app, &parts, &fields.email, &fields.password, None, next).await {
        Ok((_, begun)) => arrived(begun, next),
        Err(error) => {
            let page = page(&app, next, &fields.email, Some(error.message())).await?;
            page.with_status(error.status()).into_response()
        }
    })
}

/// Where a browser goes whose password was right: on, or to its second factor.
pub(crate) fn arrived(begun: Begun, next: &str) -> Response {
    match begun {
        Begun::Session(cookie, device) => {
            let cookies = AppendHeaders([(SET_COOKIE, cookie.header), (SET_COOKIE, device)]);
            (cookies, Redirect::to(next)).into_response()
        }
        Begun::Waiting { cookie, .. } => redirect_with("/sign-in/second-factor", cookie),
    }
}

#[derive(Deserialize)]
pub(crate) struct SignOut {
    csrf_token: Option<String>,
}

pub(crate) async fn sign_out(State(app): State<App>, parts: Parts, Form(fields): Form<SignOut>) -> Result<Response> {
    if let Some(session) = Session::resolve(&app, &parts).await? {
        session.check_csrf(fields.csrf_token.as_deref())?;
        sessions::end(&app, &session).await?;
    }
    Ok(redirect_with("/sign-in", SessionCookie::clear(&parts)))
}

async fn page(app: &App, next: &str, email: &str, message: Option<&str>) -> Result<Page> {
    let connections = connections::list_enabled(&mut app.store.read().await?).await?;
    let message = message.map(|message| format!("You are not signed in: {message}."));
    let back = utf8_percent_encode(next, NON_ALPHANUMERIC);
    let body = html! {
        (alert(message.as_deref()))
        @if !connections.is_empty() {
            div.actions {
                @for connection in &connections {
                    a.button href={ "/sign-in/sso/" (connection.id) "?next=" (back) } {
                        "Continue with " (connection.name)
                    }
                }
            }
            p.or { "or" }
        }
        form method="post" action="/sign-in" {
            input type="hidden" name="next" value=(next);
            label for="email" { "E-mail address" }
            input id="email" name="email" type="email" autocomplete="username" required autofocus value=(email);
            label for="password" { "Password" }
            input id="password" name="password" type="password" autocomplete="current-password" required;
            div.actions { button { "Sign in" } }
        }
    };
    Ok(Page::new("Sign in", body))
}
