//! The guard: a rollout whose clients do not come back is halted, and everybody gets the version of before.

use jiff::SignedDuration;
use provost_model::PolicyId;
use provost_policy::look_after_rollouts;
use provost_store::tables::policy_deliveries::{self, DeliveryRow};
use provost_testkit::server::Server;
use serde_json::{Value, json};

use super::{BOTH, PATIENT, V2, V3, act, policy_for_all, start, status, version_of};

/// So many devices were sent this version just now, and had these turns.
async fn sent(server: &Server, policy: &str, version: u32, devices: std::ops::Range<u32>, turns: (u32, u32)) {
    let now = server.clock.now();
    let row = |device: u32| DeliveryRow {
        workspace_id: server.workspace_id.parse().unwrap(),
        device: format!("grant_{device}"),
        member_id: server.owner_id.clone(),
        policy: Some((policy.parse().unwrap(), version)),
        client_version: "0.169.0".to_owned(),
        first_at: now,
        last_at: now,
        fetches: 1,
        turns: turns.0,
        failed_turns: turns.1,
        last_turn_at: (turns.0 > 0).then_some(now),
    };
    let rows: Vec<DeliveryRow> = devices.map(row).collect();
    let mut tx = server.node.app.store.write().await.unwrap();
    policy_deliveries::add(&mut tx, &rows).await.unwrap();
    tx.commit().await.unwrap();
}

async fn show(server: &Server, rollout: &str) -> Value {
    server.get(&format!("/api/v1/rollouts/{rollout}")).await.ok()
}

/// Half an hour later, somebody looks.
async fn later(server: &Server) {
    server.advance(SignedDuration::from_mins(30));
    look_after_rollouts(&server.node.app).await;
}

#[tokio::test]
async fn clients_that_do_not_come_back_halt_it_and_everybody_gets_the_version_of_before() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let policy = policy_for_all(&server).await;
        // What was before the rollout began says nothing: these had turns, and failures, long ago.
        sent(&server, &policy, 1, 100..140, (50, 50)).await;
        server.advance(SignedDuration::from_hours(24));
        let rollout = start(&server, &policy, json!({ "percent": 100 })).await;
        assert_eq!(version_of(&server, "owner@acme.example").await, 2);
        sent(&server, &policy, 1, 100..120, (5, 0)).await;
        sent(&server, &policy, 2, 0..12, (0, 0)).await;
        // A machine without a member starts no turns: it is on neither side.
        let mut tx = server.node.app.store.write().await.unwrap();
        let sql = "UPDATE policy_deliveries SET member_id = '' WHERE device = 'grant_100'";
        tx.execute(sql, []).await.unwrap();
        tx.commit().await.unwrap();

        look_after_rollouts(&server.node.app).await;
        let before = show(&server, &rollout).await;
        assert_eq!((&before["status"], &before["figures"]["compared_with"]), (&json!("running"), &Value::Null));
        later(&server).await;
        let halted = show(&server, &rollout).await;
        assert_eq!(halted["status"], "halted");
        let figures = json!({
            "candidate": {
                "clients": 12, "came_back": 0, "turns": 0, "failed_turns": 0, "judged": 12, "silent": 12,
                "silent_percent": 100, "failure_percent": null,
            },
            "baseline": {
                "clients": 19, "came_back": 19, "turns": 95, "failed_turns": 0, "judged": 19, "silent": 0,
                "silent_percent": 0, "failure_percent": 0,
            },
            "compared_with": "baseline",
            "halt": "silent",
        });
        assert_eq!(halted["figures"], figures);
        assert_eq!(version_of(&server, "owner@acme.example").await, 1);
        let events = server.events("rollout.halted").await;
        assert_eq!(events.len(), 1);
        assert_eq!(events[0]["actor"]["kind"], "system");
        assert_eq!(events[0]["target"], json!({ "kind": "rollout", "id": rollout, "name": "Careful" }));
        assert_eq!(events[0]["details"]["figures"], figures);
        assert_eq!(events[0]["details"]["baseline_version"], 1);
        // It is over: what comes next is another version.
        assert_eq!(
            status(&server.post(&format!("/api/v1/rollouts/{rollout}/resume"), json!({})).await),
            "409 rollout_ended"
        );
        let next =
            server.put(&format!("/api/v1/policies/{policy}"), json!({ "name": "Careful", "contents": V3 })).await;
        assert_eq!(next.ok()["version"], 3);
        let withdrawn = server.get(&format!("/api/v1/policies/{policy}/versions/2")).await.ok();
        assert_eq!((&withdrawn["status"], &withdrawn["rollout_id"]), (&json!("withdrawn"), &json!(rollout)));
    }
}

