//! `/api/v1/device-enrolments`, and what machines get at the addresses that come of it.

use http::header::{ETAG, IF_NONE_MATCH};
use http::{Method, StatusCode};
use jiff::SignedDuration;
use provost_testkit::server::{Answer, As, Server};
use serde_json::{Value, json};

use super::tenants::second_workspace;
use super::{BOTH, PATIENT, status};

const ENROLMENTS: &str = "/api/v1/device-enrolments";
const STRICT: &str = "allowed_approval_policies = [\"on-request\"]\n";
const LAX: &str = "allowed_sandbox_modes = [\"read-only\", \"workspace-write\"]\n";

/// The path below the server's address.
fn path(answer: &Answer) -> String {
    let base_url = answer.text("base_url");
    let at = base_url.find("/device/").expect("an address for devices");
    format!("{}/codex/config/bundle", &base_url[at..])
}

async fn fetch(server: &Server, path: &str) -> Answer {
    server.call(&As::Nobody, Method::GET, path, None).await
}

fn policy_name(answer: &Answer) -> &str {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.body["requirements_toml"]["enterprise_managed"][0]["name"].as_str().unwrap_or("none")
}

/// A server with a policy for the group `CI` and another for everybody else; the id of the group.
async fn ci(server: &Server) -> String {
    let group = server.group("CI", &[]).await;
    let (strict, lax) = (server.policy("Strict", STRICT).await, server.policy("Lax", LAX).await);
    let rules = json!({ "rules": [{ "group_id": group, "policy_id": strict }], "fallback_policy_id": lax });
    server.put("/api/v1/policy-rules", rules).await.ok();
    group
}

#[tokio::test]
async fn an_address_gives_machines_the_policy_of_a_group_until_it_is_revoked() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let group = ci(&server).await;
        let made = server.post(ENROLMENTS, json!({ "name": "CI runners", "group_id": group })).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
        let base_url = made.text("base_url");
        let secret = base_url.rsplit('/').next().unwrap().to_owned();
        assert!(base_url.starts_with(&format!("{}/device/de-", server.url())), "{base_url}");
        assert_eq!(
            (made.text("group_name"), made.text("last4")),
            ("CI".to_owned(), secret[secret.len() - 4..].to_owned())
        );

        // The address is shown once, and no event says it.
        let id = made.text("id");
        let one = server.get(&format!("{ENROLMENTS}/{id}")).await.ok();
        let all = server.get(ENROLMENTS).await.ok();
        assert_eq!(all["data"], json!([one]));
        assert_eq!(policy_name(&fetch(&server, &path(&made)).await), "Strict");
        for text in [one.to_string(), json!(server.events("policy.fetched").await).to_string()] {
            assert!(!text.contains(&secret), "{text}");
        }
        let fetched = server.events("policy.fetched").await;
        assert_eq!(fetched[0]["actor"], json!({ "kind": "device", "id": id, "email": null }));
        assert_eq!(fetched[0]["details"]["device_enrolment"], "CI runners");
        assert_eq!(fetched[0]["target"]["name"], "Strict");

        // A group that is gone is a group without a rule.
        server.delete(&format!("/api/v1/groups/{group}")).await.ok();
        assert_eq!(policy_name(&fetch(&server, &path(&made)).await), "Lax");
        assert_eq!(server.get(&format!("{ENROLMENTS}/{id}")).await.ok()["group_name"], Value::Null);

        assert_eq!(server.delete(&format!("{ENROLMENTS}/{id}")).await.status, StatusCode::NO_CONTENT);
        assert_eq!(status(&fetch(&server, &path(&made)).await), "401 unauthorized");
        assert_eq!(status(&server.get(&format!("{ENROLMENTS}/{id}")).await), "404 not_found");
        assert_eq!(status(&server.delete(&format!("{ENROLMENTS}/{id}")).await), "404 not_found");
        assert_eq!(server.events("device_enrolment.revoked").await[0]["target"]["name"], "CI runners");
    }
}

