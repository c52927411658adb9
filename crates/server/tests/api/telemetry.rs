//! What clients report of themselves, and what they make up.

use std::time::Duration;

use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use provost_model::event::{Actor, EventType, Origin, Target};
use provost_model::{AccessTokenId, MemberId};
use provost_store::Touched;
use provost_store::tables::access_tokens::{self, AccessTokenRow};
use provost_store::tables::agent_commands::{self, AgentCommandRow};
use provost_testkit::server::{Answer, As, Server};
use provost_web::Secret;
use serde_json::{Value, json};

use super::stage::bearer;
use super::{BOTH, PATIENT, client, status, tenants};

const ANALYTICS: &str = "/backend-api/codex/analytics-events/events";
const OTLP: &str = "/otlp/v1/logs";
const BUNDLE: &str = "/backend-api/wham/config/bundle";
const STRICT: &str = "allowed_approval_policies = [\"on-request\"]\nallowed_sandbox_modes = [\"read-only\"]\n";

/// A server that has its clients report, everybody under one policy.
pub(super) async fn reporting(server: &Server) -> String {
    server.patch("/api/v1/settings", json!({ "codex_access_tokens": true, "telemetry": true })).await.ok();
    let policy = server.policy("Strict", STRICT).await;
    server.put("/api/v1/policy-rules", json!({ "rules": [], "fallback_policy_id": policy })).await.ok();
    policy
}

/// A turn, as Codex 0.169.0 reports it.
pub(super) fn turn_event(thread: &str, approval_policy: &str, sandbox_policy: &str, at: Timestamp) -> Value {
    json!({ "event_type": "codex_turn_event", "event_params": {
        "thread_id": thread, "model": "gpt-test", "approval_policy": approval_policy,
        "sandbox_policy": sandbox_policy, "sandbox_network_access": false, "started_at": at.as_second(),
        "app_server_client": { "product_client_id": "codex_exec", "client_version": "0.169.0" },
    }})
}

pub(super) async fn report(server: &Server, token: &str, event: Value) -> Answer {
    let request = bearer(server, Method::POST, ANALYTICS, token);
    server.send(request.json(&json!({ "events": [event] }))).await
}

/// A log record, as Codex 0.169.0 sends it, of whoever `email` is.
fn record(name: &str, thread: &str, email: &str, more: &[(&str, &str)]) -> Value {
    let attributes =
        [("event.name", name), ("conversation.id", thread), ("user.email", email), ("app.version", "0.169.0")];
    let attributes = attributes.iter().chain(more);
    let attributes: Vec<Value> =
        attributes.map(|(key, value)| json!({ "key": key, "value": { "stringValue": value } })).collect();
    json!({ "timeUnixNano": "0", "body": null, "attributes": attributes })
}

fn logs(records: &[Value]) -> Value {
    json!({ "resourceLogs": [{ "resource": {}, "scopeLogs": [{ "logRecords": records }] }] })
}

async fn send_logs(server: &Server, token: &str, records: &[Value]) -> Answer {
    server.send(bearer(server, Method::POST, OTLP, token).json(&logs(records))).await
}

pub(super) async fn sessions(server: &Server) -> Vec<Value> {
    server.get("/api/v1/agent-sessions").await.ok()["data"].as_array().unwrap().clone()
}

/// The telemetry token that a client is sent.
async fn telemetry_token(server: &Server, token: &str) -> String {
    let bundle = client(server, token, BUNDLE).await.ok();
    let fragments = bundle["requirements_toml"]["enterprise_managed"].as_array().unwrap();
    let contents = fragments.last().unwrap()["contents"].as_str().unwrap();
    let (_, rest) = contents.split_once("authorization = \"Bearer ").expect("a credential");
    rest.split_once('"').unwrap().0.to_owned()
}

fn now(server: &Server) -> Timestamp {
    server.clock.now()
}

