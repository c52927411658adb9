//! What attackers send instead of what the provider said. Every one of them is refused for its own
//! reason: a test that is refused for another one would say nothing.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use aws_lc_rs::hmac;
use http::StatusCode;
use http::header::{CONTENT_TYPE, SET_COOKIE};
use jiff::SignedDuration;
use provost_testkit::saml::{ENTITY_ID, Idp, Said, insert_after_issuer, signature_element, signed_info};
use provost_testkit::server::Database;
use serde_json::json;

use super::saml_stage::{Stage, to};
use super::saml_xsw;

/// An attack: its name, the document, why it is refused.
pub(super) type Attack = (String, String, &'static str);

/// All of them, made from what the provider honestly says.
pub(super) fn corpus(idp: &Idp, good: &Said) -> Vec<Attack> {
    let mut attacks = wrapped(idp, good);
    attacks.extend(signatures(idp, good));
    attacks.extend(documents(idp, good));
    attacks.extend(claims(idp, good));
    attacks
}

/// What the attacker would rather have the provider say: the owner.
fn evil(good: &Said) -> Said {
    Said {
        response_id: "_evil-response".to_owned(),
        assertion_id: "_evil-assertion".to_owned(),
        subject: "owner-1".to_owned(),
        attributes: vec![("email", vec!["owner@acme.example".to_owned()])],
        ..good.clone()
    }
}

fn wrapped(idp: &Idp, good: &Said) -> Vec<Attack> {
    let reason = |name: &str| if matches!(name, "XSW3" | "XSW5") { "assertions" } else { "wrapped" };
    let all = saml_xsw::all(idp, good, &evil(good));
    all.into_iter().map(|(name, xml)| (name.clone(), xml, reason(&name))).collect()
}

fn signatures(idp: &Idp, good: &Said) -> Vec<Attack> {
    static ATTACKER: LazyLock<Idp> = LazyLock::new(Idp::new);
    let attacker = &*ATTACKER;
    let (assertion, id) = (good.assertion(), &good.assertion_id);
    let with = |signature: &str| good.response(&insert_after_issuer(&assertion, signature));
    let info = |from: &str, to: &str| {
        let honest = signed_info(id, &assertion, provost_testkit::saml::RSA_SHA256);
        assert!(honest.contains(from), "{from}");
        with(&idp.signature_of(&honest.replacen(from, to, 1)))
    };
    let signed_response = {
        let response = good.response(&assertion);
        insert_after_issuer(&response, &idp.signature(&good.response_id, &response))
    };
    let hmac_info = signed_info(id, &assertion, "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256");
    let hmac_with = |secret: &[u8]| {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), hmac_info.as_bytes());
        with(&signature_element(&hmac_info, tag.as_ref(), &idp.key_info()))
    };
    let stolen = idp.signature(id, &assertion);
    let exclusive = "http://www.w3.org/2001/10/xml-exc-c14n#";
    let transform = |uri: &str| format!("<ds:Transform Algorithm=\"{uri}\"></ds:Transform>");
    let enveloped = transform("http://www.w3.org/2000/09/xmldsig#enveloped-signature");
    let xpath = "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\"><ds:XPath>false()</ds:XPath></ds:Transform>";
    let made = [
        ("a signed response around an unsigned assertion", signed_response, "unsigned_assertion"),
        ("no signature at all", good.response(&assertion), "unsigned_assertion"),
        ("another key, with its certificate", with(&attacker.signature(id, &assertion)), "bad_signature"),
        (
            "another key, with the provider's certificate",
            with(&attacker.signature(id, &assertion).replace(&attacker.key_info(), &idp.key_info())),
            "bad_signature",
        ),
        (
            "a bad signature of the response",
            insert_after_issuer(&idp.respond(good), &attacker.signature(&good.response_id, &idp.respond(good))),
            "bad_signature",
        ),
        ("another subject under the signature", idp.respond(good).replace("mia-7", "owner-1"), "bad_digest"),
        ("another e-mail under the signature", idp.respond(good).replace(">mia@", ">owner@"), "bad_digest"),
        (
            "somebody else's signature",
            evil(good).response(&insert_after_issuer(&evil(good).assertion(), &stolen)),
            "foreign_reference",
        ),
        ("the public key as the secret of an HMAC", hmac_with(&idp.public_key()), "weak_algorithm"),
        ("the certificate as the secret of an HMAC", hmac_with(idp.certificate.as_bytes()), "weak_algorithm"),
        (
            "SHA-1 in the signature",
            info("2001/04/xmldsig-more#rsa-sha256", "2000/09/xmldsig#rsa-sha1"),
            "weak_algorithm",
        ),
        ("SHA-1 in the digest", info("2001/04/xmlenc#sha256", "2000/09/xmldsig#sha1"), "weak_algorithm"),
        ("no algorithm", info("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", ""), "weak_algorithm"),
        ("another kind of key", info("more#rsa-sha256", "more#ecdsa-sha256"), "bad_signature"),
        ("the whole document as the reference", info(&format!("URI=\"#{id}\""), "URI=\"\""), "foreign_reference"),
        ("the response as the reference", info(id, &good.response_id), "foreign_reference"),
        ("a pointer as the reference", info(&format!("#{id}"), &format!("#xpointer(id('{id}'))")), "foreign_reference"),
        ("a file as the reference", info(&format!("#{id}"), "file:///etc/passwd"), "foreign_reference"),
        ("a transform that hides everything", info(&enveloped, &format!("{enveloped}{xpath}")), "signature_form"),
        ("XSLT", info(&enveloped, &transform("http://www.w3.org/TR/1999/REC-xslt-19991116")), "signature_form"),
        ("no transform for the signature itself", info(&enveloped, ""), "signature_form"),
        (
            "inclusive canonicalization",
            info(exclusive, "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"),
            "signature_form",
        ),
        ("canonicalization with comments", info(exclusive, &format!("{exclusive}WithComments")), "signature_form"),
        (
            "two references",
            info("</ds:Reference>", "</ds:Reference><ds:Reference URI=\"\"></ds:Reference>"),
            "signature_form",
        ),
        (
            "an object in the signature",
            with(&stolen.replace("</ds:Signature>", "<ds:Object></ds:Object></ds:Signature>")),
            "signature_form",
        ),
        (
            "two values of the signature",
            with(&stolen.replace("<ds:KeyInfo>", "<ds:SignatureValue>AA==</ds:SignatureValue><ds:KeyInfo>")),
            "signature_form",
        ),
        ("two signatures", with(&format!("{stolen}{stolen}")), "wrapped"),
    ];
    made.map(|(name, xml, reason)| (name.to_owned(), xml, reason)).to_vec()
}

