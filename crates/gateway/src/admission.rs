//! Who calls for a model, and whether they may: from the snapshot, without the database.

use http::Method;
use http::request::Parts;
use provost_model::event::{EventType, Target};
use provost_model::{ModelRoute, Permission};
use provost_web::{App, Client};
use serde_json::json;

use crate::headers::{self, Dialect};
use crate::refusal::{Refusal, Stop};

/// The member who calls, who may use Codex Local.
pub(crate) async fn member(app: &App, parts: &Parts) -> Result<Client, Stop> {
    let (client, refusal) = match Client::resolve(app, parts).await {
        Ok(client) if client.may(Permission::CodexLocalUse) => return Ok(client),
        Ok(client) => (client, Refusal::NotPermitted),
        Err(provost_web::Refusal::Suspended(client)) => (client, Refusal::Suspended),
        Err(provost_web::Refusal::Address(client)) => (client, Refusal::Address),
        Err(provost_web::Refusal::Unknown) => {
            if parts.method == Method::POST {
                app.metrics.count_turn("refused");
            }
            return Err(Client::nobody().into());
        }
    };
    Err(refuse(app, parts, &client, refusal))
}

/// Where the model goes that the member asks for.
pub(crate) fn route(app: &App, parts: &Parts, client: &Client, model: &str) -> Result<ModelRoute, Stop> {
    if let Some(route) = client.workspace.models.get(model) {
        return Ok(route.clone());
    }
    let listed = client.workspace.models.keys().cloned().collect();
    // What a client makes up may be as long as its body.
    let model = model.chars().take(100).collect();
    Err(refuse(app, parts, client, Refusal::ModelNotListed { model, listed }))
}

/// Records a refusal.
fn refuse(app: &App, parts: &Parts, client: &Client, refusal: Refusal) -> Stop {
    let model = match &refusal {
        Refusal::ModelNotListed { model, .. } => Some(model.as_str()),
        _ => None,
    };
    record(app, parts, client, refusal.reason(), model);
    Stop::Refused(refusal, Dialect::of(parts))
}

/// Records that a turn was turned away, or the list of models withheld, and why.
pub(crate) fn record(app: &App, parts: &Parts, client: &Client, reason: &str, model: Option<&str>) {
    let is_turn = parts.method == Method::POST;
    if is_turn {
        app.metrics.count_turn("refused");
        app.deliveries.note_turn(&app.store, client, false);
    }
    let kind = if is_turn { EventType::TurnRefused } else { EventType::RequestRefused };
    let details = json!({
        "reason": reason, "model": model, "path": parts.uri.path(),
        "client_version": headers::codex_version(&parts.headers),
    });
    let target = Target::new("member", client.member.id, client.member.email.to_string());
    let (actor, origin) = (client.actor(), client.origin.clone());
    app.store.record(client.workspace.id, kind, actor, origin, Some(target), details);
}
