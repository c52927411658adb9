//! A developer who is shut out in the middle of an answer.

use std::time::{Duration, Instant};

use provost_testkit::codex::Version;
use provost_testkit::upstream::Reply;
use serde_json::json;

use super::{REFUSED, Site, TURN};

#[tokio::test]
async fn an_answer_breaks_off_and_the_developer_reads_why() {
    let site = Site::open().await;
    for version in Version::ALL {
        let dev = site.hire(&format!("dev{}", site.upstream.turns().len())).await;
        let laptop = site.signed_in_laptop(version, &dev).await;
        let before = site.upstream.turns().len();
        site.upstream.push(Reply::slow(1_000, Duration::from_millis(20)));
        let turn = laptop.start_exec("say hi", &TURN);
        site.upstream.wait_for_turns(before + 1).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let suspended = Instant::now();
        site.server.patch(&format!("/api/v1/members/{}", dev.id), json!({ "active": false })).await.ok();
        site.upstream.wait_for_client_gone().await;
        assert!(suspended.elapsed() < Duration::from_secs(1), "{:?}", suspended.elapsed());
        let turn = turn.finish().await;
        assert_eq!(turn.code, Some(1), "{version}: {turn}");
        assert_eq!(turn.error(), Some(REFUSED), "{version}: {turn}");
        assert!(!turn.stderr.contains("Reconnecting"), "{version}: {turn}");
        assert_eq!(site.upstream.turns().len(), before + 1, "{version} does not try again");
        let failed = site.events_of(&dev, "turn.failed").await;
        assert_eq!(failed.len(), 1, "{version}");
        assert_eq!(failed[0]["details"]["error"], "deprovisioned");
    }
}
