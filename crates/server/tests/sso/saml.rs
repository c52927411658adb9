//! Signing in through SAML, as it goes well, and as it goes for members who may not.

use http::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use http::{Method, StatusCode};
use jiff::SignedDuration;
use provost_testkit::saml::{ENTITY_ID, Idp, Said};
use provost_testkit::server::Database;
use serde_json::{Value, json};

use super::saml_stage::{Stage, session, to};

const BOTH: [Database; 2] = [Database::Sqlite, Database::Postgres];

#[tokio::test]
async fn a_browser_goes_to_its_provider_and_comes_back_signed_in() {
    for database in BOTH {
        let stage = Stage::new(database, json!({})).await;
        let began = stage.begin("/codex/device?user_code=AB").await;
        for part in [
            "Destination=\"https://idp.acme.example/sso?tenant=7\"".to_owned(),
            format!("AssertionConsumerServiceURL=\"{}/acs\"", stage.sp()),
            format!("<saml:Issuer>{}/metadata</saml:Issuer>", stage.sp()),
            "ProtocolBinding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\"".to_owned(),
        ] {
            assert!(began.request.contains(&part), "{part} in {}", began.request);
        }
        let flags = "; Path=/; HttpOnly; SameSite=None; Secure; Max-Age=900";
        assert!(began.set_cookie.starts_with("__Host-provost-saml-") && began.set_cookie.ends_with(flags), "{began:?}");

        let answer = stage.finish(&began, &stage.idp.respond(&stage.answer(&began))).await;
        assert_eq!(to(&answer), "/codex/device?user_code=AB", "a redirect: the session's cookie is SameSite=Lax");
        assert_eq!(stage.who(&answer).await, "mia@acme.example");
        let name = began.cookie.split('=').next().unwrap();
        let mut cookies = answer.headers.get_all(SET_COOKIE).iter().map(|cookie| cookie.to_str().unwrap());
        assert!(cookies.any(|cookie| cookie.starts_with(&format!("{name}=;"))), "the cookie is taken away");
        let event = stage.server.events("sign_in.succeeded").await.remove(0);
        assert_eq!(
            (&event["details"]["method"], &event["details"]["connection_id"]),
            (&json!("saml"), &json!(stage.id))
        );
        let again = stage.begin("/").await;
        let answer = stage.finish(&again, &stage.idp.respond(&stage.answer(&again))).await;
        assert_eq!(stage.who(&answer).await, "mia@acme.example", "and it is the same member");
        assert_eq!(stage.server.events("member.created").await.len(), 1);
    }
}

#[tokio::test]
async fn what_a_provider_needs_to_know_is_at_our_entity_id() {
    let stage = Stage::new(Database::Sqlite, json!({})).await;
    let path = format!("/sign-in/saml/{}/metadata", stage.id);
    let answer = stage.server.send(stage.request(Method::GET, &path)).await;
    assert_eq!(answer.headers[CONTENT_TYPE], "application/samlmetadata+xml");
    let text = answer.body.as_str().unwrap();
    for part in [
        format!("entityID=\"{}/metadata\"", stage.sp()),
        "WantAssertionsSigned=\"true\"".to_owned(),
        format!("Location=\"{}/acs\" index=\"0\" isDefault=\"true\"", stage.sp()),
        "<md:NameIDFormat>urn:oasis:names:tc:SAML:2.0:nameid-format:persistent</md:NameIDFormat>".to_owned(),
    ] {
        assert!(text.contains(&part), "{part} in {text}");
    }
    let off = json!({ "name": "Off", "protocol": "saml", "saml": stage.idp.config(), "enabled": false });
    let off = stage.connect(off).await;
    for id in [off.as_str(), "conn_0199aaaaaaaa7000800000000000000a", "nonsense"] {
        let path = format!("/sign-in/saml/{id}/metadata");
        assert_eq!(stage.server.send(stage.request(Method::GET, &path)).await.status, StatusCode::NOT_FOUND, "{id}");
        assert_eq!(stage.post_to(id, "x", "", "").await.status, StatusCode::NOT_FOUND, "{id}");
    }
}

#[tokio::test]
async fn a_sign_in_that_begins_on_the_plain_listener_goes_on_at_the_public_address() {
    let stage = Stage::new(Database::Sqlite, json!({})).await;
    let path = format!("/sign-in/sso/{}?next=%2Fcodex%2Fdevice", stage.id);
    let answer = stage.server.send(stage.server.request(Method::GET, &path)).await;
    assert_eq!(to(&answer), format!("{}{path}", stage.server.url()));
}

