//! The configuration of a SAML connection: what an admin gives, and what is kept of it.

use provost_web::{App, Error, Result, fetch};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::assertion::FORMATS;
use super::certificate::Certificate;
use super::idp_metadata::{self, IdpMetadata};
use super::xml::MAX_BYTES;

const MAX_CERTIFICATES: usize = 10;
const MAX_CHARS: usize = 1000;

/// What an admin gives: metadata (or where it is), or what would stand in it. Nothing of either is
/// good too: then the connection waits, since many identity providers want our addresses first.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    metadata_url: Option<String>,
    metadata: Option<String>,
    idp_entity_id: Option<String>,
    sso_url: Option<String>,
    #[serde(default)]
    certificates: Vec<String>,
    #[serde(default)]
    attributes: GivenAttributes,
    #[serde(default)]
    allow_idp_initiated: bool,
    name_id_format: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenAttributes {
    email: Option<String>,
    name: Option<String>,
    groups: Option<String>,
}

/// What is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Config {
    /// Where the rest came from, to be asked again at a change.
    pub(super) metadata_url: Option<String>,
    /// What the identity provider calls itself.
    pub(super) idp_entity_id: Option<String>,
    /// Where browsers are sent to sign in.
    pub(super) sso_url: Option<String>,
    /// In PEM; any one of them may have signed.
    pub(super) certificates: Vec<String>,
    /// Names that differ from the usual ones.
    pub(super) attributes: KeptAttributes,
    /// Whether responses are taken that nobody here asked for.
    pub(super) allow_idp_initiated: bool,
    /// The kind of name to ask for; none leaves it to the provider.
    pub(super) name_id_format: Option<String>,
}

/// The names of attributes as they were given.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct KeptAttributes {
    email: Option<String>,
    name: Option<String>,
    groups: Option<String>,
}

/// The attributes that say who somebody is; the first that is there counts.
pub(super) struct Attributes {
    /// The e-mail address.
    pub(super) email: Vec<String>,
    /// The name.
    pub(super) name: Vec<String>,
    /// The groups.
    pub(super) groups: Vec<String>,
}

/// The names that Okta, Entra, AD FS, Google, Keycloak and Shibboleth give by themselves.
const EMAIL: [&str; 5] = [
    "email",
    "mail",
    "emailAddress",
    "urn:oid:0.9.2342.19200300.100.1.3",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
];
const NAME: [&str; 5] = [
    "displayName",
    "name",
    "urn:oid:2.16.840.1.113730.3.1.241",
    "http://schemas.microsoft.com/identity/claims/displayname",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
];
const GROUPS: [&str; 4] = [
    "groups",
    "memberOf",
    "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups",
    "http://schemas.xmlsoap.org/claims/Group",
];

impl Config {
    /// As it is kept in the connection.
    pub(super) fn kept(value: &Value) -> Option<Self> {
        Self::deserialize(value).ok()
    }

    /// The certificates. They were checked when they were given.
    pub(super) fn trusted(&self) -> Vec<Certificate> {
        self.certificates.iter().filter_map(|pem| Certificate::parse(pem).ok()).collect()
    }

    /// Where to look for who somebody is.
    pub(super) fn names(&self) -> Attributes {
        let or = |given: &Option<String>, usual: &[&str]| match given {
            Some(name) => vec![name.clone()],
            None => usual.iter().map(|name| (*name).to_owned()).collect(),
        };
        let given = &self.attributes;
        Attributes { email: or(&given.email, &EMAIL), name: or(&given.name, &NAME), groups: or(&given.groups, &GROUPS) }
    }
}

/// Checks the configuration that an admin gives, and brings it into the form that is kept. Metadata is
/// fetched now, and not again before the next change.
pub(crate) async fn check(app: &App, config: &Value) -> Result<Value> {
    let given: Given = serde_json::from_value(config.clone())
        .map_err(|error| Error::invalid("saml", "invalid_config", format!("the configuration of SAML: {error}")))?;
    let metadata = read_metadata(app, &given).await?;
    // Metadata decides, also over what it said before: what is read here can be written back as it is.
    let found = metadata.unwrap_or(IdpMetadata {
        entity_id: given.idp_entity_id,
        sso_url: given.sso_url,
        certificates: given.certificates,
    });
    let config = Config {
        idp_entity_id: found.entity_id,
        sso_url: found.sso_url,
        certificates: found.certificates,
        metadata_url: given.metadata_url,
        attributes: KeptAttributes {
            email: text("saml.attributes.email", given.attributes.email)?,
            name: text("saml.attributes.name", given.attributes.name)?,
            groups: text("saml.attributes.groups", given.attributes.groups)?,
        },
        allow_idp_initiated: given.allow_idp_initiated,
        name_id_format: given.name_id_format,
    };
    let config = normalise(app, config)?;
    serde_json::to_value(config).map_err(|_| invalid("saml", "it cannot be kept"))
}

