//! `/api/v1/upstreams`.

use provost_model::event::EventType;
use serde_json::{Value, json};

use super::app::{TestApp, answer};

const PATH: &str = "/api/v1/upstreams";

fn body(name: &str) -> Value {
    json!({ "name": name, "base_url": "https://models.example.com/v1", "models": [{ "slug": "m-1" }] })
}

#[tokio::test]
async fn an_upstream_lives_from_post_to_delete_and_its_key_is_never_shown() {
    let app = TestApp::start().await;
    let mut wanted = body("Azure");
    wanted["api_key"] = "sk-very-secret".into();
    let created = app.admin("POST", PATH, Some(wanted)).await;
    assert_eq!(created.status, 201);
    let id = created.json()["id"].as_str().unwrap().to_owned();
    let path = format!("{PATH}/{id}");
    let shown = app.admin("GET", &path, None).await;
    assert_eq!(shown.json(), created.json());
    let mut plain = shown.json();
    for field in ["id", "created_at", "updated_at"] {
        plain[field] = "[varies]".into();
    }
    insta::assert_json_snapshot!(plain, @r#"
    {
      "base_url": "https://models.example.com/v1",
      "created_at": "[varies]",
      "has_api_key": true,
      "id": "[varies]",
      "models": [
        {
          "slug": "m-1"
        }
      ],
      "name": "Azure",
      "updated_at": "[varies]"
    }
    "#);

    let renamed = app.admin("PATCH", &path, Some(json!({ "name": " Azure West " }))).await.json();
    assert_eq!((renamed["name"].as_str(), renamed["has_api_key"].as_bool()), (Some("Azure West"), Some(true)));
    let same = app.admin("PATCH", &path, Some(json!({ "name": "Azure West" }))).await.json();
    assert_eq!(same, renamed, "no change is no event");
    let without_key = app.admin("PATCH", &path, Some(json!({ "api_key": null }))).await.json();
    assert_eq!(without_key["has_api_key"], false);

    assert_eq!(app.admin("DELETE", &path, None).await.status, 204);
    for (method, body) in [("GET", None), ("PATCH", Some(json!({}))), ("DELETE", None)] {
        assert_eq!(app.admin(method, &path, body).await.status, 404);
    }
    let updates = app.events(EventType::UpstreamUpdated, 2).await;
    let changed: Vec<_> = updates.iter().map(|event| event.details.to_string()).collect();
    assert_eq!(changed, [r#"{"changed":["name"]}"#, r#"{"changed":["api_key"]}"#]);
    let created = app.events(EventType::UpstreamCreated, 2).await;
    let deleted = app.events(EventType::UpstreamDeleted, 1).await;
    assert_eq!(deleted[0].target.as_ref().unwrap().name.as_deref(), Some("Azure West"));
    assert!(!format!("{created:?}{updates:?}{deleted:?}").contains("sk-very-secret"));
}

#[tokio::test]
async fn a_change_is_served_at_once() {
    let app = TestApp::start().await;
    let path = format!("{PATH}/{}", app.upstream_id);
    let models = json!([{ "slug": "gpt-new", "upstream_model": "big-model-2" }]);
    assert_eq!(app.admin("PATCH", &path, Some(json!({ "models": models, "api_key": "sk-2" }))).await.status, 200);
    assert_eq!(answer(app.turn()).await.status, 403, "gpt-test is listed no more");
    let request = app.http.post(format!("{}/v1/responses", app.url)).bearer_auth(&app.access_token);
    assert_eq!(answer(request.json(&json!({ "model": "gpt-new", "stream": true }))).await.status, 200);
    let turn = app.upstream.turns().remove(0);
    assert_eq!((turn.body["model"].as_str(), turn.header("authorization")), (Some("big-model-2"), Some("Bearer sk-2")));
}

#[tokio::test]
async fn a_key_goes_to_another_host_only_if_it_is_given_again() {
    let app = TestApp::start().await;
    let path = format!("{PATH}/{}", app.upstream_id);
    let patch = async |body: Value| app.admin("PATCH", &path, Some(body)).await;
    // An admin who cannot read the key would have it sent to a host of their own.
    let moved = patch(json!({ "base_url": "https://elsewhere.example/v1" })).await;
    assert_eq!(moved.status, 422, "{}", moved.text());
    assert!(moved.text().contains("api_key_required"), "{}", moved.text());
    let moved = patch(json!({ "base_url": "https://elsewhere.example/v1", "api_key": "sk-3" })).await;
    assert_eq!(moved.status, 200, "{}", moved.text());
    let same_host = patch(json!({ "base_url": "https://elsewhere.example/v2" })).await;
    assert_eq!(same_host.status, 200, "{}", same_host.text());
    let without = patch(json!({ "base_url": "https://third.example/v1", "api_key": null })).await;
    assert_eq!(without.status, 200, "{}", without.text());
}

#[tokio::test]
async fn what_cannot_be_names_its_field_and_changes_nothing() {
    let app = TestApp::start().await;
    let many: Vec<Value> = (0..501).map(|n| json!({ "slug": format!("m-{n}") })).collect();
    let mut table = String::new();
    for edit in [
        json!({ "name": "" }),
        json!({ "name": "x".repeat(101) }),
        json!({ "name": "a\nb" }),
        json!({ "name": null }),
        json!({ "name": " SCRIPTED " }),
        json!({ "base_url": "models.example.com/v1" }),
        json!({ "base_url": "ftp://models.example.com" }),
        json!({ "base_url": "https://models.example.com/\u{0}" }),
        json!({ "base_url": "https://" }),
        json!({ "base_url": "https://user:pass@models.example.com/v1" }),
        json!({ "base_url": "https://models.example.com/v1?key=1" }),
        json!({ "base_url": "https://models.example.com/v1#x" }),
        json!({ "base_url": "http://169.254.169.254/latest" }),
        json!({ "base_url": "http://[::ffff:169.254.169.254]/latest" }),
        json!({ "base_url": "http://2852039166/latest" }),
        json!({ "base_url": "http://0.0.0.0:8000/v1" }),
        json!({ "api_key": "" }),
        json!({ "api_key": "with space" }),
        json!({ "api_key": "two\r\nlines: x" }),
        json!({ "models": [] }),
        json!({ "models": many }),
        json!({ "models": [{ "slug": "a b" }] }),
        json!({ "models": [{ "slug": "a" }, { "slug": "a" }] }),
        json!({ "models": [{ "slug": "a", "input_price": -0.1 }] }),
        json!({ "models": [{ "slug": "a", "price": 1 }] }),
        json!({ "models": [{ "slug": "a", "upstream_model": "" }] }),
        json!({ "models": "gpt-test" }),
        json!({ "key": "sk-1" }),
    ] {
        let mut whole = body("New");
        whole.as_object_mut().unwrap().extend(edit.as_object().unwrap().clone());
        let answer = app.admin("POST", PATH, Some(whole)).await;
        let error = &answer.json()["error"];
        let text = edit.to_string().chars().take(80).collect::<String>();
        table.push_str(&format!(
            "{text}\n    {} {}: {}\n",
            answer.status,
            error["field"],
            error["message"].as_str().unwrap()
        ));
        let path = format!("{PATH}/{}", app.upstream_id);
        if edit["name"] != " SCRIPTED " {
            let patched = app.admin("PATCH", &path, Some(edit)).await;
            assert_eq!((patched.status, &patched.json()["error"]["field"]), (answer.status, &error["field"]), "{text}");
        }
    }
    insta::assert_snapshot!(table);
    let list = app.admin("GET", PATH, None).await.json();
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_write_that_is_based_on_something_older_is_refused() {
    let app = TestApp::start().await;
    let path = format!("{PATH}/{}", app.upstream_id);
    let tag = app.admin("GET", &path, None).await.headers["etag"].clone();
    assert_eq!(app.admin("PATCH", &path, Some(json!({ "name": "other" }))).await.status, 200);
    let stale = |method: &str| {
        let request = app.http.request(method.parse().unwrap(), format!("{}{path}", app.url));
        answer(request.bearer_auth(&app.api_key).header("if-match", &tag).json(&json!({ "name": "third" })))
    };
    assert_eq!(stale("PATCH").await.status, 412);
    assert_eq!(stale("DELETE").await.status, 412);
    assert_eq!(app.admin("GET", &path, None).await.json()["name"], "other");
}

#[tokio::test]
async fn the_list_goes_on_where_it_stopped() {
    let app = TestApp::start().await;
    for name in ["b", "c"] {
        assert_eq!(app.admin("POST", PATH, Some(body(name))).await.status, 201);
    }
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = app.admin("GET", &format!("{PATH}?limit=1{cursor}"), None).await.json();
        names.extend(page["data"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(names, ["scripted", "b", "c"]);
}

#[tokio::test]
async fn only_who_may_change_settings_sees_upstreams() {
    let app = TestApp::start().await;
    let stranger = TestApp::start().await;
    let path = format!("{PATH}/{}", app.upstream_id);
    for (method, path) in [("GET", PATH), ("POST", PATH), ("GET", &path), ("PATCH", &path), ("DELETE", &path)] {
        let request = || app.http.request(method.parse().unwrap(), format!("{}{path}", app.url));
        assert_eq!(answer(request().json(&body("x"))).await.status, 401, "{method} {path}");
        assert_eq!(
            answer(request().bearer_auth(&app.access_token).json(&body("x"))).await.status,
            401,
            "{method} {path}"
        );
    }
    // Another workspace's upstream is not there.
    assert_eq!(stranger.admin("GET", &path, None).await.status, 404);
}
