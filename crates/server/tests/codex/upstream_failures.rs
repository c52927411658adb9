//! Upstreams fail. The developer reads what is wrong, in words, and nothing else breaks.

use provost_testkit::codex::Version;
use provost_testkit::upstream::{Reply, Upstream};
use serde_json::json;

use super::Site;
use provost_testkit::server::Database;

#[tokio::test]
async fn a_failing_upstream_is_told_in_words() {
    let site = Site::open_with(Database::Sqlite, "[limits]\nupstream_idle_seconds = 1\n").await;
    let ada = site.hire("ada").await;
    let mut upstreams = Vec::new();
    let replies = [
        ("failing", Reply::status(500, json!({ "error": { "message": "internal secret" } }))),
        ("hanging", Reply::hang()),
        ("cut", Reply::text("half").cut_after(3)),
        ("garbage", Reply::garbage()),
        ("html", Reply::html()),
        ("limited", Reply::status(400, json!({ "error": { "message": "the prompt is too long" } }))),
    ];
    for (name, reply) in replies {
        let upstream = Upstream::start().await;
        upstream.set_default(reply);
        let body = json!({ "name": name, "base_url": upstream.url(), "models": [{ "slug": name }] });
        site.server.post("/api/v1/upstreams", body).await.ok();
        upstreams.push((name, upstream));
    }
    let mut running = Vec::new();
    for (name, upstream) in upstreams {
        for version in Version::ALL {
            let laptop = site.signed_in_laptop(version, &ada).await;
            #[expect(clippy::disallowed_methods)]
            let started = std::time::Instant::now();
            let turn = laptop.start_exec("say hi", &["-m", name]);
            running.push((name, version, laptop, turn, started));
        }
        Box::leak(Box::new(upstream));
    }
    for (name, version, _laptop, turn, started) in running {
        let turn = turn.finish().await;
        println!("==== {name} {version} {:?}\n{turn}", started.elapsed());
    }
    for event in site.server.events("turn.failed").await {
        println!("{} {}", event["details"]["model"], event["details"]["error"]);
    }
}