fn documents(idp: &Idp, good: &Said) -> Vec<Attack> {
    let honest = idp.respond(good);
    // The provider knows them as `mia-7.evil.example`; the attacker splits that.
    let registered = Said { subject: "mia-7.evil.example".to_owned(), ..good.clone() };
    let split = |what: &str| idp.respond(&registered).replace("mia-7.evil", &format!("mia-7{what}.evil"));
    let laughs: String =
        (1..10).map(|n| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10))).collect();
    let dtd = |inside: &str| format!("<!DOCTYPE r [{inside}]>{}", honest.replace("mia-7", "&l9;"));
    let same = Said { response_id: good.assertion_id.clone(), ..good.clone() };
    let signed = idp.sign(&good.assertion());
    let deep = format!("<samlp:Extensions>{}{}</samlp:Extensions>", "<a>".repeat(40), "</a>".repeat(40));
    let other_id =
        |attribute: &str| good.response(&format!("<samlp:Extensions {attribute}=\"{}\"/>{signed}", good.assertion_id));
    let made = [
        ("a comment in the NameID", split("<!---->"), "not_plain"),
        ("a processing instruction in the NameID", split("<?x?>"), "not_plain"),
        ("CDATA in the NameID", split("<![CDATA[]]>"), "not_plain"),
        ("an element in the NameID", split("<saml:x></saml:x>"), "bad_digest"),
        ("an entity", dtd("<!ENTITY l9 \"owner-1\">"), "dtd"),
        ("a file as an entity", dtd("<!ENTITY l9 SYSTEM \"file:///etc/passwd\">"), "dtd"),
        ("a foreign DTD", format!("<!DOCTYPE r SYSTEM \"https://evil.example/x.dtd\">{honest}"), "dtd"),
        ("a billion laughs", dtd(&format!("<!ENTITY l0 \"lol\">{laughs}")), "dtd"),
        ("an entity that is not declared", honest.replace("mia-7", "&owner;"), "malformed"),
        ("an id twice", idp.respond(&same), "duplicate_id"),
        ("an id twice, as `Id`", other_id("Id"), "duplicate_id"),
        ("an id twice, as `xml:id`", other_id("xml:id"), "duplicate_id"),
        (
            "two assertions, both signed",
            good.response(&format!("{signed}{}", idp.sign(&evil(good).assertion()))),
            "assertions",
        ),
        ("no assertion", good.response(""), "assertions"),
        ("an assertion alone", signed.clone(), "not_a_response"),
        (
            "an encrypted assertion",
            good.response("<saml:EncryptedAssertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"/>"),
            "encrypted_assertion",
        ),
        (
            "an assertion of another namespace beside it",
            good.response(&format!("<Assertion xmlns=\"urn:x\"/>{signed}")),
            "wrapped",
        ),
        ("deep nesting", good.response(&format!("{deep}{signed}")), "malformed"),
        ("a very long document", good.response(&format!("{}{signed}", " ".repeat(256 * 1024))), "too_long"),
        ("very many elements", good.response(&format!("{}{signed}", "<x/>".repeat(5000))), "too_long"),
        ("very many attributes", good.response(&format!("<x{}/>{signed}", numbered(" a%=\"\"", 20_000))), "too_long"),
        (
            "very many namespaces",
            good.response(&format!("<x{}/>{signed}", numbered(" xmlns:a%=\"u\"", 10_000))),
            "too_long",
        ),
        ("half a document", honest[..honest.len() / 2].to_owned(), "malformed"),
        ("nothing", String::new(), "malformed"),
        ("two documents", format!("{honest}{honest}"), "malformed"),
    ];
    made.map(|(name, xml, reason)| (name.to_owned(), xml, reason)).to_vec()
}

