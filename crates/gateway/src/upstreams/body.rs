//! What the calls about upstreams take and answer, and what can be.

use std::collections::HashSet;

use jiff::Timestamp;
use provost_model::{Model, UpstreamId};
use provost_store::tables::upstreams::UpstreamRow;
use provost_web::limits::UpstreamAddresses;
use provost_web::{Error, Result, literal_address, name, nullable, present};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const MAX_NAME_CHARS: usize = 100;
const MAX_URL_CHARS: usize = 2_000;
const MAX_KEY_CHARS: usize = 4_096;
const MAX_MODELS: usize = 500;
const MAX_SLUG_CHARS: usize = 200;

/// An upstream to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateUpstream {
    /// Its name: 1 to 100 characters, unique.
    pub(super) name: String,
    /// Where `/responses` is appended, e.g. `https://api.openai.com/v1`.
    pub(super) base_url: String,
    /// Sent as the bearer. Sealed, and never readable.
    #[serde(default)]
    pub(super) api_key: Option<String>,
    /// What it serves: 1 to 500 models.
    pub(super) models: Vec<Model>,
}

/// What to change of an upstream.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateUpstream {
    /// Its name.
    #[serde(default, deserialize_with = "present")]
    pub(super) name: Option<String>,
    /// Where it is.
    #[serde(default, deserialize_with = "present")]
    pub(super) base_url: Option<String>,
    /// Its key; null takes it away.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    pub(super) api_key: Option<Option<String>>,
    /// What it serves, whole.
    #[serde(default, deserialize_with = "present")]
    pub(super) models: Option<Vec<Model>>,
}

/// An upstream, without its key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Upstream)]
pub(crate) struct UpstreamAnswer {
    /// Its id.
    pub(super) id: UpstreamId,
    /// Its name.
    name: String,
    /// Where `/responses` is appended.
    base_url: String,
    /// Whether it has a key.
    has_api_key: bool,
    /// What it serves.
    models: Vec<Model>,
    /// When it was added.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<UpstreamRow> for UpstreamAnswer {
    fn from(row: UpstreamRow) -> Self {
        let UpstreamRow { id, name, base_url, api_key_sealed, models, created_at, updated_at } = row;
        Self { id, name, base_url, has_api_key: api_key_sealed.is_some(), models, created_at, updated_at }
    }
}

impl CreateUpstream {
    /// The same with its name trimmed, if it can be.
    pub(super) fn check(mut self, addresses: UpstreamAddresses) -> Result<Self> {
        self.name = name("name", &self.name, MAX_NAME_CHARS)?;
        check_base_url(&self.base_url, addresses)?;
        self.api_key.as_deref().map_or(Ok(()), check_api_key)?;
        check_models(&self.models)?;
        Ok(self)
    }
}

impl UpdateUpstream {
    /// The same with its name trimmed, if it can be.
    pub(super) fn check(mut self, addresses: UpstreamAddresses) -> Result<Self> {
        self.name = self.name.map(|text| name("name", &text, MAX_NAME_CHARS)).transpose()?;
        self.base_url.as_deref().map_or(Ok(()), |url| check_base_url(url, addresses))?;
        self.api_key.as_ref().and_then(Option::as_deref).map_or(Ok(()), check_api_key)?;
        self.models.as_deref().map_or(Ok(()), check_models)?;
        Ok(self)
    }
}

fn check_base_url(text: &str, addresses: UpstreamAddresses) -> Result<()> {
    let wrong = |message: String| Err(Error::invalid("base_url", "invalid_base_url", message));
    let example = "write it like `https://api.openai.com/v1`";
    let is_plain = text.len() <= MAX_URL_CHARS && !text.contains(|c: char| c.is_whitespace() || c.is_control());
    let parsed = Url::parse(text).ok().filter(|_| is_plain);
    let Some(url) = parsed.filter(|url| matches!(url.scheme(), "http" | "https")) else {
        return wrong(format!("`base_url` is an http or https address: {example}"));
    };
    let Some(host) = url.host_str() else {
        return wrong(format!("`base_url` names no host: {example}"));
    };
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("`base_url` holds no credentials: put the key into `api_key`".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return wrong(format!("`base_url` has no `?` or `#`: {example}"));
    }
    match literal_address(host).map(|address| addresses.check(address)) {
        Some(Err(reason)) => wrong(format!("`base_url` names an address that may not be called: {reason}")),
        _ => Ok(()),
    }
}

fn check_api_key(key: &str) -> Result<()> {
    if (1..=MAX_KEY_CHARS).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    let message = format!("`api_key` is 1 to {MAX_KEY_CHARS} visible ASCII characters, or null");
    Err(Error::invalid("api_key", "invalid_api_key", message))
}

fn check_models(models: &[Model]) -> Result<()> {
    if !(1..=MAX_MODELS).contains(&models.len()) {
        let message = format!("`models` lists 1 to {MAX_MODELS} models");
        return Err(Error::invalid("models", "invalid_models", message));
    }
    let mut seen = HashSet::new();
    for (index, model) in models.iter().enumerate() {
        let wrong = |field: &str, message: String| {
            Err(Error::invalid(format!("models[{index}].{field}"), "invalid_model", message))
        };
        let is_slug = |text: &str| {
            (1..=MAX_SLUG_CHARS).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:/-".contains(&byte))
        };
        if !is_slug(&model.slug) {
            return wrong("slug", format!("a slug is 1 to {MAX_SLUG_CHARS} letters, digits, or one of . _ : / -"));
        }
        if !seen.insert(model.slug.as_str()) {
            return wrong("slug", format!("the slug `{}` is there twice", model.slug));
        }
        for (field, text) in [("display_name", &model.display_name), ("upstream_model", &model.upstream_model)] {
            let fits = |text: &String| {
                (1..=MAX_SLUG_CHARS).contains(&text.chars().count()) && !text.contains(char::is_control)
            };
            if !text.as_ref().is_none_or(fits) {
                return wrong(field, format!("it is 1 to {MAX_SLUG_CHARS} characters, or absent"));
            }
        }
        let prices = [
            ("input_price", model.input_price),
            ("cached_input_price", model.cached_input_price),
            ("output_price", model.output_price),
        ];
        for (field, price) in prices {
            if price.is_some_and(|price| !price.is_finite() || price < 0.0) {
                return wrong(field, "a price is a number of credits per million tokens, zero or more".to_owned());
            }
        }
    }
    Ok(())
}
