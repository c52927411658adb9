//! What Entra and Okta send, in the order in which they send it, as their public documents describe it:
//! Microsoft's "Develop and plan provisioning for a SCIM endpoint in Microsoft Entra ID" and Okta's "Okta
//! and SCIM Version 2.0". The sequences are our own, in their shape.

use std::collections::HashMap;

use http::Method;
use provost_testkit::server::Server;
use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;

use super::{BOTH, call, key};

/// One request, and what is to come of it. `{name}` stands for what was captured under that name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    note: String,
    method: String,
    path: String,
    #[serde(default)]
    query: HashMap<String, String>,
    body: Option<Value>,
    status: Statuses,
    /// What the answer holds, perhaps among other things; null is what it does not hold.
    #[serde(default)]
    expect: Value,
    /// What to remember: names, and where in the answer it is.
    #[serde(default)]
    capture: HashMap<String, String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Statuses {
    One(u16),
    /// The provider takes any of them.
    Some(Vec<u16>),
}

#[tokio::test]
async fn entra_users() {
    replay(include_str!("entra/users.json")).await;
}

#[tokio::test]
async fn entra_groups() {
    replay(include_str!("entra/groups.json")).await;
}

#[tokio::test]
async fn okta_users() {
    replay(include_str!("okta/users.json")).await;
}

#[tokio::test]
async fn okta_groups() {
    replay(include_str!("okta/groups.json")).await;
}

async fn replay(steps: &str) {
    let steps: Vec<Step> = serde_json::from_str(steps).unwrap();
    for database in BOTH {
        let server = Server::start_on(database).await;
        let key = key(&server, &["scim"]).await;
        let mut captured = HashMap::new();
        for (number, step) in steps.iter().enumerate() {
            let name = format!("{database:?}, step {}, {}: {} {}", number + 1, step.note, step.method, step.path);
            let method = Method::from_bytes(step.method.as_bytes()).unwrap();
            let body = step.body.clone().map(|body| filled(body, &captured));
            let answer = call(&server, &key, method, &address(step, &captured), body).await;
            let status = answer.status.as_u16();
            let is_expected = match &step.status {
                Statuses::One(one) => status == *one,
                Statuses::Some(some) => some.contains(&status),
            };
            assert!(is_expected, "{name}: {status} {}", answer.body);
            holds(&answer.body, &filled(step.expect.clone(), &captured), &name);
            for (name, pointer) in &step.capture {
                captured.insert(name.clone(), answer.body.pointer(pointer).unwrap().as_str().unwrap().to_owned());
            }
        }
    }
}

fn address(step: &Step, captured: &HashMap<String, String>) -> String {
    let path = format!("/scim/v2{}", text(&step.path, captured));
    if step.query.is_empty() {
        return path;
    }
    let query = step.query.iter().map(|(name, value)| (name, text(value, captured)));
    let url = Url::parse_with_params("http://x/", query).unwrap();
    format!("{path}?{}", url.query().unwrap())
}

fn filled(value: Value, captured: &HashMap<String, String>) -> Value {
    match value {
        Value::String(string) => text(&string, captured).into(),
        Value::Array(values) => values.into_iter().map(|value| filled(value, captured)).collect(),
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, filled(value, captured))).collect(),
        other => other,
    }
}

fn text(text: &str, captured: &HashMap<String, String>) -> String {
    captured.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

fn holds(answer: &Value, expected: &Value, name: &str) {
    match expected {
        Value::Null => {}
        Value::Object(map) => {
            for (key, expected) in map {
                match expected {
                    Value::Null => assert!(answer.get(key).is_none(), "{name}: `{key}` is not there: {answer}"),
                    expected => holds(&answer[key], expected, &format!("{name}, {key}")),
                }
            }
        }
        Value::Array(values) if name.ends_with(", schemas") => {
            let all = answer.as_array().unwrap_or_else(|| panic!("{name}: {answer}"));
            assert!(values.iter().all(|value| all.contains(value)), "{name}: {answer}");
        }
        Value::Array(values) => {
            assert_eq!(answer.as_array().map(Vec::len), Some(values.len()), "{name}: {answer}");
            values.iter().enumerate().for_each(|(place, value)| holds(&answer[place], value, name));
        }
        expected => assert_eq!(answer, expected, "{name}"),
    }
}
