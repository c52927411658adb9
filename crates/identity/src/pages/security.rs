//! `/security`: a member's own second factors.

use axum::extract::{Form, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::request::Parts;
use maud::{Markup, html};
use provost_model::{FactorKind, SecondFactorId};
use provost_store::tables::{members, second_factors};
use provost_web::pages::{Page, alert};
use provost_web::{App, Error, Result, Session};
use serde::Deserialize;

use super::second_factor::{PASSKEYS, codes_page, set_up};
use super::to_sign_in;
use crate::api::recovery_codes::renew;
use crate::api::second_factors::{begin_totp, confirm, own_id, remove};
use crate::mfa::check_fresh;
use crate::mfa::{factors, passkeys};

pub(crate) async fn show(State(app): State<App>, parts: Parts) -> Result<Response> {
    match Session::resolve(&app, &parts).await? {
        Some(session) => Ok(page(&app, &session, None).await?.into_response()),
        None => Ok(to_sign_in("/security")),
    }
}

#[derive(Deserialize)]
pub(crate) struct Fields {
    csrf_token: Option<String>,
    action: String,
    id: Option<String>,
    otp: Option<String>,
}

pub(crate) async fn submit(State(app): State<App>, parts: Parts, Form(fields): Form<Fields>) -> Result<Response> {
    let Some(session) = Session::resolve(&app, &parts).await? else { return Ok(to_sign_in("/security")) };
    session.check_csrf(fields.csrf_token.as_deref())?;
    let id = || {
        let id = fields.id.as_deref().and_then(|id| id.parse::<SecondFactorId>().ok());
        id.ok_or_else(|| Error::not_found("second factor"))
    };
    let done = match fields.action.as_str() {
        "add" => begin_totp(&app, &session, None).await.map(|new| set_up_page(&session, &new, None).into_response()),
        "confirm" => match id() {
            Ok(id) => return confirm_app(&app, &session, id, fields.otp.as_deref().unwrap_or_default()).await,
            Err(error) => Err(error),
        },
        "recovery" => renew(&app, &session).await.map(|codes| codes_page(&codes, "/security").into_response()),
        _ => match id() {
            Ok(id) => remove(&app, &session, id).await.map(|()| Redirect::to("/security").into_response()),
            Err(error) => Err(error),
        },
    };
    match done {
        Ok(response) => Ok(response),
        Err(error) => Ok(page(&app, &session, Some(&error)).await?.with_status(error.status()).into_response()),
    }
}

/// The first factor brings recovery codes with it.
async fn confirm_app(app: &App, session: &Session, id: SecondFactorId, otp: &str) -> Result<Response> {
    let ws = session.caller.workspace.id;
    match confirm(app, session, id, otp).await {
        Ok(row) => {
            let session = Session { proof: session.proof.and(row.kind), ..session.clone() };
            let left = second_factors::count_recovery_codes(&mut app.store.read().await?, ws, own_id(&session)).await?;
            if left > 0 {
                return Ok(Redirect::to("/security").into_response());
            }
            Ok(codes_page(&renew(app, &session).await?, "/security").into_response())
        }
        // A slip of the finger: the same QR code again.
        Err(error) if error.code() == "wrong_code" => {
            let mut tx = app.store.read().await?;
            let Some(new) = factors::show_totp(&mut tx, app, ws, own_id(session), id).await? else {
                return Ok(Redirect::to("/security").into_response());
            };
            let page = set_up_page(session, &new, Some(error.message()));
            Ok(page.with_status(error.status()).into_response())
        }
        Err(error) => Ok(page(app, session, Some(&error)).await?.with_status(error.status()).into_response()),
    }
}

fn set_up_page(session: &Session, new: &factors::NewTotp, message: Option<&str>) -> Page {
    let body = html! {
        (alert(message))
        form method="post" action="/security" {
            (hidden(session, "confirm", Some(new.id)))
            (set_up(new))
            div.actions { button { "Confirm" } }
        }
        p { a href="/security" { "Leave it" } }
    };
    Page::new("Set up an authenticator app", body)
}

fn hidden(session: &Session, action: &str, id: Option<SecondFactorId>) -> Markup {
    html! {
        input type="hidden" name="csrf_token" value=(session.csrf_token);
        input type="hidden" name="action" value=(action);
        @if let Some(id) = id { input type="hidden" name="id" value=(id); }
    }
}

async fn page(app: &App, session: &Session, error: Option<&Error>) -> Result<Page> {
    let (ws, member) = (session.caller.workspace.id, own_id(session));
    let mut tx = app.store.read().await?;
    let rows = second_factors::list(&mut tx, ws, member).await?;
    let left = second_factors::count_recovery_codes(&mut tx, ws, member).await?;
    let has_password = members::has_password(&mut tx, ws, member).await?;
    let is_fresh = check_fresh(session, !rows.is_empty(), app.store.clock().now()).is_ok();
    let body = html! {
        (alert(error.map(Error::message)))
        @if !has_password {
            p { "You sign in through your identity provider, which asks for a second factor of its own." }
        } @else if rows.is_empty() {
            p { "You have no second factor. With one, who learns your password still cannot sign in." }
        }
        @for row in &rows {
            section {
                h2 { (row.name) }
                p { (kind(row.kind)) ", since " (row.created_at.strftime("%Y-%m-%d"))
                    @if let Some(at) = row.last_used_at { ", last used " (at.strftime("%Y-%m-%d")) } }
                @if is_fresh {
                    form method="post" action="/security" {
                        (hidden(session, "remove", Some(row.id)))
                        div.actions { button.plain aria-label={ "Remove " (row.name) } { "Remove" } }
                    }
                }
            }
        }
        @if !rows.is_empty() {
            section {
                h2 { "Recovery codes" }
                @if left == 0 {
                    p { "You have none. Make some now: without them, who loses the second factor needs an admin." }
                } @else {
                    p { (left) " left." }
                }
                @if is_fresh {
                    form method="post" action="/security" {
                        (hidden(session, "recovery", None))
                        div.actions { button.plain { "Make new recovery codes" } }
                    }
                }
            }
        }
        @if has_password {
            @if is_fresh {
                @if passkeys::are_possible(app) {
                    div data-passkey="create" hidden {
                        p.alert role="alert" hidden {}
                        label for="passkey-name" { "Name of a new passkey" }
                        input id="passkey-name" maxlength="100" placeholder="e.g. Laptop";
                        div.actions { button type="button" data-csrf=(session.csrf_token) { "Add a passkey" } }
                    }
                }
                form method="post" action="/security" {
                    (hidden(session, "add", None))
                    div.actions { button { "Set up an authenticator app" } }
                }
            } @else {
                p { "To change anything here, sign in again: it must be within 15 minutes of signing in with your \
                     second factor." }
                form method="post" action="/sign-out" {
                    input type="hidden" name="csrf_token" value=(session.csrf_token);
                    div.actions { button { "Sign out" } }
                }
            }
        }
        p { a href="/" { "Back" } }
    };
    Ok(Page::new("Second factors", body).with_script(PASSKEYS))
}

fn kind(kind: FactorKind) -> &'static str {
    match kind {
        FactorKind::Totp => "Authenticator app",
        FactorKind::Passkey => "Passkey",
        FactorKind::RecoveryCode => "Recovery code",
    }
}
