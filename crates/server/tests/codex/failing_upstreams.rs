//! Upstreams fail. The developer reads what is wrong, in words, and the turn is on record.

use provost_testkit::codex::Version;
use provost_testkit::server::Database;
use provost_testkit::upstream::{Reply, Upstream};
use serde_json::json;

use super::{Site, TURN};

/// The name of an upstream and of its model; what it does; the words of the developer's last line;
/// the code on record. The client tries again by itself where that may help.
fn failures() -> [(&'static str, Reply, &'static str, &'static str); 5] {
    let broken = json!({ "error": { "message": "stack trace of the provider" } });
    let cut = "stream disconnected before completion";
    [
        ("failing", Reply::status(500, broken), "The upstream `failing` failed with status 500.", "upstream_failed"),
        ("hanging", Reply::hang(), "The upstream `hanging` did not answer in time.", "upstream_timeout"),
        ("breaking", Reply::text("half").cut_after(3), cut, "upstream_broke_off"),
        ("babbling", Reply::garbage(), cut, "upstream_ended_early"),
        ("portal", Reply::html(), "The upstream `portal` sent no model's answer.", "upstream_not_an_answer"),
    ]
}

#[tokio::test]
async fn a_failing_upstream_is_told_in_words() {
    let site = Site::open_with(Database::Sqlite, "[limits]\nupstream_idle_seconds = 3\n").await;
    let ada = site.hire("ada").await;
    let (mut upstreams, mut running) = (Vec::new(), Vec::new());
    for (name, reply, expected, _) in failures() {
        let upstream = Upstream::start().await;
        upstream.set_default(reply);
        let body = json!({ "name": name, "base_url": upstream.url(), "models": [{ "slug": name }] });
        site.server.post("/api/v1/upstreams", body).await.ok();
        for version in Version::ALL {
            // All at once, since some of them wait for half a minute before they give up.
            let laptop = site.signed_in_laptop(version, &ada).await;
            let turn = laptop.start_exec("say hi", &["-m", name]);
            running.push((name, version, turn, laptop, expected));
        }
        upstreams.push(upstream);
    }
    for (name, version, turn, _laptop, expected) in running {
        let turn = turn.finish().await;
        assert_eq!(turn.code, Some(1), "{name}, {version}: {turn}");
        let error = turn.error().unwrap_or_default();
        assert!(error.contains(expected), "{name}, {version}: {turn}");
        assert!(!turn.stderr.contains("stack trace"), "what a provider says of itself stays here: {turn}");
        assert!(!turn.stderr.contains("panicked"), "{turn}");
    }
    let failed = site.events_of(&ada, "turn.failed").await;
    for (name, _, _, code) in failures() {
        let codes: Vec<_> = failed.iter().filter(|event| event["details"]["model"] == name).collect();
        assert!(!codes.is_empty() && codes.iter().all(|event| event["details"]["error"] == code), "{name}: {codes:?}");
    }
    // Another upstream is none the worse.
    let laptop = site.signed_in_laptop(Version::V0_169, &ada).await;
    assert!(laptop.exec("say hi", &TURN).await.success());
}
