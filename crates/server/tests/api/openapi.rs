//! The description of the admin API: what is served is what is checked in.

use std::path::PathBuf;

use provost_testkit::server::{As, Database, Server};
use serde_json::Value;

use super::PATIENT;

/// Whether files that are generated are written anew.
pub(super) fn update() -> bool {
    std::env::var_os("UPDATE_SNAPSHOTS").is_some()
}

fn checked_in() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json")
}

#[tokio::test]
async fn the_document_is_served_and_checked_in() {
    let document = provost_server::openapi::document();
    let text = format!("{}\n", document.to_pretty_json().unwrap());
    if update() {
        std::fs::write(checked_in(), &text).unwrap();
    }
    let found = std::fs::read_to_string(checked_in()).unwrap_or_default();
    assert!(
        found == text,
        "docs/openapi.json is not what the code describes: run `provost openapi > docs/openapi.json` \
         (or this test with UPDATE_SNAPSHOTS=1) and read the difference"
    );
    let server = Server::start_with(Database::Sqlite, PATIENT).await;
    let served = server.call(&As::Nobody, http::Method::GET, "/api/v1/openapi.json", None).await.ok();
    assert_eq!(served, serde_json::from_str::<Value>(&text).unwrap());
    assert_eq!(served["openapi"], "3.1.0");
}

#[test]
fn every_operation_is_named_summed_up_and_says_its_errors() {
    let document = serde_json::to_value(provost_server::openapi::document()).unwrap();
    let mut ids = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let place = format!("{method} {path}");
            ids.push(operation["operationId"].as_str().unwrap_or_else(|| panic!("{place} has no id")).to_owned());
            assert!(operation["summary"].is_string(), "{place} has no summary");
            assert!(operation["tags"][0].is_string(), "{place} has no tag");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.keys().any(|status| status.starts_with('2')), "{place} says no success");
            assert!(responses.contains_key("default"), "{place} says no error");
        }
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "operation ids are unique");
    // Words are written as they are on the wire.
    let schemas = &document["components"]["schemas"];
    for (schema, word) in [("Permission", "codex.local.use"), ("EventType", "policy.fetched"), ("Scope", "events.read")]
    {
        assert!(schemas[schema]["enum"].as_array().unwrap().contains(&word.into()), "{schema}");
    }
}