/// A pattern so many times, numbered.
fn numbered(pattern: &str, count: usize) -> String {
    (0..count).map(|n| pattern.replace('%', &n.to_string())).collect()
}

/// What an honest provider says to others, at other times, of others.
fn claims(idp: &Idp, good: &Said) -> Vec<Attack> {
    let said = |change: fn(&mut Said)| {
        let mut said = good.clone();
        change(&mut said);
        idp.respond(&said)
    };
    let sign = |from: &str, to: &str| {
        assert!(good.assertion().contains(from), "{from}");
        good.response(&idp.sign(&good.assertion().replacen(from, to, 1)))
    };
    let hour = SignedDuration::from_hours(1);
    let late =
        Said { not_before: good.not_before - hour, not_on_or_after: good.not_on_or_after - hour, ..good.clone() };
    let early =
        Said { not_before: good.not_before + hour, not_on_or_after: good.not_on_or_after + hour, ..good.clone() };
    let restriction = "<saml:AudienceRestriction>";
    let made = [
        ("expired", idp.respond(&late), "expired"),
        ("not yet valid", idp.respond(&early), "not_yet_valid"),
        ("another audience", said(|said| said.audience = "https://other.example".to_owned()), "wrong_audience"),
        (
            "two audiences, one of them not ours",
            sign(
                restriction,
                &format!(
                    "{restriction}<saml:Audience>https://other.example</saml:Audience></saml:AudienceRestriction>{restriction}"
                ),
            ),
            "wrong_audience",
        ),
        (
            "a condition that nobody knows",
            sign(restriction, &format!("<saml:Condition></saml:Condition>{restriction}")),
            "condition",
        ),
        ("another recipient", said(|said| said.recipient = "https://other.example/acs".to_owned()), "wrong_recipient"),
        (
            "another destination",
            said(|said| said.destination = "https://other.example/acs".to_owned()),
            "wrong_destination",
        ),
        ("another provider", said(|said| said.issuer = "https://other.example".to_owned()), "wrong_issuer"),
        ("another provider's assertion", sign(ENTITY_ID, "https://other.example"), "wrong_issuer"),
        ("an answer to another request", said(|said| said.in_response_to = Some("_other".to_owned())), "wrong_request"),
        ("a name that does not stay", said(|said| said.format = "2.0:nameid-format:transient"), "name_id_format"),
        ("no name", said(|said| said.subject = String::new()), "name_id"),
        ("a very long name", said(|said| said.subject = "x".repeat(300)), "name_id"),
        ("a confirmation by a key", sign("cm:bearer", "cm:holder-of-key"), "confirmation"),
        ("good for days", said(|said| said.not_on_or_after += SignedDuration::from_hours(48)), "too_long_lived"),
        ("another version", sign("Version=\"2.0\"", "Version=\"1.1\""), "not_a_response"),
        ("no end", sign(" NotOnOrAfter=", " NotAfter="), "incomplete"),
        ("an end that is no time", sign("NotOnOrAfter=\"", "NotOnOrAfter=\"x"), "malformed"),
    ];
    let inner = Said { in_response_to: Some("_other".to_owned()), ..good.clone() };
    let inside = good.response(&idp.sign(&inner.assertion()));
    let without = |name: &str| {
        let assertion = good.assertion();
        let (head, rest) = assertion.split_once(&format!("<saml:{name}")).unwrap();
        let tail = rest.split_once(&format!("</saml:{}>", name.trim())).unwrap().1;
        good.response(&idp.sign(&format!("{head}{tail}")))
    };
    made.into_iter()
        .chain([
            ("an assertion that answers another request", inside, "wrong_request"),
            ("nobody signed in", without("AuthnStatement"), "incomplete"),
            ("no audience", without("AudienceRestriction"), "wrong_audience"),
            ("no conditions", without("Conditions"), "incomplete"),
            ("no confirmation", without("SubjectConfirmation "), "confirmation"),
        ])
        .map(|(name, xml, reason)| (name.to_owned(), xml, reason))
        .collect()
}

