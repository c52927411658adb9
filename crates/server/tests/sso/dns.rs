//! Domains of which DNS says nothing, or something else.

use http::StatusCode;
use provost_testkit::server::Server;
use serde_json::{Value, json};

#[tokio::test]
async fn a_domain_counts_when_dns_says_so() {
    let server = Server::start().await;
    let made = server.post("/api/v1/domains", json!({ "domain": "Example.COM." })).await.ok();
    assert_eq!((made["domain"].as_str(), &made["verified_at"]), (Some("example.com"), &Value::Null));
    let (name, value) = (made["record"]["name"].as_str().unwrap(), made["record"]["value"].as_str().unwrap());
    assert_eq!(name, "_provost-challenge.example.com");
    let verify = format!("/api/v1/domains/{}/verify", made["id"].as_str().unwrap());
    let say = |texts: &[&str]| {
        server.dns.lock().unwrap().insert(name.to_owned(), texts.iter().map(|text| (*text).to_owned()).collect());
    };

    let none = server.post(&verify, Value::Null).await;
    assert_eq!(
        (none.status, none.body["error"]["code"].as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, Some("domain_not_verified"))
    );
    assert!(none.body["error"]["message"].as_str().unwrap().contains("there is no TXT record at"), "{}", none.body);
    say(&["v=spf1 -all", "provost-domain-verification=guessed"]);
    let other = server.post(&verify, Value::Null).await;
    assert!(other.body["error"]["message"].as_str().unwrap().contains("2 TXT records"), "{}", other.body);
    say(&["v=spf1 -all", value]);
    let good = server.post(&verify, Value::Null).await.ok();
    assert!(good["verified_at"].is_string(), "{good}");
    assert_eq!(server.events("domain.verified").await.len(), 1);
}
