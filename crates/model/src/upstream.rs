use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::UpstreamId;

/// A model provider that speaks the Responses API.
#[derive(Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Its id.
    pub id: UpstreamId,
    /// Its name.
    pub name: Arc<str>,
    /// Where `/responses` is appended, e.g. `https://api.openai.com/v1`.
    pub base_url: Arc<str>,
    /// Sent as the bearer; none for providers without one. In memory only: at rest it is sealed.
    pub api_key: Option<Arc<str>>,
    /// What it serves.
    pub models: Arc<[Model]>,
}

impl std::fmt::Debug for Upstream {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upstream").field("id", &self.id).field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// A model that an upstream serves. Prices are credits per million tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// What clients ask for.
    pub slug: String,
    /// What people read; the slug if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// What the upstream calls it; the slug if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_model: Option<String>,
    /// For input that was not cached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_price: Option<f64>,
    /// For cached input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input_price: Option<f64>,
    /// For output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_price: Option<f64>,
}

// Prices are checked to be finite where they enter, so equality is total.
impl Eq for Model {}

/// Where a model's traffic goes.
#[derive(Debug, Clone)]
pub struct ModelRoute {
    /// The upstream.
    pub upstream: Arc<Upstream>,
    /// The model, by its place in the upstream's list.
    pub index: usize,
}

impl ModelRoute {
    /// The model.
    pub fn model(&self) -> &Model {
        &self.upstream.models[self.index]
    }
}
