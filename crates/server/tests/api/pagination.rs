//! Lists page by page: nothing is lost and nothing comes twice, while rows are added.

use std::collections::BTreeSet;

use provost_testkit::server::Server;
use serde_json::{Value, json};

use super::{BOTH, PATIENT};

const ROWS: usize = 260;

/// Reads a list to its end; between pages something happens.
async fn read(server: &Server, path: &str, limit: usize, between: impl AsyncFn(usize)) -> Vec<Value> {
    let (mut rows, mut cursor) = (Vec::new(), String::new());
    for page in 0.. {
        let answer = server.get(&format!("{path}?limit={limit}{cursor}")).await.ok();
        let data = answer["data"].as_array().unwrap().clone();
        assert!(data.len() <= limit);
        rows.extend(data);
        let Some(next) = answer["next_cursor"].as_str() else { break };
        assert!(page < 2 * ROWS, "the list has an end");
        cursor = format!("&cursor={next}");
        between(page).await;
    }
    rows
}

#[tokio::test]
async fn nothing_is_lost_and_nothing_comes_twice() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let mut wanted = BTreeSet::new();
        for n in 0..ROWS {
            let group = server.post("/api/v1/groups", json!({ "name": format!("Group {n}") })).await;
            wanted.insert(group.text("id"));
        }
        let add = async |page: usize| {
            server.post("/api/v1/groups", json!({ "name": format!("Late {page}") })).await.ok();
        };
        let rows = read(&server, "/api/v1/groups", 20, add).await;
        let ids: Vec<String> = rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
        let found: BTreeSet<String> = ids.iter().cloned().collect();
        assert_eq!(found.len(), ids.len(), "nothing comes twice");
        assert!(found.is_superset(&wanted), "nothing is lost");

        // The ledger grows while it is read, by what reads it too.
        let rows = read(&server, "/api/v1/events", 50, add_to_ledger(&server)).await;
        let places: Vec<i64> = rows.iter().map(|row| row["seq"].as_i64().unwrap()).collect();
        let whole: Vec<i64> = (1..=i64::try_from(places.len()).unwrap()).collect();
        assert_eq!(places, whole, "in order, without gaps");
        assert!(places.len() > ROWS);
    }
}

fn add_to_ledger(server: &Server) -> impl AsyncFn(usize) {
    async |page: usize| {
        server.post("/api/v1/groups", json!({ "name": format!("Ledger {page}") })).await.ok();
    }
}

#[tokio::test]
async fn each_list_pages_to_its_end() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let policy = "allowed_approval_policies = [\"on-request\"]\n";
        let mut ids = Vec::new();
        for n in 0..5 {
            let member =
                server.post("/api/v1/members", json!({ "email": format!("m{n}@acme.example") })).await.text("id");
            ids.push(member.clone());
            server.group(&format!("Group {n}"), &[]).await;
            server.post("/api/v1/roles", json!({ "name": format!("Role {n}"), "permissions": [] })).await.ok();
            server.policy(&format!("Policy {n}"), policy).await;
            server.post("/api/v1/api-keys", json!({ "name": "x", "scopes": ["events.read"] })).await.ok();
            let upstream =
                json!({ "name": format!("U{n}"), "base_url": "https://x.example", "models": [{ "slug": "a" }] });
            server.post("/api/v1/upstreams", upstream).await.ok();
        }
        let group = server.group("All", &ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let policy_id = server.policy("Versions", policy).await;
        for n in 0..4 {
            let body = json!({ "name": format!("Versions {n}"), "contents": policy });
            server.put(&format!("/api/v1/policies/{policy_id}"), body).await.ok();
        }
        for (path, count) in [
            ("/api/v1/members".to_owned(), 6),
            ("/api/v1/groups".to_owned(), 6),
            (format!("/api/v1/groups/{group}/members"), 5),
            ("/api/v1/roles".to_owned(), 5),
            ("/api/v1/policies".to_owned(), 6),
            (format!("/api/v1/policies/{policy_id}/versions"), 5),
            ("/api/v1/api-keys".to_owned(), 6),
            ("/api/v1/upstreams".to_owned(), 5),
        ] {
            for limit in [1, 2, count - 1, count, count + 1] {
                let rows = read(&server, &path, limit, async |_| ()).await;
                let different: BTreeSet<String> = rows.iter().map(Value::to_string).collect();
                assert_eq!((rows.len(), different.len()), (count, count), "{path} by {limit}");
            }
        }
    }
}
