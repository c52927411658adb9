//! Where scenes are played: a server, and a transcript of what was said.

use std::fmt::Write;

use http::header::{AUTHORIZATION, LOCATION, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE};
use http::{HeaderName, Method, StatusCode};
use provost_testkit::server::{Answer, As, Database, Server};
use serde_json::{Value, json};

use super::redaction::Redaction;

/// Both databases.
pub(super) const BOTH: [Database; 2] = [Database::Sqlite, Database::Postgres];

/// A configuration whose limit on sign-ins is out of the way.
pub(crate) const PATIENT: &str = "[limits]\nsign_in_attempts_per_minute = 100000\n";

/// The headers that a transcript shows.
const SHOWN: [HeaderName; 5] =
    [LOCATION, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE, HeaderName::from_static("idempotent-replayed")];

/// A server with a transcript.
pub(super) struct Stage {
    pub(super) server: Server,
    text: String,
    redaction: Redaction,
}

/// Plays a scene on each database; what was said, which must be the same.
pub(super) async fn play(scene: impl AsyncFn(&mut Stage)) -> String {
    let mut transcripts = Vec::new();
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let mut stage = Stage { server, text: String::new(), redaction: Redaction::default() };
        scene(&mut stage).await;
        transcripts.push(stage.text);
    }
    let [sqlite, postgres] = transcripts.try_into().expect("one for each database");
    assert_eq!(sqlite, postgres, "both databases answer the same");
    sqlite
}

impl Stage {
    /// A heading in the transcript.
    pub(super) fn says(&mut self, heading: &str) {
        writeln!(self.text, "# {heading}\n").expect("writing to a string does not fail");
    }

    /// Calls, and writes down both sides.
    pub(super) async fn call(&mut self, who: &As, method: Method, path: &str, body: Option<Value>) -> Answer {
        let shown = body.as_ref().map_or_else(String::new, |body| format!(" {body}"));
        let answer = self.server.call(who, method.clone(), path, body).await;
        let mut said = format!("{method} {path}{shown}\n{}\n", answer.status.as_u16());
        for name in SHOWN {
            for value in answer.headers.get_all(&name) {
                writeln!(said, "{name}: {}", value.to_str().unwrap()).expect("writing to a string does not fail");
            }
        }
        match &answer.body {
            Value::Null => {}
            Value::String(text) => said.push_str(&format!("{text}\n")),
            body => said.push_str(&format!("{}\n", serde_json::to_string_pretty(&quiet(body.clone())).unwrap())),
        }
        self.text.push_str(&self.redaction.apply(&said));
        self.text.push('\n');
        answer
    }

    pub(super) async fn get(&mut self, path: &str) -> Answer {
        self.call(&self.server.admin(), Method::GET, path, None).await
    }

    pub(super) async fn post(&mut self, path: &str, body: Value) -> Answer {
        self.call(&self.server.admin(), Method::POST, path, Some(body)).await
    }

    pub(super) async fn put(&mut self, path: &str, body: Value) -> Answer {
        self.call(&self.server.admin(), Method::PUT, path, Some(body)).await
    }

    pub(super) async fn patch(&mut self, path: &str, body: Value) -> Answer {
        self.call(&self.server.admin(), Method::PATCH, path, Some(body)).await
    }

    pub(super) async fn delete(&mut self, path: &str) -> Answer {
        self.call(&self.server.admin(), Method::DELETE, path, None).await
    }

    /// Signs the owner in: a password for them is set through their link.
    pub(super) async fn owner(&self) -> As {
        owner(&self.server).await
    }
}

/// What differs from run to run without looking like it.
fn quiet(mut body: Value) -> Value {
    match &mut body {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                match key.as_str() {
                    "last4" if value.is_string() => *value = json!("LAST4"),
                    "next_cursor" if value.is_string() => *value = json!("CURSOR"),
                    _ => *value = quiet(value.take()),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = quiet(item.take())),
        _ => {}
    }
    body
}

/// The owner's session: sets a password through the link of the first sign-in.
pub(super) async fn owner(server: &Server) -> As {
    let form = format!("password={}", provost_testkit::server::PASSWORD.replace(' ', "+"));
    let request = server.request(Method::POST, &server.sign_in_path);
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
    let answer = server.send(request).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    server.sign_in("owner@acme.example").await
}

/// Calls as a client with a bearer token.
pub(super) async fn client(server: &Server, token: &str, path: &str) -> Answer {
    server.send(bearer(server, Method::GET, path, token)).await
}

/// A request with a bearer token.
pub(super) fn bearer(server: &Server, method: Method, path: &str, token: &str) -> reqwest::RequestBuilder {
    server.request(method, path).header(AUTHORIZATION, format!("Bearer {token}"))
}

/// The status of a call with a JSON body, and the code and field of its error.
pub(super) fn status(answer: &Answer) -> String {
    let error = &answer.body["error"];
    let text = |key: &str| error[key].as_str().map(|text| format!(" {text}")).unwrap_or_default();
    format!("{}{}{}", answer.status.as_u16(), text("code"), text("field"))
}
