//! stand-in
pub(crate) mod saml;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use maud::html;
use provost_model::event::{Actor, EventType, Target};
use provost_model::{BuiltinRole, ConnectionId, Email, MemberId, Proof, SignInMethod};
use provost_store::Touched;
use provost_store::tables::connections::{self, ConnectionRow};
use provost_store::tables::members::{self, MemberRow};
use provost_web::pages::Page;
use provost_web::{App, Error, PathId, Permit, Query, Result, origin, permits};
use serde_json::{Value, json};
pub(crate) struct Arrival {
    pub subject: String,
    pub email: Option<Email>,
    pub email_verified: bool,
    pub name: Option<String>,
    pub groups: Option<Vec<String>>,
}
pub(crate) async fn arrive(
    app: &App,
    parts: &Parts,
    c: &ConnectionRow,
    a: Arrival,
    m: SignInMethod,
    next: &str,
) -> Result<Response> {
    let fail = |reason: &str| {
        app.store.record(
            c.workspace_id,
            EventType::SignInFailed,
            Actor::anonymous(None),
            origin(parts),
            None,
            json!({"method": "saml", "reason": reason}),
        );
        Page::new("You are not signed in", html! {}).with_status(StatusCode::FORBIDDEN).into_response()
    };
    let Some(email) = a.email.filter(|_| a.email_verified) else { return Ok(fail("no_email")) };
    let _ = (&a.subject, &a.name, &a.groups);
    let mut change = app.store.change(c.workspace_id, Actor::anonymous(None), origin(parts)).await?;
    let row = match members::get_by_email(&mut change, c.workspace_id, &email).await? {
        Some(row) => {
            drop(change);
            row
        }
        None if !c.create_members => return Ok(fail("unknown_member")),
        None => {
            let now = change.at();
            let row = MemberRow {
                id: MemberId::new(now),
                email: email.clone(),
                name: String::new(),
                active: true,
                builtin_role: BuiltinRole::default(),
                created_at: now,
                updated_at: now,
            };
            members::insert(&mut change, c.workspace_id, &row, None).await?;
            change.touch(Touched::Member(row.id));
            change.record(EventType::MemberCreated, Target::new("member", row.id, "x"), json!({}));
            change.commit().await?;
            row
        }
    };
    if !row.active {
        return Ok(fail("suspended"));
    }
    let cookie = crate::sign_in::begin(app, parts, c.workspace_id, row.id, &email, Proof::through(c.id, m)).await?;
    Ok(crate::pages::redirect_with(next, cookie.header))
}
#[derive(serde::Deserialize)]
pub(crate) struct Next {
    next: Option<String>,
}
pub(crate) async fn begin(
    State(app): State<App>,
    PathId(id): PathId<ConnectionId>,
    parts: Parts,
    Query(q): Query<Next>,
) -> Result<Response> {
    let c = connections::find(&mut app.store.read().await?, id).await?.ok_or_else(|| Error::not_found("connection"))?;
    saml::begin(&app, &parts, &c, crate::pages::safe_next(q.next.as_deref())).await
}
pub(crate) async fn create(
    permit: Permit<permits::MembersWrite>,
    State(app): State<App>,
    Json(b): Json<Value>,
) -> Result<Response> {
    let config = saml::check(&app, &b["config"]).await?;
    let mut change = permit.change(&app).await?;
    let row = ConnectionRow {
        id: ConnectionId::new(change.at()),
        workspace_id: change.workspace_id(),
        config,
        protocol: "saml".to_owned(),
        enabled: b["enabled"].as_bool().unwrap_or(true),
        create_members: b["create_members"].as_bool().unwrap_or(false),
    };
    connections::insert(&mut change, &row).await?;
    change.record(EventType::ConnectionCreated, None, json!({}));
    change.commit().await?;
    Ok((StatusCode::CREATED, Json(json!({ "id": row.id, "config": row.config }))).into_response())
}