async fn read_metadata(app: &App, given: &Given) -> Result<Option<IdpMetadata>> {
    let (field, text) = match (&given.metadata_url, &given.metadata) {
        (Some(_), Some(_)) => {
            return Err(invalid("saml.metadata", "give either `metadata_url` or `metadata`, not both"));
        }
        (None, None) => return Ok(None),
        (None, Some(text)) => ("saml.metadata", text.clone()),
        (Some(url), None) => {
            let field = "saml.metadata_url";
            check_url(app, field, url)?;
            let bytes = fetch::fetch(&app.http, app.upstream_addresses, url).await;
            let bytes = bytes.map_err(|error| invalid(field, format!("the metadata could not be had: {error}")))?;
            let text = String::from_utf8(bytes.to_vec());
            (field, text.map_err(|_| invalid(field, "what is there is not UTF-8"))?)
        }
    };
    if text.len() > 2 * MAX_BYTES {
        return Err(invalid(field, "the metadata is longer than 512 kB"));
    }
    let read = idp_metadata::read(&text, given.idp_entity_id.as_deref());
    read.map(Some).map_err(|reason| invalid(field, format!("the metadata cannot be used: {reason}")))
}

fn normalise(app: &App, mut config: Config) -> Result<Config> {
    config.idp_entity_id = text("saml.idp_entity_id", config.idp_entity_id)?;
    let has = (config.idp_entity_id.is_some(), config.sso_url.is_some(), !config.certificates.is_empty());
    match has {
        (true, true, true) | (false, false, false) => {}
        (false, ..) => return Err(invalid("saml.idp_entity_id", "say what the identity provider calls itself")),
        (_, false, _) => return Err(invalid("saml.sso_url", "say where browsers are sent to sign in")),
        (.., false) => {
            return Err(invalid("saml.certificates", "give the certificate with which assertions are signed"));
        }
    }
    if let Some(url) = &config.sso_url {
        check_url(app, "saml.sso_url", url)?;
    }
    if config.certificates.len() > MAX_CERTIFICATES {
        return Err(invalid("saml.certificates", format!("there are more than {MAX_CERTIFICATES}")));
    }
    let mut pems = Vec::new();
    for (index, given) in config.certificates.iter().enumerate() {
        let field = format!("saml.certificates.{index}");
        let pem = Certificate::parse(given).map_err(|reason| invalid(&field, reason))?.to_pem();
        if !pems.contains(&pem) {
            pems.push(pem);
        }
    }
    config.certificates = pems;
    if config.name_id_format.as_deref().is_some_and(|format| !FORMATS.contains(&format)) {
        return Err(invalid("saml.name_id_format", format!("it must be one of {}", FORMATS.join(", "))));
    }
    Ok(config)
}

fn text(field: &str, given: Option<String>) -> Result<Option<String>> {
    match given {
        Some(text) if text.trim().is_empty() => Err(invalid(field, "it is empty")),
        Some(text) if text.len() > MAX_CHARS || text.contains(char::is_control) => {
            Err(invalid(field, format!("it is longer than {MAX_CHARS} characters, or not a text")))
        }
        Some(text) => Ok(Some(text.trim().to_owned())),
        None => Ok(None),
    }
}

fn check_url(app: &App, field: &str, url: &str) -> Result<()> {
    let parsed = Url::parse(url).map_err(|_| invalid(field, "it is not a URL"))?;
    if url.len() > MAX_CHARS {
        return Err(invalid(field, format!("it is longer than {MAX_CHARS} characters")));
    }
    fetch::check_url(&parsed, app.upstream_addresses).map_err(|error| invalid(field, error.to_string()))
}

fn invalid(field: &str, message: impl Into<String>) -> Error {
    Error::invalid(field, "invalid_config", message)
}
