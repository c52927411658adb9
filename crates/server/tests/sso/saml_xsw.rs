//! The eight ways of wrapping a signature (Somorovsky et al., "On Breaking SAML", USENIX Security
//! 2012), in the order in which tools number them. Each keeps what was signed somewhere in the
//! document, where a verifier finds it, and puts something else where a reader looks.

use provost_testkit::saml::{Idp, Said, insert_after_issuer};

/// Each by its name, from a good response and what the attacker would rather have it say.
pub(super) fn all(idp: &Idp, good: &Said, evil: &Said) -> Vec<(String, String)> {
    let variants = [xsw1, xsw2, xsw3, xsw4, xsw5, xsw6, xsw7, xsw8];
    let attack = |(index, make): (usize, &fn(&Parts) -> String)| {
        (format!("XSW{}", index + 1), make(&Parts::new(idp, good, evil)))
    };
    variants.iter().enumerate().map(attack).collect()
}

struct Parts {
    good: Said,
    evil: Said,
    /// The honest assertion without its signature, the signature, and both together.
    bare: String,
    signature: String,
    signed: String,
    /// The honest response that has only a signature of its own, and that signature.
    bare_response: String,
    response_signature: String,
}

impl Parts {
    fn new(idp: &Idp, good: &Said, evil: &Said) -> Self {
        let bare = good.assertion();
        let signature = idp.signature(&good.assertion_id, &bare);
        let signed = insert_after_issuer(&bare, &signature);
        let bare_response = good.response(&signed);
        let response_signature = idp.signature(&good.response_id, &bare_response);
        Self { good: good.clone(), evil: evil.clone(), bare, signature, signed, bare_response, response_signature }
    }

    /// The attacker's response, with the honest response's signature around this.
    fn evil_response(&self, signature: &str) -> String {
        insert_after_issuer(&self.evil.response(&self.evil.assertion()), signature)
    }
}

fn inside(element: &str, what: &str, closing: &str) -> String {
    let (head, tail) = element.rsplit_once(closing).unwrap();
    format!("{head}{what}{closing}{tail}")
}

/// The honest response inside its signature, in the attacker's response.
fn xsw1(parts: &Parts) -> String {
    let signature = inside(&parts.response_signature, &parts.bare_response, "</ds:Signature>");
    parts.evil_response(&signature)
}

/// The honest response beside its signature, in the attacker's response.
fn xsw2(parts: &Parts) -> String {
    parts.evil_response(&format!("{}{}", parts.bare_response, parts.response_signature))
}

/// The attacker's assertion before the honest one.
fn xsw3(parts: &Parts) -> String {
    parts.good.response(&format!("{}{}", parts.evil.assertion(), parts.signed))
}

/// The honest assertion inside the attacker's.
fn xsw4(parts: &Parts) -> String {
    parts.good.response(&inside(&parts.evil.assertion(), &parts.signed, "</saml:Assertion>"))
}

/// The signature in the attacker's assertion, the honest one without it at the end.
fn xsw5(parts: &Parts) -> String {
    let evil = insert_after_issuer(&parts.evil.assertion(), &parts.signature);
    parts.good.response(&format!("{evil}{}", parts.bare))
}

/// The signature in the attacker's assertion, the honest one inside it.
fn xsw6(parts: &Parts) -> String {
    let signature = inside(&parts.signature, &parts.bare, "</ds:Signature>");
    parts.good.response(&insert_after_issuer(&parts.evil.assertion(), &signature))
}

/// The attacker's assertion in `Extensions`, which may hold anything.
fn xsw7(parts: &Parts) -> String {
    let extensions = format!("<samlp:Extensions>{}</samlp:Extensions>", parts.evil.assertion());
    parts.good.response(&format!("{extensions}{}", parts.signed))
}

/// The honest assertion in an `Object` of the signature, in the attacker's.
fn xsw8(parts: &Parts) -> String {
    let object = format!("<ds:Object>{}</ds:Object>", parts.bare);
    let signature = inside(&parts.signature, &object, "</ds:Signature>");
    parts.good.response(&insert_after_issuer(&parts.evil.assertion(), &signature))
}
