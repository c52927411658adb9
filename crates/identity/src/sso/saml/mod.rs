//! A SAML 2.0 service provider (Web Browser SSO: requests by redirect, responses by POST).
//!
//! The way of a response: [`xml`] reads it strictly, [`response`] finds the one assertion where it
//! belongs, [`signature`] hands back the text that a certificate of the connection signed, and
//! [`assertion`] reads that text and nothing else. [`acs`] then asks whether this browser asked for it
//! and whether it was taken before.
//!
//! Not here: encrypted assertions, artifacts, logout, signed requests.

pub(crate) mod acs;
mod assertion;
mod browser;
mod certificate;
mod config;
mod idp_metadata;
pub(crate) mod metadata;
mod request;
mod response;
mod signature;
mod xml;

use provost_model::{ConnectionId, Protocol};
use provost_store::tables::connections::{self, ConnectionRow};
use provost_web::{App, Error, Result};

pub(crate) use config::check;
pub(crate) use request::begin;

/// What we call ourselves to a connection's identity provider.
pub(crate) fn entity_id(app: &App, connection_id: &str) -> String {
    format!("{}/sign-in/saml/{connection_id}/metadata", app.public_url)
}

/// Where it has browsers post its responses.
pub(crate) fn acs_url(app: &App, connection_id: &str) -> String {
    format!("{}/sign-in/saml/{connection_id}/acs", app.public_url)
}

/// A SAML connection that may be used. Whether there is one that is turned off is nobody's business.
async fn find(app: &App, id: ConnectionId) -> Result<ConnectionRow> {
    let found = connections::find(&mut app.store.read().await?, id).await?;
    found.filter(|row| row.protocol == Protocol::Saml && row.enabled).ok_or_else(|| Error::not_found("connection"))
}
