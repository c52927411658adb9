//! OpenID Connect: we are the relying party (OpenID Connect Core 1.0), with the code flow and PKCE.

mod callback;
mod claims;
mod config;
mod provider;
mod request;

pub(crate) use callback::callback;
pub(crate) use config::{OidcConfig, OidcFields};
pub(crate) use provider::Providers;
pub(crate) use request::begin;

/// Where every provider sends its answers: the state says which sign-in it is for.
pub(crate) fn redirect_uri(public_url: &str) -> String {
    format!("{public_url}/sign-in/oidc/callback")
}
