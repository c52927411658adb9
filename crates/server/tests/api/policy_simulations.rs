//! What a change would do is what it does.

mod command_line;
mod exports;
mod going_away;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use provost_model::MemberId;
use provost_model::drift::DriftState;
use provost_store::tables::agent_commands::{self, AgentCommandRow};
use provost_store::tables::agent_sessions::{self, AgentSessionRow};
use provost_testkit::server::{As, Server};
use serde_json::{Value, json};

use super::tenants::second_workspace;
use super::{BOTH, PATIENT, status};

const SIMULATIONS: &str = "/api/v1/policy-simulations";
const STRICT: &str =
    "rules.prefix_rules = [{ pattern = [{ token = \"git\" }, { token = \"push\" }], decision = \"prompt\" }]\n";
const STRICTER: &str = "allowed_sandbox_modes = [\"read-only\"]\nrules.prefix_rules = [{ pattern = [{ token = \"git\" }], \
    decision = \"forbidden\" }, { pattern = [{ token = \"rm\" }], decision = \"prompt\" }]\n";
const LOOSE: &str = "rules.prefix_rules = [{ pattern = [{ token = \"rm\" }], decision = \"forbidden\" }]\n";
const LINES: [&str; 5] = ["ls", "git push", "git status && rm x", "rm -r target", "echo $(git push)"];

fn words(line: &str) -> Vec<String> {
    ["bash", "-lc", line].map(str::to_owned).to_vec()
}

/// Writes down commands of a member, as if their client had reported them, and the session that they ran in.
async fn record(server: &Server, ws: &str, member: &str, at: Timestamp, sandbox: &str) {
    let store = &server.node.app.store;
    let (ws, member_id): (_, MemberId) = (ws.parse().unwrap(), member.parse().unwrap());
    let thread_id = format!("t-{member}-{}", at.as_second());
    let mut tx = store.write().await.unwrap();
    let session = AgentSessionRow {
        thread_id: thread_id.clone(),
        member_id,
        device: "device".to_owned(),
        client_version: "0.169.0".to_owned(),
        originator: String::new(),
        model: String::new(),
        approval_policy: "on-request".to_owned(),
        sandbox_policy: sandbox.to_owned(),
        network_access: String::new(),
        source: "analytics".to_owned(),
        policy: None,
        verdict: DriftState::Unknown,
        reasons: Vec::new(),
        started_at: at,
        last_at: at,
    };
    agent_sessions::take(&mut tx, ws, &session).await.unwrap().unwrap();
    agent_sessions::update(&mut tx, ws, &session).await.unwrap();
    let command = |(n, line): (usize, &&str)| AgentCommandRow {
        thread_id: thread_id.clone(),
        call_id: format!("call_{n}"),
        member_id,
        at,
        argv: words(line),
        outcome: "ran".to_owned(),
    };
    let rows: Vec<_> = LINES.iter().enumerate().map(command).collect();
    agent_commands::insert(&mut tx, ws, store.sealer(), &rows).await.unwrap();
    tx.commit().await.unwrap();
}

/// A house of three: Mia in Dev under Strict, Max in Ops (and Dev) and Zoe under Loose, the fallback.
struct House {
    server: Server,
    members: [String; 3],
    dev: String,
    ops: String,
    strict: String,
    loose: String,
}

async fn house(database: provost_testkit::server::Database) -> House {
    let server = Server::start_with(database, PATIENT).await;
    let mia = server.member("mia@acme.example").await;
    let max = server.member("max@acme.example").await;
    let zoe = server.member("zoe@acme.example").await;
    let dev = server.group("Dev", &[&mia, &max]).await;
    let ops = server.group("Ops", &[&max]).await;
    let (strict, loose) = (server.policy("Strict", STRICT).await, server.policy("Loose", LOOSE).await);
    let rules = json!([{ "group_id": ops, "policy_id": loose }, { "group_id": dev, "policy_id": strict }]);
    server.put("/api/v1/policy-rules", json!({ "rules": rules, "fallback_policy_id": loose })).await.ok();
    server.patch("/api/v1/settings", json!({ "telemetry": true, "record_commands": true })).await.ok();
    let now = server.node.app.store.clock().now() - SignedDuration::from_hours(1);
    for (member, sandbox) in [(&mia, "workspace-write"), (&max, "read-only"), (&zoe, "")] {
        record(&server, &server.workspace_id, member, now, sandbox).await;
    }
    House { members: [mia, max, zoe], server, dev, ops, strict, loose }
}

