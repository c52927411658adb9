//! What a body may be: each that may not is told why, and nothing of it is kept.

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, StatusCode};
use provost_testkit::server::{Answer, Server};
use serde_json::{Value, json};

use super::{BOTH, PATIENT, status};

const GROUPS: &str = "/api/v1/groups";

async fn send(server: &Server, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
    let request = server.request(Method::POST, GROUPS).header(AUTHORIZATION, format!("Bearer {}", server.api_key));
    server.send(request.header(CONTENT_TYPE, content_type).body(body)).await
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_told_where() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let deep_field = format!(r#"{{"name":{deep}}}"#);
        let long = json!({ "name": "n".repeat(1_000_000) }).to_string();
        for (body, expected) in [
            (&b""[..], "400 malformed_json"),
            (b"{", "400 malformed_json"),
            (br#"{"name":"x""#, "400 malformed_json"),
            (br#"{"name":"x"} x"#, "400 malformed_json"),
            (br#"{"name":"x",}"#, "400 malformed_json"),
            (br#"{name:"x"}"#, "400 malformed_json"),
            (b"{\"name\":\"\xff\"}", "400 malformed_json"),
            (b"\xef\xbb\xbf{\"name\":\"x\"}", "400 malformed_json"),
            (br#"{"name":"\ud800"}"#, "400 malformed_json"),
            (br#"{"name":"x","name":"y"}"#, "422 invalid_field name"),
            (br#"{"name":"\u0000"}"#, "422 control_character name"),
            (br#"["x"]"#, "422 not_an_object"),
            (br#" "x""#, "422 not_an_object"),
            (b"null", "422 not_an_object"),
            (b"7", "422 not_an_object"),
            (deep.as_bytes(), "422 not_an_object"),
            (deep_field.as_bytes(), "422 invalid_field name"),
            (long.as_bytes(), "422 too_long name"),
        ] {
            let answer = send(&server, "application/json", body.to_vec()).await;
            let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
            assert_eq!(status(&answer), expected, "{shown}");
            assert!(answer.body["error"]["message"].as_str().unwrap().len() < 300, "{shown}");
            assert!(answer.body["error"]["request_id"].as_str().unwrap().starts_with("req_"));
        }
        let answer = send(&server, "application/json", &b"{\"name\":\n  \"x\" y}"[..]).await;
        assert!(answer.body["error"]["message"].as_str().unwrap().ends_with("at line 2 column 7"), "{}", answer.body);
        assert_eq!(server.get(GROUPS).await.ok()["data"], json!([]), "nothing was kept");
        assert!(server.events("group.created").await.is_empty());
    }
}

#[tokio::test]
async fn a_field_at_fault_is_named_by_its_whole_path() {
    let server = Server::start_with(BOTH[0], PATIENT).await;
    let ops = server.group("Ops", &[]).await;
    for (rule, field) in [
        (json!({ "group_id": ops }), "rules[1].policy_id"),
        (json!({ "group_id": ops, "policy_id": "x" }), "rules[1].policy_id"),
        (json!({ "group_id": ops, "more": 1 }), "rules[1].more"),
        (json!({ "more": 1 }), "rules[1].more"),
        (json!(7), "rules[1]"),
    ] {
        let good = json!({ "group_id": ops, "policy_id": format!("pol_{}", "0".repeat(32)) });
        let body = json!({ "rules": [good, rule], "fallback_policy_id": null });
        assert_eq!(status(&server.put("/api/v1/policy-rules", body).await), format!("422 invalid_field {field}"));
    }
}

#[tokio::test]
async fn a_body_of_another_kind_or_size_is_refused_before_it_is_read() {
    let server = Server::start_with(BOTH[0], "[limits]\nbody_bytes = 2000\n").await;
    let good = json!({ "name": "x" }).to_string();
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonx", "json"]
    {
        assert_eq!(status(&send(&server, kind, good.clone()).await), "415 not_json", "{kind}");
    }
    let request = server.request(Method::POST, GROUPS).bearer_auth(&server.api_key).body(good.clone());
    assert_eq!(status(&server.send(request).await), "415 not_json", "without any");
    let large = json!({ "name": "x".repeat(2000) }).to_string();
    assert_eq!(status(&send(&server, "application/json", large.clone()).await), "413 body_too_large");
    // Sent in chunks its size is not known before.
    let chunks =
        large.into_bytes().chunks(100).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect::<Vec<_>>();
    let body = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
    assert_eq!(status(&send(&server, "application/json", body).await), "413 body_too_large");
    // Who is nobody hears that first.
    let request = server.request(Method::POST, GROUPS).header(CONTENT_TYPE, "text/plain").body("x");
    assert_eq!(server.send(request).await.status, StatusCode::UNAUTHORIZED);
    for kind in ["application/json; charset=utf-8", "Application/JSON"] {
        let body = json!({ "name": kind }).to_string();
        assert_eq!(send(&server, kind, body).await.status, StatusCode::CREATED, "{kind}");
    }
}

#[tokio::test]
async fn a_body_that_stops_halfway_changes_nothing() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let server = Server::start_with(BOTH[0], PATIENT).await;
    let mut connection = tokio::net::TcpStream::connect(server.node.http_address.unwrap()).await.unwrap();
    let head = format!(
        "POST {GROUPS} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: 100\r\n\r\n{{\"name\":\"half\"}}",
        server.api_key
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    connection.shutdown().await.unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.unwrap();
    assert_eq!(server.get(GROUPS).await.ok()["data"], json!([]));
}

/// What PostgreSQL's text cannot hold, and what would be costly: a clean refusal on both databases,
/// wherever it stands.
#[tokio::test]
async fn nuls_and_oddities_in_queries_and_paths_are_refused_alike_on_both_databases() {
    let mut said: Vec<Vec<String>> = Vec::new();
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let zeros = "0".repeat(32);
        let mut lines = Vec::new();
        for path in [
            "/api/v1/members?email=%00".to_owned(),
            "/api/v1/members?cursor=AAAA".to_owned(),
            "/api/v1/members?cursor=%00".to_owned(),
            "/api/v1/members?cursor=8J-YgA".to_owned(),
            "/api/v1/members?cursor=".to_owned(),
            "/api/v1/members?limit=-1".to_owned(),
            "/api/v1/members?limit=99999999999999999999".to_owned(),
            "/api/v1/members?limit=".to_owned(),
            "/api/v1/members?limit=1&limit=2".to_owned(),
            "/api/v1/members?email=%FF".to_owned(),
            format!("/api/v1/members?email={}", "a".repeat(20_000)),
            "/api/v1/members/%00".to_owned(),
            "/api/v1/members/%FF".to_owned(),
            format!("/api/v1/members/{}", "m".repeat(20_000)),
            format!("/api/v1/members/MEM_{zeros}"),
            format!("/api/v1/members/grp_{zeros}"),
            format!("/api/v1/policies/pol_{zeros}/versions?cursor=eA"),
            format!("/api/v1/policies/pol_{zeros}/versions/9223372036854775807"),
            "/api/v1/policy-lookup?group_id=%00".to_owned(),
            "/api/v1/events?actor=%FF".to_owned(),
            "/api/v1/nothing".to_owned(),
            "/api/v1/members/".to_owned(),
            "/api/v2/members".to_owned(),
        ] {
            let answer = server.get(&path).await;
            let shown: String = path.chars().take(60).collect();
            lines.push(format!("{shown} {}", status(&answer)));
        }
        let answer = server.call(&server.admin(), Method::PUT, "/api/v1/members", Some(json!({}))).await;
        lines.push(format!("PUT /api/v1/members {}", status(&answer)));
        said.push(lines);
    }
    assert_eq!(said[0], said[1]);
    insta::assert_snapshot!(said[0].join("\n"));
}

#[tokio::test]
async fn a_header_that_is_no_text_is_no_way_around_anything() {
    let server = Server::start_with(BOTH[0], PATIENT).await;
    let ops = server.group("Ops", &[]).await;
    let path = format!("{GROUPS}/{ops}");
    let odd = http::HeaderValue::from_bytes(b"\xff\xfe").unwrap();
    let patch = |name: &str| {
        let request = server.request(Method::PATCH, &path).header(CONTENT_TYPE, "application/json");
        request.header(name, odd.clone()).body(json!({ "name": "New" }).to_string())
    };
    let answer = server.send(patch("if-match").bearer_auth(&server.api_key)).await;
    assert_eq!(status(&answer), "412 changed_meanwhile");
    assert_eq!(server.send(patch("authorization")).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(server.send(patch("cookie")).await.status, StatusCode::UNAUTHORIZED);
    let request =
        server.request(Method::POST, GROUPS).bearer_auth(&server.api_key).header("idempotency-key", odd.clone());
    let request = request.header(CONTENT_TYPE, "application/json").body(json!({ "name": "Dev" }).to_string());
    assert_eq!(status(&server.send(request).await), "400 invalid_idempotency_key");
    assert_eq!(server.get(&path).await.ok()["name"], Value::from("Ops"));
}
