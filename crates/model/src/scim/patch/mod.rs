//! Changes of resources (RFC 7644 §3.5.2).

mod group;
mod list;
mod user;

use serde_json::{Map, Value};

use super::canonical::{check_schemas, take};
use super::error::shown;
use super::{Path, ScimError};
pub use group::{GroupPatch, GroupStep};
pub use user::patch_user;

/// The most operations of one change.
const MAX_OPERATIONS: usize = 1000;

/// The body of a PATCH.
#[derive(Debug, Clone, PartialEq)]
pub struct PatchRequest {
    /// What to do, in this order, all of it or nothing. Never empty.
    pub operations: Vec<Operation>,
}

/// One step of a change.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// What to do.
    pub op: PatchOp,
    /// What to do it to; none is the resource.
    pub path: Option<Path>,
    /// With which value.
    pub value: Option<Value>,
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchOp {
    /// Adds to what is there.
    Add,
    /// Takes away.
    Remove,
    /// Puts in place of what is there.
    Replace,
}

impl PatchRequest {
    /// The `schemas` of the body.
    pub const SCHEMA: &'static str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

    /// Reads the body of a PATCH.
    ///
    /// # Errors
    ///
    /// `invalidSyntax` where it is no change, `invalidPath` and `invalidFilter` for its paths, 413 for more
    /// than 1,000 operations.
    pub fn parse(mut body: Map<String, Value>) -> Result<Self, ScimError> {
        check_schemas(&body, Self::SCHEMA, true)?;
        let operations = match take(&mut body, "Operations") {
            Some(Value::Array(operations)) if !operations.is_empty() => operations,
            _ => return Err(ScimError::syntax("`Operations` is a list of one operation or more")),
        };
        if operations.len() > MAX_OPERATIONS {
            return Err(ScimError::other(413, format!("one change has at most {MAX_OPERATIONS} operations")));
        }
        let operations = operations
            .into_iter()
            .enumerate()
            .map(|(place, operation)| Operation::parse(operation).map_err(|error| numbered(place, error)));
        Ok(Self { operations: operations.collect::<Result<_, _>>()? })
    }
}

impl Operation {
    fn parse(operation: Value) -> Result<Self, ScimError> {
        let Value::Object(mut operation) = operation else {
            return Err(ScimError::syntax("an operation is an object"));
        };
        let op = match take(&mut operation, "op") {
            Some(Value::String(op)) => PatchOp::parse(&op)?,
            _ => return Err(ScimError::syntax("`op` is add, remove or replace")),
        };
        let path = match take(&mut operation, "path") {
            None | Some(Value::Null) => None,
            Some(Value::String(path)) => Some(Path::parse(&path)?),
            Some(_) => return Err(ScimError::path("`path` is a text")),
        };
        Ok(Self { op, path, value: take(&mut operation, "value") })
    }
}

impl PatchOp {
    fn parse(op: &str) -> Result<Self, ScimError> {
        // Entra writes them with a capital.
        let is = |name: &str| op.eq_ignore_ascii_case(name);
        match () {
            () if is("add") => Ok(Self::Add),
            () if is("remove") => Ok(Self::Remove),
            () if is("replace") => Ok(Self::Replace),
            () => Err(ScimError::syntax(format!("`op` is add, remove or replace, not `{}`", shown(op)))),
        }
    }
}

/// An error of one operation says which.
fn numbered(place: usize, error: ScimError) -> ScimError {
    ScimError { detail: format!("operation {}: {}", place + 1, error.detail), ..error }
}

/// The value of an operation without a path: an object of what to change.
fn changes(op: PatchOp, value: Option<Value>) -> Result<Map<String, Value>, ScimError> {
    match (op, value) {
        (PatchOp::Remove, _) => Err(no_target("what is to be removed is not said: `path` is missing")),
        (_, Some(Value::Object(changes))) => Ok(changes),
        _ => Err(ScimError::value("without a `path`, `value` is an object")),
    }
}

fn no_target(detail: impl Into<String>) -> ScimError {
    ScimError::new(super::ScimType::NoTarget, detail)
}

fn mutability(detail: impl Into<String>) -> ScimError {
    ScimError::new(super::ScimType::Mutability, detail)
}

/// Old clients wrap the value of a plain attribute: `[{"$ref": null, "value": "x"}]`.
fn unwrapped(value: Value) -> Value {
    match value {
        Value::Array(mut values) if values.len() == 1 => match values.remove(0) {
            Value::Object(mut map) if map.contains_key("value") => map.remove("value").unwrap_or(Value::Null),
            other => Value::Array(vec![other]),
        },
        value => value,
    }
}
