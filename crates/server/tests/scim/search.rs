//! Lists, filters, sorting, pages, `/.search`, and what describes the surface.

use http::Method;
use insta::assert_snapshot;
use provost_testkit::server::Server;
use serde_json::{Value, json};

use super::{BOTH, GROUPS, USERS, call, filter, group, key, play, user};

const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

#[tokio::test]
async fn what_describes_the_surface() {
    let transcript = play(async |s| {
        for path in ["ServiceProviderConfig", "ResourceTypes", "ResourceTypes/User", "ResourceTypes/Nothing"] {
            s.get(&format!("/scim/v2/{path}")).await;
        }
        s.get("/scim/v2/Schemas/urn:ietf:params:scim:schemas:core:2.0:Group").await;
        s.get("/scim/v2/Schemas/urn:nothing").await;
        s.get("/scim/v2/Schemas?filter=id%20eq%20%22x%22").await;
    });
    assert_snapshot!(transcript.await);
}

#[tokio::test]
async fn pages_filters_and_order() {
    for database in BOTH {
        let server = Server::start_on(database).await;
        let key = key(&server, &["scim"]).await;
        for n in 0..25 {
            let mut body = user(&format!("u{n:02}@acme.example"));
            body["externalId"] = json!(format!("x{}", n % 20));
            body["displayName"] = json!(format!("Person {:02}", 24 - n));
            body["active"] = json!(n % 5 != 0);
            body["title"] = json!(if n % 2 == 0 { "Even" } else { "Odd" });
            call(&server, &key, Method::POST, USERS, Some(body)).await.ok();
        }
        let names = async |query: String| {
            let listed = call(&server, &key, Method::GET, &query, None).await.ok();
            let resources = listed["Resources"].as_array().cloned().unwrap_or_default();
            let names =
                resources.iter().map(|resource| resource["userName"].as_str().unwrap_or_default()[..3].to_owned());
            (listed["totalResults"].as_u64().unwrap(), names.collect::<Vec<_>>().join(" "))
        };
        let users = |query: &str| format!("{USERS}?{query}");
        let matching = |text: &str| filter(USERS, text);
        for (query, total, wanted) in [
            (users("count=3"), 26, "own u00 u01"),
            (users("count=2&startIndex=25"), 26, "u23 u24"),
            (users("count=2&startIndex=26"), 26, "u24"),
            (users("startIndex=27"), 26, ""),
            (users("startIndex=999999999"), 26, ""),
            (users("count=0"), 26, ""),
            (users("count=-5"), 26, ""),
            (users("startIndex=-5&count=1"), 26, "own"),
            (matching("userName eq \"u07@acme.example\""), 1, "u07"),
            (matching("USERNAME EQ \"U07@ACME.example\""), 1, "u07"),
            (matching("urn:ietf:params:scim:schemas:core:2.0:User:userName eq \"u07@acme.example\""), 1, "u07"),
            (matching("userName eq \"u07@acme.example\" and active eq true"), 1, "u07"),
            (matching("userName eq \"u05@acme.example\" and active eq true"), 0, ""),
            (matching("externalId eq \"x3\""), 2, "u03 u23"),
            (matching("externalId eq \"X3\""), 0, ""),
            (matching("emails.value eq \"U07@acme.example\""), 1, "u07"),
            (matching("emails[type eq \"work\" and value eq \"u07@acme.example\"]"), 1, "u07"),
            (matching("displayName eq \"person 03\""), 1, "u21"),
            (matching("userName sw \"u0\" and active eq false"), 2, "u00 u05"),
            (matching("not (userName sw \"u\")"), 1, "own"),
            (matching("title pr and not (title eq \"Odd\") and userName gt \"u2\""), 3, "u20 u22 u24"),
            (matching("userName eq \"u07@acme.example\" or userName eq \"u08@acme.example\""), 2, "u07 u08"),
            (format!("{}&count=2&startIndex=2", matching("title eq \"odd\"")), 12, "u03 u05"),
            (format!("{}&sortBy=displayName&count=2", matching("userName sw \"u\"")), 25, "u24 u23"),
            (format!("{}&sortBy=userName&sortOrder=descending&count=2", matching("title eq \"even\"")), 13, "u24 u22"),
            (users("sortBy=userName&sortOrder=descending&startIndex=2&count=2"), 26, "u23 u22"),
        ] {
            assert_eq!(names(query.clone()).await, (total, wanted.to_owned()), "{query}");
        }
        for n in 0..3 {
            call(&server, &key, Method::POST, GROUPS, Some(group(&format!("G{n}"), &[]))).await.ok();
        }
        let search = |filter: &str| {
            Some(json!({ "schemas": [SEARCH], "filter": filter, "attributes": ["userName", "displayName"] }))
        };
        let everywhere = "userName eq \"u07@acme.example\" or displayName eq \"G1\"";
        let found = call(&server, &key, Method::POST, "/scim/v2/.search", search(everywhere)).await.ok();
        assert_eq!(found["totalResults"], 2, "{found}");
        let users = call(&server, &key, Method::POST, &format!("{USERS}/.search"), search(everywhere)).await.ok();
        assert_eq!(users["totalResults"], 1, "{users}");
        assert_eq!(users["Resources"][0]["emails"], Value::Null);
        let all = Some(json!({ "schemas": [SEARCH], "count": 1000 }));
        let found = call(&server, &key, Method::POST, "/scim/v2/.search", all).await.ok();
        assert_eq!((&found["totalResults"], &found["itemsPerPage"]), (&json!(29), &json!(29)));
    }
}
