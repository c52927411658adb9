//! Sign-in through an identity provider: a scripted one that says what no good one would, and the real
//! `oidc-provider`.

mod arrivals;
mod browser;
mod dns;
mod domains;
mod limits;
pub(crate) mod oidc;
mod real;
mod required;
mod saml;
mod saml_attacks;
mod saml_oracle;
mod saml_stage;
mod saml_xsw;

use provost_testkit::server::Server;
use serde_json::{Value, json};

/// The domain of the workspace is verified, as its DNS would say.
pub(crate) async fn own_domain(server: &Server, domain: &str) {
    let made = server.post("/api/v1/domains", json!({ "domain": domain })).await;
    let (id, record) = (made.text("id"), made.body["record"].clone());
    server.dns.lock().expect("no test panics with it").insert(
        record["name"].as_str().expect("a name").to_owned(),
        vec![record["value"].as_str().expect("a value").to_owned()],
    );
    server.post(&format!("/api/v1/domains/{id}/verify"), Value::Null).await.ok();
}

/// A connection to an issuer; its id. `more` are fields of the connection, `oidc` ones of its `oidc`.
pub(crate) async fn connect(server: &Server, issuer: &str, more: Value, oidc: Value) -> String {
    let mut body = json!({
        "name": "Acme Login", "protocol": "oidc",
        "oidc": { "issuer": issuer, "client_id": "provost", "client_secret": "a secret of the provider" },
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    for (name, value) in oidc.as_object().into_iter().flatten() {
        body["oidc"][name] = value.clone();
    }
    server.post("/api/v1/connections", body).await.text("id")
}

/// Why sign-ins failed, in order.
async fn reasons(server: &Server) -> Vec<String> {
    let events = server.events("sign_in.failed").await;
    events.iter().map(|event| event["details"]["reason"].as_str().unwrap_or_default().to_owned()).collect()
}
