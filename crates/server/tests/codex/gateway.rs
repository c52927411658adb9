//! A turn passes the gateway.

use provost_testkit::codex::Version;
use provost_testkit::server::Database;
use provost_testkit::upstream::{Reply, Usage};

use super::{Site, TURN};

async fn a_turn_is_answered(database: Database) {
    let site = Site::open_with(database, "").await;
    let ada = site.hire("ada").await;
    for version in Version::ALL {
        let laptop = site.signed_in_laptop(version, &ada).await;
        let usage = Usage { input: 1_200, cached: 800, output: 34, reasoning: 5 };
        site.upstream.push(Reply::text("Forty-two.").usage(usage));
        let turn = laptop.exec("what is it?", &TURN).await;
        assert!(turn.success(), "{version}: {turn}");
        assert_eq!(turn.stdout.trim(), "Forty-two.", "{version}: {turn}");
        assert_eq!(turn.error(), None, "{version}: {turn}");

        let sent = site.upstream.turns().pop().unwrap();
        assert_eq!(sent.header("authorization"), Some("Bearer sk-upstream"));
        assert_eq!(sent.body["store"], false);
        assert_eq!(sent.body["model"], "gpt-test");
        assert!(sent.body["input"].to_string().contains("what is it?"));
        // Nothing tells the upstream who asked.
        let token = laptop.auth().unwrap()["tokens"]["access_token"].as_str().unwrap().to_owned();
        let everything = format!("{:?} {}", sent.headers, sent.body);
        for private in [&*token, &ada.email, &ada.id, &site.server.workspace_id] {
            assert!(!everything.contains(private), "{version}: the upstream was told {private}");
        }

        let turns = site.events_of(&ada, "turn.completed").await;
        let recorded = turns.last().unwrap();
        assert_eq!(recorded["target"]["kind"], "upstream");
        let details = &recorded["details"];
        for (key, expected) in
            [("input_tokens", 1_200), ("cached_input_tokens", 800), ("output_tokens", 34), ("reasoning_tokens", 5)]
        {
            assert_eq!(details[key], expected, "{version}: {key} of {details}");
        }
        assert_eq!(details["status"], "completed");
        assert_eq!(details["model"], "gpt-test");
        assert_eq!(details["client_version"], version.to_string());
        assert_eq!(details["via"]["kind"], "client_session");
        assert!(!details.to_string().contains("Forty-two"), "what was said is not on record");
    }
    assert_eq!(site.events_of(&ada, "turn.completed").await.len(), 2);
    assert_eq!(site.events_of(&ada, "policy.fetched").await.len(), 2, "one of each version");
}

#[tokio::test]
async fn a_turn_is_answered_by_the_upstream_and_recorded() {
    a_turn_is_answered(Database::Sqlite).await;
}

#[tokio::test]
async fn a_turn_is_answered_by_the_upstream_and_recorded_on_postgres() {
    a_turn_is_answered(Database::Postgres).await;
}

#[tokio::test]
async fn a_turn_with_a_command_is_two_calls_of_one_client_turn() {
    let site = Site::open().await;
    let ada = site.hire("ada").await;
    for version in Version::ALL {
        let laptop = site.signed_in_laptop(version, &ada).await;
        let (turn, told) = site.run(&laptop, "echo from the shell", &[]).await;
        assert!(turn.success(), "{version}: {turn}");
        assert!(told.tool_output().unwrap().contains("from the shell"), "{version}: {turn}");
    }
    let turns = site.events_of(&ada, "turn.completed").await;
    assert_eq!(turns.len(), 4);
    assert!(turns[0]["details"]["turn_id"].is_string(), "{}", turns[0]);
    assert_eq!(turns[0]["details"]["turn_id"], turns[1]["details"]["turn_id"]);
    assert_ne!(turns[1]["details"]["turn_id"], turns[2]["details"]["turn_id"]);
}

#[tokio::test]
async fn a_developer_who_stops_the_client_stops_the_upstream() {
    let site = Site::open().await;
    let ada = site.hire("ada").await;
    let laptop = site.signed_in_laptop(Version::V0_169, &ada).await;
    site.upstream.push(Reply::text("never").hang_after(3));
    let turn = laptop.start_exec("say hi", &TURN);
    site.upstream.wait_for_turns(1).await;
    turn.kill().await;
    site.upstream.wait_for_client_gone().await;
    let turns = site.events_of(&ada, "turn.completed").await;
    assert_eq!(turns.len(), 1);
    assert_eq!(turns[0]["details"]["status"], "cancelled");
}