#[tokio::test]
async fn clients_are_told_where_to_report_with_a_credential_for_that_only() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let policy = reporting(&server).await;
        for name in ["mia", "max"] {
            server.member(&format!("{name}@acme.example")).await;
        }
        let mia = server.access_token("mia@acme.example").await;
        let max = server.access_token("max@acme.example").await;
        let bundle = client(&server, &mia, BUNDLE).await.ok();
        let fragments = bundle["requirements_toml"]["enterprise_managed"].as_array().unwrap();
        assert_eq!(fragments.len(), 2, "the policy first");
        assert_eq!((&fragments[0]["id"], &fragments[0]["contents"]), (&json!(policy), &json!(STRICT)));
        let contents = fragments[1]["contents"].as_str().unwrap();
        for line in ["log_user_prompt = false", "max_bytes = 0", &format!("endpoint = \"{}{OTLP}\"", server.url())] {
            assert!(contents.contains(line), "{line} in {contents}");
        }
        let token = telemetry_token(&server, &mia).await;
        assert_eq!(token, telemetry_token(&server, &mia).await, "the same for a while");
        assert_ne!(token, telemetry_token(&server, &max).await);
        assert_eq!(send_logs(&server, &token, &[]).await.status, StatusCode::OK);
        for path in [BUNDLE, "/api/v1/members", "/v1/models", "/backend-api/wham/accounts/check"] {
            assert_eq!(client(&server, &token, path).await.status, StatusCode::UNAUTHORIZED, "{path}");
        }
        assert_eq!(report(&server, &token, json!({})).await.status, StatusCode::UNAUTHORIZED);
        // Nor is the client's own token good there, which would then lie in more places.
        for other in [mia.as_str(), &server.api_key, "tt-", "tt-a.b", &token[..token.len() - 4]] {
            assert_eq!(status(&send_logs(&server, other, &[]).await), "401 unauthorized", "{other}");
        }

        // A policy that names its own collector is left alone, and so is everybody without the setting.
        let own = server.policy("Own", "[otel]\nenvironment = \"ours\"\n").await;
        server.put("/api/v1/policy-rules", json!({ "rules": [], "fallback_policy_id": own })).await.ok();
        let count = async || {
            let bundle = client(&server, &mia, BUNDLE).await.ok();
            bundle["requirements_toml"]["enterprise_managed"].as_array().map_or(0, Vec::len)
        };
        assert_eq!(count().await, 1);
        server.put("/api/v1/policy-rules", json!({ "rules": [] , "fallback_policy_id": null })).await.ok();
        assert_eq!(count().await, 1, "also who has no policy");
        server.patch("/api/v1/settings", json!({ "telemetry": false })).await.ok();
        assert_eq!(count().await, 0);
        server.patch("/api/v1/settings", json!({ "telemetry": true, "codex_local": false })).await.ok();
        assert_eq!(count().await, 0);
    }
}

#[tokio::test]
async fn a_credential_for_reports_ends_with_what_it_was_made_for() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        reporting(&server).await;
        let mut tokens = Vec::new();
        for name in ["mia", "max"] {
            let id = server.member(&format!("{name}@acme.example")).await;
            let own = server.access_token(&format!("{name}@acme.example")).await;
            tokens.push((id, telemetry_token(&server, &own).await));
        }
        let [(_, mia), (max_id, max)] = &tokens[..] else { panic!("two") };
        let all = server.get("/api/v1/access-tokens").await.ok();
        let of_mia =
            all["data"].as_array().unwrap().iter().find(|token| token["created_by"] != max_id.as_str()).unwrap();
        // A day later it is still good: the session that it came with may run for long.
        server.advance(SignedDuration::from_hours(20));
        assert_eq!(send_logs(&server, mia, &[]).await.status, StatusCode::OK);
        server.delete(&format!("/api/v1/access-tokens/{}", of_mia["id"].as_str().unwrap())).await;
        assert_eq!(status(&send_logs(&server, mia, &[]).await), "401 unauthorized");
        assert_eq!(send_logs(&server, max, &[]).await.status, StatusCode::OK);
        server.patch(&format!("/api/v1/members/{max_id}"), json!({ "active": false })).await.ok();
        assert_eq!(status(&send_logs(&server, max, &[]).await), "401 unauthorized");
    }
}

