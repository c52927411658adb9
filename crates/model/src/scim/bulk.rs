use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use serde_json::{Map, Value};

use super::ScimError;
use super::canonical::{check_schemas, take};
use super::error::shown;
use super::schema::ResourceKind;

/// The most operations of one bulk request.
pub const BULK_MAX_OPERATIONS: usize = 1000;

/// The largest bulk request, in bytes.
pub const BULK_MAX_PAYLOAD_BYTES: usize = 1024 * 1024;

/// What stands before the name of an operation where the id of what it makes is to stand.
const REFERENCE: &str = "bulkId:";

/// The body of a `POST /Bulk` (RFC 7644 §3.7).
#[derive(Debug, Clone, PartialEq)]
pub struct BulkRequest {
    /// After how many errors the rest is left undone; none does all of it.
    pub fail_on_errors: Option<u64>,
    /// What to do.
    pub operations: Vec<BulkOperation>,
}

/// One request among many.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkOperation {
    /// The HTTP method, in capitals; perhaps none that is taken here.
    pub method: String,
    /// The name by which other operations call what it makes.
    pub bulk_id: Option<String>,
    /// The entity tag that what it changes must have.
    pub version: Option<String>,
    /// Such as `/Users`, `/Groups/{id}`, `/Users/bulkId:x`.
    pub path: String,
    /// The body.
    pub data: Option<Map<String, Value>>,
}

/// What an operation works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkTarget {
    /// The kind of the resource.
    pub kind: ResourceKind,
    /// Its id; none for what is to be made.
    pub id: Option<String>,
}

/// In which order the operations are done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The places of operations: what is named comes before what names it, otherwise as they were sent.
    pub order: Vec<usize>,
    /// The places of those that name each other in a ring, or name one of those. Each is answered with 409.
    pub circular: Vec<usize>,
}

impl BulkRequest {
    /// The `schemas` of the body.
    pub const SCHEMA: &'static str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";

    /// Reads the body of a bulk request. What is wrong with one operation is said when that is done.
    ///
    /// # Errors
    ///
    /// `invalidSyntax` where it is no bulk request, or two operations have one `bulkId`; 413 for more than
    /// [`BULK_MAX_OPERATIONS`].
    pub fn parse(mut body: Map<String, Value>) -> Result<Self, ScimError> {
        check_schemas(&body, Self::SCHEMA, true)?;
        let fail_on_errors = match take(&mut body, "failOnErrors") {
            None | Some(Value::Null) => None,
            Some(value) => {
                let wrong = || ScimError::syntax("`failOnErrors` is a whole number of 1 or more");
                Some(value.as_u64().filter(|most| *most > 0).ok_or_else(wrong)?)
            }
        };
        let Some(Value::Array(operations)) = take(&mut body, "Operations") else {
            return Err(ScimError::syntax("`Operations` is a list"));
        };
        if operations.len() > BULK_MAX_OPERATIONS {
            return Err(ScimError::other(413, format!("a bulk request has at most {BULK_MAX_OPERATIONS} operations")));
        }
        let operations = operations.into_iter().map(BulkOperation::parse).collect::<Result<Vec<_>, _>>()?;
        let request = Self { fail_on_errors, operations };
        if request.names().len() < request.operations.iter().filter(|operation| operation.bulk_id.is_some()).count() {
            return Err(ScimError::syntax("two operations have the same `bulkId`"));
        }
        Ok(request)
    }

    /// In which order the operations are done.
    pub fn schedule(&self) -> Schedule {
        let names = self.names();
        let count = self.operations.len();
        let mut waits_for = vec![0_usize; count];
        let mut waiting: Vec<Vec<usize>> = vec![Vec::new(); count];
        for (place, operation) in self.operations.iter().enumerate() {
            let mut named: Vec<usize> =
                operation.references().iter().filter_map(|name| names.get(name).copied()).collect();
            named.sort_unstable();
            named.dedup();
            waits_for[place] = named.len();
            named.into_iter().for_each(|other| waiting[other].push(place));
        }
        let mut ready: BinaryHeap<Reverse<usize>> =
            (0..count).filter(|place| waits_for[*place] == 0).map(Reverse).collect();
        let mut order = Vec::with_capacity(count);
        while let Some(Reverse(place)) = ready.pop() {
            order.push(place);
            for other in &waiting[place] {
                waits_for[*other] -= 1;
                if waits_for[*other] == 0 {
                    ready.push(Reverse(*other));
                }
            }
        }
        let circular = (0..count).filter(|place| waits_for[*place] > 0).collect();
        Schedule { order, circular }
    }

    /// The places of those that have a name.
    fn names(&self) -> HashMap<&str, usize> {
        let operations = self.operations.iter().enumerate();
        operations.filter_map(|(place, operation)| Some((operation.bulk_id.as_deref()?, place))).collect()
    }
}