#[tokio::test]
async fn nobody_gets_a_policy_by_an_address_that_is_not_one() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let group = ci(&server).await;
        let days = json!({ "name": "for a day", "group_id": group, "expires_in_days": 1 });
        let made = server.post(ENROLMENTS, days).await;
        let good = path(&made);
        let secret = good.split('/').nth(2).unwrap().to_owned();
        let refused = fetch(&server, "/device/de-unknown/codex/config/bundle").await;
        assert_eq!(status(&refused), "401 unauthorized");
        let typo = format!("{}x", &secret[..secret.len() - 1]);
        let shorter = &secret[..secret.len() - 1];
        for wrong in ["x", "%00", "..", &typo, shorter, &server.api_key, &format!("{secret}%20"), "de-", "%2F"] {
            let answer = fetch(&server, &format!("/device/{wrong}/codex/config/bundle")).await;
            assert!(matches!(answer.status.as_u16(), 401 | 404), "{wrong}: {} {}", answer.status, answer.body);
            assert!(!answer.body.to_string().contains(wrong) || wrong.len() < 4, "{wrong}: {}", answer.body);
        }
        // An address is no way into anything else, and no bearer.
        for (path, bearer) in [
            (format!("/device/{secret}/backend-api/wham/config/bundle"), None),
            (format!("/device/{secret}/codex/responses"), None),
            ("/codex/config/bundle".to_owned(), Some(&secret)),
            ("/api/v1/members".to_owned(), Some(&secret)),
        ] {
            let request = server.request(Method::GET, &path);
            let request = if let Some(bearer) = bearer { request.bearer_auth(bearer) } else { request };
            let answer = server.send(request).await;
            assert!(matches!(answer.status.as_u16(), 401 | 404), "{path}: {}", answer.status);
            assert!(!answer.body.to_string().contains(&secret), "{}", answer.body);
        }
        assert_eq!(status(&server.call(&As::Nobody, Method::POST, &good, None).await), "405 method_not_allowed");
        assert_eq!(policy_name(&fetch(&server, &good).await), "Strict");
        server.advance(SignedDuration::from_hours(25));
        assert_eq!(status(&fetch(&server, &good).await), "401 unauthorized");
    }
}

#[tokio::test]
async fn an_address_is_replaced_while_the_one_before_works_on() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let group = ci(&server).await;
        let made = server.post(ENROLMENTS, json!({ "name": "CI", "group_id": group })).await;
        let rotate = format!("{ENROLMENTS}/{}/rotate", made.text("id"));
        let second = server.post(&rotate, json!({ "overlap_hours": 2 })).await;
        for address in [path(&made), path(&second)] {
            assert_eq!(policy_name(&fetch(&server, &address).await), "Strict");
        }
        server.advance(SignedDuration::from_hours(3));
        assert_eq!(status(&fetch(&server, &path(&made)).await), "401 unauthorized");
        let third = server.post(&rotate, json!({ "overlap_hours": 0 })).await;
        assert_eq!(status(&fetch(&server, &path(&second)).await), "401 unauthorized");
        assert_eq!(policy_name(&fetch(&server, &path(&third)).await), "Strict");
        assert_eq!(
            status(&server.post(&rotate, json!({ "overlap_hours": 721 })).await),
            "422 out_of_range overlap_hours"
        );

        // Found where it does not belong, in the whole address or alone.
        let report = json!({ "text": format!("base_url = \"{}\"", third.text("base_url")), "revoke": true });
        let found = server.post("/api/v1/leaked-secrets", report).await.ok();
        assert_eq!(found["data"][0]["kind"], "device_enrolment");
        assert_eq!((&found["data"][0]["status"], &found["data"][0]["revoked"]), (&json!("live"), &json!(true)));
        assert_eq!(status(&fetch(&server, &path(&third)).await), "401 unauthorized");
    }
}

