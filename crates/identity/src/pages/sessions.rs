//! `/sessions`: a member sees where they are signed in, and ends it.

use axum::extract::{Form, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::request::Parts;
use maud::{Markup, html};
use provost_store::tables::Page as Rows;
use provost_store::tables::sessions::{self, AnySession};
use provost_web::pages::{Page, alert};
use provost_web::{App, Principal, Result, Session, session_limits};
use serde::Deserialize;

use super::to_sign_in;
use crate::api::member_sessions::{end, end_everywhere};
use crate::issuer::CODEX_CLIENT_ID;

/// As many as one looks through.
const SHOWN: u32 = 100;

pub(crate) async fn show(State(app): State<App>, parts: Parts) -> Result<Response> {
    match Session::resolve(&app, &parts).await? {
        Some(session) => page(&app, &session, None).await,
        None => Ok(to_sign_in("/sessions")),
    }
}

#[derive(Deserialize)]
pub(crate) struct Chosen {
    csrf_token: Option<String>,
    /// Which one; absent is all of them.
    id: Option<String>,
}

pub(crate) async fn submit(State(app): State<App>, parts: Parts, Form(chosen): Form<Chosen>) -> Result<Response> {
    let Some(session) = Session::resolve(&app, &parts).await? else {
        return Ok(to_sign_in("/sessions"));
    };
    session.check_csrf(chosen.csrf_token.as_deref())?;
    let Principal::Member(member) = &session.caller.principal else { unreachable!("a session is a member's") };
    let ended = match chosen.id.as_deref().map(str::parse) {
        None => end_everywhere(&app, &session.caller, member.id).await.map(drop),
        Some(Ok(id)) => end(&app, &session.caller, id).await,
        // What is not there needs no ending.
        Some(Err(_)) => Ok(()),
    };
    match ended {
        Ok(()) => Ok(Redirect::to("/sessions").into_response()),
        Err(error) => page(&app, &session, Some(error.message())).await,
    }
}

async fn page(app: &App, session: &Session, message: Option<&str>) -> Result<Response> {
    let caller = &session.caller;
    let Principal::Member(member) = &caller.principal else { unreachable!("a session is a member's") };
    let now = app.store.clock().now();
    let limits = session_limits(&caller.workspace.settings, now);
    let rows = Rows { after: None, limit: SHOWN };
    let mut tx = app.store.read().await?;
    let found = sessions::list_any(&mut tx, caller.workspace.id, member.id, limits, now, &rows).await?;
    let current = session.id.to_string();
    let body = html! {
        (alert(message))
        @for row in &found { (one(row, row.id == current, &session.csrf_token)) }
        form method="post" action="/sessions" {
            input type="hidden" name="csrf_token" value=(session.csrf_token);
            div.actions { button { "Sign out everywhere" } }
        }
        p.hint { "Access tokens that you made are not among these." }
    };
    Ok(Page::new("Where you are signed in", body).into_response())
}

fn one(row: &AnySession, is_current: bool, csrf_token: &str) -> Markup {
    let program = match (row.user_agent.as_str(), row.client_id.as_deref()) {
        ("", Some(CODEX_CLIENT_ID)) => "Codex",
        ("", Some(client_id)) => client_id,
        ("", None) => "A browser",
        (user_agent, _) => user_agent,
    };
    html! {
        dl {
            dt { @if row.client_id.is_some() { "Client" } @else { "Browser" } }
            dd { (program) @if is_current { " " strong { "(this one)" } } }
            dt { "Address" } dd { (row.ip) }
            dt { "Signed in" } dd { (row.created_at.strftime("%F %H:%M UTC")) ", " (row.method) }
            dt { "Last used" } dd { (row.last_used_at.strftime("%F %H:%M UTC")) }
        }
        form method="post" action="/sessions" {
            input type="hidden" name="csrf_token" value=(csrf_token);
            input type="hidden" name="id" value=(row.id);
            div.actions { button.plain aria-label=(format!("Sign out of {program}")) { "Sign out" } }
        }
    }
}
