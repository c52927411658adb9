//! From what a browser posts to who it is: the outside of a response, then the assertion in it that
//! was signed (saml-profiles-2.0 §4.1.4).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::assertion::{self, Assertion};
use super::certificate::Certificate;
use super::config::Attributes;
use super::signature::signed_text;
use super::xml::{self, ASSERTION, DSIG, Element, MAX_BYTES, PROTOCOL};
use crate::sso::Refusal;
use jiff::Timestamp;

const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";

/// What a response must be, to be believed.
pub(super) struct Expected<'a> {
    /// Our entity id: the audience.
    pub(super) entity_id: &'a str,
    /// Where it must have been sent.
    pub(super) acs_url: &'a str,
    /// Whose word it must be.
    pub(super) idp_entity_id: &'a str,
    /// Whose signature.
    pub(super) trusted: &'a [Certificate],
    /// The request that it answers; none where nothing was asked.
    pub(super) request_id: Option<&'a str>,
    /// Where who it is stands.
    pub(super) attributes: &'a Attributes,
    /// Now.
    pub(super) now: Timestamp,
}

/// The XML of `SAMLResponse` (saml-bindings-2.0 §3.5.4).
pub(super) fn decode(field: &str) -> Result<String, Refusal> {
    if field.len() > MAX_BYTES * 3 / 2 {
        return Err(Refusal::forbidden("too_long", "it is longer than 256 kB"));
    }
    let text: String = field.split_ascii_whitespace().collect();
    let bytes = STANDARD.decode(text).map_err(|_| Refusal::forbidden("malformed", "it is not Base64"))?;
    if bytes.len() > MAX_BYTES {
        return Err(Refusal::forbidden("too_long", "it is longer than 256 kB"));
    }
    String::from_utf8(bytes).map_err(|_| Refusal::forbidden("malformed", "it is not UTF-8"))
}

/// Whom a response is about, if it is to be believed.
pub(super) fn accept(text: &str, expected: &Expected<'_>) -> Result<Assertion, Refusal> {
    let document = xml::parse(text)?;
    xml::check_plain(&document)?;
    let response = xml::root(&document)?;
    if !response.is(PROTOCOL, "Response") || response.attribute("Version") != Some("2.0") {
        return Err(Refusal::forbidden("not_a_response", "it is not a SAML 2.0 response"));
    }
    check_status(response)?;
    let assertion = find_assertion(response)?;
    check_outside(response, expected)?;
    if let Some(signature) = response.all(DSIG, "Signature").next() {
        signed_text(response, signature, expected.trusted)?;
    }
    let Some(signature) = assertion.all(DSIG, "Signature").next() else {
        let message = "its assertion is not signed: have the identity provider sign assertions, not only responses";
        return Err(Refusal::forbidden("unsigned_assertion", message));
    };
    let signed = signed_text(assertion, signature, expected.trusted)?;
    let document = xml::parse(&signed)?;
    assertion::read(xml::root(&document)?, expected)
}

/// The one assertion, where it belongs; and nowhere anything else that looks like one, or like a
/// signature that is not the response's or the assertion's own.
fn find_assertion(response: Element<'_>) -> Result<Element<'_>, Refusal> {
    let mut found = None;
    for child in response.children() {
        if child.local_name() == "EncryptedAssertion" {
            let message = "its assertion is encrypted, which is not supported: turn the encryption of assertions off at \
                           the identity provider (TLS encrypts them already)";
            return Err(Refusal::forbidden("encrypted_assertion", message));
        }
        if child.is(ASSERTION, "Assertion") && found.replace(child).is_some() {
            return Err(Refusal::forbidden("assertions", "it has more than one assertion"));
        }
    }
    let assertion = found.ok_or_else(|| Refusal::forbidden("assertions", "it has no assertion"))?;
    let count = |name: &str| response.descendants().filter(|element| element.local_name() == name).count();
    let own = |element: Element<'_>| element.all(DSIG, "Signature").count();
    let signatures = (own(response), own(assertion));
    if count("Assertion") != 1 || count("Response") != 1 || count("EncryptedAssertion") != 0 {
        return Err(Refusal::forbidden("wrapped", "it has an assertion or a response inside another element"));
    }
    if signatures.0 > 1 || signatures.1 > 1 || count("Signature") != signatures.0 + signatures.1 {
        return Err(Refusal::forbidden("wrapped", "it has a signature where none belongs"));
    }
    Ok(assertion)
}

/// What the response says of itself. It may be unsigned: nothing here is believed, all of it may refuse.
fn check_outside(response: Element<'_>, expected: &Expected<'_>) -> Result<(), Refusal> {
    if response.attribute("Destination").is_some_and(|found| found != expected.acs_url) {
        return Err(Refusal::forbidden("wrong_destination", "it was sent to another address than it is for"));
    }
    check_request(response.attribute("InResponseTo"), expected)?;
    if response.all(ASSERTION, "Issuer").any(|issuer| issuer.text().as_deref() != Some(expected.idp_entity_id)) {
        return Err(Refusal::forbidden("wrong_issuer", "it comes from another identity provider"));
    }
    Ok(())
}

/// The request that something answers must be the one that was made, or none where none was.
pub(super) fn check_request(found: Option<&str>, expected: &Expected<'_>) -> Result<(), Refusal> {
    if found == expected.request_id {
        return Ok(());
    }
    Err(Refusal::forbidden("wrong_request", "it does not answer the sign-in that this browser began"))
}

fn check_status(response: Element<'_>) -> Result<(), Refusal> {
    let status = response.must(PROTOCOL, "Status")?;
    let mut code = status.must(PROTOCOL, "StatusCode")?;
    if code.attribute("Value") == Some(SUCCESS) {
        return Ok(());
    }
    // The second, inner code says more; the message beside it may say anything.
    while let Some(inner) = code.only(PROTOCOL, "StatusCode") {
        code = inner;
    }
    let name = code.attribute("Value").unwrap_or_default().rsplit(':').next().unwrap_or_default();
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    Err(Refusal::forbidden(
        "idp_status",
        format!("the identity provider refused the sign-in and says `{name}`: ask its admin"),
    ))
}