#[tokio::test]
async fn a_session_that_ran_looser_than_its_policy_is_a_security_event_once() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let policy = reporting(&server).await;
        let mia = server.member("mia@acme.example").await;
        let token = server.access_token("mia@acme.example").await;
        client(&server, &token, BUNDLE).await.ok();
        let at = now(&server);
        report(&server, &token, turn_event("t-good", "on-request", "read_only", at)).await.ok();
        for _ in 0..2 {
            report(&server, &token, turn_event("t-bad", "never", "full_access", at)).await.ok();
        }
        // It does not get better by saying something else later, and other kinds of events say nothing.
        report(&server, &token, turn_event("t-bad", "on-request", "read_only", at)).await.ok();
        let init =
            json!({ "event_type": "codex_thread_initialized", "event_params": { "thread_id": "t-new", "model": "m" } });
        report(&server, &token, init).await.ok();
        report(&server, &token, json!({ "event_type": "codex_other", "event_params": { "thread_id": "t-x" } }))
            .await
            .ok();

        let found = sessions(&server).await;
        let of = |thread: &str| found.iter().find(|session| session["thread_id"] == thread).unwrap().clone();
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!(
            (of("t-good")["verdict"].as_str(), of("t-new")["verdict"].as_str()),
            (Some("in_step"), Some("unknown"))
        );
        let good = of("t-good");
        let expected = json!({ "id": policy, "version": 1 });
        assert_eq!(
            (&good["policy"], &good["source"], &good["member_id"]),
            (&expected, &json!("analytics"), &json!(mia))
        );
        assert_eq!((&good["sandbox_policy"], &good["network_access"]), (&json!("read-only"), &json!(false)));
        assert_eq!((&good["client_version"], &good["originator"]), (&json!("0.169.0"), &json!("codex_exec")));
        assert_eq!(of("t-bad")["verdict"], "contradicting");
        assert_eq!(of("t-bad")["reasons"].as_array().unwrap().len(), 2);
        let narrowed = server.get("/api/v1/agent-sessions?verdict=contradicting").await.ok();
        assert_eq!(narrowed["data"].as_array().unwrap().len(), 1);
        let page = server.get(&format!("/api/v1/agent-sessions?member_id={mia}&limit=2")).await.ok();
        let next = page["next_cursor"].as_str().unwrap();
        let rest = server.get(&format!("/api/v1/agent-sessions?member_id={mia}&limit=2&cursor={next}")).await.ok();
        assert_eq!((page["data"].as_array().unwrap().len(), rest["data"].as_array().unwrap().len()), (2, 1));
        assert_eq!(status(&server.get("/api/v1/agent-sessions?verdict=bad").await), "422 unknown_state verdict");

        let events = server.events("policy.contradicted").await;
        let [event] = &events[..] else { panic!("{events:?}") };
        assert_eq!((&event["actor"]["id"], &event["target"]["id"]), (&json!(mia), &json!(policy)));
        assert_eq!(event["details"]["thread_id"], "t-bad");
        assert_eq!(event["details"]["sandbox_policy"], "danger-full-access");
        let alerts = server.get("/api/v1/alerts").await.ok();
        assert_eq!(alerts["data"][0]["type"], "policy.contradicted");
    }
}

