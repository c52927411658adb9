//! What cannot be read is refused with what is wrong with it (RFC 7644 §3.12, table 9).

use http::Method;
use provost_testkit::server::Server;
use serde_json::{Value, json};

use super::{BOTH, GROUPS, USERS, call, filter, group, key, patch, status, user};

const FILTERS: [&str; 30] = [
    "userName",
    "userName eq",
    "eq \"x\"",
    "userName eq x",
    "userName eq 'x'",
    "userName eq \"x",
    "userName xx \"x\"",
    "userName eq \"x\" and",
    "userName eq \"x\" or or userName pr",
    "and userName pr",
    "not userName pr",
    "not (userName pr",
    "(userName pr",
    "userName pr)",
    "()",
    "userName pr userName pr",
    "emails[type eq \"work\"",
    "emails[]",
    "emails[type]",
    "emails[type eq \"work\"].",
    "emails[value[type pr]]",
    "1userName pr",
    "user name pr",
    "userName eq \"\\x\"",
    "userName eq \"\\ud800\"",
    "userName eq {\"a\":1}",
    "userName eq [1]",
    "userName gt true",
    "active co true",
    "urn:nobody:knows:userName pr",
];

#[tokio::test]
async fn malformed_filters() {
    for database in BOTH {
        let server = Server::start_on(database).await;
        let key = key(&server, &["scim"]).await;
        let deep = format!("{}userName pr{}", "(".repeat(5000), ")".repeat(5000));
        let not = "not (".repeat(300) + "userName pr" + &")".repeat(300);
        let long = format!("userName eq \"{}\"", "x".repeat(20_000));
        let many = vec!["userName pr"; 2_000].join(" or ");
        for wrong in FILTERS.into_iter().chain(["   ", &deep, &not, &long, &many]) {
            for list in [USERS, GROUPS] {
                let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": wrong });
                let searched = call(&server, &key, Method::POST, &format!("{list}/.search"), Some(body)).await;
                assert_eq!(status(&searched), "400 invalidFilter", "{list} {wrong:.80}: {}", searched.body);
                if wrong.len() < 1000 {
                    let listed = call(&server, &key, Method::GET, &filter(list, wrong), None).await;
                    assert_eq!(status(&listed), "400 invalidFilter", "{list} {wrong:.80}: {}", listed.body);
                }
            }
        }
    }
}

#[tokio::test]
async fn malformed_changes() {
    for database in BOTH {
        let server = Server::start_on(database).await;
        let key = key(&server, &["scim"]).await;
        let mia = call(&server, &key, Method::POST, USERS, Some(user("mia@acme.example"))).await;
        let ops = call(&server, &key, Method::POST, GROUPS, Some(group("Ops", &[]))).await;
        let op = |op: &str, path: &str, value: Value| json!([{ "op": op, "path": path, "value": value }]);
        let both = [
            ("invalidFilter", op("replace", "userName[", json!("x"))),
            ("invalidFilter", op("replace", "members[value eq ]", json!("x"))),
            ("invalidPath", op("replace", "a b", json!("x"))),
            ("invalidPath", op("replace", "..", json!("x"))),
            ("invalidPath", op("replace", "urn:nobody:knows:x", json!("x"))),
            ("invalidPath", op("replace", "nothing", json!("x"))),
            ("mutability", op("replace", "id", json!("x"))),
            ("mutability", op("replace", "meta.version", json!("x"))),
            ("noTarget", json!([{ "op": "remove" }])),
            ("invalidSyntax", json!([{ "op": "move", "path": "displayName", "value": "x" }])),
            ("invalidSyntax", json!([{ "path": "displayName", "value": "x" }])),
            ("invalidSyntax", json!([])),
            ("invalidSyntax", json!([1])),
            ("invalidSyntax", json!({})),
        ];
        let users = [
            ("invalidValue", op("replace", "userName", json!(7))),
            ("invalidValue", op("replace", "userName", json!(""))),
            ("invalidValue", op("replace", "userName", json!("x\u{0}y"))),
            ("invalidValue", op("replace", "active", json!("perhaps"))),
            ("invalidValue", op("replace", "emails", json!("x@acme.example"))),
            ("invalidValue", op("replace", "emails", json!([{ "value": "no address" }]))),
            ("noTarget", op("replace", "emails[type eq \"nobody's\"].value", json!("x@acme.example"))),
            ("invalidFilter", op("replace", "emails[type xx \"work\"].value", json!("x@acme.example"))),
            ("mutability", op("add", "groups", json!([{ "value": "x" }]))),
        ];
        let groups = [
            ("invalidValue", op("replace", "displayName", json!(7))),
            ("invalidValue", op("replace", "displayName", json!("  "))),
            ("invalidValue", op("add", "members", json!("x"))),
            ("invalidValue", op("add", "members", json!([{ "value": 7 }]))),
            ("invalidValue", op("add", "members", json!([{}]))),
        ];
        let mut wrong = Vec::new();
        for (made, list, cases) in [(&mia, USERS, &users[..]), (&ops, GROUPS, &groups[..])] {
            let path = format!("{list}/{}", made.text("id"));
            for (wanted, operations) in both.iter().chain(cases) {
                let answer = call(&server, &key, Method::PATCH, &path, Some(patch(operations.clone()))).await;
                if status(&answer) != format!("400 {wanted}") {
                    wrong.push(format!("{wanted} {list} {operations}: {}", answer.body));
                }
            }
            for (wanted, body) in [
                ("invalidSyntax", json!({ "Operations": [] })),
                ("invalidSyntax", json!({ "schemas": ["x"], "Operations": [{ "op": "remove", "path": "externalId" }] })),
                ("invalidSyntax", json!([])),
                ("invalidSyntax", json!("x")),
            ] {
                let answer = call(&server, &key, Method::PATCH, &path, Some(body.clone())).await;
                if status(&answer) != format!("400 {wanted}") {
                    wrong.push(format!("{wanted} {list} {body}: {}", answer.body));
                }
            }
            let after = call(&server, &key, Method::GET, &path, None).await.ok();
            assert_eq!(after["meta"]["version"], made.body["meta"]["version"], "nothing of it was done");
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
