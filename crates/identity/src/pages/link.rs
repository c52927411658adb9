//! `/sign-in/link/{secret}`: a link that works once. Opening it does nothing yet (mail programs
//! open links too): the member sets a password, and is in.

use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use maud::html;
use provost_model::event::{Actor, EventType, Target};
use provost_model::{Email, MemberId, SignInMethod, WorkspaceId};
use provost_store::Touched;
use provost_store::tables::{links, members, pending_sign_ins};
use provost_web::pages::{Page, alert};
use provost_web::{App, Error, Result, hash_secret, origin};
use serde::Deserialize;
use serde_json::json;

use crate::sign_in::Known;
use crate::{password, sign_in};

pub(crate) async fn show(State(app): State<App>, Path(secret): Path<String>) -> Result<Response> {
    Ok(match find(&app, &secret).await? {
        Some((_, _, email)) => page(&secret, &email, None).into_response(),
        None => used_up(),
    })
}

#[derive(Deserialize)]
pub(crate) struct Fields {
    password: String,
}

pub(crate) async fn submit(
    State(app): State<App>,
    Path(secret): Path<String>,
    parts: Parts,
    Form(fields): Form<Fields>,
) -> Result<Response> {
    let Some((ws, member, email)) = find(&app, &secret).await? else { return Ok(used_up()) };
    let hashed = match password::hash("password", &fields.password).await {
        Ok(hashed) => hashed,
        Err(error) => {
            return Ok(page(&secret, &email, Some(error.message())).with_status(error.status()).into_response());
        }
    };
    let mut change = app.store.change(ws, Actor::member(member, &email), origin(&parts)).await?;
    if !links::consume(&mut change, &hash_secret(&secret)).await? {
        return Ok(used_up());
    }
    members::set_password(&mut change, ws, member, &hashed).await?;
    // Whoever waits with the password of before waits in vain.
    pending_sign_ins::delete_all(&mut change, ws, member).await?;
    change.touch(Touched::Member(member));
    change.record(EventType::MemberJoined, Target::new("member", member, email.as_str()), json!({}));
    change.commit().await?;
    // A link stands for a password, and for no more: a second factor is asked as ever.
    let known = Known { workspace_id: ws, member_id: member, email };
    let begun = sign_in::go_on(&app, &parts, &known, SignInMethod::Link, None, "/").await?;
    Ok(super::sign_in::arrived(begun, "/"))
}

/// The member whom a link is for, if it still works and they are not suspended.
async fn find(app: &App, secret: &str) -> Result<Option<(WorkspaceId, MemberId, Email)>, Error> {
    let now = app.store.clock().now();
    let link = links::get(&mut app.store.read().await?, &hash_secret(secret), now).await?;
    let Some((ws, id)) = link.and_then(|link| link.member) else { return Ok(None) };
    // Where an identity provider is required, a password would open nothing.
    let workspace = app.store.workspace(ws).filter(|workspace| workspace.settings.may_sign_in_here(id));
    let member = workspace.and_then(|workspace| workspace.members.get(&id).cloned()).filter(|member| member.active);
    Ok(member.map(|member| (ws, id, member.email.clone())))
}

/// The field with which a password is chosen.
pub(super) fn new_password() -> maud::Markup {
    html! {
        label for="password" { "Choose a password" }
        input id="password" name="password" type="password" autocomplete="new-password" required minlength="12"
            aria-describedby="hint";
        p.hint id="hint" { "At least 12 characters." }
    }
}

fn page(secret: &str, email: &Email, message: Option<&str>) -> Page {
    let body = html! {
        (alert(message))
        form method="post" action={ "/sign-in/link/" (secret) } {
            // A field rather than a sentence, so that password managers know whose password it is.
            label for="username" { "You sign in as" }
            input id="username" type="email" autocomplete="username" readonly value=(email);
            (new_password())
            div.actions { button { "Set password and sign in" } }
        }
    };
    Page::new("Welcome", body)
}

fn used_up() -> Response {
    let body = html! {
        p { "It works once and for a limited time. If you have set your password already, sign in; otherwise ask an "
            "admin of your workspace for a new link." }
        p { a href="/sign-in" { "Sign in" } }
    };
    Page::new("This link does not work any more", body).with_status(StatusCode::NOT_FOUND).into_response()
}
