//! Reads XML strictly: what no identity provider has a need to send is refused before anything looks
//! at it. One parser reads what is verified and what is used, so that two cannot disagree.

use std::collections::HashSet;

use bergshamra_xml::uppsala::{Parser, QName};
use bergshamra_xml::{Document, NodeId, NodeKind};

use crate::sso::Refusal;

/// The longest response, in bytes. Real ones have some 5 to 20 kB, more with hundreds of groups.
pub(super) const MAX_BYTES: usize = 256 * 1024;
/// Real responses nest some ten elements.
const MAX_DEPTH: u32 = 32;
/// A response with a thousand groups has some 1100.
const MAX_ELEMENTS: usize = 5000;

/// The namespaces of SAML (saml-core-2.0 §1.1) and of XML signatures.
pub(super) const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
pub(super) const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
pub(super) const METADATA: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
pub(super) const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";

/// Of one element, with its namespaces. Real ones have some ten.
const MAX_ATTRIBUTES: usize = 128;

/// Whatever verifiers take for an id: an attribute of one of these names, in any namespace.
const ID_NAMES: [&str; 2] = ["id", "assertionid"];

/// An element of a document.
#[derive(Clone, Copy)]
pub(super) struct Element<'x> {
    pub(super) document: &'x Document<'x>,
    pub(super) id: NodeId,
}

/// Reads a document: no DTD (so no entity of its own), not too deep.
pub(super) fn parse(text: &str) -> Result<Document<'_>, Refusal> {
    // The parser's own refusal comes only where a declaration may stand; elsewhere the text is not
    // well-formed anyway.
    if text.contains("<!DOCTYPE") || text.contains("<!ENTITY") {
        return Err(Refusal::forbidden("dtd", "it has a document type declaration, which SAML forbids"));
    }
    // The parser looks for an attribute's double among all those before it: thousands in one element keep
    // it busy for seconds. Each has a `=`, and none has a `<`, so this counts them or more.
    if text.split('<').any(|piece| piece.matches('=').count() > MAX_ATTRIBUTES) {
        return Err(Refusal::forbidden("too_long", "an element of it has too many attributes"));
    }
    let parser = Parser::new().with_forbid_dtd(true).with_forbid_entities(true).with_max_depth(MAX_DEPTH);
    parser.parse(text).map_err(|_| Refusal::forbidden("malformed", "it is not well-formed XML, or nests too deep"))
}

/// Refuses a document that has more than elements and text, or an id twice.
///
/// Comments split texts (one reader sees `user@acme.example`, another one what follows too), and
/// processing instructions and CDATA have no use in SAML.
pub(super) fn check_plain(document: &Document<'_>) -> Result<(), Refusal> {
    let mut ids = HashSet::new();
    let mut elements = 0;
    for node in document.descendants(document.root()) {
        match document.node_kind(node) {
            Some(NodeKind::Element(element)) => {
                elements += 1;
                for attribute in &element.attributes {
                    let is_id = ID_NAMES.contains(&attribute.name.local_name.to_lowercase().as_str());
                    if is_id && !ids.insert(attribute.value.to_string()) {
                        return Err(Refusal::forbidden("duplicate_id", "it has the same id twice"));
                    }
                }
            }
            Some(NodeKind::Text(_) | NodeKind::Document) => {}
            _ => {
                let message = "it has a comment, a processing instruction or a CDATA section, which SAML does not need";
                return Err(Refusal::forbidden("not_plain", message));
            }
        }
    }
    if elements > MAX_ELEMENTS {
        return Err(Refusal::forbidden("too_long", "it has too many elements"));
    }
    Ok(())
}

/// The outermost element.
pub(super) fn root<'x>(document: &'x Document<'x>) -> Result<Element<'x>, Refusal> {
    let id = document.document_element().ok_or_else(|| Refusal::forbidden("malformed", "it is empty"))?;
    Ok(Element { document, id })
}

impl<'x> Element<'x> {
    fn name(self) -> Option<&'x QName<'x>> {
        self.document.element(self.id).map(|element| &element.name)
    }

    /// Whether it is this one.
    pub(super) fn is(self, namespace: &str, name: &str) -> bool {
        self.name().is_some_and(|found| found.matches(Some(namespace), name))
    }

    /// Its name without the namespace.
    pub(super) fn local_name(self) -> &'x str {
        self.name().map_or("", |name| &name.local_name)
    }

    /// An attribute that has no namespace, as all of SAML's and XML signature's have none.
    pub(super) fn attribute(self, name: &str) -> Option<&'x str> {
        let attributes = &self.document.element(self.id)?.attributes;
        let found = attributes.iter().find(|found| found.name.namespace_uri.is_none() && found.name.local_name == name);
        found.map(|found| &*found.value)
    }

    /// The elements directly in it.
    pub(super) fn children(self) -> impl Iterator<Item = Element<'x>> {
        let nodes = self.document.children_iter(self.id);
        let elements = nodes.filter(move |node| self.document.element(*node).is_some());
        elements.map(move |id| Element { document: self.document, id })
    }

    /// Those of one name.
    pub(super) fn all(self, namespace: &'static str, name: &'static str) -> impl Iterator<Item = Element<'x>> {
        self.children().filter(move |child| child.is(namespace, name))
    }

    /// The only one of a name; none if there is none or more than one.
    pub(super) fn only(self, namespace: &'static str, name: &'static str) -> Option<Element<'x>> {
        let mut found = self.all(namespace, name);
        let first = found.next()?;
        found.next().is_none().then_some(first)
    }

    /// The only one of a name, which must be there.
    pub(super) fn must(self, namespace: &'static str, name: &'static str) -> Result<Element<'x>, Refusal> {
        self.only(namespace, name)
            .ok_or_else(|| Refusal::forbidden("incomplete", format!("it wants exactly one {name}")))
    }

    /// Everything in it, itself first.
    pub(super) fn descendants(self) -> impl Iterator<Item = Element<'x>> {
        let nodes = self.document.descendants(self.id).into_iter();
        let inner = nodes.filter(move |node| *node != self.id && self.document.element(*node).is_some());
        std::iter::once(self).chain(inner.map(move |id| Element { document: self.document, id }))
    }

    /// Its text, without the white space around it; none if there are elements in it.
    pub(super) fn text(self) -> Option<String> {
        if self.children().next().is_some() {
            return None;
        }
        let text = self.document.text_content_deep(self.id);
        Some(text.trim_matches([' ', '\t', '\r', '\n']).to_owned())
    }
}
