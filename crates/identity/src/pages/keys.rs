//! `/keys`: a member asks for an API key, sees theirs; who manages keys decides on those that wait.

use axum::extract::{Form, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::request::Parts;
use maud::{Markup, html};
use provost_model::{ApiKeyId, ApiKeyStatus, MemberId, Permission, Scope};
use provost_store::tables::Page as Rows;
use provost_store::tables::api_keys::{self, ApiKeyRow, Filter};
use provost_web::pages::{Page, alert};
use provost_web::{App, Caller, Error, Result, Session};
use serde::Deserialize;

use super::to_sign_in;
use crate::api::api_keys::create::{NewApiKey, ask};
use crate::api::api_keys::decide::{Decision, decide};

/// As many keys as the page shows of each kind; the API lists the rest.
const SHOWN: u32 = 50;

pub(crate) async fn show(State(app): State<App>, parts: Parts) -> Result<Response> {
    match Session::resolve(&app, &parts).await? {
        Some(session) => Ok(page(&app, &session, None).await?.into_response()),
        None => Ok(to_sign_in("/keys")),
    }
}

#[derive(Deserialize)]
pub(crate) struct Fields {
    csrf_token: Option<String>,
    action: String,
    /// The key to decide on.
    id: Option<String>,
    name: Option<String>,
    scope: Option<Scope>,
    reason: Option<String>,
    expires_in_days: Option<u32>,
}

pub(crate) async fn submit(State(app): State<App>, parts: Parts, Form(fields): Form<Fields>) -> Result<Response> {
    let Some(session) = Session::resolve(&app, &parts).await? else { return Ok(to_sign_in("/keys")) };
    session.check_csrf(fields.csrf_token.as_deref())?;
    let done = match fields.action.as_str() {
        "ask" => ask_with(&app, &session.caller, fields).await.map(Some),
        "approve" => answer(&app, &session.caller, fields.id, Decision::Approve).await.map(|()| None),
        // Anything but a clear yes is a no.
        _ => answer(&app, &session.caller, fields.id, Decision::Deny).await.map(|()| None),
    };
    match done {
        Ok(Some(page)) => Ok(page.into_response()),
        // So that going back or reloading sends nothing twice.
        Ok(None) => Ok(Redirect::to("/keys").into_response()),
        Err(error) => {
            let page = page(&app, &session, Some(error.message())).await?;
            Ok(page.with_status(error.status()).into_response())
        }
    }
}

async fn ask_with(app: &App, caller: &Caller, fields: Fields) -> Result<Page> {
    let wanted = NewApiKey {
        name: fields.name.unwrap_or_default(),
        scopes: fields.scope.into_iter().collect(),
        expires_in_days: fields.expires_in_days,
        allowed_ips: Vec::new(),
        reason: fields.reason.unwrap_or_default(),
    };
    let (row, secret) = ask(app, caller, wanted).await?;
    let waits = row.status == ApiKeyStatus::PendingApproval;
    let body = html! {
        @if waits {
            p { "Copy it now: it is shown only this once. It starts to work when somebody who manages keys approves it." }
        } @else {
            p { "Copy it now: it is shown only this once. It works at once." }
        }
        h2 { (row.name) }
        p.secret { (secret.text) }
        p.hint { "Send it in the header Authorization: Bearer …" }
        p { a href="/keys" { "Back to the keys" } }
    };
    Ok(Page::new(if waits { "Your key waits for approval" } else { "Your key" }, body))
}

async fn answer(app: &App, caller: &Caller, id: Option<String>, decision: Decision) -> Result<()> {
    let id: Option<ApiKeyId> = id.and_then(|id| id.parse().ok());
    let id = id.ok_or_else(|| Error::not_found("API key"))?;
    decide(app, caller, id, decision).await.map(|_| ())
}

async fn page(app: &App, session: &Session, message: Option<&str>) -> Result<Page> {
    let caller = &session.caller;
    let manages = caller.may(Permission::ApiKeysWrite);
    let (ws, now) = (caller.workspace.id, app.store.clock().now());
    let rows = Rows { after: None, limit: SHOWN };
    let mut tx = app.store.read().await?;
    let own = Filter { created_by: Some(caller.id()), status: None };
    let own = api_keys::list(&mut tx, ws, &own, &rows, now).await?;
    let waiting = if manages {
        let waiting = Filter { created_by: None, status: Some(ApiKeyStatus::PendingApproval) };
        api_keys::list(&mut tx, ws, &waiting, &rows, now).await?
    } else {
        Vec::new()
    };
    // The narrow ones first: nobody asks for the widest by not choosing.
    let narrow = Scope::ALL.into_iter().filter(|scope| *scope != Scope::Admin);
    let scopes = narrow.chain(manages.then_some(Scope::Admin));
    let body = html! {
        (alert(message.map(|message| format!("Nothing was done: {message}.")).as_deref()))
        @for row in waiting.iter().filter(|row| !row.known_by.contains(&caller.id())) {
            (to_decide(session, row))
        }
        @if !own.is_empty() {
            h2 { "Your keys" }
            dl {
                @for row in &own {
                    dt { (row.name) " …" (row.last4) }
                    dd { (state(row)) ", " (names(row)) }
                }
            }
        }
        h2 { "Ask for a key" }
        form method="post" action="/keys" {
            input type="hidden" name="csrf_token" value=(session.csrf_token);
            label for="name" { "Name" }
            input id="name" name="name" required maxlength="100" autocomplete="off";
            label for="scope" { "What it may be used for" }
            select id="scope" name="scope" {
                @for scope in scopes { option value=(scope.as_str()) { (scope.as_str()) } }
            }
            label for="expires_in_days" { "How many days it lives" }
            input id="expires_in_days" name="expires_in_days" type="number" min="1" max="365" value="90" required;
            label for="reason" { "What for" }
            input id="reason" name="reason" maxlength="500" required[!manages] autocomplete="off"
                aria-describedby="reason-hint";
            p.hint id="reason-hint" { "Whoever approves it reads this." }
            div.actions { button name="action" value="ask" { "Ask for the key" } }
        }
        p { a href="/" { "Back" } }
    };
    Ok(Page::new("API keys", body))
}

/// A key that waits, with who asks for what, and the two answers.
fn to_decide(session: &Session, row: &ApiKeyRow) -> Markup {
    html! {
        section aria-label=(row.name) {
            h2 { "Approve " (row.name) "?" }
            dl {
                dt { "Asked for by" } dd { (asker(&session.caller, row)) }
                dt { "May" } dd { (names(row)) }
                dt { "What for" } dd { @if row.reason.is_empty() { "Not said" } @else { (row.reason) } }
                dt { "Ends" } dd { (end(row)) }
            }
            form method="post" action="/keys" {
                input type="hidden" name="csrf_token" value=(session.csrf_token);
                input type="hidden" name="id" value=(row.id);
                div.actions {
                    button name="action" value="approve" { "Approve" }
                    button.plain name="action" value="deny" { "Deny" }
                }
            }
        }
    }
}

fn asker(caller: &Caller, row: &ApiKeyRow) -> String {
    let id = row.created_by.as_deref().unwrap_or("the command line");
    let member = id.parse::<MemberId>().ok().and_then(|id| caller.workspace.members.get(&id));
    member.map_or_else(|| id.to_owned(), |member| member.email.to_string())
}

fn names(row: &ApiKeyRow) -> String {
    row.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ")
}

fn state(row: &ApiKeyRow) -> String {
    match row.status {
        ApiKeyStatus::Active => format!("works, ends {}", end(row)),
        ApiKeyStatus::PendingApproval => "waits for approval".to_owned(),
    }
}

fn end(row: &ApiKeyRow) -> String {
    let date = |end: jiff::Timestamp| end.to_string().chars().take(10).collect();
    row.expires_at.map_or_else(|| "never".to_owned(), date)
}