#[tokio::test]
async fn nobody_reports_for_another() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        reporting(&server).await;
        let mia_id = server.member("mia@acme.example").await;
        let max_id = server.member("max@acme.example").await;
        let mia = server.access_token("mia@acme.example").await;
        let max = server.access_token("max@acme.example").await;
        report(&server, &mia, turn_event("t-mia", "on-request", "read_only", now(&server))).await.ok();
        let before = sessions(&server).await;

        // Under another's thread, by either feed.
        report(&server, &max, turn_event("t-mia", "never", "full_access", now(&server))).await.ok();
        let max_reports = telemetry_token(&server, &max).await;
        let loose = [("approval_policy", "never"), ("sandbox_policy", "danger-full-access")];
        let forged = record("codex.conversation_starts", "t-mia", "mia@acme.example", &loose);
        send_logs(&server, &max_reports, &[forged]).await.ok();
        assert_eq!(sessions(&server).await, before);
        assert_eq!(server.events("policy.contradicted").await.len(), 0);

        // Under another's name: it counts as one's own.
        let forged = record("codex.conversation_starts", "t-max", "mia@acme.example", &loose);
        send_logs(&server, &max_reports, &[forged]).await.ok();
        let found = sessions(&server).await;
        let own = found.iter().find(|session| session["thread_id"] == "t-max").unwrap();
        assert_eq!((&own["member_id"], &own["source"]), (&json!(max_id), &json!("otlp")));
        let events = server.events("policy.contradicted").await;
        assert_eq!((events.len(), &events[0]["actor"]["id"]), (1, &json!(max_id)));

        // What came under the sign-in is not overruled by what came under the lesser credential.
        let mia_reports = telemetry_token(&server, &mia).await;
        send_logs(&server, &mia_reports, &[record("codex.conversation_starts", "t-mia", "", &loose)]).await.ok();
        let found = sessions(&server).await;
        let of_mia = found.iter().find(|session| session["thread_id"] == "t-mia").unwrap();
        assert_eq!((&of_mia["verdict"], &of_mia["sandbox_policy"]), (&before[0]["verdict"], &json!("read-only")));
        assert_eq!(of_mia["member_id"], mia_id.as_str());

        // In another workspace: it stays there.
        let (owner, key) = tenants::second_workspace(&server).await;
        let other = other_token(&server, &owner).await;
        report(&server, &other, turn_event("t-mia", "never", "full_access", now(&server))).await.ok();
        assert_eq!(sessions(&server).await, found);
        let theirs = server.call(&key, Method::GET, "/api/v1/agent-sessions", None).await.ok();
        assert_eq!((theirs["data"].as_array().unwrap().len(), &theirs["data"][0]["member_id"]), (1, &json!(owner)));
        let theirs = server.call(&key, Method::GET, "/api/v1/applied-policies", None).await.ok();
        assert_eq!(theirs["data"], json!([]));
        assert_eq!(
            server.call(&As::Nobody, Method::POST, ANALYTICS, Some(json!({}))).await.status,
            StatusCode::UNAUTHORIZED
        );
    }
}

/// An access token of a member of the second workspace.
async fn other_token(server: &Server, owner: &str) -> String {
    let store = &server.node.app.store;
    let owner: MemberId = owner.parse().unwrap();
    let world = store.world();
    let ws = world.workspaces.values().find(|workspace| workspace.members.contains_key(&owner)).unwrap().id;
    let secret = Secret::checked(provost_web::SecretKind::AccessToken);
    let mut change = store.change(ws, Actor::system(), Origin::default()).await.unwrap();
    let id = AccessTokenId::new(change.at());
    let row = AccessTokenRow::new(id, owner, "t", change.at());
    access_tokens::insert(&mut change, ws, &row, &secret.hash).await.unwrap();
    change.touch(Touched::AccessToken(id));
    change.record(EventType::AccessTokenCreated, Target::new("access_token", id, "t"), json!({}));
    change.commit().await.unwrap();
    secret.text
}

#[tokio::test]
async fn a_clock_that_is_off_a_replay_and_a_flood_do_no_harm() {
    let server = Server::start_with(BOTH[0], PATIENT).await;
    reporting(&server).await;
    server.member("mia@acme.example").await;
    let token = server.access_token("mia@acme.example").await;
    let wrong = now(&server) - SignedDuration::from_hours(24 * 400);
    report(&server, &token, turn_event("t-1", "on-request", "read_only", wrong)).await.ok();
    let started: Timestamp = sessions(&server).await[0]["started_at"].as_str().unwrap().parse().unwrap();
    assert!(now(&server).duration_since(started) < SignedDuration::from_mins(1), "{started}");

    let send = async |path: &str, token: &str, kind: &str, body: Vec<u8>| {
        let request = bearer(&server, Method::POST, path, token).header("content-type", kind);
        status(&server.send(request.body(body)).await)
    };
    let reports = telemetry_token(&server, &token).await;
    for (path, token) in [(ANALYTICS, token.as_str()), (OTLP, &reports)] {
        assert_eq!(send(path, token, "application/json", b"{".to_vec()).await, "400 body_unreadable", "{path}");
        assert_eq!(
            send(path, token, "application/json", "[".repeat(100_000).into_bytes()).await,
            "400 body_unreadable"
        );
        assert_eq!(send(path, token, "application/json", b"[1]".to_vec()).await, "200");
        assert_eq!(send(path, token, "application/x-protobuf", vec![10]).await, "415 not_json", "{path}");
        let bomb = zstd::encode_all(&vec![b' '; 100 << 20][..], 1).unwrap();
        let request = bearer(&server, Method::POST, path, token).header("content-type", "application/json");
        let answer = server.send(request.header("content-encoding", "zstd").body(bomb)).await;
        assert_eq!(status(&answer), "413 body_too_large", "{path}");
        let request = bearer(&server, Method::POST, path, token).header("content-type", "application/json");
        let sent = tokio::time::timeout(Duration::from_secs(20), request.body(vec![b' '; 100 << 20]).send()).await;
        // Told so before the end of it, a client may meet a closed connection.
        let answered = sent.expect("it does not wait for the whole").map(|answer| answer.status());
        assert!(answered.as_ref().is_ok_and(|status| *status == StatusCode::PAYLOAD_TOO_LARGE) || answered.is_err());
    }
    let strange = [
        json!({ "event_type": "codex_turn_event", "event_params": { "thread_id": "a b\u{0}" } }),
        json!(7),
        json!(null),
    ];
    for event in strange {
        report(&server, &token, event).await.ok();
    }
    assert_eq!(sessions(&server).await.len(), 1);
}