impl BulkOperation {
    fn parse(operation: Value) -> Result<Self, ScimError> {
        let Value::Object(mut operation) = operation else {
            return Err(ScimError::syntax("an operation is an object"));
        };
        let mut text = |name: &str| match take(&mut operation, name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(ScimError::syntax(format!("`{name}` is a text"))),
        };
        let missing = |name: &str| ScimError::syntax(format!("an operation has a `{name}`"));
        let method = text("method")?.ok_or_else(|| missing("method"))?.to_ascii_uppercase();
        let path = text("path")?.ok_or_else(|| missing("path"))?;
        let (bulk_id, version) = (text("bulkId")?, text("version")?);
        let data = match take(&mut operation, "data") {
            None | Some(Value::Null) => None,
            Some(Value::Object(data)) => Some(data),
            Some(_) => return Err(ScimError::syntax("`data` is an object")),
        };
        Ok(Self { method, bulk_id, version, path, data })
    }

    /// What it works on.
    ///
    /// # Errors
    ///
    /// 404 for a path that leads nowhere, 405 for a method that it does not take, `invalidSyntax` for what is
    /// made without a `bulkId`.
    pub fn target(&self) -> Result<BulkTarget, ScimError> {
        let nowhere = || ScimError::other(404, format!("`{}` leads nowhere", shown(&self.path)));
        let mut parts = self.path.strip_prefix('/').unwrap_or(&self.path).split('/');
        let kind = parts.next().and_then(|name| {
            ResourceKind::ALL.into_iter().find(|kind| kind.endpoint().strip_prefix('/') == Some(name))
        });
        let (kind, id) = (kind.ok_or_else(nowhere)?, parts.next());
        if parts.next().is_some() || id.is_some_and(str::is_empty) {
            return Err(nowhere());
        }
        match (self.method.as_str(), id) {
            ("POST", None) if self.bulk_id.as_deref().is_none_or(str::is_empty) => {
                Err(ScimError::syntax("what is made has a `bulkId`"))
            }
            ("POST", None) | ("PUT" | "PATCH" | "DELETE", Some(_)) => {
                Ok(BulkTarget { kind, id: id.map(str::to_owned) })
            }
            (method, _) => {
                Err(ScimError::other(405, format!("`{}` does not take {}", shown(&self.path), shown(method))))
            }
        }
    }

    /// The names of operations that it names, as often as it does.
    pub fn references(&self) -> Vec<&str> {
        let mut found: Vec<&str> = self.path.split('/').filter_map(|part| part.strip_prefix(REFERENCE)).collect();
        if let Some(data) = &self.data {
            data.iter().for_each(|(key, value)| look(key, value, &mut found));
        }
        found
    }

    /// Puts ids where names of operations stand.
    ///
    /// # Errors
    ///
    /// 409 that names the first operation which has made nothing (RFC 7644 §3.7.1).
    pub fn resolve(&mut self, made: &HashMap<String, String>) -> Result<(), ScimError> {
        let id = |name: &str| {
            made.get(name)
                .cloned()
                .ok_or_else(|| ScimError::other(409, format!("nothing was made under the `bulkId` `{}`", shown(name))))
        };
        if self.path.contains(REFERENCE) {
            let parts = self.path.split('/').map(|part| match part.strip_prefix(REFERENCE) {
                Some(name) => id(name),
                None => Ok(part.to_owned()),
            });
            self.path = parts.collect::<Result<Vec<_>, _>>()?.join("/");
        }
        let mut data = self.data.iter_mut().flatten();
        data.try_for_each(|(key, value)| put(key, value, &id))
    }
}

/// In a `path` of a PATCH, a name stands in quotes: `members[value eq "bulkId:x"]`.
fn quoted(key: &str, text: &str) -> bool {
    key == "path" && text.contains("\"bulkId:")
}

fn look<'a>(key: &str, value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) if quoted(key, text) => {
            found.extend(text.split('"').filter_map(|part| part.strip_prefix(REFERENCE)));
        }
        Value::String(text) => found.extend(text.strip_prefix(REFERENCE)),
        Value::Array(values) => values.iter().for_each(|value| look(key, value, found)),
        Value::Object(map) => map.iter().for_each(|(key, value)| look(key, value, found)),
        _ => {}
    }
}

fn put(key: &str, value: &mut Value, id: &impl Fn(&str) -> Result<String, ScimError>) -> Result<(), ScimError> {
    match value {
        Value::String(text) if quoted(key, text) => {
            let parts = text.split('"').map(|part| part.strip_prefix(REFERENCE).map_or(Ok(part.to_owned()), id));
            *text = parts.collect::<Result<Vec<_>, _>>()?.join("\"");
        }
        Value::String(text) => {
            if let Some(name) = text.strip_prefix(REFERENCE) {
                *text = id(name)?;
            }
        }
        Value::Array(values) => return values.iter_mut().try_for_each(|value| put(key, value, id)),
        Value::Object(map) => return map.iter_mut().try_for_each(|(key, value)| put(key, value, id)),
        _ => {}
    }
    Ok(())
}
