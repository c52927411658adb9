use std::collections::BTreeMap;

use provost_model::GroupId;
use provost_web::{App, Error, Result, fetch};
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;

use super::provider;
use crate::sso::Refusal;

/// What an OpenID Connect connection needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OidcConfig {
    /// The provider's issuer, exactly as it names itself: `https://login.example.com/tenant`.
    pub(crate) issuer: String,
    /// What the provider calls us.
    pub(crate) client_id: String,
    /// Asked for beside `openid`.
    #[serde(default = "default_scopes")]
    pub(crate) scopes: Vec<String>,
    /// Which claims say what.
    #[serde(default)]
    pub(crate) claims: ClaimNames,
    /// Groups of the provider (values of the groups claim), each with the manual group whose members
    /// follow it at every sign-in.
    #[serde(default)]
    pub(crate) groups: BTreeMap<String, GroupId>,
}

/// The names of the claims that are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ClaimNames {
    /// Who it is, for good. `sub`, or another that never changes (`oid` of Entra).
    pub(crate) subject: String,
    /// The address.
    pub(crate) email: String,
    /// The name.
    pub(crate) name: String,
    /// The groups: a list of texts.
    pub(crate) groups: Option<String>,
}

impl Default for ClaimNames {
    fn default() -> Self {
        Self { subject: "sub".to_owned(), email: "email".to_owned(), name: "name".to_owned(), groups: None }
    }
}

fn default_scopes() -> Vec<String> {
    vec!["profile".to_owned(), "email".to_owned()]
}

/// What an admin sends: the configuration, and the secret beside it.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OidcFields {
    issuer: String,
    client_id: String,
    /// Never readable back. Absent keeps the one that is there, for the same issuer.
    #[serde(default)]
    pub(crate) client_secret: Option<String>,
    #[serde(default = "default_scopes")]
    scopes: Vec<String>,
    #[serde(default)]
    claims: ClaimNames,
    #[serde(default)]
    groups: BTreeMap<String, GroupId>,
}

impl OidcFields {
    /// Checks them, and that the provider is there and names itself so.
    pub(crate) async fn check(&self, app: &App) -> Result<OidcConfig> {
        let invalid = |field: &str, message: &str| Error::invalid(format!("oidc.{field}"), "invalid_field", message);
        let issuer = Url::parse(&self.issuer).map_err(|_| invalid("issuer", "the issuer is a URL: https://…"))?;
        fetch::check_url(&issuer, app.upstream_addresses).map_err(|error| invalid("issuer", &error.to_string()))?;
        if issuer.query().is_some() || issuer.fragment().is_some() || self.issuer.len() > 500 {
            return Err(invalid("issuer", "the issuer has neither a query nor a fragment, and at most 500 characters"));
        }
        let is_short = |text: &str| (1..=300).contains(&text.len()) && !text.contains(char::is_control);
        if !is_short(&self.client_id) {
            return Err(invalid("client_id", "the client id has 1 to 300 characters"));
        }
        let is_secret = |text: &String| (1..=1_000).contains(&text.len()) && !text.contains(char::is_control);
        if self.client_secret.as_ref().is_some_and(|secret| !is_secret(secret)) {
            return Err(invalid("client_secret", "the client secret has 1 to 1000 characters"));
        }
        let is_scope = |scope: &String| is_short(scope) && !scope.contains(char::is_whitespace);
        if self.scopes.len() > 20 || !self.scopes.iter().all(is_scope) {
            return Err(invalid("scopes", "at most 20 scopes, each without white space"));
        }
        let ClaimNames { subject, email, name, groups } = &self.claims;
        if ![subject, email, name].into_iter().chain(groups).all(|claim| is_short(claim)) {
            return Err(invalid("claims", "the name of a claim has 1 to 300 characters"));
        }
        if self.groups.len() > 1_000 || !self.groups.keys().all(|name| is_short(name)) {
            return Err(invalid("groups", "at most 1000 groups, each name of 1 to 300 characters"));
        }
        let config = OidcConfig {
            issuer: self.issuer.clone(),
            client_id: self.client_id.clone(),
            scopes: self.scopes.iter().filter(|scope| *scope != "openid").cloned().collect(),
            claims: self.claims.clone(),
            groups: self.groups.clone(),
        };
        let found = provider::discover(app, &config.issuer).await;
        found.map(|_| config).map_err(|Refusal { message, .. }| invalid("issuer", &message))
    }
}
