use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use provost_web::{App, Client, Refusal};
use serde_json::json;

/// `GET …/accounts/check`: which backend serves the account. Codex asks before its first model call
/// since 0.156, and shows nothing that is said here but the name (client-contract.md §3.1). So also
/// a suspended member is answered, and hears why at the model call.
pub(crate) async fn check(State(app): State<App>, request: Request) -> Response {
    let client = match Client::resolve(&app, &request.into_parts().0).await {
        Ok(client) | Err(Refusal::Suspended(client) | Refusal::Address(client)) => client,
        Err(Refusal::Unknown) => return Client::nobody().into_response(),
    };
    let account = json!({
        "id": client.workspace.id,
        "name": client.workspace.settings.name,
        "workspace_backend_origin": "NO_CONSTRAINT",
        "account_routing_override": "NO_CONSTRAINT",
    });
    axum::Json(json!({ "accounts": [account] })).into_response()
}