/// Against the connection that trusts most: nobody here needs to have asked.
#[tokio::test]
async fn every_attack_is_refused_for_its_own_reason() {
    for database in [Database::Sqlite, Database::Postgres] {
        let stage = Stage::new(database, json!({ "allow_idp_initiated": true })).await;
        let good = stage.said();
        let corpus = corpus(&stage.idp, &good);
        for (name, xml, reason) in &corpus {
            stage.assert_refused(&stage.post(xml, "", "").await, reason, name).await;
        }
        let mut reasons = stage.reasons().await;
        reasons.sort_unstable();
        let kinds: BTreeSet<&str> = corpus.iter().map(|(_, _, reason)| *reason).collect();
        assert_eq!(reasons, kinds.into_iter().collect::<Vec<_>>(), "each kind once");
        assert_eq!(stage.server.events("sign_in.succeeded").await.len(), 0);
        assert_eq!(to(&stage.post(&stage.idp.respond(&good), "", "").await), "/", "what they were made of is good");
    }
}

#[tokio::test]
async fn an_answer_is_good_for_the_browser_that_asked_and_once() {
    let stage = Stage::new(Database::Sqlite, json!({})).await;
    let (mine, theirs) = (stage.begin("/").await, stage.begin("/").await);
    let response = stage.idp.respond(&stage.answer(&mine));
    for (relay_state, cookie, what) in [
        (mine.relay_state.as_str(), theirs.cookie.as_str(), "another browser's cookie"),
        (mine.relay_state.as_str(), "", "no cookie"),
        ("guessed", mine.cookie.as_str(), "no such RelayState"),
        ("", mine.cookie.as_str(), "no RelayState"),
    ] {
        stage.assert_refused(&stage.post(&response, relay_state, cookie).await, "not_requested", what).await;
    }
    let crossed = stage.post(&response, &theirs.relay_state, &theirs.cookie).await;
    stage.assert_refused(&crossed, "wrong_request", "my answer in another browser's sign-in").await;
    assert_eq!(to(&stage.finish(&mine, &response).await), "/");
    stage.assert_refused(&stage.finish(&mine, &response).await, "not_requested", "the same again").await;
    // The first answer uses the request up, also a bad one.
    let again = stage.begin("/").await;
    stage.assert_refused(&stage.finish(&again, "<x/>").await, "not_a_response", "nonsense").await;
    let late = stage.finish(&again, &stage.idp.respond(&stage.answer(&again))).await;
    stage.assert_refused(&late, "not_requested", "a second answer").await;
}

#[tokio::test]
async fn an_assertion_is_taken_once_on_whichever_node() {
    for database in [Database::Sqlite, Database::Postgres] {
        let stage = Stage::new(database, json!({ "allow_idp_initiated": true })).await;
        let said = stage.said();
        let response = stage.idp.respond(&said);
        assert_eq!(to(&stage.post(&response, "", "").await), "/");
        stage.assert_refused(&stage.post(&response, "", "").await, "replayed", "again").await;
        let wrapped = Said { response_id: "_new".to_owned(), ..said.clone() };
        let wrapped = wrapped.response(&stage.idp.sign(&said.assertion()));
        stage.assert_refused(&stage.post(&wrapped, "", "").await, "replayed", "in another response").await;
        // Another node, which began after it was taken: as after a restart.
        let node = stage.server.second_node().await;
        let url = format!("http://{}/sign-in/saml/{}/acs", node.http_address.unwrap(), stage.id);
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("SAMLResponse", &super::saml_stage::base64(&response));
        let request = reqwest::Client::new().post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer = request.body(form.finish()).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
        assert!(answer.headers().get(SET_COOKIE).is_none());
        assert!(answer.text().await.unwrap().contains("it was used already"));
        node.stop().await;
        // When it is forgotten it has expired, skew and all.
        stage.server.advance(SignedDuration::from_mins(6));
        provost_identity::housekeeping(&stage.server.node.app.store).await.unwrap();
        stage.assert_refused(&stage.post(&response, "", "").await, "expired", "much later").await;
    }
}

#[tokio::test]
async fn what_is_no_response_at_all_is_refused() {
    let stage = Stage::new(Database::Sqlite, json!({})).await;
    for body in ["", "SAMLResponse=%25%25", "SAMLResponse=%FF", "SAMLResponse=/w==", "RelayState=x"] {
        let began = stage.begin("/").await;
        let form = format!("{body}&RelayState={}", began.relay_state);
        let request = stage.request(http::Method::POST, &format!("/sign-in/saml/{}/acs", stage.id));
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").header("cookie", &began.cookie);
        let answer = stage.server.send(request.body(form.trim_start_matches('&').to_owned())).await;
        assert!(answer.status.is_client_error(), "{body}: {}", answer.status);
        assert_eq!(super::saml_stage::session(&answer), None);
    }
}