#[tokio::test]
async fn turns_that_fail_halt_it_unless_they_fail_for_everybody() {
    for (failed_of_others, wanted) in [(0, "halted"), (4, "running")] {
        let server = Server::start_with(BOTH[0], PATIENT).await;
        let policy = policy_for_all(&server).await;
        let rollout = start(&server, &policy, json!({ "percent": 50 })).await;
        sent(&server, &policy, 1, 100..120, (4, failed_of_others)).await;
        sent(&server, &policy, 2, 0..12, (4, 4)).await;
        later(&server).await;
        let shown = show(&server, &rollout).await;
        assert_eq!(shown["status"], wanted, "{shown}");
        assert_eq!(shown["figures"]["candidate"]["failure_percent"], 100);
    }
}

#[tokio::test]
async fn a_rollout_without_anybody_to_compare_with_is_held_against_thresholds() {
    for (silent, wanted) in [(4, "running"), (7, "halted")] {
        let server = Server::start_with(BOTH[0], PATIENT).await;
        let policy = policy_for_all(&server).await;
        let rollout = start(&server, &policy, json!({ "percent": 100 })).await;
        sent(&server, &policy, 2, 0..silent, (0, 0)).await;
        sent(&server, &policy, 2, silent..12, (3, 0)).await;
        later(&server).await;
        let shown = show(&server, &rollout).await;
        assert_eq!(shown["status"], wanted, "{shown}");
        assert_eq!(shown["figures"]["compared_with"], "thresholds");
    }
}

#[tokio::test]
async fn few_silent_clients_halt_nothing_until_the_guard_says_so() {
    let server = Server::start_with(BOTH[0], PATIENT).await;
    let policy = policy_for_all(&server).await;
    let rollout = start(&server, &policy, json!({ "percent": 50 })).await;
    sent(&server, &policy, 1, 100..120, (2, 0)).await;
    sent(&server, &policy, 2, 0..4, (0, 0)).await;
    later(&server).await;
    assert_eq!(show(&server, &rollout).await["status"], "running");
    let guard = json!({ "guard": { "min_clients": 4 } });
    server.patch(&format!("/api/v1/rollouts/{rollout}"), guard).await.ok();
    look_after_rollouts(&server.node.app).await;
    assert_eq!(show(&server, &rollout).await["status"], "halted");
}

#[tokio::test]
async fn who_was_moved_to_the_new_version_is_no_longer_compared_with() {
    let server = Server::start_with(BOTH[0], PATIENT).await;
    let policy = policy_for_all(&server).await;
    let rollout = start(&server, &policy, json!({ "percent": 50 })).await;
    sent(&server, &policy, 1, 0..10, (0, 0)).await;
    sent(&server, &policy, 2, 0..5, (1, 0)).await;
    let figures = &show(&server, &rollout).await["figures"];
    assert_eq!((&figures["candidate"]["clients"], &figures["baseline"]["clients"]), (&json!(5), &json!(5)));
}

/// On several nodes every one looks, and one acts.
#[tokio::test]
async fn of_two_nodes_one_halts_it_and_both_deliver_the_version_of_before() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let second = server.second_node().await;
        let policy = policy_for_all(&server).await;
        let rollout = start(&server, &policy, json!({ "percent": 100, "guard": { "grace_minutes": 0 } })).await;
        sent(&server, &policy, 2, 0..12, (0, 0)).await;
        second.app.store.refresh().await.unwrap();
        tokio::join!(look_after_rollouts(&server.node.app), look_after_rollouts(&second.app));
        assert_eq!(show(&server, &rollout).await["status"], "halted");
        assert_eq!(server.events("rollout.halted").await.len(), 1);
        for node in [&server.node, &second] {
            node.app.store.refresh().await.unwrap();
            let workspace = node.app.store.workspace(server.workspace_id.parse().unwrap()).unwrap();
            assert!(workspace.policies[&policy.parse::<PolicyId>().unwrap()].rollout.is_none());
        }
        second.stop().await;
    }
}

