//! Many operations in one request (RFC 7644 §3.7), done in its change like any others.

use std::collections::HashMap;

use http::StatusCode;
use provost_model::scim::{BulkOperation, BulkRequest, BulkTarget, ResourceKind};
use serde_json::{Value, json};

use super::operation::run;
use super::{Batch, Done, Fault, Op};
use crate::scim::answer::Tags;
use crate::scim::group_fields::GroupFields;
use crate::scim::problem::Problem;
use crate::scim::users::UserFields;
use crate::scim::{groups, render, users};

/// Does them in their order, but that one which names what another makes comes after it. Each answer
/// stands where its operation stood.
pub(super) async fn run_bulk(batch: &mut Batch, base: &str, request: &BulkRequest) -> Result<Done, Fault> {
    let schedule = request.schedule();
    let mut work = Work { base, made: HashMap::new(), answers: Vec::new(), errors: 0 };
    let most = request.fail_on_errors.unwrap_or(u64::MAX);
    let circular = schedule.circular.iter().map(|place| (*place, true));
    for (place, is_circular) in schedule.order.iter().map(|place| (*place, false)).chain(circular) {
        if work.errors >= most {
            break;
        }
        let mut operation = request.operations[place].clone();
        let result = match is_circular {
            true => Err(Problem::conflict("this and what it names by `bulkId` wait for one another").into()),
            false => match operation.resolve(&work.made) {
                Ok(()) => one(batch, &operation).await,
                Err(error) => Err(Problem::from(error).into()),
            },
        };
        work.note(place, &operation, result)?;
    }
    Ok(work.done())
}

/// What became of the operations so far.
struct Work<'a> {
    base: &'a str,
    /// The ids of what was made, by `bulkId`.
    made: HashMap<String, String>,
    answers: Vec<(usize, Value)>,
    errors: u64,
}

impl Work<'_> {
    fn note(&mut self, place: usize, operation: &BulkOperation, result: Result<Done, Fault>) -> Result<(), Fault> {
        let mut answer = match result {
            Ok(done) => self.succeeded(operation, &done),
            Err(Fault::Refused(problem)) => {
                self.errors += 1;
                self.failed(operation, &problem)
            }
            Err(failed) => return Err(failed),
        };
        answer["method"] = operation.method.as_str().into();
        if let Some(name) = &operation.bulk_id {
            answer["bulkId"] = name.as_str().into();
        }
        self.answers.push((place, answer));
        Ok(())
    }

    fn succeeded(&mut self, operation: &BulkOperation, done: &Done) -> Value {
        let is_new = operation.method == "POST";
        let (id, location, version) = match done {
            Done::User(row) => {
                let shown = render::user(self.base, row, &[]);
                // Of one who is in groups the tag is another: it is read with them.
                (row.member.id.to_string(), shown.location, is_new.then_some(shown.version))
            }
            Done::Group(row) => {
                let shown = render::group(self.base, row, None);
                (row.id.to_string(), shown.location, Some(shown.version))
            }
            Done::Deleted | Done::Bulk(_) => {
                return json!({ "location": self.location(operation), "status": StatusCode::NO_CONTENT.as_str() });
            }
        };
        if let Some(name) = operation.bulk_id.as_ref().filter(|_| is_new) {
            self.made.insert(name.clone(), id);
        }
        let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
        let mut answer = json!({ "location": location, "status": status.as_str() });
        if let Some(version) = version {
            answer["version"] = version.into();
        }
        answer
    }

    fn failed(&self, operation: &BulkOperation, problem: &Problem) -> Value {
        let mut answer = json!({ "status": problem.status().as_str(), "response": problem.body() });
        if operation.method != "POST" {
            answer["location"] = self.location(operation).into();
        }
        answer
    }

    fn location(&self, operation: &BulkOperation) -> String {
        format!("{}/{}", self.base, operation.path.trim_start_matches('/'))
    }

    fn done(mut self) -> Done {
        self.answers.sort_by_key(|(place, _)| *place);
        Done::Bulk(self.answers.into_iter().map(|(_, answer)| answer).collect())
    }
}

async fn one(batch: &mut Batch, operation: &BulkOperation) -> Result<Done, Fault> {
    let op = parse(operation)?;
    run(batch, &op).await
}

/// The operation that it stands for.
fn parse(operation: &BulkOperation) -> Result<Op, Problem> {
    let BulkTarget { kind, id } = operation.target()?;
    let data = || {
        let data = operation.data.clone();
        data.ok_or_else(|| Problem::invalid_syntax("`data` is the resource, or the change of it"))
    };
    let tags = Tags::one(operation.version.clone());
    let Some(id) = id else {
        return match kind {
            ResourceKind::User => Ok(Op::CreateUser(Box::new(UserFields::new(data()?)?))),
            ResourceKind::Group => Ok(Op::CreateGroup(Box::new(GroupFields::new(data()?)?))),
        };
    };
    match kind {
        ResourceKind::User => {
            let id = id.parse().map_err(|_| Problem::not_found("user"))?;
            match operation.method.as_str() {
                "PUT" => Ok(Op::ReplaceUser(id, tags, Box::new(UserFields::new(data()?)?))),
                "PATCH" => Ok(Op::PatchUser(id, tags, users::patch_of(data()?)?)),
                _ => Ok(Op::DeleteUser(id, tags)),
            }
        }
        ResourceKind::Group => {
            let id = id.parse().map_err(|_| Problem::not_found("group"))?;
            match operation.method.as_str() {
                "PUT" => Ok(Op::ReplaceGroup(id, tags, Box::new(GroupFields::new(data()?)?))),
                "PATCH" => Ok(Op::PatchGroup(id, tags, groups::patch_of(data()?)?)),
                _ => Ok(Op::DeleteGroup(id, tags)),
            }
        }
    }
}
