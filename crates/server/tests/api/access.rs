//! Who may call what: every operation by every kind of caller, as a table that is reviewed.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, StatusCode};
use provost_testkit::server::{As, Database, PASSWORD, Server};
use serde_json::{Value, json};

use super::openapi::update;
use super::sessions::without_csrf;
use super::{PATIENT, stage};

const SCOPES: [&str; 6] = ["admin", "analytics.read", "compliance.read", "compliance.delete", "scim", "events.read"];
/// What an admin API key, an unknown id and an empty body make of a call beyond 401 and 403.
const ALLOWED: &str = "ok";

fn table() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/api/access_matrix.txt")
}

#[tokio::test]
async fn who_may_call_what() {
    let server = Server::start_with(Database::Sqlite, PATIENT).await;
    let text = format!("{}\n{}", admin_api(&server).await, other_surfaces(&server).await);
    if update() {
        std::fs::write(table(), &text).unwrap();
    }
    let found = std::fs::read_to_string(table()).unwrap_or_default();
    let (wanted, found): (BTreeSet<_>, BTreeSet<_>) = (text.lines().collect(), found.lines().collect());
    let new: Vec<_> = wanted.difference(&found).collect();
    let gone: Vec<_> = found.difference(&wanted).collect();
    assert!(
        new.is_empty() && gone.is_empty(),
        "access_matrix.txt is not what the server does.\nNew or changed:\n{new:#?}\nGone or changed:\n{gone:#?}\n\
         Run this test with UPDATE_SNAPSHOTS=1 and review the difference: every row is a promise."
    );
}

async fn admin_api(server: &Server) -> String {
    let owner = stage::owner(server).await;
    let member = async |name: &str, role: &str| {
        let email = format!("{name}@acme.example");
        let body = json!({ "email": email, "password": PASSWORD, "builtin_role": role });
        server.call(&owner, Method::POST, "/api/v1/members", Some(body)).await.ok();
        server.sign_in(&email).await
    };
    let codex_admin = member("codex", "member").await;
    let As::Session { member_id, .. } = &codex_admin else { unreachable!("a session") };
    let role = json!({ "name": "Codex Admin", "permissions": ["codex.administer"] });
    let role = server.post("/api/v1/roles", role).await.text("id");
    server.put(&format!("/api/v1/roles/{role}/members/{member_id}"), Value::Null).await.ok();
    let mut callers = vec![
        ("anonymous".to_owned(), As::Nobody),
        ("member".to_owned(), member("plain", "member").await),
        ("analytics_viewer".to_owned(), member("viewer", "analytics_viewer").await),
        ("admin".to_owned(), member("admin", "admin").await),
        ("owner".to_owned(), owner.clone()),
        ("codex_admin".to_owned(), codex_admin),
        ("no csrf".to_owned(), without_csrf(&owner, "")),
    ];
    for scope in SCOPES {
        let body = json!({ "name": scope, "scopes": [scope] });
        let key = server.call(&owner, Method::POST, "/api/v1/api-keys", Some(body)).await.text("key");
        callers.push((format!("key {scope}"), As::Key(key)));
    }
    let mut text = "The admin API: `ok` is anything but 401 and 403, for unknown ids and an empty body.\n\n".to_owned();
    row(&mut text, "", callers.iter().map(|(name, _)| name.clone()));
    let document = serde_json::to_value(provost_server::openapi::document()).unwrap();
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            operations.push((path.clone(), method.to_uppercase()));
        }
    }
    // Signing out ends the sessions of the table, so that comes at the end.
    operations
        .sort_by_key(|(path, method)| (path == "/api/v1/session" && method == "DELETE", path.clone(), method.clone()));
    for (path, method) in operations {
        let mut cells = Vec::new();
        for (_, caller) in callers.iter().rev() {
            let body = (method != "GET" && method != "DELETE").then(|| json!({}));
            let answer = server.call(caller, method.parse().unwrap(), &unknown(&path), body).await;
            assert!(answer.status.as_u16() < 500, "{method} {path}: {}", answer.body);
            cells.push(match answer.status {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => answer.status.as_str().to_owned(),
                _ => ALLOWED.to_owned(),
            });
        }
        row(&mut text, &format!("{method} {path}"), cells.into_iter().rev());
    }
    text
}