#[tokio::test]
async fn two_tabs_do_not_disturb_each_other() {
    let stage = Stage::new(Database::Sqlite, json!({})).await;
    let (first, second) = (stage.begin("/one").await, stage.begin("/two").await);
    let both = format!("{}; {}", first.cookie, second.cookie);
    for (began, next) in [(&second, "/two"), (&first, "/one")] {
        let response = stage.idp.respond(&stage.answer(began));
        assert_eq!(to(&stage.post(&response, &began.relay_state, &both).await), next);
    }
}

#[tokio::test]
async fn a_sign_in_that_nobody_asked_for_is_a_choice() {
    let stage = Stage::new(Database::Sqlite, json!({ "allow_idp_initiated": true })).await;
    let answer = stage.post(&stage.idp.respond(&stage.said()), "/codex/device", "").await;
    assert_eq!((to(&answer), stage.who(&answer).await.as_str()), ("/codex/device", "mia@acme.example"));
    for evil in
        ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "\t//evil.example", ""]
    {
        let answer = stage.post(&stage.idp.respond(&stage.said()), evil, "").await;
        assert_eq!(to(&answer), "/", "{evil}");
    }
    let asked = Said { in_response_to: Some("_somebody-elses".to_owned()), ..stage.said() };
    stage
        .assert_refused(&stage.post(&stage.idp.respond(&asked), "", "").await, "wrong_request", "an answer to another")
        .await;
    let began = stage.begin("/").await;
    let answer = stage.finish(&began, &stage.idp.respond(&stage.said())).await;
    stage.assert_refused(&answer, "wrong_request", "what was not asked for does not answer what was").await;
}

#[tokio::test]
async fn who_may_not_sign_in_stays_outside() {
    let stage = Stage::new(Database::Sqlite, json!({})).await;
    let closed = json!({ "name": "Closed", "protocol": "saml", "saml": stage.idp.config(), "create_members": false });
    let stage = Stage { id: stage.connect(closed).await, ..stage };
    let began = stage.begin("/").await;
    let answer = stage.finish(&began, &stage.idp.respond(&stage.answer(&began))).await;
    assert_eq!((answer.status, session(&answer)), (StatusCode::FORBIDDEN, None), "no members are made here");
    let mia = stage.server.member("mia@acme.example").await;
    let began = stage.begin("/").await;
    let answer = stage.finish(&began, &stage.idp.respond(&stage.answer(&began))).await;
    assert_eq!(stage.who(&answer).await, "mia@acme.example");
    stage.server.patch(&format!("/api/v1/members/{mia}"), json!({ "active": false })).await.ok();
    let began = stage.begin("/").await;
    let answer = stage.finish(&began, &stage.idp.respond(&stage.answer(&began))).await;
    assert_eq!((answer.status, session(&answer)), (StatusCode::FORBIDDEN, None), "suspended");
    assert_eq!(stage.reasons().await.last().unwrap(), "suspended");
}

#[tokio::test]
async fn the_clocks_may_be_a_minute_apart() {
    let stage = Stage::new(Database::Sqlite, json!({})).await;
    let at = |seconds: i64| stage.server.clock.now() + SignedDuration::from_secs(seconds);
    for (from, until, reason) in
        [(55, 600, None), (65, 600, Some("not_yet_valid")), (-600, -55, None), (-600, -65, Some("expired"))]
    {
        let began = stage.begin("/").await;
        let said = Said { not_before: at(from), not_on_or_after: at(until), ..stage.answer(&began) };
        let answer = stage.finish(&began, &stage.idp.respond(&said)).await;
        match reason {
            None => assert_eq!(to(&answer), "/", "{from} {until}"),
            Some(reason) => stage.assert_refused(&answer, reason, &format!("{from} {until}")).await,
        }
    }
    let began = stage.begin("/").await;
    stage.server.advance(SignedDuration::from_mins(16));
    let answer = stage.finish(&began, &stage.idp.respond(&stage.answer(&began))).await;
    stage.assert_refused(&answer, "not_requested", "an answer that comes too late").await;
}

#[tokio::test]
async fn a_provider_that_refuses_is_quoted_by_its_code_alone() {
    let stage = Stage::new(Database::Sqlite, json!({})).await;
    let began = stage.begin("/").await;
    let status = "<samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Responder\"><samlp:StatusCode \
                  Value=\"urn:oasis:names:tc:SAML:2.0:status:AuthnFailed\"/></samlp:StatusCode>\
                  <samlp:StatusMessage>Call 555-1234 for help</samlp:StatusMessage>";
    let answer = stage.finish(&began, &stage.answer(&began).response_with(status, "")).await;
    stage.assert_refused(&answer, "idp_status", "a refusal").await;
    let page = answer.body.as_str().unwrap();
    assert!(page.contains("`AuthnFailed`") && !page.contains("555"), "{page}");
}