impl House {
    /// What binds each member, and what becomes of each command: asked one by one of the explainer.
    async fn as_it_is(&self) -> (BTreeMap<String, Value>, BTreeMap<(String, String), String>) {
        let (mut bound, mut decided) = (BTreeMap::new(), BTreeMap::new());
        for member in &self.members {
            for (n, line) in LINES.iter().enumerate() {
                let ask = json!({ "member_id": member, "command": words(line) });
                let answer = self.server.post("/api/v1/policy-explain", ask).await.ok();
                let is_sent = answer["delivered"] == true;
                let verdict = if is_sent { answer["command"]["decision"].as_str().unwrap() } else { "no_access" };
                decided.insert((member.clone(), format!("call_{n}")), verdict.to_owned());
                let policy = &answer["policy"];
                let sent = if is_sent { json!([policy["id"], policy["version"]]) } else { json!("nothing") };
                bound.insert(member.clone(), sent);
            }
        }
        (bound, decided)
    }

    async fn simulate(&self, body: &Value) -> Value {
        self.server.post(SIMULATIONS, body.clone()).await.ok()
    }
}

/// The commands of an answer: whose and which, with what they were and would be.
fn commands(answer: &Value) -> BTreeMap<(String, String), (String, String)> {
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    let rows = answer["commands"].as_array().unwrap().iter();
    rows.map(|row| ((text(row, "member_id"), text(row, "call_id")), (text(row, "before"), text(row, "after"))))
        .collect()
}

#[tokio::test]
async fn a_simulation_says_what_the_change_then_does() {
    for database in BOTH {
        let house = house(database).await;
        let server = &house.server;
        let [mia, max, zoe] = &house.members;
        // Each is simulated, then done, and the next one starts from there.
        for step in 0..6 {
            let body = match step {
                0 => json!({ "policies": [{ "policy": "strict", "contents": STRICTER }] }),
                1 => {
                    json!({ "rules": [{ "group": "Dev", "policy": "Strict" }, { "group": house.ops, "policy": "Loose" }] })
                }
                2 => json!({
                    "groups": [{ "group": "New", "add": ["zoe@acme.example"] }, { "group": "Dev", "remove": [mia] }],
                    "rules": [{ "group": "new", "policy": "Strict" }],
                }),
                3 => json!({ "settings": { "codex_local": false } }),
                4 => json!({ "settings": { "codex_local": true } }),
                _ => json!({
                    "policies": [{ "policy": "Newest", "contents": STRICT, "defaults": null }],
                    "fallback": "Newest",
                }),
            };
            let (bound_before, before) = house.as_it_is().await;
            let answer = house.simulate(&body).await;
            match step {
                0 => drop(
                    server
                        .put(
                            &format!("/api/v1/policies/{}", house.strict),
                            json!({ "name": "Strict", "contents": STRICTER }),
                        )
                        .await
                        .ok(),
                ),
                1 => {
                    let rules = json!([{ "group_id": house.dev, "policy_id": house.strict }, { "group_id": house.ops, "policy_id": house.loose }]);
                    server
                        .put("/api/v1/policy-rules", json!({ "rules": rules, "fallback_policy_id": house.loose }))
                        .await
                        .ok();
                }
                2 => {
                    let new = server.group("New", &[zoe]).await;
                    server.delete(&format!("/api/v1/groups/{}/members/{mia}", house.dev)).await;
                    let rules = json!([{ "group_id": new, "policy_id": house.strict }]);
                    server
                        .put("/api/v1/policy-rules", json!({ "rules": rules, "fallback_policy_id": house.loose }))
                        .await
                        .ok();
                }
                3 | 4 => drop(server.patch("/api/v1/settings", body["settings"].clone()).await.ok()),
                _ => {
                    let id = server.policy("Newest", STRICT).await;
                    let rules = server.get("/api/v1/policy-rules").await.ok()["rules"].clone();
                    server.put("/api/v1/policy-rules", json!({ "rules": rules, "fallback_policy_id": id })).await.ok();
                }
            }
            let (bound_after, after) = house.as_it_is().await;
            let differ = before.iter().filter(|(key, was)| after[*key] != **was);
            let expected: BTreeMap<_, _> =
                differ.map(|(key, was)| (key.clone(), (was.clone(), after[key].clone()))).collect();
            assert_eq!(commands(&answer), expected, "step {step}: {answer:#}");
            assert!(!expected.is_empty(), "step {step} is a change");
            let summary = &answer["summary"];
            assert_eq!(summary["commands_changed"], expected.len(), "step {step}");
            assert_eq!(summary["commands_total"], before.len());
            let counted: u64 = summary["command_transitions"]
                .as_array()
                .unwrap()
                .iter()
                .map(|transition| transition["count"].as_u64().unwrap())
                .sum();
            assert_eq!(counted, expected.len() as u64);
            // A new policy has one id in the simulation and another when it is made.
            let other: Vec<&String> = bound_before
                .iter()
                .filter(|(member, was)| bound_after[*member] != **was)
                .map(|(member, _)| member)
                .collect();
            let rows = answer["members"].as_array().unwrap().iter();
            let mut changed: Vec<String> = rows
                .filter(|row| row["policy_changes"] == true && row["email"] != "owner@acme.example")
                .map(|row| row["member_id"].as_str().unwrap().to_owned())
                .collect();
            changed.sort();
            assert_eq!(changed.iter().collect::<Vec<_>>(), other, "step {step}: {answer:#}");
            if step == 0 {
                let sessions = answer["sessions"].as_array().unwrap();
                assert_eq!(sessions.len(), 1, "{answer:#}");
                let session = &sessions[0];
                let verdicts = json!([session["member_id"], session["before"], session["after"]]);
                assert_eq!(verdicts, json!([mia, "permitted", "not_permitted"]));
                let row = answer["commands"].as_array().unwrap().iter().find(|row| row["call_id"] == "call_1").unwrap();
                assert_eq!((&row["rule_before"], &row["rule_after"]), (&json!("git push"), &json!("git")));
                assert_eq!(row["argv"], json!(words("git push")));
            }
            if step == 1 {
                let row = answer["members"].as_array().unwrap().iter().find(|row| row["member_id"] == **max).unwrap();
                assert_eq!(
                    (&row["before"]["policy_name"], &row["after"]["policy_name"]),
                    (&json!("Loose"), &json!("Strict"))
                );
                assert_eq!((&row["after"]["decided_by"], &row["after"]["position"]), (&json!("rule"), &json!(0)));
            }
            if step == 3 {
                let row = answer["members"].as_array().unwrap().iter().find(|row| row["member_id"] == **mia).unwrap();
                assert_eq!(row["loses"], json!(["codex.local.use"]), "{row:#}");
                assert_eq!(row["after"]["may_use_codex"], false);
            }
        }
        // What is there already is no change.
        let same = house.simulate(&json!({ "policies": [{ "policy": house.loose, "contents": LOOSE }] })).await;
        let summary = &same["summary"];
        for list in ["members_changed", "sessions_changed", "commands_changed"] {
            assert_eq!(summary[list], 0, "{summary:#}");
        }
    }
}

