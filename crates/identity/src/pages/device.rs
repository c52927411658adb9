//! `/codex/device`: a member types the code that a device shows, sees what wants in, and decides.

use axum::extract::{Form, State};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use maud::html;
use provost_store::tables::device_logins::DeviceLoginRow;
use provost_web::pages::{Page, alert};
use provost_web::{App, Query, Result, Session};
use serde::Deserialize;

use super::to_sign_in;
use crate::issuer::CODEX_CLIENT_ID;
use crate::issuer::device::{Decision, decide, find};

#[derive(Deserialize)]
pub(crate) struct Typed {
    user_code: Option<String>,
}

pub(crate) async fn show(State(app): State<App>, parts: Parts, Query(query): Query<Typed>) -> Result<Response> {
    let Some(session) = Session::resolve(&app, &parts).await? else {
        let back = parts.uri.path_and_query().map_or("/codex/device", |path| path.as_str());
        return Ok(to_sign_in(back));
    };
    let Some(code) = query.user_code.filter(|code| !code.trim().is_empty()) else {
        return Ok(ask_for_code("", None).into_response());
    };
    Ok(match find(&app, &session, &code).await {
        Ok(login) => ask_for_decision(&session, &login).into_response(),
        Err(error) => ask_for_code(&code, Some(error.message())).with_status(error.status()).into_response(),
    })
}

#[derive(Deserialize)]
pub(crate) struct Decided {
    user_code: String,
    csrf_token: Option<String>,
    decision: String,
}

pub(crate) async fn submit(State(app): State<App>, parts: Parts, Form(fields): Form<Decided>) -> Result<Response> {
    let Some(session) = Session::resolve(&app, &parts).await? else {
        return Ok(to_sign_in("/codex/device"));
    };
    session.check_csrf(fields.csrf_token.as_deref())?;
    // Anything but a clear yes is a no.
    let decision = if fields.decision == "approve" { Decision::Approve } else { Decision::Deny };
    let page = match decide(&app, &session, &fields.user_code, decision).await {
        Ok(_) if decision == Decision::Approve => {
            Page::new("The device is signed in", html! { p { "You can close this page and go on there." } })
        }
        Ok(_) => Page::new("The device was refused", html! { p { "It is not signed in. You can close this page." } }),
        Err(error) => {
            let body = html! { (alert(Some(error.message()))) p { a href="/codex/device" { "Try another code" } } };
            Page::new("The device is not signed in", body).with_status(error.status())
        }
    };
    Ok(page.into_response())
}

fn ask_for_code(code: &str, message: Option<&str>) -> Page {
    let body = html! {
        (alert(message))
        form method="get" action="/codex/device" {
            label for="user_code" { "Code" }
            input.code id="user_code" name="user_code" required autofocus autocomplete="off" autocapitalize="characters"
                spellcheck="false" maxlength="20" placeholder="XXXX-XXXX" aria-describedby="hint" value=(code);
            p.hint id="hint" { "The device shows it, eight letters. Use only a code that you asked for yourself." }
            div.actions { button { "Continue" } }
        }
    };
    Page::new("Sign in a device", body)
}

fn ask_for_decision(session: &Session, login: &DeviceLoginRow) -> Page {
    let body = html! {
        p { "A device wants to use Codex as you. Approve only if you started this yourself and the code is the one "
            "that the device shows." }
        dl {
            dt { "Code" } dd { strong { (login.user_code) } }
            dt { "Program" } dd { (program(login)) }
            dt { "Address" } dd { (login.ip) }
            dt { "Workspace" } dd { (session.caller.workspace.settings.name) }
        }
        form method="post" action="/codex/device" {
            input type="hidden" name="user_code" value=(login.user_code);
            input type="hidden" name="csrf_token" value=(session.csrf_token);
            div.actions {
                button name="decision" value="approve" { "Approve" }
                button.plain name="decision" value="deny" { "Deny" }
            }
        }
    };
    Page::new("Approve this device?", body)
}

/// What wants in: what it calls itself, or which client it says it is. Codex itself says neither here,
/// but for the client id that every one of them has.
fn program(login: &DeviceLoginRow) -> &str {
    match (login.user_agent.as_str(), login.client_id.as_str()) {
        ("", CODEX_CLIENT_ID) => "Codex",
        ("", client_id) => client_id,
        (user_agent, _) => user_agent,
    }
}
