//! `/`: where a member is after signing in. (The console takes this place.)

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::request::Parts;
use maud::html;
use provost_model::Permission;
use provost_web::pages::Page;
use provost_web::{App, Principal, Result, Session};

pub(crate) async fn show(State(app): State<App>, parts: Parts) -> Result<Response> {
    let Some(session) = Session::resolve(&app, &parts).await? else {
        return Ok(Redirect::to("/sign-in").into_response());
    };
    let caller = &session.caller;
    let Principal::Member(member) = &caller.principal else { unreachable!("a session is a member's") };
    let now = app.store.clock().now();
    let policy = caller.workspace.delivery(member, None, now).policy.map(|policy| policy.name.clone());
    let may = caller.may(Permission::CodexLocalUse);
    let body = html! {
        dl {
            dt { "Signed in as" } dd { (member.email) }
            dt { "Role" } dd { (member.builtin_role.title()) }
            dt { "Codex Local" } dd { @if may { "You may use it." } @else { "You may not use it. Ask an owner of the workspace." } }
            dt { "Policy" } dd { @if let Some(policy) = policy { (policy) } @else { "None" } }
        }
        p { a href="/codex/device" { "Sign in a device with its code" } }
        p { a href="/keys" { "API keys" } }
        p { a href="/security" { "Second factors" } }
        p { a href="/sessions" { "Where you are signed in" } }
        form method="post" action="/sign-out" {
            input type="hidden" name="csrf_token" value=(session.csrf_token);
            div.actions { button.plain { "Sign out" } }
        }
    };
    Ok(Page::new(&caller.workspace.settings.name, body).into_response())
}
