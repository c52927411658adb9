//! A scripted SAML identity provider: it says what a test wants, and signs with its own key.
//!
//! It writes its texts in canonical form right away, so that signing needs no canonicalization: the
//! code under test and this share nothing. `xmlsec1`, by others, holds both to the standard.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, PublicKeyData, SigningKey};
use serde_json::{Value, json};

/// The name of the identity provider of every test.
pub const ENTITY_ID: &str = "https://idp.acme.example/saml";
/// `RSA` with SHA-256, as RFC 6931 names it.
pub const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";

/// A key and its certificate.
pub struct Idp {
    key: KeyPair,
    /// Its certificate, in PEM.
    pub certificate: String,
}

/// What a response says; a test changes what it is about.
#[derive(Debug, Clone)]
pub struct Said {
    /// `Response/@ID`.
    pub response_id: String,
    /// `Assertion/@ID`.
    pub assertion_id: String,
    /// Of the response and of the assertion.
    pub issuer: String,
    /// Of the response.
    pub destination: String,
    /// Of the confirmation.
    pub recipient: String,
    /// For whom the assertion is.
    pub audience: String,
    /// Which request is answered.
    pub in_response_to: Option<String>,
    /// The NameID…
    pub subject: String,
    /// …and its format, without `urn:oasis:names:tc:SAML:`.
    pub format: &'static str,
    /// Attributes and their values.
    pub attributes: Vec<(&'static str, Vec<String>)>,
    /// Of conditions.
    pub not_before: Timestamp,
    /// Of conditions and of the confirmation.
    pub not_on_or_after: Timestamp,
}

impl Said {
    /// What an honest provider says to the service provider at this address (without `/acs`), now.
    pub fn to(sp: &str, subject: &str, email: &str, now: Timestamp) -> Self {
        Self {
            response_id: format!("_r{}", serial()),
            assertion_id: format!("_a{}", serial()),
            issuer: ENTITY_ID.to_owned(),
            destination: format!("{sp}/acs"),
            recipient: format!("{sp}/acs"),
            audience: format!("{sp}/metadata"),
            in_response_to: None,
            subject: subject.to_owned(),
            format: "2.0:nameid-format:persistent",
            attributes: vec![("email", vec![email.to_owned()])],
            not_before: now - SignedDuration::from_secs(5),
            not_on_or_after: now + SignedDuration::from_mins(5),
        }
    }

    /// The assertion, in canonical form, unsigned.
    pub fn assertion(&self) -> String {
        let Self { assertion_id, issuer, subject, format, recipient, audience, .. } = self;
        let (from, until) = (seconds(self.not_before), seconds(self.not_on_or_after));
        let answers = self.in_response_to.as_ref().map(|id| format!(" InResponseTo=\"{id}\"")).unwrap_or_default();
        let mut attributes = String::new();
        for (name, values) in &self.attributes {
            attributes += &format!("<saml:Attribute Name=\"{name}\">");
            for value in values {
                attributes += &format!("<saml:AttributeValue>{value}</saml:AttributeValue>");
            }
            attributes += "</saml:Attribute>";
        }
        format!(
            "<saml:Assertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"{assertion_id}\" \
             IssueInstant=\"{from}\" Version=\"2.0\"><saml:Issuer>{issuer}</saml:Issuer><saml:Subject>\
             <saml:NameID Format=\"urn:oasis:names:tc:SAML:{format}\">{subject}</saml:NameID>\
             <saml:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:bearer\">\
             <saml:SubjectConfirmationData{answers} NotOnOrAfter=\"{until}\" Recipient=\"{recipient}\">\
             </saml:SubjectConfirmationData></saml:SubjectConfirmation></saml:Subject>\
             <saml:Conditions NotBefore=\"{from}\" NotOnOrAfter=\"{until}\"><saml:AudienceRestriction>\
             <saml:Audience>{audience}</saml:Audience></saml:AudienceRestriction></saml:Conditions>\
             <saml:AuthnStatement AuthnInstant=\"{from}\"><saml:AuthnContext><saml:AuthnContextClassRef>\
             urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext>\
             </saml:AuthnStatement><saml:AttributeStatement>{attributes}</saml:AttributeStatement></saml:Assertion>"
        )
    }

    /// A response around what is given as its content, in canonical form.
    pub fn response(&self, content: &str) -> String {
        self.response_with(
            "<samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"></samlp:StatusCode>",
            content,
        )
    }

