//! Device-code sign-in.

use http::Method;
use provost_testkit::server::{As, Server};
use serde_json::json;

/// Begins one: its id and the code that the device shows.
pub(in super::super) async fn start(server: &Server) -> (String, String) {
    let body = json!({ "client_id": "app_test" });
    let answer = server.call(&As::Nobody, Method::POST, "/api/accounts/deviceauth/usercode", Some(body)).await;
    (answer.text("device_auth_id"), answer.text("user_code"))
}
