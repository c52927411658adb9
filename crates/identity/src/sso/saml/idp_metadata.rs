//! Reads the metadata of an identity provider (saml-metadata-2.0 §2.4.3). It is trusted for where it
//! came from: an admin, or an HTTPS address that one gave.

use super::xml::{self, DSIG, Element, METADATA};

const REDIRECT: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";

/// What metadata says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct IdpMetadata {
    /// What the provider calls itself.
    pub(super) entity_id: Option<String>,
    /// Where it takes requests by redirect.
    pub(super) sso_url: Option<String>,
    /// Its certificates for signing, in Base64.
    pub(super) certificates: Vec<String>,
}

/// Reads it; of several providers the one of this name.
pub(super) fn read(text: &str, entity_id: Option<&str>) -> Result<IdpMetadata, String> {
    let document = xml::parse(text).map_err(|refusal| refusal.message)?;
    let root = xml::root(&document).map_err(|refusal| refusal.message)?;
    let entities = root.descendants().filter(|element| element.is(METADATA, "EntityDescriptor"));
    let providers = entities.filter(|entity| entity.all(METADATA, "IDPSSODescriptor").next().is_some());
    let wanted = providers.filter(|entity| entity_id.is_none_or(|id| entity.attribute("entityID") == Some(id)));
    let [entity] = &wanted.take(2).collect::<Vec<_>>()[..] else {
        return Err("it must have one identity provider (of several, name yours in `idp_entity_id`)".to_owned());
    };
    let provider = entity.only(METADATA, "IDPSSODescriptor").ok_or("the provider is described twice")?;
    let mut services = provider.all(METADATA, "SingleSignOnService");
    let service = services.find(|service| service.attribute("Binding") == Some(REDIRECT));
    let service = service.ok_or("the provider takes no requests by HTTP-Redirect")?;
    let keys = provider.all(METADATA, "KeyDescriptor").filter(|key| key.attribute("use") != Some("encryption"));
    let certificates = keys.flat_map(Element::descendants).filter(|element| element.is(DSIG, "X509Certificate"));
    Ok(IdpMetadata {
        entity_id: entity.attribute("entityID").map(str::to_owned),
        sso_url: service.attribute("Location").map(str::to_owned),
        certificates: certificates.filter_map(Element::text).collect(),
    })
}
