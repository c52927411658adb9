use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use provost_model::{Model, ModelRoute};
use provost_web::{App, Client, Refusal};
use serde_json::{Value, json};

use crate::admission;
use crate::refusal::Stop;

/// What a model is told about itself, before the client adds its own parts and the policy's.
const BASE_INSTRUCTIONS: &str = "You are a coding agent that works in the user's terminal, in their repository. \
    Read before you change; keep changes small and in the style that is there; run what proves them. Use the tools \
    that you are given, and stay within the sandbox and the approvals that you are told. When you are done, say \
    briefly what you did, what you checked, and what is left.";

/// Families of OpenAI models that reason and take its `apply_patch` grammar. A model beyond them is
/// offered neither: other servers refuse a tool type or a field that they do not know.
const REASONING: [&str; 7] = ["gpt-5", "gpt-6", "codex", "o1", "o3", "o4", "gpt-oss"];

/// `GET /backend-api/codex/models`: what the client offers in its picker. A member who may not use
/// Codex Local sees it too: the client keeps the list for a while, and an empty one would outlast the
/// refusal. Who is suspended gets an empty list, and hears why at the model call.
pub(crate) async fn list_for_codex(State(app): State<App>, parts: Parts) -> Response {
    let models = match Client::resolve(&app, &parts).await {
        Ok(client) => codex_models(&client),
        Err(Refusal::Suspended(_) | Refusal::Address(_)) => Vec::new(),
        Err(Refusal::Unknown) => return Client::nobody().into_response(),
    };
    axum::Json(json!({ "models": models })).into_response()
}

/// `GET /v1/models`, as OpenAI answers it. A Codex client whose provider is here asks it too, with
/// its version in the query, and reads the other list.
pub(crate) async fn list(State(app): State<App>, parts: Parts) -> Result<Response, Stop> {
    let is_codex = parts.uri.query().is_some_and(|query| query.contains("client_version="));
    if is_codex {
        return Ok(list_for_codex(State(app), parts).await);
    }
    let client = admission::member(&app, &parts).await?;
    let model = |(slug, route): (&String, &ModelRoute)| json!({ "id": slug, "object": "model", "created": 0, "owned_by": *route.upstream.name });
    let data: Vec<Value> = client.workspace.models.iter().map(model).collect();
    Ok(axum::Json(json!({ "object": "list", "data": data })).into_response())
}

fn codex_models(client: &Client) -> Vec<Value> {
    let models = client.workspace.models.values().enumerate();
    models.map(|(index, route)| codex_model(route.model(), index + 1)).collect()
}

/// One model. The client drops the whole list if one field is missing (client-contract.md §3.2;
/// `supports_reasoning_summaries` and `supports_parallel_tool_calls` are missed by 0.130.0 only).
fn codex_model(model: &Model, priority: usize) -> Value {
    let name = model.upstream_model.as_ref().unwrap_or(&model.slug);
    let reasons = REASONING.iter().any(|family| name.starts_with(family));
    let level = |effort: &str, description: &str| json!({ "effort": effort, "description": description });
    json!({
        "slug": model.slug,
        "display_name": model.display_name.as_ref().unwrap_or(&model.slug),
        "description": null,
        "supported_reasoning_levels": [
            level("low", "Answers fast"),
            level("medium", "Thinks as the task demands"),
            level("high", "Thinks longest"),
        ],
        "default_reasoning_level": "medium",
        "supports_reasoning_summaries": reasons,
        "support_verbosity": false,
        // Classic function tools; anything else is for the vendor's own models.
        "shell_type": "shell_command",
        "apply_patch_tool_type": if reasons { Some("freeform") } else { None },
        "supports_parallel_tool_calls": reasons,
        "experimental_supported_tools": [],
        "visibility": "list",
        "supported_in_api": true,
        "priority": priority,
        "truncation_policy": { "mode": "tokens", "limit": 10_000 },
        // Decides when the client compacts a long session. Too small only compacts early.
        "context_window": if reasons { 272_000 } else { 128_000 },
        "base_instructions": BASE_INSTRUCTIONS,
    })
}