    /// A response with another status.
    pub fn response_with(&self, status: &str, content: &str) -> String {
        let Self { response_id, destination, issuer, .. } = self;
        let answers = self.in_response_to.as_ref().map(|id| format!(" InResponseTo=\"{id}\"")).unwrap_or_default();
        format!(
            "<samlp:Response xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" Destination=\"{destination}\" \
             ID=\"{response_id}\"{answers} IssueInstant=\"{}\" Version=\"2.0\">\
             <saml:Issuer xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\">{issuer}</saml:Issuer>\
             <samlp:Status>{status}</samlp:Status>{content}</samlp:Response>",
            seconds(self.not_before)
        )
    }
}

impl Default for Idp {
    fn default() -> Self {
        Self::new()
    }
}

impl Idp {
    /// With a new key.
    ///
    /// # Panics
    /// If no key can be made.
    pub fn new() -> Self {
        let key = KeyPair::generate_for(&PKCS_RSA_SHA256).expect("an RSA key can be made");
        let params = CertificateParams::new(["idp.acme.example".to_owned()]).expect("a name");
        let certificate = params.self_signed(&key).expect("a certificate can be made").pem();
        Self { key, certificate }
    }

    /// The private key in PEM, for `xmlsec1`.
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// The public key in DER, for the attack that takes it for a secret.
    pub fn public_key(&self) -> Vec<u8> {
        self.key.subject_public_key_info()
    }

    /// The certificate in Base64, as metadata and `KeyInfo` have it.
    pub fn certificate_base64(&self) -> String {
        self.certificate.lines().filter(|line| !line.starts_with("-----")).collect()
    }

    /// Its metadata.
    pub fn metadata(&self) -> String {
        format!(
            "<?xml version=\"1.0\"?><!-- of a scripted provider --><md:EntityDescriptor \
             xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" xmlns:ds=\"{DSIG}\" entityID=\"{ENTITY_ID}\">\
             <md:IDPSSODescriptor protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\">\
             <md:KeyDescriptor use=\"signing\"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>\n{}\n</ds:X509Certificate>\
             </ds:X509Data></ds:KeyInfo></md:KeyDescriptor>\
             <md:SingleSignOnService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\" \
             Location=\"https://idp.acme.example/post\"/>\
             <md:SingleSignOnService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" \
             Location=\"https://idp.acme.example/sso?tenant=7\"/></md:IDPSSODescriptor></md:EntityDescriptor>",
            self.certificate_base64()
        )
    }

    /// The configuration of a connection to it.
    pub fn config(&self) -> Value {
        json!({ "metadata": self.metadata() })
    }

    /// Signs an element that is in canonical form: its signature goes after its `Issuer`.
    pub fn sign(&self, canonical: &str) -> String {
        let id = canonical.split(" ID=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("it has an ID");
        insert_after_issuer(canonical, &self.signature(id, canonical))
    }

    /// A signature over a canonical text that has this id.
    pub fn signature(&self, id: &str, canonical: &str) -> String {
        self.signature_of(&signed_info(id, canonical, RSA_SHA256))
    }

    /// A signature over a `SignedInfo` in canonical form, whatever that says.
    ///
    /// # Panics
    /// If the key does not sign.
    pub fn signature_of(&self, signed_info: &str) -> String {
        let value = self.key.sign(signed_info.as_bytes()).expect("the key signs");
        signature_element(signed_info, &value, &self.key_info())
    }

    /// A `KeyInfo` with its certificate.
    pub fn key_info(&self) -> String {
        let certificate = self.certificate_base64();
        format!(
            "<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
        )
    }

    /// An honest, signed response.
    pub fn respond(&self, said: &Said) -> String {
        said.response(&self.sign(&said.assertion()))
    }
}

/// What is signed: a digest of a canonical text.
pub fn signed_info(id: &str, canonical: &str, algorithm: &str) -> String {
    let value = STANDARD.encode(digest(&SHA256, canonical.as_bytes()));
    format!(
        "<ds:SignedInfo xmlns:ds=\"{DSIG}\"><ds:CanonicalizationMethod Algorithm=\"{EXCLUSIVE}\">\
         </ds:CanonicalizationMethod><ds:SignatureMethod Algorithm=\"{algorithm}\"></ds:SignatureMethod>\
         <ds:Reference URI=\"#{id}\"><ds:Transforms><ds:Transform Algorithm=\"{ENVELOPED}\"></ds:Transform>\
         <ds:Transform Algorithm=\"{EXCLUSIVE}\"></ds:Transform></ds:Transforms>\
         <ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"></ds:DigestMethod>\
         <ds:DigestValue>{value}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
    )
}

/// A `Signature`.
pub fn signature_element(signed_info: &str, value: &[u8], key_info: &str) -> String {
    let value = STANDARD.encode(value);
    // By itself it is canonical with the namespace; in here it has it already.
    let signed_info = signed_info.replacen(&format!(" xmlns:ds=\"{DSIG}\""), "", 1);
    format!(
        "<ds:Signature xmlns:ds=\"{DSIG}\">{signed_info}<ds:SignatureValue>{value}</ds:SignatureValue>{key_info}</ds:Signature>"
    )
}

/// Puts something after the first `Issuer`, where signatures belong.
pub fn insert_after_issuer(element: &str, what: &str) -> String {
    element.replacen("</saml:Issuer>", &format!("</saml:Issuer>{what}"), 1)
}

fn seconds(time: Timestamp) -> String {
    format!("{:.0}", time)
}

/// A number that was not used before.
fn serial() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
