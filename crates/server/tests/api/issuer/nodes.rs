//! Two nodes on one PostgreSQL: each accepts what the other issued, and forgets whom it ended.

use std::time::Duration;

use http::{Method, StatusCode};
use jiff::SignedDuration;
use provost_server::node::Node;
use provost_testkit::server::{Database, Server};
use serde_json::json;

use super::super::PATIENT;
use super::*;

async fn ask(node: &Node, token: &str) -> StatusCode {
    let url = format!("http://{}{BUNDLE}", node.http_address.unwrap());
    reqwest::Client::new().get(url).bearer_auth(token).send().await.unwrap().status()
}

#[tokio::test]
async fn a_token_of_one_node_is_good_at_the_other_until_its_member_is_suspended() {
    let server = Server::start_with(Database::Postgres, PATIENT).await;
    server.patch("/api/v1/settings", json!({ "codex_access_tokens": true })).await.ok();
    let id = server.member("mia@acme.example").await;
    let second = server.second_node().await;
    let mia = server.sign_in("mia@acme.example").await;
    let tokens = sign_in_client(&server, &mia).await;
    let access_token = server.access_token("mia@acme.example").await;
    assert_eq!(ask(&second, &tokens.access).await, StatusCode::OK);
    // What was just made on another node is known within a moment.
    wait_for(&second, &access_token, StatusCode::OK).await;
    // A key that one node makes is known to the other when its first token comes.
    server.advance(SignedDuration::from_hours(31 * 24));
    server.node.app.keys.renew().await.unwrap();
    let tokens = sign_in_client(&server, &server.sign_in("mia@acme.example").await).await;
    assert_eq!(ask(&second, &tokens.access).await, StatusCode::OK);
    // A session counts everywhere as well.
    let path = format!("/api/v1/members/{id}");
    server.call(&server.admin(), Method::PATCH, &path, Some(json!({ "active": false }))).await.ok();
    wait_for(&second, &tokens.access, StatusCode::UNAUTHORIZED).await;
    second.stop().await;
}

/// Asks until the answer is this one: within a second.
async fn wait_for(node: &Node, token: &str, status: StatusCode) {
    let asked = async {
        while ask(node, token).await != status {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(1), asked).await.expect("within a second");
}
