//! `ETag` and `If-Match`: of two who edit at once, the second is told.

use futures_util::future::join_all;
use http::header::{ETAG, IF_MATCH};
use http::{Method, StatusCode};
use provost_testkit::server::{Answer, Server};
use serde_json::{Value, json};

use super::{BOTH, PATIENT, status};

async fn send(server: &Server, method: Method, path: &str, tag: &str, body: Option<Value>) -> Answer {
    let mut request = server.request(method, path).bearer_auth(&server.api_key).header(IF_MATCH, tag);
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body.to_string());
    }
    server.send(request).await
}

fn tag(answer: &Answer) -> String {
    answer.headers[ETAG].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn each_editable_thing_has_a_tag_that_guards_its_next_change() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let policy = "allowed_approval_policies = [\"on-request\"]\n";
        let member = json!({ "email": "mia@acme.example" });
        let upstream = json!({ "name": "x", "base_url": "https://x.example", "models": [{ "slug": "a" }] });
        let mut things = vec![("/api/v1/settings".to_owned(), Method::PATCH, json!({ "codex_cloud": true }), None)];
        for (list, body, method, change) in [
            ("members", member, Method::PATCH, json!({ "name": "Mia" })),
            ("groups", json!({ "name": "Ops" }), Method::PATCH, json!({ "name": "Dev" })),
            ("roles", json!({ "name": "Ops", "permissions": [] }), Method::PATCH, json!({ "name": "Dev" })),
            (
                "policies",
                json!({ "name": "Ops", "contents": policy }),
                Method::PUT,
                json!({ "name": "Dev", "contents": policy }),
            ),
            ("upstreams", upstream, Method::PATCH, json!({ "name": "y" })),
        ] {
            let made = server.post(&format!("/api/v1/{list}"), body).await;
            let path = format!("/api/v1/{list}/{}", made.text("id"));
            things.push((path, method, change, made.headers.contains_key(ETAG).then(|| tag(&made))));
        }
        for (path, method, change, made) in things {
            let seen = server.get(&path).await;
            if let Some(made) = made {
                assert_eq!(made, tag(&seen), "{path}: the tag of its making is good");
            }
            assert_eq!(tag(&server.get(&path).await), tag(&seen), "{path}: looking does not change it");
            let stale =
                send(&server, method.clone(), &path, "\"000000000000000000000000\"", Some(change.clone())).await;
            assert_eq!(status(&stale), "412 changed_meanwhile", "{path}");
            let weak = format!("W/{}", tag(&seen));
            let weak = send(&server, method.clone(), &path, &weak, Some(change.clone())).await;
            assert_eq!(
                weak.status,
                StatusCode::PRECONDITION_FAILED,
                "{path}: a weak tag guards nothing (RFC 9110 §13.1.1)"
            );
            assert_eq!(server.get(&path).await.body, seen.body, "{path}: nothing was written");
            let changed = send(&server, method.clone(), &path, &tag(&seen), Some(change)).await;
            assert_eq!(changed.status, StatusCode::OK, "{path}: {}", changed.body);
            assert_eq!(tag(&changed), tag(&server.get(&path).await), "{path}");
            if path != "/api/v1/settings" {
                assert_eq!(
                    status(&send(&server, Method::DELETE, &path, &tag(&seen), None).await),
                    "412 changed_meanwhile"
                );
                let several = format!("\"x\", {}", tag(&changed));
                assert_eq!(send(&server, Method::DELETE, &path, &several, None).await.status, StatusCode::NO_CONTENT);
            }
        }
        let rules = server.get("/api/v1/policy-rules").await;
        let body = json!({ "rules": [], "fallback_policy_id": null });
        assert_eq!(
            send(&server, Method::PUT, "/api/v1/policy-rules", "\"x\"", Some(body.clone())).await.status.as_u16(),
            412
        );
        assert_eq!(
            send(&server, Method::PUT, "/api/v1/policy-rules", &tag(&rules), Some(body)).await.status.as_u16(),
            200
        );
    }
}

#[tokio::test]
async fn of_many_editors_with_one_tag_one_wins() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let ops = server.group("Ops", &[]).await;
        let path = format!("/api/v1/groups/{ops}");
        let tag = tag(&server.get(&path).await);
        let edits =
            (0..8).map(|n| send(&server, Method::PATCH, &path, &tag, Some(json!({ "name": format!("Ops {n}") }))));
        let answers = join_all(edits).await;
        let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412, 412, 412, 412, 412, 412, 412]);
        assert_eq!(server.events("group.updated").await.len(), 1);
    }
}

#[tokio::test]
async fn of_many_who_take_one_name_one_gets_it() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let body = |n: u32| json!({ "email": if n < 4 { "mia@acme.example" } else { "MIA@acme.example" } });
        let answers = join_all((0..8).map(|n| server.post("/api/v1/members", body(n)))).await;
        let made = answers.iter().filter(|answer| answer.status == StatusCode::CREATED).count();
        let taken = answers.iter().filter(|answer| status(answer) == "409 email_taken email").count();
        assert_eq!((made, taken), (1, 7));
    }
}

#[tokio::test]
async fn two_owners_cannot_both_leave() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let owner = super::stage::owner(&server).await;
        let second = json!({ "email": "second@acme.example", "builtin_role": "owner" });
        let second = server.call(&owner, Method::POST, "/api/v1/members", Some(second)).await.text("id");
        let leave = async |id: &str| {
            let path = format!("/api/v1/members/{id}");
            server.call(&owner, Method::PATCH, &path, Some(json!({ "builtin_role": "member" }))).await
        };
        let (a, b) = futures_util::future::join(leave(&server.owner_id), leave(&second)).await;
        let members = server.get("/api/v1/members").await.ok();
        let owners =
            members["data"].as_array().unwrap().iter().filter(|member| member["builtin_role"] == "owner").count();
        assert_eq!(owners, 1, "{a:?} {b:?}");
    }
}