async fn commands(server: &Server) -> Vec<AgentCommandRow> {
    let store = &server.node.app.store;
    let mut tx = store.read().await.unwrap();
    let ws = server.workspace_id.parse().unwrap();
    agent_commands::list_since(&mut tx, ws, store.sealer(), (Timestamp::MIN, "", ""), 100).await.unwrap()
}

#[tokio::test]
async fn the_words_of_commands_are_kept_only_where_the_workspace_says_so_and_not_for_ever() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        reporting(&server).await;
        server.member("mia@acme.example").await;
        let token = server.access_token("mia@acme.example").await;
        let reports = telemetry_token(&server, &token).await;
        let result = |call: &str, command: &str| {
            let arguments = json!({ "cmd": command }).to_string();
            let more =
                [("call_id", call), ("arguments", &arguments), ("success", "true"), ("tool_name", "exec_command")];
            record("codex.tool_result", "t-1", "", &more)
        };
        let decision = record("codex.tool_decision", "t-1", "", &[("call_id", "call_2"), ("decision", "denied")]);
        let records = [result("call_1", "rm -r secret-word"), decision, result("call_2", "git push")];
        send_logs(&server, &reports, &records).await.ok();
        assert_eq!(commands(&server).await, []);
        server.patch("/api/v1/settings", json!({ "record_commands": true })).await.ok();
        for _ in 0..2 {
            send_logs(&server, &reports, &records).await.ok();
        }
        let kept = commands(&server).await;
        let kept: Vec<_> = kept.iter().map(|row| (row.argv.join("|"), row.outcome.as_str())).collect();
        assert_eq!(
            kept,
            [("bash|-lc|rm -r secret-word".to_owned(), "ran"), ("bash|-lc|git push".to_owned(), "denied")]
        );

        report(&server, &token, turn_event("t-1", "on-request", "read_only", now(&server))).await.ok();
        let app = &server.node.app;
        assert!(app.deliveries.flush(&app.store, Duration::from_secs(10)).await);
        provost_governance::housekeeping(&app.store).await.unwrap();
        let devices = async || server.get("/api/v1/applied-policies").await.ok()["data"].as_array().unwrap().len();
        assert_eq!((commands(&server).await.len(), sessions(&server).await.len(), devices().await), (2, 1, 1));
        server.advance(SignedDuration::from_hours(24 * 31));
        provost_governance::housekeeping(&app.store).await.unwrap();
        assert_eq!((commands(&server).await.len(), sessions(&server).await.len(), devices().await), (0, 0, 0));
    }
}