/// The path with ids that are of the right kind and of nobody.
fn unknown(path: &str) -> String {
    let mut parts: Vec<String> = path.split('/').map(str::to_owned).collect();
    for index in 1..parts.len() {
        let kind = match (parts[index].as_str(), parts[index - 1].as_str()) {
            ("{version}", _) => "7",
            (part, "sessions") if part.starts_with('{') => "ses_",
            (part, "deprovisions") if part.starts_with('{') => "dep_",
            ("{user_code}", _) => "BCDF-GHJK",
            (part, "members") if part.starts_with('{') => "mem_",
            (part, "groups") if part.starts_with('{') => "grp_",
            (part, "roles") if part.starts_with('{') => "role_",
            (part, "policies") if part.starts_with('{') => "pol_",
            (part, "rollouts") if part.starts_with('{') => "roll_",
            (part, "policy-proposals") if part.starts_with('{') => "prop_",
            (part, "upstreams") if part.starts_with('{') => "up_",
            (part, "access-tokens") if part.starts_with('{') => "atk_",
            (part, "workload-identities") if part.starts_with('{') => "wid_",
            (part, "connections") if part.starts_with('{') => "conn_",
            (part, "domains") if part.starts_with('{') => "dom_",
            (part, "second-factors" | "totp") if part.starts_with('{') => "mfa_",
            (part, "device-enrolments") if part.starts_with('{') => "enr_",
            (part, "api-keys") if part.starts_with('{') => "key_",
            (part, "policy-exceptions") if part.starts_with('{') => "exc_",
            (part, before) => {
                assert!(!part.starts_with('{'), "say here which kind of id stands behind {before} in {path}");
                continue;
            }
        };
        parts[index] = if kind.ends_with('_') { format!("{kind}{}", "0".repeat(32)) } else { kind.to_owned() };
    }
    parts.join("/")
}

async fn other_surfaces(server: &Server) -> String {
    server.patch("/api/v1/settings", json!({ "codex_access_tokens": true })).await.ok();
    server.member("client@acme.example").await;
    let token = server.access_token("client@acme.example").await;
    let callers = [("anonymous", None), ("client", Some(token)), ("api key", Some(server.api_key.clone()))];
    let mut text = "What clients, browsers and operators call: the status for an empty call.\n\n".to_owned();
    row(&mut text, "", callers.iter().map(|(name, _)| (*name).to_owned()));
    let mut routes = BTreeSet::new();
    scan(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap(), &mut routes);
    assert!(routes.len() > 25, "the routes are found in the sources: {routes:?}");
    for (path, method) in routes {
        let mut cells = Vec::new();
        for (_, token) in &callers {
            let path = path.replace("{secret}", "unknown").replace("{token}", "unknown");
            let mut request = server.request(method.parse().unwrap(), &path);
            if let Some(token) = token {
                request = request.header(AUTHORIZATION, format!("Bearer {token}"));
            }
            if method == "POST" {
                request = request.header(CONTENT_TYPE, "application/json").body("{}");
            }
            let answer = server.send(request).await;
            let fails = answer.status.is_server_error() && answer.status != StatusCode::NOT_IMPLEMENTED;
            assert!(!fails, "{method} {path}: {}", answer.body);
            cells.push(answer.status.as_str().to_owned());
        }
        row(&mut text, &format!("{method} {path}"), cells.into_iter());
    }
    text
}

/// The routes of `.route("path", get(…).post(…))` in the sources.
fn scan(folder: &Path, routes: &mut BTreeSet<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !matches!(name.as_str(), "tests" | "testkit") {
            scan(&path, routes);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = std::fs::read_to_string(&path).unwrap();
            for call in source.split(".route(").skip(1) {
                let Some(call) = call.trim_start().strip_prefix('"') else { continue };
                let (route, handlers) = call.split_once('"').unwrap();
                // Up to the end of this call: where one more parenthesis closes than opened.
                let mut depth = 0_i32;
                let end = handlers.find(|c| {
                    depth += i32::from(c == '(') - i32::from(c == ')');
                    depth < 0
                });
                let handlers = &handlers[..end.unwrap()];
                let before = routes.len();
                for method in ["get", "post", "put", "patch", "delete", "any"] {
                    if handlers.contains(&format!(" {method}(")) || handlers.contains(&format!(".{method}(")) {
                        routes.insert((route.to_owned(), method.to_uppercase()));
                    }
                }
                assert!(routes.len() > before || before > 0, "no method of {route} in {}", path.display());
            }
        }
    }
}

fn row(text: &mut String, name: &str, cells: impl Iterator<Item = String>) {
    let mut line = format!("{name:<58}");
    for cell in cells {
        write!(line, "{cell:<22}").expect("writing to a string does not fail");
    }
    writeln!(text, "{}", line.trim_end()).expect("writing to a string does not fail");
}
