use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{ListQuery, Result};

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct List<T> {
    /// The rows.
    pub data: Vec<T>,
    /// Ask for the next page with it; null on the last.
    pub next_cursor: Option<String>,
}

impl<T> List<T> {
    /// From the rows that [`ListQuery::page`] asked for; `key` is what rows are ordered by.
    pub fn new(mut data: Vec<T>, query: &ListQuery, key: impl Fn(&T) -> String) -> Result<Self> {
        let limit = query.limit()? as usize;
        let has_more = data.len() > limit;
        data.truncate(limit);
        let next_cursor = data.last().filter(|_| has_more).map(|last| ListQuery::cursor_after(&key(last)));
        Ok(Self { data, next_cursor })
    }
}

impl<T: Serialize> IntoResponse for List<T> {
    fn into_response(self) -> Response {
        axum::Json(self).into_response()
    }
}

/// 201, with what was made.
pub struct Created<T>(pub T);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, crate::Etag(self.0)).into_response()
    }
}