#[tokio::test]
async fn it_looks_back_so_many_days_says_what_it_cannot_know_and_leaves_a_trace() {
    for database in BOTH {
        let house = house(database).await;
        let server = &house.server;
        let [mia, ..] = &house.members;
        let now = server.node.app.store.clock().now();
        record(server, &server.workspace_id, mia, now - SignedDuration::from_hours(49), "read-only").await;
        let ask = |days: u32| json!({ "days": days, "policies": [{ "policy": "Strict", "contents": STRICTER }] });
        let totals = |answer: &Value| {
            let summary = &answer["summary"];
            (summary["commands_total"].as_u64().unwrap(), summary["sessions_total"].as_u64().unwrap())
        };
        let answer = house.simulate(&ask(2)).await;
        assert_eq!((totals(&answer), answer["summary"]["notes"].clone()), ((15, 3), json!([])));
        assert_eq!(totals(&house.simulate(&ask(3)).await), (20, 4));
        let notes = house.simulate(&ask(90)).await["summary"]["notes"].clone();
        assert!(notes[0].as_str().unwrap().contains("kept for 30 days"), "{notes}");

        server.patch("/api/v1/settings", json!({ "record_commands": false })).await.ok();
        let answer = house.simulate(&ask(30)).await;
        let note = answer["summary"]["notes"][0].as_str().unwrap();
        assert!(note.contains("No commands have been recorded since") && note.contains("`record_commands`"), "{note}");
        assert_eq!(answer["summary"]["commands_are_recorded"], false);

        // A member who is gone is bound by nothing.
        server.delete(&format!("/api/v1/members/{mia}")).await;
        let answer = house.simulate(&ask(3)).await;
        assert_eq!(answer["summary"]["commands_of_gone_members"], 10, "{:#}", answer["summary"]);
        assert_eq!(answer["commands"], json!([]));

        let events = server.events("policy.simulated").await;
        assert_eq!(events.len(), 5);
        assert_eq!(events[0]["details"]["policies"], json!(["Strict"]));
        assert!(!json!(events).to_string().contains("prefix_rules"), "no text is in the event");
    }
}

