//! Verifies the one form of XML signature that SAML's profile has (saml-core-2.0 §5.4): enveloped, one
//! reference to the element it stands in, exclusive canonicalization. Everything else that the
//! standard of XML signatures allows (XPath, XSLT, foreign references, HMAC, keys out of the message)
//! does not exist here.
//!
//! What is handed back is the very text that was hashed, and nothing of the document it stood in: an
//! assertion that was wrapped, moved or doubled cannot be mistaken for the signed one, whatever a
//! parser or the canonicalization make of it.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{self, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bergshamra_c14n::{C14nMode, canonicalize_doc};
use bergshamra_xml::NodeSet;

use super::certificate::{self, Certificate};
use super::xml::{self, DSIG, Element};
use crate::sso::Refusal;

const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

/// Prefixes to keep (`InclusiveNamespaces`); real ones name `xs`, or none.
const MAX_PREFIXES: usize = 16;

fn shape(message: &'static str) -> Refusal {
    Refusal::forbidden("signature_form", message)
}

/// The text of an element that a trusted key has signed, or why it is not believed.
pub(super) fn signed_text(
    element: Element<'_>,
    signature: Element<'_>,
    trusted: &[Certificate],
) -> Result<String, Refusal> {
    let parts: Vec<&str> = signature.children().map(Element::local_name).collect();
    if !matches!(parts[..], ["SignedInfo", "SignatureValue"] | ["SignedInfo", "SignatureValue", "KeyInfo"]) {
        return Err(shape("its signature has parts that SAML does not use"));
    }
    let signed_info = signature.must(DSIG, "SignedInfo")?;
    let value = decode(signature.must(DSIG, "SignatureValue")?)?;
    // What is read from here on is what the key signs.
    let canonical = canonical(signed_info, None, &prefixes(signed_info.must(DSIG, "CanonicalizationMethod")?)?)?;
    let document = xml::parse(&canonical)?;
    let reference = reference(xml::root(&document)?)?;
    if !certificate::is_strong(reference.algorithm) {
        return Err(Refusal::forbidden(
            "weak_algorithm",
            "its signature must be RSA or ECDSA with SHA-256, SHA-384 or SHA-512",
        ));
    }
    if !trusted.iter().any(|certificate| certificate.verifies(reference.algorithm, canonical.as_bytes(), &value)) {
        let message = "no certificate of this connection verifies its signature: if the identity provider has a new \
                       certificate, an owner must add it here";
        return Err(Refusal::forbidden("bad_signature", message));
    }
    if element.attribute("ID").is_none_or(|id| id.is_empty() || reference.uri != format!("#{id}")) {
        return Err(Refusal::forbidden("foreign_reference", "its signature is for something else"));
    }
    let text = self::canonical(element, Some(signature), &reference.prefixes)?;
    let found = digest(reference.digest, text.as_bytes());
    if verify_slices_are_equal(found.as_ref(), &reference.value).is_err() {
        return Err(Refusal::forbidden("bad_digest", "it was changed after it was signed"));
    }
    Ok(text)
}

/// What a signature says it is for.
struct Reference<'x> {
    algorithm: &'x str,
    uri: String,
    prefixes: Vec<String>,
    digest: &'static digest::Algorithm,
    value: Vec<u8>,
}

fn reference(signed_info: Element<'_>) -> Result<Reference<'_>, Refusal> {
    let [method, signature_method, reference] = &signed_info.children().collect::<Vec<_>>()[..] else {
        return Err(shape("its signature must be for one thing"));
    };
    let is_known = method.is(DSIG, "CanonicalizationMethod")
        && signature_method.is(DSIG, "SignatureMethod")
        && reference.is(DSIG, "Reference");
    if !is_known {
        return Err(shape("its signature has parts that SAML does not use"));
    }
    must_be(*method, EXCLUSIVE)?;
    let [transforms, digest_method, value] = &reference.children().collect::<Vec<_>>()[..] else {
        return Err(shape("its signature has parts that SAML does not use"));
    };
    if !(transforms.is(DSIG, "Transforms") && digest_method.is(DSIG, "DigestMethod") && value.is(DSIG, "DigestValue")) {
        return Err(shape("its signature has parts that SAML does not use"));
    }
    let [enveloped, exclusive] = &transforms.children().collect::<Vec<_>>()[..] else {
        return Err(shape("its signature must have two transforms: enveloped, then exclusive canonicalization"));
    };
    if !(enveloped.is(DSIG, "Transform") && exclusive.is(DSIG, "Transform")) {
        return Err(shape("its signature has parts that SAML does not use"));
    }
    must_be(*enveloped, ENVELOPED)?;
    must_be(*exclusive, EXCLUSIVE)?;
    Ok(Reference {
        algorithm: signature_method.attribute("Algorithm").unwrap_or_default(),
        uri: reference.attribute("URI").unwrap_or_default().to_owned(),
        prefixes: prefixes(*exclusive)?,
        digest: match digest_method.attribute("Algorithm") {
            Some("http://www.w3.org/2001/04/xmlenc#sha256") => &digest::SHA256,
            Some("http://www.w3.org/2001/04/xmldsig-more#sha384") => &digest::SHA384,
            Some("http://www.w3.org/2001/04/xmlenc#sha512") => &digest::SHA512,
            _ => return Err(Refusal::forbidden("weak_algorithm", "its digest must be SHA-256, SHA-384 or SHA-512")),
        },
        value: decode(*value)?,
    })
}

fn must_be(method: Element<'_>, algorithm: &str) -> Result<(), Refusal> {
    if method.attribute("Algorithm") == Some(algorithm) {
        return Ok(());
    }
    Err(shape("its signature must use the enveloped transform and exclusive canonicalization, and nothing else"))
}

/// The `PrefixList` of an exclusive canonicalization: the one thing that may stand in it.
fn prefixes(method: Element<'_>) -> Result<Vec<String>, Refusal> {
    let inclusive = match &method.children().collect::<Vec<_>>()[..] {
        [] => return Ok(Vec::new()),
        [only] if only.is(EXCLUSIVE, "InclusiveNamespaces") => *only,
        _ => return Err(shape("its signature has parts that SAML does not use")),
    };
    let list = inclusive.attribute("PrefixList").unwrap_or_default();
    let prefixes: Vec<String> = list.split_ascii_whitespace().map(str::to_owned).collect();
    if prefixes.len() > MAX_PREFIXES {
        return Err(shape("its signature keeps too many namespaces"));
    }
    Ok(prefixes)
}

fn canonical(element: Element<'_>, without: Option<Element<'_>>, prefixes: &[String]) -> Result<String, Refusal> {
    let mut nodes = NodeSet::tree_without_comments(element.id, element.document);
    if let Some(signature) = without {
        nodes.remove_id(signature.id);
        for node in element.document.descendants(signature.id) {
            nodes.remove_id(node);
        }
    }
    let bytes = canonicalize_doc(element.document, C14nMode::Exclusive, Some(&nodes), prefixes);
    let text = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or_else(|| Refusal::forbidden("malformed", "it cannot be canonicalized"))
}

fn decode(element: Element<'_>) -> Result<Vec<u8>, Refusal> {
    let text: String = element.text().unwrap_or_default().split_ascii_whitespace().collect();
    STANDARD.decode(text).map_err(|_| shape("its signature is not Base64"))
}