#[tokio::test]
async fn an_address_works_from_its_networks_and_in_its_workspace() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let group = ci(&server).await;
        let elsewhere = json!({ "name": "CI", "group_id": group, "allowed_ips": ["203.0.113.0/24"] });
        let made = server.post(ENROLMENTS, elsewhere).await;
        assert_eq!(status(&fetch(&server, &path(&made)).await), "403 address_not_allowed");
        let refused = &server.events("request.refused").await[0];
        assert_eq!(refused["target"]["id"], made.text("id"));
        assert!(!refused.to_string().contains("/device/"), "the path holds the secret: {refused}");

        let (_, other) = second_workspace(&server).await;
        let one = format!("{ENROLMENTS}/{}", made.text("id"));
        for (method, path, body) in [
            (Method::GET, one.clone(), None),
            (Method::DELETE, one.clone(), None),
            (Method::POST, format!("{one}/rotate"), Some(json!({}))),
        ] {
            let answer = server.call(&other, method, &path, body).await;
            assert_eq!(status(&answer), "404 not_found", "{path}");
        }
        assert_eq!(server.call(&other, Method::GET, ENROLMENTS, None).await.ok()["data"], json!([]));
        let theirs = Some(json!({ "name": "CI", "group_id": group }));
        let answer = server.call(&other, Method::POST, ENROLMENTS, theirs).await;
        assert_eq!(status(&answer), "422 unknown_group group_id");

        for (body, expected) in [
            (json!({ "name": " ", "group_id": group }), "422 empty name"),
            (json!({ "name": "x", "group_id": group, "expires_in_days": 0 }), "422 out_of_range expires_in_days"),
            (json!({ "name": "x", "group_id": group, "expires_in_days": 3651 }), "422 out_of_range expires_in_days"),
            (json!({ "name": "x", "group_id": group, "allowed_ips": ["x"] }), "422 not_a_network allowed_ips"),
        ] {
            assert_eq!(status(&server.post(ENROLMENTS, body).await), expected);
        }
    }
}

#[tokio::test]
async fn what_is_known_already_is_not_sent_again() {
    let server = Server::start_with(BOTH[0], PATIENT).await;
    let group = ci(&server).await;
    server.patch("/api/v1/settings", json!({ "codex_access_tokens": true })).await.ok();
    server.member("mia@acme.example").await;
    let token = server.access_token("mia@acme.example").await;
    let device = path(&server.post(ENROLMENTS, json!({ "name": "CI", "group_id": group })).await);
    for address in [device.as_str(), "/codex/config/bundle", "/api/codex/config/requirements"] {
        let get = |known: Option<&str>| {
            let request = server.request(Method::GET, address).bearer_auth(&token);
            server.send(if let Some(known) = known { request.header(IF_NONE_MATCH, known) } else { request })
        };
        let first = get(None).await;
        let tag = first.headers[ETAG].to_str().unwrap().to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"'), "a strong tag: {tag}");
        for known in [tag.clone(), format!("\"x\", {tag}"), format!("W/{tag}"), "*".to_owned()] {
            let again = get(Some(&known)).await;
            assert_eq!((again.status, &again.body), (StatusCode::NOT_MODIFIED, &Value::Null), "{address} {known}");
            assert_eq!(again.headers[ETAG], *tag);
            assert_eq!(again.headers["cache-control"], "private, no-store");
        }
        for other in ["\"x\"", "x", "", &tag[1..]] {
            assert_eq!(get(Some(other)).await.status, StatusCode::OK, "{address} {other}");
        }
    }
    // Another policy has another tag, and the same policy the same.
    let tag = async |path: &str| fetch(&server, path).await.headers[ETAG].clone();
    let before = tag(&device).await;
    let changed = format!("{STRICT}# more\n");
    let policies = server.get("/api/v1/policies").await.ok();
    let strict = policies["data"][0]["id"].as_str().unwrap();
    let policy = format!("/api/v1/policies/{strict}");
    server.put(&policy, json!({ "name": "Strict", "contents": changed })).await.ok();
    assert_ne!(tag(&device).await, before);
    server.put(&policy, json!({ "name": "Strict", "contents": STRICT })).await.ok();
    assert_eq!(tag(&device).await, before);
}
