//! Many at once: each is done as if alone.

use futures_util::future::join_all;
use http::Method;
use provost_testkit::server::Server;
use serde_json::json;

use super::{BOTH, GROUPS, USERS, call, group, key, patch, status, user};

const WRITERS: usize = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_create_the_same_user_one_does() {
    for database in BOTH {
        let server = Server::start_on(database).await;
        let key = key(&server, &["scim"]).await;
        let same = (0..WRITERS).map(|_| call(&server, &key, Method::POST, USERS, Some(user("mia@acme.example"))));
        let answers: Vec<_> = join_all(same).await.iter().map(status).collect();
        assert_eq!(answers.iter().filter(|answer| *answer == "201").count(), 1, "{answers:?}");
        assert_eq!(answers.iter().filter(|answer| *answer == "409 uniqueness").count(), WRITERS - 1, "{answers:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_refused_holds_back_no_other() {
    for database in BOTH {
        let server = Server::start_on(database).await;
        let key = key(&server, &["scim"]).await;
        let ops = call(&server, &key, Method::POST, GROUPS, Some(group("Ops", &[]))).await.text("id");
        let path = &format!("{GROUPS}/{ops}");
        let all = (0..WRITERS * 4).map(|n| {
            let (server, key) = (&server, &key);
            async move {
                match n % 4 {
                    0 | 1 => {
                        call(server, key, Method::POST, USERS, Some(user(&format!("u{}@acme.example", n / 2)))).await
                    }
                    2 => call(server, key, Method::DELETE, &format!("{USERS}/mem_{}", "0".repeat(32)), None).await,
                    _ => {
                        let change = json!([{ "op": "replace", "path": "externalId", "value": n.to_string() }]);
                        call(server, key, Method::PATCH, path, Some(patch(change))).await
                    }
                }
            }
        });
        let answers: Vec<_> = join_all(all).await.iter().map(status).collect();
        let count = |wanted: &str| answers.iter().filter(|answer| *answer == wanted).count();
        assert_eq!((count("201"), count("409 uniqueness")), (WRITERS, WRITERS), "{answers:?}");
        assert_eq!((count("404"), count("204")), (WRITERS, WRITERS), "{answers:?}");
        let listed = call(&server, &key, Method::GET, &format!("{USERS}?count=0"), None).await.ok();
        assert_eq!(listed["totalResults"], WRITERS + 1);
        let events = server.events("member.created").await;
        let ours = events.iter().filter(|event| event["details"]["source"] == "scim").count();
        assert_eq!(ours, WRITERS, "one event for each");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_that_are_added_at_once_are_all_in() {
    for database in BOTH {
        let server = Server::start_on(database).await;
        let key = key(&server, &["scim"]).await;
        let users =
            (0..WRITERS).map(|n| call(&server, &key, Method::POST, USERS, Some(user(&format!("u{n}@acme.example")))));
        let ids: Vec<_> = join_all(users).await.iter().map(|answer| answer.text("id")).collect();
        let ops = call(&server, &key, Method::POST, GROUPS, Some(group("Ops", &[]))).await.text("id");
        let path = &format!("{GROUPS}/{ops}");
        let adds = ids.iter().map(|id| {
            let change = json!([{ "op": "add", "path": "members", "value": [{ "value": id }] }]);
            call(&server, &key, Method::PATCH, path, Some(patch(change)))
        });
        for answer in join_all(adds).await {
            assert_eq!(status(&answer), "204", "{}", answer.body);
        }
        let shown = call(&server, &key, Method::GET, path, None).await.ok();
        assert_eq!(shown["members"].as_array().unwrap().len(), WRITERS);
    }
}
