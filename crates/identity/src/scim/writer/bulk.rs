//! Many operations in one request (RFC 7644 §3.7), done in its change like any others.

use std::collections::{HashMap, HashSet};

use http::{Method, StatusCode};
use provost_model::{GroupId, MemberId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::operation::run;
use super::{Batch, Done, Fault, Op};
use crate::scim::answer::Tags;
use crate::scim::groups_found::GroupFields;
use crate::scim::problem::Problem;
use crate::scim::render;
use crate::scim::users::UserFields;

/// How an operation names what an earlier one makes.
const REFERENCE: &str = "bulkId:";
/// How often operations that wait for one another are gone through. RFC 7644 §3.7.1 lets a server stop.
const ROUNDS: u32 = 8;

/// A bulk request.
#[derive(Debug)]
pub(crate) struct BulkRequest {
    /// Where the surface is.
    pub(crate) base: String,
    /// After so many errors the rest is left undone; none goes on.
    pub(crate) fail_on_errors: Option<u32>,
    pub(crate) operations: Vec<BulkOperation>,
}

/// One operation of a bulk request.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BulkOperation {
    method: String,
    path: String,
    bulk_id: Option<String>,
    version: Option<String>,
    #[serde(default)]
    data: Value,
}

/// Does them in their order, but that one which names what another makes waits for it.
pub(super) async fn run_bulk(batch: &mut Batch, request: &BulkRequest) -> Result<Done, Fault> {
    let mut work = Work { base: &request.base, made: HashMap::new(), answers: Vec::new(), errors: 0 };
    let limit = request.fail_on_errors.unwrap_or(u32::MAX);
    let mut waiting: Vec<(usize, BulkOperation)> = request.operations.iter().cloned().enumerate().collect();
    for round in 0.. {
        let mut coming: HashSet<String> = waiting.iter().filter_map(|(_, other)| other.bulk_id.clone()).collect();
        let mut later = Vec::new();
        for (place, mut operation) in waiting {
            if work.errors >= limit {
                return Ok(work.done());
            }
            let result = match resolve(&mut operation, &work.made) {
                Some(name) if coming.contains(&name) && round < ROUNDS => {
                    later.push((place, operation));
                    continue;
                }
                Some(name) => Err(Problem::conflict(format!("nothing was made under the `bulkId` {name}")).into()),
                None => one(batch, &operation).await,
            };
            if let Some(name) = &operation.bulk_id {
                coming.remove(name);
            }
            work.note(place, &operation, result)?;
        }
        if later.is_empty() {
            break;
        }
        waiting = later;
    }
    Ok(work.done())
}

/// What became of the operations so far.
struct Work<'a> {
    base: &'a str,
    /// What was made under which `bulkId`.
    made: HashMap<String, String>,
    answers: Vec<(usize, Value)>,
    errors: u32,
}

impl Work<'_> {
    fn note(&mut self, place: usize, operation: &BulkOperation, result: Result<Done, Fault>) -> Result<(), Fault> {
        let answer = match result {
            Ok(done) => succeeded(self.base, operation, &done, &mut self.made),
            Err(Fault::Refused(problem)) => {
                self.errors += 1;
                failed(self.base, operation, &problem)
            }
            Err(failed) => return Err(failed),
        };
        self.answers.push((place, answer));
        Ok(())
    }

    fn done(mut self) -> Done {
        self.answers.sort_by_key(|(place, _)| *place);
        Done::Bulk(self.answers.into_iter().map(|(_, answer)| answer).collect())
    }
}

/// Puts ids where names of operations stand; the first name that nothing was made under yet.
fn resolve(operation: &mut BulkOperation, made: &HashMap<String, String>) -> Option<String> {
    fn walk(value: &mut Value, made: &HashMap<String, String>) -> Option<String> {
        match value {
            Value::String(text) => {
                let name = text.strip_prefix(REFERENCE)?;
                match made.get(name) {
                    Some(id) => {
                        *text = id.clone();
                        None
                    }
                    None => Some(name.to_owned()),
                }
            }
            Value::Array(items) => items.iter_mut().find_map(|item| walk(item, made)),
            Value::Object(map) => map.values_mut().find_map(|item| walk(item, made)),
            _ => None,
        }
    }
    if let Some((_, name)) = operation.path.split_once(REFERENCE) {
        let name = name.to_owned();
        match made.get(&name) {
            Some(id) => operation.path = operation.path.replace(&format!("{REFERENCE}{name}"), id),
            None => return Some(name),
        }
    }
    walk(&mut operation.data, made)
}