#[tokio::test]
async fn a_certificate_can_be_rolled_over() {
    let stage = Stage::new(Database::Sqlite, json!({})).await;
    let next = Idp::new();
    let config = json!({ "idp_entity_id": ENTITY_ID, "sso_url": "https://idp.acme.example/sso?tenant=7",
        "certificates": [stage.idp.certificate, next.certificate, next.certificate_base64()] });
    let id = stage.connect(json!({ "name": "Both", "protocol": "saml", "saml": config, "create_members": true })).await;
    let stage = Stage { id, ..stage };
    for idp in [&stage.idp, &next] {
        let began = stage.begin("/").await;
        assert_eq!(to(&stage.finish(&began, &idp.respond(&stage.answer(&began))).await), "/");
    }
}

#[tokio::test]
async fn a_configuration_is_checked_by_field() {
    let stage = Stage::new(Database::Sqlite, json!({})).await;
    let good = json!({ "idp_entity_id": ENTITY_ID, "sso_url": "https://idp.acme.example/sso",
        "certificates": [stage.idp.certificate] });
    let with = |key: &str, value: Value| {
        let mut config = good.clone();
        config[key] = value;
        config
    };
    let dtd = "<!DOCTYPE a [<!ENTITY x \"y\">]><a/>";
    for (config, field) in [
        (with("certificates", json!(["nonsense"])), "saml.certificates.0"),
        (with("certificates", json!([stage.idp.certificate, "MAA="])), "saml.certificates.1"),
        (with("certificates", json!([])), "saml.certificates"),
        (with("sso_url", json!("http://idp.acme.example/sso")), "saml.sso_url"),
        (with("sso_url", json!("javascript:alert(1)")), "saml.sso_url"),
        (with("sso_url", Value::Null), "saml.sso_url"),
        (with("idp_entity_id", json!(" ")), "saml.idp_entity_id"),
        (with("name_id_format", json!("urn:oasis:names:tc:SAML:2.0:nameid-format:transient")), "saml.name_id_format"),
        (with("metadata_url", json!("http://169.254.169.254/latest")), "saml.metadata_url"),
        (with("metadata_url", json!("https://127.0.0.1:1/metadata")), "saml.metadata_url"),
        (json!({ "metadata": dtd }), "saml.metadata"),
        (json!({ "metadata": "<a" }), "saml.metadata"),
        (json!({ "metadata": stage.idp.metadata().replace("HTTP-Redirect", "SOAP") }), "saml.metadata"),
        (json!({ "metadata": stage.idp.metadata(), "idp_entity_id": "https://other.example" }), "saml.metadata"),
        (with("signed", json!(true)), "saml"),
    ] {
        let body = json!({ "name": "Bad", "protocol": "saml", "saml": config });
        let answer = stage.server.post("/api/v1/connections", body).await;
        let found = (answer.status, answer.body["error"]["field"].as_str());
        assert_eq!(found, (StatusCode::UNPROCESSABLE_ENTITY, Some(field)), "{config}: {}", answer.body);
    }
}

#[tokio::test]
async fn metadata_decides_over_what_stands_beside_it() {
    let stage = Stage::new(Database::Sqlite, json!({})).await;
    let (old, new) = (Idp::new(), &stage.idp);
    let config = json!({ "metadata": new.metadata(), "idp_entity_id": ENTITY_ID, "sso_url": "https://old.example/sso",
        "certificates": [old.certificate] });
    let body = json!({ "name": "Both", "protocol": "saml", "saml": config, "create_members": true });
    let stage = Stage { id: stage.connect(body).await, ..stage };
    for (idp, reason) in [(&old, Some("bad_signature")), (&stage.idp, None)] {
        let began = stage.begin("/").await;
        let answer = stage.finish(&began, &idp.respond(&stage.answer(&began))).await;
        match reason {
            Some(reason) => stage.assert_refused(&answer, reason, "the old key").await,
            None => assert_eq!(to(&answer), "/"),
        }
    }
}

#[tokio::test]
async fn a_connection_may_wait_for_its_metadata() {
    let stage = Stage::new(Database::Sqlite, json!({})).await;
    let id = stage.connect(json!({ "name": "Later", "protocol": "saml", "saml": {} })).await;
    let path = format!("/sign-in/saml/{id}/metadata");
    assert!(stage.server.send(stage.request(Method::GET, &path)).await.status.is_success());
    let answer = stage.server.send(stage.request(Method::GET, &format!("/sign-in/sso/{id}"))).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    let answer = stage.post_to(&id, &stage.idp.respond(&stage.said()), "", "").await;
    assert!(answer.status.is_client_error() && answer.headers.get(COOKIE).is_none());
}
