//! `POST …/ps/mcp`: the MCP server of the workspace's apps, which every Codex client calls when it
//! starts (client-contract.md §4). There are no apps here yet, and this says so; without an answer
//! the client prints an error at each start. MCP 2025-06-18, streamable HTTP.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use provost_web::{Client, Json};
use serde::Deserialize;
use serde_json::{Value, json};

/// A JSON-RPC 2.0 message.
#[derive(Deserialize)]
pub(crate) struct Message {
    id: Option<Value>,
    #[serde(default)]
    method: String,
    #[serde(default)]
    params: Value,
}

pub(crate) async fn call(_: Client, Json(message): Json<Message>) -> Response {
    // A notification, or an answer to a request that we never make, is only taken note of.
    let Some(id) = message.id.filter(|_| !message.method.is_empty()) else {
        return StatusCode::ACCEPTED.into_response();
    };
    let result = match message.method.as_str() {
        "initialize" => json!({
            "protocolVersion": message.params.get("protocolVersion").unwrap_or(&json!("2025-06-18")),
            "capabilities": { "tools": {} },
            "serverInfo": { "name": "provost-apps", "version": env!("CARGO_PKG_VERSION") },
        }),
        "ping" => json!({}),
        "tools/list" => json!({ "tools": [] }),
        "resources/list" => json!({ "resources": [] }),
        "resources/templates/list" => json!({ "resourceTemplates": [] }),
        method => {
            let error = json!({ "code": -32601, "message": format!("there is no method `{}`", cut(method)) });
            return axum::Json(json!({ "jsonrpc": "2.0", "id": id, "error": error })).into_response();
        }
    };
    axum::Json(json!({ "jsonrpc": "2.0", "id": id, "result": result })).into_response()
}

fn cut(method: &str) -> String {
    method.chars().take(100).collect()
}