/// A workspace that has its clients report is told of a policy whose clients do not.
#[tokio::test]
async fn a_policy_that_names_its_own_collector_is_warned_of() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let own = "allow_appshots = false\n\n[otel]\nenvironment = \"prod\"\n";
        let id = server.policy("Own", own).await;
        let path = format!("/api/v1/policies/{id}");
        let codes = |problems: &Value| -> Vec<(String, u64)> {
            let rows = problems.as_array().expect("a list").iter();
            rows.map(|row| (row["code"].as_str().unwrap().to_owned(), row["line"].as_u64().unwrap())).collect()
        };
        let lint = async |contents: &str| {
            let answer = server.post("/api/v1/policies/lint", json!({ "contents": contents })).await.ok();
            codes(&answer["problems"])
        };
        assert_eq!((lint(own).await, codes(&server.get(&path).await.ok()["warnings"])), (vec![], vec![]));
        server.patch("/api/v1/settings", json!({ "telemetry": true })).await.ok();
        let warning = vec![("own_otel".to_owned(), 3)];
        assert_eq!(lint(own).await, warning);
        assert_eq!(codes(&server.get(&path).await.ok()["warnings"]), warning);
        let published = server.put(&path, json!({ "name": "Own", "contents": format!("{own}# more\n") })).await.ok();
        assert_eq!(codes(&published["warnings"]), warning, "and it is published");
        assert_eq!(lint("otel.environment = \"x\"\nnew_key = 1\n").await[0], ("own_otel".to_owned(), 1));
        for other in ["", "# otel\n", "[features]\notel = true\n"] {
            assert!(lint(other).await.iter().all(|(code, _)| code != "own_otel"), "{other}");
        }
        let broken = lint("[otel]\nenvironment =\n").await;
        assert_eq!(broken.len(), 1, "what is no TOML is only said to be none");
    }
}

/// The credential of reports is found where it leaked; what it was made for ends.
#[tokio::test]
async fn a_telemetry_token_that_leaked_is_found_and_ends_with_its_sign_in() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        reporting(&server).await;
        let mia_id = server.member("mia@acme.example").await;
        let mia = server.access_token("mia@acme.example").await;
        let token = telemetry_token(&server, &mia).await;
        let report = |revoke: bool| json!({ "text": format!("[headers]\nauthorization = \"Bearer {token}\""), "revoke": revoke });
        let leaked = "/api/v1/leaked-secrets";
        for _ in 0..2 {
            let found = server.post(leaked, report(false)).await.ok();
            let row = &found["data"][0];
            assert_eq!(found["data"].as_array().map(Vec::len), Some(1));
            assert_eq!((&row["kind"], &row["status"]), (&json!("telemetry_token"), &json!("live")));
            assert_eq!((&row["created_by"], &row["revoked"]), (&json!(mia_id), &json!(false)));
            assert!(!found.to_string().contains(&token));
        }
        let events = server.events("credential.leaked").await;
        assert_eq!(events.len(), 1, "reporting twice is reporting once");
        assert!(!json!(events).to_string().contains(&token));
        assert_eq!(send_logs(&server, &token, &[]).await.status, StatusCode::OK);
        let body = json!({ "text": "", "source": format!("https://x/?t={token}") });
        assert_eq!(status(&server.post(leaked, body).await), "422 holds_a_secret source");
        // Another workspace learns nothing of it, and ends nothing.
        let (_, other) = tenants::second_workspace(&server).await;
        let found = server.call(&other, Method::POST, leaked, Some(report(true))).await.ok();
        let row = &found["data"][0];
        assert_eq!((&row["status"], &row["id"], &row["created_by"]), (&json!("unknown"), &Value::Null, &Value::Null));
        assert_eq!(send_logs(&server, &token, &[]).await.status, StatusCode::OK);
        // Ended.
        assert_eq!(server.post(leaked, report(true)).await.ok()["data"][0]["revoked"], true);
        assert_eq!(send_logs(&server, &token, &[]).await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(client(&server, &mia, BUNDLE).await.status, StatusCode::UNAUTHORIZED);
        let row = &server.post(leaked, report(true)).await.ok()["data"][0];
        assert_eq!((&row["status"], &row["revoked"]), (&json!("ended"), &json!(false)));
        assert_eq!(server.events("credential.leaked").await.len(), 2);
        // One whose letters were changed is no token of anybody.
        let altered = token.replace('.', "A.");
        assert_eq!(server.post(leaked, json!({ "secrets": [altered] })).await.ok()["data"], json!([]));
    }
}
