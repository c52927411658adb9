//! What `xmlsec1`, the verifier that others wrote and use, says of the same documents; and what comes
//! of good responses that are changed at random.

use std::path::PathBuf;
use std::process::{Command, Output};

use provost_testkit::saml::{Idp, Said, insert_after_issuer};
use provost_testkit::server::Database;
use serde_json::json;
use tempfile::TempDir;

use super::saml_attacks::corpus;
use super::saml_stage::{Stage, to};

/// `xmlsec1` with the key of a provider.
struct XmlSec {
    dir: TempDir,
}

impl XmlSec {
    fn new(certificate: &str, key: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("certificate.pem"), certificate).unwrap();
        std::fs::write(dir.path().join("key.pem"), key).unwrap();
        Self { dir }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, verb: &str, key: [&str; 2], xml: &str, more: &[&str]) -> Output {
        std::fs::write(self.file("in.xml"), xml).unwrap();
        let mut command = Command::new("xmlsec1");
        command.arg(verb).arg(key[0]).arg(self.file(key[1]));
        for name in ["assertion:Assertion", "protocol:Response"] {
            command.arg("--id-attr:ID").arg(format!("urn:oasis:names:tc:SAML:2.0:{name}"));
        }
        let output = command.args(more).arg(self.file("in.xml")).output();
        output.unwrap_or_else(|error| panic!("xmlsec1 does not run ({error}): `make xmlsec` installs it"))
    }

    /// Whether it verifies the first signature, or that of the assertion.
    fn verifies(&self, xml: &str, of_assertion: bool) -> bool {
        let path = ["--node-xpath", "/*/*[local-name()='Assertion']/*[local-name()='Signature']"];
        let more: &[&str] = if of_assertion { &path } else { &[] };
        self.run("--verify", ["--pubkey-cert-pem", "certificate.pem"], xml, more).status.success()
    }

    /// Signs the template that is in a document.
    fn sign(&self, xml: &str) -> String {
        let output = self.run("--sign", ["--privkey-pem", "key.pem"], xml, &[]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

fn template(id: &str, signature: &str, digest: &str, prefixes: &str) -> String {
    format!(
        "<Signature xmlns=\"http://www.w3.org/2000/09/xmldsig#\">\n <SignedInfo>\n  <CanonicalizationMethod \
         Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>\n  <SignatureMethod Algorithm=\"{signature}\"/>\n  \
         <Reference URI=\"#{id}\"><Transforms><Transform \
         Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/><Transform \
         Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\">{prefixes}</Transform></Transforms><DigestMethod \
         Algorithm=\"{digest}\"/><DigestValue/></Reference></SignedInfo>\n <SignatureValue/>\n</Signature>"
    )
}

#[tokio::test]
async fn what_is_accepted_xmlsec1_verifies_too() {
    let stage = Stage::new(Database::Sqlite, json!({ "allow_idp_initiated": true })).await;
    let xmlsec = XmlSec::new(&stage.idp.certificate, &stage.idp.key_pem());
    let response = stage.idp.respond(&stage.said());
    assert!(xmlsec.verifies(&response, true));
    assert_eq!(to(&stage.post(&response, "", "").await), "/");
    // Signed twice, as Okta does.
    let said = stage.said();
    let response = said.response(&stage.idp.sign(&said.assertion()));
    let response = insert_after_issuer(&response, &stage.idp.signature(&said.response_id, &response));
    assert!(xmlsec.verifies(&response, true) && xmlsec.verifies(&response, false));
    assert_eq!(to(&stage.post(&response, "", "").await), "/");
}

/// Documents that are not in canonical form, signed by `xmlsec1`: prefixes from outside, attributes in
/// disorder, references to characters, lists of prefixes to keep.
#[tokio::test]
async fn what_xmlsec1_signs_is_accepted() {
    let more = "http://www.w3.org/2001/04/xmldsig-more#";
    let (sha256, sha384, sha512) =
        ("http://www.w3.org/2001/04/xmlenc#sha256", format!("{more}sha384"), "http://www.w3.org/2001/04/xmlenc#sha512");
    let keep =
        "<ec:InclusiveNamespaces xmlns:ec=\"http://www.w3.org/2001/10/xml-exc-c14n#\" PrefixList=\"xs xsi #default\"/>";
    let stage = Stage::new(Database::Sqlite, json!({})).await;
    let curve = |algorithm| {
        let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
        let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap().pem();
        (certificate, key.serialize_pem())
    };
    let rsa = (stage.idp.certificate.clone(), stage.idp.key_pem());
    let p256 = curve(&rcgen::PKCS_ECDSA_P256_SHA256);
    let p384 = curve(&rcgen::PKCS_ECDSA_P384_SHA384);
    for ((certificate, key), signature, digest, prefixes) in [
        (&rsa, format!("{more}rsa-sha256"), sha256, ""),
        (&rsa, format!("{more}rsa-sha384"), sha384.as_str(), keep),
        (&rsa, format!("{more}rsa-sha512"), sha512, ""),
        (&p256, format!("{more}ecdsa-sha256"), sha256, keep),
        (&p384, format!("{more}ecdsa-sha384"), sha384.as_str(), ""),
    ] {
        let config = json!({ "idp_entity_id": provost_testkit::saml::ENTITY_ID, "certificates": [certificate],
            "sso_url": "https://idp.acme.example/sso?tenant=7", "allow_idp_initiated": true });
        let body = json!({ "name": signature, "protocol": "saml", "saml": config, "create_members": true });
        let at = format!("{}/sign-in/saml/{}", stage.server.url(), stage.connect(body).await);
        let said = Said::to(&at, "mia-7", "mia@acme.example", stage.server.clock.now());
        let said = Said {
            attributes: vec![
                ("email", vec!["mia@acme.example".to_owned()]),
                ("name", vec!["Mia &#233; &lt;M&gt; &amp; Co".to_owned()]),
            ],
            ..said
        };
        let assertion = said.assertion().replace(" xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"", "");
        let assertion = assertion.replace("<saml:AttributeValue>", "<saml:AttributeValue\n   xsi:type='xs:string'>");
        let assertion = insert_after_issuer(&assertion, &template(&said.assertion_id, &signature, digest, prefixes));
        let names = "<samlp:Response xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" xmlns=\"urn:unused\" \
                     xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ";
        let document = said.response(&assertion).replacen("<samlp:Response ", names, 1);
        let signed = XmlSec::new(certificate, key).sign(&document);
        let id = at.rsplit('/').next().unwrap();
        let answer = stage.post_to(id, &signed, "", "").await;
        assert_eq!(to(&answer), "/", "{signature}: {:?}", stage.reasons().await);
        assert_eq!(stage.who(&answer).await, "mia@acme.example");
    }
}

/// A verifier alone is no defence: what it calls valid is refused all the same.
#[tokio::test]
async fn much_of_what_is_refused_xmlsec1_calls_valid() {
    let stage = Stage::new(Database::Sqlite, json!({ "allow_idp_initiated": true })).await;
    let xmlsec = XmlSec::new(&stage.idp.certificate, &stage.idp.key_pem());
    let good = stage.said();
    let mut valid = Vec::new();
    for (name, xml, reason) in corpus(&stage.idp, &good) {
        if xmlsec.verifies(&xml, false) {
            stage.assert_refused(&stage.post(&xml, "", "").await, reason, &name).await;
            valid.push(name);
        }
    }
    for name in ["XSW2", "XSW3", "XSW4", "XSW7", "a comment in the NameID", "another audience", "expired"] {
        assert!(valid.iter().any(|found| found == name), "{name} in {valid:?}");
    }
    // SHA-1, really signed with it.
    let weak = template(
        &good.assertion_id,
        "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
        "http://www.w3.org/2000/09/xmldsig#sha1",
        "",
    );
    let signed = xmlsec.sign(&good.response(&insert_after_issuer(&good.assertion(), &weak)));
    assert!(xmlsec.verifies(&signed, true));
    stage.assert_refused(&stage.post(&signed, "", "").await, "weak_algorithm", "SHA-1").await;
}

/// A generator of numbers that are always the same (xorshift, Marsaglia 2003).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % n as u64).unwrap()
    }

    /// A boundary between characters.
    fn place(&mut self, text: &str) -> usize {
        let mut at = self.below(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    /// A tag, text or element of a document.
    fn fragment(&mut self, text: &str) -> String {
        let starts: Vec<usize> = text.match_indices('<').map(|(at, _)| at).collect();
        if starts.is_empty() {
            return String::new();
        }
        let from = starts[self.below(starts.len())];
        let name: String = text[from + 1..].chars().take_while(|c| c.is_alphanumeric() || *c == ':').collect();
        let closing = format!("</{name}>");
        let whole = text[from..].find(&closing).map(|end| from + end + closing.len());
        let until = whole.or_else(|| text[from..].find('>').map(|end| from + end + 1)).unwrap_or(text.len());
        text[from..until].to_owned()
    }

    fn mutate(&mut self, good: &str, evil: &str) -> String {
        let mut text = good.to_owned();
        for _ in 0..=self.below(3) {
            if text.is_empty() {
                return text;
            }
            let at = self.place(&text);
            let tag = text[..at].rfind('<').unwrap_or(0);
            match self.below(7) {
                0 => {
                    let byte = char::from(b' ' + u8::try_from(self.below(95)).unwrap());
                    let end = at + text[at..].chars().next().map_or(0, char::len_utf8);
                    text.replace_range(at..end, &byte.to_string());
                }
                1 => text.insert_str(tag, &self.fragment(good)),
                2 => text.insert_str(tag, &self.fragment(evil)),
                3 => {
                    let fragment = self.fragment(&text);
                    text = text.replacen(&fragment, "", 1) + " ";
                    let at = self.place(&text);
                    let tag = text[..at].rfind('<').unwrap_or(0);
                    text.insert_str(tag, &fragment);
                }
                4 => text = text.replacen(&self.fragment(good), &self.fragment(evil), 1),
                5 => text.insert_str(at, ["<!---->", "<?x?>", " ", "\n", "&#32;", "&amp;"][self.below(6)]),
                _ => text = text.replacen(&self.fragment(good), "", 1),
            }
        }
        text
    }
}

/// Some are still good, where what is changed was not signed; whatever they are, they are of mia.
#[tokio::test]
async fn no_change_makes_somebody_else_of_mia() {
    let stage = Stage::new(Database::Sqlite, json!({ "allow_idp_initiated": true })).await;
    let mut dice = Dice(0x5eed_5eed_5eed_5eed);
    let (mut accepted, attacker) = (0, Idp::new());
    for round in 0..800 {
        let good = stage.said();
        let owner = vec![("email", vec!["owner@acme.example".to_owned()])];
        let evil = Said { subject: "owner-1".to_owned(), attributes: owner, ..stage.said() };
        let mutated = dice.mutate(&stage.idp.respond(&good), &attacker.respond(&evil));
        let answer = stage.post(&mutated, "", "").await;
        assert!(
            answer.status.is_client_error() || answer.status.is_redirection(),
            "{round}: {} {mutated}",
            answer.status
        );
        if answer.status.is_redirection() {
            assert_eq!(stage.who(&answer).await, "mia@acme.example", "{round}: {mutated}");
            accepted += 1;
        }
    }
    assert!((10..400).contains(&accepted), "{accepted} of 800 were still good: the changes say little");
}