async fn one(batch: &mut Batch, operation: &BulkOperation) -> Result<Done, Fault> {
    let op = parse(operation)?;
    run(batch, &op).await
}

/// The operation that it stands for.
fn parse(operation: &BulkOperation) -> Result<Op, Problem> {
    let method = operation.method.to_ascii_uppercase();
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| no_such(operation))?;
    let data = || match &operation.data {
        Value::Object(_) => Ok(operation.data.clone()),
        _ => Err(Problem::invalid_value("`data` is the resource, or the change of it")),
    };
    let tags = Tags::one(operation.version.clone());
    let mut parts = operation.path.trim_start_matches('/').splitn(2, '/');
    let (kind, id) = (parts.next().unwrap_or_default(), parts.next());
    match (kind, id) {
        ("Users", None) if method == Method::POST => {
            if operation.bulk_id.is_none() {
                return Err(Problem::invalid_value("a POST of a bulk request needs a `bulkId`"));
            }
            Ok(Op::CreateUser(Box::new(UserFields::new(data()?)?)))
        }
        ("Groups", None) if method == Method::POST => {
            if operation.bulk_id.is_none() {
                return Err(Problem::invalid_value("a POST of a bulk request needs a `bulkId`"));
            }
            Ok(Op::CreateGroup(Box::new(GroupFields::new(data()?)?)))
        }
        ("Users", Some(id)) => {
            let id: MemberId = id.parse().map_err(|_| Problem::not_found("user"))?;
            match method {
                Method::PUT => Ok(Op::ReplaceUser(id, tags, Box::new(UserFields::new(data()?)?))),
                Method::PATCH => Ok(Op::PatchUser(id, tags, crate::scim::users::patch_of(&data()?)?)),
                Method::DELETE => Ok(Op::DeleteUser(id, tags)),
                _ => Err(no_such(operation)),
            }
        }
        ("Groups", Some(id)) => {
            let id: GroupId = id.parse().map_err(|_| Problem::not_found("group"))?;
            match method {
                Method::PUT => Ok(Op::ReplaceGroup(id, tags, Box::new(GroupFields::new(data()?)?))),
                Method::PATCH => Ok(Op::PatchGroup(id, tags, crate::scim::groups::patch_of(&data()?)?)),
                Method::DELETE => Ok(Op::DeleteGroup(id, tags)),
                _ => Err(no_such(operation)),
            }
        }
        _ => Err(no_such(operation)),
    }
}

fn no_such(operation: &BulkOperation) -> Problem {
    let detail = format!("a bulk request cannot {} {}", operation.method, operation.path);
    Problem::invalid_value(detail)
}

fn succeeded(base: &str, operation: &BulkOperation, done: &Done, made: &mut HashMap<String, String>) -> Value {
    let created = operation.method.eq_ignore_ascii_case("POST");
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    let (location, version, status) = match done {
        Done::User(row) => {
            let shown = render::user(base, row, &[]);
            if let Some(name) = operation.bulk_id.as_ref().filter(|_| created) {
                made.insert(name.clone(), row.member.id.to_string());
            }
            // Of one who is in groups the tag is another, and is read with them.
            (shown.location, created.then_some(shown.version), status)
        }
        Done::Group(row) => {
            let shown = render::group(base, row, None);
            if let Some(name) = operation.bulk_id.as_ref().filter(|_| created) {
                made.insert(name.clone(), row.id.to_string());
            }
            (shown.location, Some(shown.version), status)
        }
        Done::Deleted | Done::Bulk(_) => (format!("{base}{}", operation.path), None, StatusCode::NO_CONTENT),
    };
    let mut answer = json!({ "method": operation.method, "location": location, "status": status.as_str() });
    if let Some(version) = version {
        answer["version"] = version.into();
    }
    named(answer, operation)
}

fn failed(base: &str, operation: &BulkOperation, problem: &Problem) -> Value {
    let mut answer = json!({
        "method": operation.method, "status": problem.status().as_str(), "response": problem.body(),
    });
    if !operation.method.eq_ignore_ascii_case("POST") {
        answer["location"] = format!("{base}{}", operation.path).into();
    }
    named(answer, operation)
}

fn named(mut answer: Value, operation: &BulkOperation) -> Value {
    if let Some(name) = &operation.bulk_id {
        answer["bulkId"] = name.as_str().into();
    }
    answer
}
