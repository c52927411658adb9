//! `/setup/{secret}`: the first workspace, from the link that a fresh server prints.

use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use maud::html;
use provost_model::{Email, Proof, SignInMethod};
use provost_store::tables::links;
use provost_web::pages::{Page, alert};
use provost_web::{App, Error, Result, hash_secret, name, origin};
use serde::Deserialize;

use super::link::new_password;
use super::redirect_with;
use crate::bootstrap::create_first_workspace;
use crate::{password, sign_in};

pub(crate) async fn show(State(app): State<App>, Path(secret): Path<String>) -> Result<Response> {
    Ok(if is_open(&app, &secret).await? { page(&secret, "", "", None).into_response() } else { closed() })
}

#[derive(Deserialize)]
pub(crate) struct Fields {
    workspace: String,
    email: String,
    password: String,
}

pub(crate) async fn submit(
    State(app): State<App>,
    Path(secret): Path<String>,
    parts: Parts,
    Form(fields): Form<Fields>,
) -> Result<Response> {
    if !is_open(&app, &secret).await? {
        return Ok(closed());
    }
    let checked = check(&fields).await;
    let (workspace, email, hashed) = match checked {
        Ok(checked) => checked,
        Err(error) => {
            let page = page(&secret, &fields.workspace, &fields.email, Some(error.message()));
            return Ok(page.with_status(error.status()).into_response());
        }
    };
    let made = create_first_workspace(&app.store, &workspace, &email, Some(hashed), origin(&parts)).await?;
    let Some(made) = made else { return Ok(closed()) };
    let proof = Proof::by(SignInMethod::Setup);
    let cookie = sign_in::begin(&app, &parts, made.workspace_id, made.owner_id, &email, proof).await?;
    Ok(redirect_with("/", cookie.header))
}

async fn check(fields: &Fields) -> Result<(String, Email, String)> {
    let workspace = name("workspace", &fields.workspace, 100)?;
    let email = Email::try_from(fields.email.clone());
    let email = email.map_err(|error| Error::invalid("email", "invalid_email", error.to_string()))?;
    Ok((workspace, email, password::hash("password", &fields.password).await?))
}

async fn is_open(app: &App, secret: &str) -> Result<bool> {
    let link = links::get(&mut app.store.read().await?, &hash_secret(secret), app.store.clock().now()).await?;
    Ok(link.is_some_and(|link| link.member.is_none()) && app.store.world().workspaces.is_empty())
}

fn page(secret: &str, workspace: &str, email: &str, message: Option<&str>) -> Page {
    let body = html! {
        (alert(message))
        p { "You become the owner of the first workspace." }
        form method="post" action={ "/setup/" (secret) } {
            label for="workspace" { "Name of the workspace" }
            input id="workspace" name="workspace" required autofocus maxlength="100" value=(workspace);
            label for="email" { "Your e-mail address" }
            input id="email" name="email" type="email" autocomplete="username" required value=(email);
            (new_password())
            div.actions { button { "Create the workspace" } }
        }
    };
    Page::new("Set up Provost", body)
}

fn closed() -> Response {
    let body = html! {
        p { "Somebody has set up already, or the server was started anew: then its terminal shows a new link." }
        p { a href="/sign-in" { "Sign in" } }
    };
    Page::new("This set-up link does not work", body).with_status(StatusCode::NOT_FOUND).into_response()
}
