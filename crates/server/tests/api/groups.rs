//! `/api/v1/groups`, `/api/v1/groups/{id}/members`.

use insta::assert_snapshot;
use serde_json::json;

use super::play;

const GROUPS: &str = "/api/v1/groups";

#[tokio::test]
async fn groups_and_who_is_in_them() {
    let transcript = play(async |s| {
        let mia = s.server.member("mia@acme.example").await;
        let max = s.server.member("max@acme.example").await;
        s.says("Made, seen, renamed");
        let ops = s.post(GROUPS, json!({ "name": "  Ops " })).await.text("id");
        let dev = s.post(GROUPS, json!({ "name": "Dev" })).await.text("id");
        s.get(&format!("{GROUPS}/{ops}")).await;
        s.patch(&format!("{GROUPS}/{ops}"), json!({ "name": "Operations" })).await;
        s.patch(&format!("{GROUPS}/{ops}"), json!({ "name": "Operations" })).await;
        s.says("Members in, twice, and out, twice");
        for member in [&mia, &mia, &max] {
            s.put(&format!("{GROUPS}/{ops}/members/{member}"), json!(null)).await;
        }
        s.get(&format!("{GROUPS}/{ops}")).await;
        s.get(&format!("{GROUPS}/{ops}/members")).await;
        s.get(&format!("{GROUPS}/{ops}/members?limit=1")).await;
        s.delete(&format!("{GROUPS}/{ops}/members/{mia}")).await;
        s.delete(&format!("{GROUPS}/{ops}/members/{mia}")).await;
        s.get(GROUPS).await;
        s.says("What cannot be");
        for body in [
            json!({ "name": "DEV" }),
            json!({ "name": "\u{ff24}ev" }),
            json!({ "name": " " }),
            json!({ "name": "a\u{0}b" }),
            json!({ "name": "n".repeat(201) }),
            json!({ "name": "x", "source": "scim" }),
            json!({}),
        ] {
            s.post(GROUPS, body).await;
        }
        s.patch(&format!("{GROUPS}/{ops}"), json!({ "name": "dev" })).await;
        s.patch(&format!("{GROUPS}/{ops}"), json!({})).await;
        s.put(&format!("{GROUPS}/{ops}/members/{dev}"), json!(null)).await;
        s.put(&format!("{GROUPS}/{mia}/members/{mia}"), json!(null)).await;
        s.says("Deleted, with what hung on it");
        s.delete(&format!("{GROUPS}/{ops}")).await;
        s.get(&format!("{GROUPS}/{ops}")).await;
        s.get(&format!("{GROUPS}/{ops}/members")).await;
        s.delete(&format!("{GROUPS}/{ops}")).await;
        s.put(&format!("{GROUPS}/{ops}/members/{max}"), json!(null)).await;
    });
    assert_snapshot!(transcript.await);
}