/// Nobody has to look: the node does.
#[tokio::test]
async fn the_node_looks_by_itself() {
    let server = Server::start_with(BOTH[0], PATIENT).await;
    let policy = policy_for_all(&server).await;
    let rollout = start(&server, &policy, json!({ "percent": 100, "guard": { "grace_minutes": 0 } })).await;
    sent(&server, &policy, 2, 0..12, (0, 0)).await;
    for _ in 0..100 {
        if show(&server, &rollout).await["status"] == "halted" {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("ten seconds later nobody has looked");
}

#[tokio::test]
async fn while_it_is_paused_nobody_new_gets_it_and_the_guard_goes_on_watching() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        server.member("mia@acme.example").await;
        let policy = policy_for_all(&server).await;
        let rollout = start(&server, &policy, json!({ "percent": 100 })).await;
        // The owner has it; Mia has not asked yet.
        sent(&server, &policy, 2, 0..12, (0, 0)).await;
        let versions =
            async || (version_of(&server, "owner@acme.example").await, version_of(&server, "mia@acme.example").await);
        assert_eq!(versions().await, (2, 2));
        act(&server, &rollout, "pause").await;
        assert_eq!(versions().await, (2, 1));
        assert_eq!(show(&server, &rollout).await["reach"], json!({ "members": 2, "reached": 1 }));
        act(&server, &rollout, "resume").await;
        assert_eq!(versions().await, (2, 2));
        act(&server, &rollout, "pause").await;
        later(&server).await;
        assert_eq!(show(&server, &rollout).await["status"], "halted");
        assert_eq!(versions().await, (1, 1));
    }
}

#[tokio::test]
async fn stages_follow_each_other_and_the_last_one_finishes_it() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let policy = policy_for_all(&server).await;
        let stage = |percent: u32, minutes: u32| json!({ "percent": percent, "minutes": minutes });
        let stages = json!({ "stages": [stage(5, 30), stage(50, 60), stage(100, 30)] });
        let rollout = start(&server, &policy, stages).await;
        let now = async || {
            look_after_rollouts(&server.node.app).await;
            let shown = show(&server, &rollout).await;
            (shown["percent"].as_i64().unwrap(), shown["stage"].as_i64().unwrap(), shown["status"].clone())
        };
        assert_eq!(now().await, (5, 0, json!("running")));
        server.advance(SignedDuration::from_mins(30));
        assert_eq!(now().await, (50, 1, json!("running")));
        server.advance(SignedDuration::from_mins(59));
        assert_eq!(now().await, (50, 1, json!("running")));
        // A pause stops it; then the stage begins anew.
        act(&server, &rollout, "pause").await;
        server.advance(SignedDuration::from_mins(60));
        assert_eq!(now().await, (50, 1, json!("paused")));
        act(&server, &rollout, "resume").await;
        assert_eq!(now().await, (50, 1, json!("running")));
        server.advance(SignedDuration::from_mins(60));
        assert_eq!(now().await, (100, 2, json!("running")));
        server.advance(SignedDuration::from_mins(30));
        assert_eq!(now().await, (100, 2, json!("finished")));
        let published = server.get(&format!("/api/v1/policies/{policy}")).await.ok();
        assert_eq!((&published["version"], &published["contents"]), (&json!(2), &json!(V2)));
        assert_eq!(server.events("rollout.updated").await.len(), 2);
        assert_eq!(server.events("rollout.finished").await[0]["actor"]["kind"], "system");
    }
}

#[tokio::test]
async fn a_stage_that_does_not_reach_everybody_is_where_it_stays() {
    let server = Server::start_with(BOTH[0], PATIENT).await;
    let policy = policy_for_all(&server).await;
    let rollout = start(&server, &policy, json!({ "stages": [{ "percent": 5, "minutes": 1 }] })).await;
    later(&server).await;
    let shown = show(&server, &rollout).await;
    assert_eq!((&shown["percent"], &shown["status"]), (&json!(5), &json!("running")));
    // Taken over by hand, it takes no more steps by itself.
    let patched = server.patch(&format!("/api/v1/rollouts/{rollout}"), json!({ "percent": 100 })).await.ok();
    assert_eq!((&patched["stages"], &patched["stage"]), (&json!([]), &Value::Null));
    later(&server).await;
    assert_eq!(show(&server, &rollout).await["status"], "running");
}
