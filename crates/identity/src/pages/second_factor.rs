//! `/sign-in/second-factor`: what comes after a right password, for who has a second factor or must
//! have one.

use axum::extract::{Form, State};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use http::StatusCode;
use http::header::SET_COOKIE;
use http::request::Parts;
use maud::{Markup, PreEscaped, html};
use provost_model::FactorKind;
use provost_store::tables::second_factors;
use provost_web::pages::{Page, alert};
use provost_web::{App, Error, Result};
use serde::Deserialize;

use super::safe_next;
use crate::mfa::factors::{self, NewTotp};
use crate::mfa::pending::{self, Pending};
use crate::mfa::{self, device};

pub(crate) async fn show(State(app): State<App>, parts: Parts) -> Result<Response> {
    match pending::find(&app, &parts).await? {
        Some(pending) => page(&app, &pending, None).await,
        None => Ok(Redirect::to("/sign-in").into_response()),
    }
}

#[derive(Deserialize)]
pub(crate) struct Fields {
    otp: String,
}

/// No CSRF token here: whoever forges this form must know a code, as with the password before.
pub(crate) async fn submit(State(app): State<App>, parts: Parts, Form(fields): Form<Fields>) -> Result<Response> {
    let Some(pending) = pending::find(&app, &parts).await? else { return Ok(over(&parts)) };
    let next = safe_next(Some(&pending.row.next));
    let done = match pending.row.factor_id {
        None => pending::finish(&app, &parts, &pending, &fields.otp).await.map(|cookie| (cookie, None)),
        Some(_) => {
            let enrolled = pending::enrol(&app, &parts, &pending, &fields.otp).await;
            enrolled.map(|(cookie, codes)| (cookie, Some(codes)))
        }
    };
    match done {
        Ok((cookie, codes)) => {
            let device = device::remember(&app, &parts, &pending.email);
            let cookies = AppendHeaders([
                (SET_COOKIE, cookie.header),
                (SET_COOKIE, device),
                (SET_COOKIE, pending::clear(&parts)),
            ]);
            Ok(match codes {
                None => (cookies, Redirect::to(next)).into_response(),
                Some(codes) => (cookies, codes_page(&codes, next)).into_response(),
            })
        }
        Err(error) if error.code() == "sign_in_expired" => Ok(over(&parts)),
        Err(error) => page(&app, &pending, Some(&error)).await,
    }
}

fn over(parts: &Parts) -> Response {
    let body = html! {
        (alert(Some("The sign-in took too long, or too many codes were wrong.")))
        p { a href="/sign-in" { "Begin again with your password" } }
    };
    let page = Page::new("Sign in again", body).with_status(StatusCode::UNAUTHORIZED);
    ([(SET_COOKIE, pending::clear(parts))], page).into_response()
}

async fn page(app: &App, pending: &Pending, error: Option<&Error>) -> Result<Response> {
    let (ws, member) = (pending.row.workspace_id, pending.row.member_id);
    let mut tx = app.store.read().await?;
    let message = error.map(|error| format!("You are not signed in: {}.", error.message()));
    let (title, body) = match pending.row.factor_id {
        None => {
            let methods = mfa::methods(&second_factors::list(&mut tx, ws, member).await?);
            ("One more step", ask(&methods, safe_next(Some(&pending.row.next))))
        }
        Some(id) => {
            let shown = factors::show_totp(&mut tx, app, ws, member, id).await?;
            let Some(new) = shown else { return Ok(Redirect::to("/sign-in").into_response()) };
            ("Set up a second factor", enrolment(&new))
        }
    };
    let page = Page::new(title, html! { (alert(message.as_deref())) (body) });
    let page = if pending.row.factor_id.is_none() { page.with_script(PASSKEYS) } else { page };
    Ok(page.with_status(error.map_or(StatusCode::OK, Error::status)).into_response())
}

/// The script of passkeys.
pub(super) const PASSKEYS: &str = "/assets/passkeys.js";

fn ask(methods: &[FactorKind], next: &str) -> Markup {
    html! {
        @if methods.contains(&FactorKind::Totp) {
            p { "Your password is right. Now type the code that your authenticator app shows, or one of your \
                 recovery codes." }
        } @else {
            p { "Your password is right. Now use your passkey, or type one of your recovery codes." }
        }
        @if methods.contains(&FactorKind::Passkey) {
            div data-passkey="get" hidden {
                p.alert role="alert" hidden {}
                div.actions { button type="button" data-next=(next) { "Use a passkey" } }
                p.or { "or" }
            }
        }
        form method="post" action="/sign-in/second-factor" {
            (code_field("Code"))
            div.actions { button { "Sign in" } }
        }
        p { a href="/sign-in" { "Sign in as somebody else" } }
        p.hint { "Lost everything? An admin of your workspace can help." }
    }
}

fn enrolment(new: &NewTotp) -> Markup {
    html! {
        p { "Your workspace asks for a second factor, and you have none yet." }
        form method="post" action="/sign-in/second-factor" {
            (set_up(new))
            div.actions { button { "Confirm and sign in" } }
        }
    }
}

/// What is shown of an app that is being set up, and the field for its first code.
pub(super) fn set_up(new: &NewTotp) -> Markup {
    html! {
        p { "Scan this with an authenticator app on your phone, then type the code that it shows." }
        div.qr role="img" aria-label="QR code for the authenticator app" { (PreEscaped(&new.qr_svg)) }
        p.hint { "No camera? Type this key into the app instead:" }
        p.secret { (new.secret) }
        (code_field("Code of the app"))
    }
}

fn code_field(label: &str) -> Markup {
    html! {
        label for="otp" { (label) }
        input.code id="otp" name="otp" required autofocus autocomplete="one-time-code" autocapitalize="off"
            spellcheck="false" maxlength="40";
    }
}

/// Recovery codes, this once.
pub(super) fn codes_page(codes: &[String], next: &str) -> Page {
    let body = html! {
        p { "Keep these codes where you keep your passwords, or print them. Each signs you in once, in place of your \
             second factor. They are not shown again." }
        ul.codes { @for code in codes { li { (code) } } }
        div.actions { a.button href=(next) { "I have kept them: continue" } }
    };
    Page::new("Your recovery codes", body)
}
