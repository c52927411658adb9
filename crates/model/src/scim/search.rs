use serde_json::{Map, Value};

use super::canonical::{check_schemas, take};
use super::{Filter, Projection, ScimError, Sort};

/// The most resources on one page.
pub const MAX_RESULTS: usize = 200;

/// What a `POST /.search` asks for (RFC 7644 §3.4.3).
#[derive(Debug, Clone, PartialEq)]
pub struct SearchRequest {
    /// Which attributes are shown.
    pub projection: Projection,
    /// Which resources are asked for; none asks for all.
    pub filter: Option<Filter>,
    /// In which order.
    pub sort: Option<Sort>,
    /// The first of them to be shown, counted from 1.
    pub start_index: usize,
    /// How many of them, at most [`MAX_RESULTS`].
    pub count: usize,
}

impl SearchRequest {
    /// The `schemas` of the body.
    pub const SCHEMA: &'static str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

    /// Reads the body of a search.
    ///
    /// # Errors
    ///
    /// As [`Filter::parse`], [`Projection::parse`] and [`Sort::parse`]; `invalidSyntax` where it is no search.
    pub fn parse(mut body: Map<String, Value>) -> Result<Self, ScimError> {
        check_schemas(&body, Self::SCHEMA, true)?;
        let (only, without) = (names(&mut body, "attributes")?, names(&mut body, "excludedAttributes")?);
        let filter = text(&mut body, "filter")?.map(|filter| Filter::parse(&filter)).transpose()?;
        let order = text(&mut body, "sortOrder")?;
        let sort = text(&mut body, "sortBy")?.map(|by| Sort::parse(&by, order.as_deref())).transpose()?;
        let start_index = number(&mut body, "startIndex")?.unwrap_or(1).max(1);
        let count = number(&mut body, "count")?.unwrap_or(i64::MAX).max(0);
        Ok(Self {
            projection: Projection::of(only.iter().map(String::as_str), without.iter().map(String::as_str))?,
            filter,
            sort,
            start_index: usize::try_from(start_index).unwrap_or(usize::MAX),
            count: usize::try_from(count).unwrap_or(usize::MAX).min(MAX_RESULTS),
        })
    }
}

fn text(body: &mut Map<String, Value>, name: &str) -> Result<Option<String>, ScimError> {
    match take(body, name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(ScimError::syntax(format!("`{name}` is a text"))),
    }
}

fn names(body: &mut Map<String, Value>, name: &str) -> Result<Vec<String>, ScimError> {
    let wrong = || ScimError::syntax(format!("`{name}` is a list of names of attributes"));
    let names = match take(body, name) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(names)) => names,
        Some(_) => return Err(wrong()),
    };
    names.into_iter().map(|name| if let Value::String(name) = name { Ok(name) } else { Err(wrong()) }).collect()
}

fn number(body: &mut Map<String, Value>, name: &str) -> Result<Option<i64>, ScimError> {
    match take(body, name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) if number.is_i64() => Ok(number.as_i64()),
        Some(_) => Err(ScimError::value(format!("`{name}` is a whole number"))),
    }
}
