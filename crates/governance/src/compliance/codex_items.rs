//! `…/codex_tasks` and `…/codex_environments`: of the cloud, of which there is none here yet. So the lists are empty,
//! and nothing is found.

use axum::extract::MatchedPath;
use http::Uri;
use serde_json::{Value, json};

use super::query::Parameters;
use super::reader::{Deleter, Reader};
use super::refusal::{Refusal, Result};

/// How many a page has at most.
const MOST: u32 = 30;

pub(super) async fn list(_: Reader, uri: Uri) -> Result<axum::Json<Value>> {
    Parameters::of(&uri)?.limit(MOST)?;
    Ok(axum::Json(json!({ "data": [], "has_more": false, "cursor": null })))
}

pub(super) async fn show(_: Reader, path: MatchedPath) -> Refusal {
    Refusal::not_found(noun(&path))
}

pub(super) async fn delete(_: Deleter, path: MatchedPath) -> Refusal {
    Refusal::not_found(noun(&path))
}

fn noun(path: &MatchedPath) -> &'static str {
    if path.as_str().contains("codex_tasks") { "Task" } else { "Environment" }
}