#[tokio::test]
async fn what_cannot_be_simulated_is_refused_and_reads_nothing() {
    for database in BOTH {
        let house = house(database).await;
        let server = &house.server;
        let (_, other) = second_workspace(server).await;
        let refused = [
            (json!({}), "422 nothing_proposed policies"),
            (json!({ "policies": [], "groups": [] }), "422 nothing_proposed policies"),
            (json!({ "days": 0, "fallback": null }), "422 out_of_range days"),
            (json!({ "days": 91, "fallback": null }), "422 out_of_range days"),
            (json!({ "fallback": "Nowhere" }), "422 unknown_policy fallback"),
            (json!({ "rules": [{ "group": "Nobody", "policy": "Strict" }] }), "422 unknown_group rules[0].group"),
            (json!({ "rules": [{ "group": "Dev", "policy": "No" }] }), "422 unknown_policy rules[0].policy"),
            (
                json!({ "rules": [{ "group": "Dev", "policy": "Strict" }, { "group": house.dev, "policy": "Loose" }] }),
                "422 duplicate_group rules[1].group",
            ),
            (
                json!({ "policies": [{ "policy": "Strict", "contents": "allowed_sandbox_modes = 1" }] }),
                "422 policy_invalid policies[0].contents",
            ),
            (
                json!({ "policies": [{ "policy": "Strict", "contents": "", "defaults": "profile = \"x\"" }] }),
                "422 policy_invalid policies[0].defaults",
            ),
            (
                json!({ "policies": [{ "policy": "Strict", "contents": "" }, { "policy": house.strict, "contents": "" }] }),
                "422 duplicate_policy policies[1].policy",
            ),
            (json!({ "policies": [{ "policy": " ", "contents": "" }] }), "422"),
            (
                json!({ "groups": [{ "group": "Dev", "add": ["no@acme.example"] }] }),
                "422 unknown_member groups[0].add[0]",
            ),
            (json!({ "groups": [{ "group": "Dev", "remove": ["x"] }] }), "422 unknown_member groups[0].remove[0]"),
            (json!({ "settings": { "sso_required": true } }), "422 invalid_field settings.sso_required"),
        ];
        for (body, expected) in refused {
            let answer = server.post(SIMULATIONS, body.clone()).await;
            assert!(status(&answer).starts_with(expected), "{body}: {} {}", status(&answer), answer.body);
        }
        let answer = server.post(&format!("{SIMULATIONS}?format=csv"), json!({ "fallback": null })).await;
        assert_eq!(status(&answer), "422 missing list");
        let path = format!("{SIMULATIONS}?format=jsonl");
        let request =
            server.request(http::Method::POST, &path).bearer_auth(&server.api_key).json(&json!({ "fallback": null }));
        let answer = server.send(request.header("idempotency-key", "again")).await;
        assert_eq!(status(&answer), "400 idempotency_key_not_taken");
        assert_eq!(server.events("policy.simulated").await.len(), 0);

        // Nobody else's policies, groups, members or facts.
        let ask = async |who: &As, body: Value| server.call(who, http::Method::POST, SIMULATIONS, Some(body)).await;
        for (body, expected) in [
            (json!({ "fallback": house.strict }), "422 unknown_policy fallback"),
            (json!({ "groups": [{ "group": house.dev }] }), "422 unknown_group groups[0].group"),
            (
                json!({ "policies": [{ "policy": house.strict, "contents": "" }] }),
                "422 unknown_policy policies[0].policy",
            ),
            (json!({ "groups": [{ "group": "G", "add": [house.members[0]] }] }), "422 unknown_member groups[0].add[0]"),
        ] {
            assert_eq!(status(&ask(&other, body).await), expected);
        }
        let answer =
            ask(&other, json!({ "policies": [{ "policy": "P", "contents": STRICT }], "fallback": "P" })).await.ok();
        assert_eq!((&answer["summary"]["commands_total"], &answer["summary"]["members_total"]), (&json!(0), &json!(1)));
        // A member who may not administer Codex.
        let mia = server.sign_in("mia@acme.example").await;
        assert!(status(&ask(&mia, json!({ "fallback": null })).await).starts_with("403"));
    }
}
