//! Every write of this surface. Many requests wait for one change (`provost_store::Gather`): a durable
//! commit costs what it costs, however much it carries. Each is checked before it writes, so one that
//! is refused leaves nothing behind and holds back none of its neighbours.

mod bulk;
mod group_members;
mod groups;
mod operation;
mod users;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use http::StatusCode;
use jiff::Timestamp;
use provost_model::event::{Actor, EventType, Origin, Target};
use provost_model::{ApiKey, ApiKeyId, Workspace, WorkspaceId};
use provost_store::tables::scim_groups::ScimGroupRow;
use provost_store::tables::scim_users::ScimUserRow;
use provost_store::{Change, Error, Gather};
use provost_web::{App, still_works};
use serde_json::Value;

pub(crate) use self::operation::Op;
use super::problem::Problem;
use super::provisioner::Provisioner;

/// How many requests one commit carries at most.
const BATCH: usize = 512;
/// How many requests wait at most; past that a caller is told to come back.
const ROOM: usize = 4096;

/// What was done.
#[derive(Debug, Clone)]
pub(crate) enum Done {
    /// A member is as it shows here.
    User(Box<ScimUserRow>),
    /// A group is as it shows here.
    Group(Box<ScimGroupRow>),
    /// It is gone.
    Deleted,
    /// What became of each operation of a bulk request.
    Bulk(Vec<Value>),
}

/// What a request is answered.
pub(crate) type Answer = Result<Done, Problem>;

/// Who wants what.
struct Request {
    /// The key that it came with.
    key: Arc<ApiKey>,
    actor: Actor,
    origin: Origin,
    op: Op,
}

type Queue = Gather<Request, Answer>;

/// The writers, one for each workspace: changes of two workspaces are two changes.
#[derive(Clone)]
pub(crate) struct Writers {
    app: App,
    queues: Arc<Mutex<HashMap<WorkspaceId, Queue>>>,
}

impl Writers {
    pub(crate) fn new(app: App) -> Self {
        Self { app, queues: Arc::default() }
    }

    /// Does what a caller wants; answers when it is on disk.
    pub(crate) async fn ask(&self, caller: &Provisioner, op: Op) -> Answer {
        let (key, actor) = (caller.key().clone(), caller.actor());
        let request = Request { key, actor, origin: caller.origin.clone(), op };
        self.queue(caller.workspace.id).ask(request).await?
    }

    fn queue(&self, ws: WorkspaceId) -> Queue {
        let mut queues = self.queues.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let start = || {
            let app = self.app.clone();
            Gather::start(ROOM, BATCH, move |requests| work(app.clone(), ws, requests))
        };
        queues.entry(ws).or_insert_with(start).clone()
    }
}

/// Why an operation did not come about.
pub(crate) enum Fault {
    /// It cannot be. Nothing of it was written.
    Refused(Problem),
    /// The database failed: nothing of the whole change will be.
    Failed(Error),
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<provost_web::Error> for Fault {
    /// From what other parts of this room do inside of the change: they ask the database only.
    fn from(error: provost_web::Error) -> Self {
        let message = error.message().to_owned();
        match error.status().as_u16() {
            503 => Self::Failed(Error::Unavailable(message)),
            _ => Self::Failed(Error::Database(message)),
        }
    }
}

impl Fault {
    /// The answer of an operation; an error ends the batch.
    fn answer(result: Result<Done, Self>) -> Result<Answer, Error> {
        match result {
            Ok(done) => Ok(Ok(done)),
            Err(Self::Refused(problem)) => Ok(Err(problem)),
            Err(Self::Failed(error)) => Err(error),
        }
    }
}

/// One change that carries many requests.
struct Batch {
    change: Change,
    ws: WorkspaceId,
    /// The snapshot before the change.
    workspace: Arc<Workspace>,
    is_recorded: bool,
}

impl Batch {
    fn record(&mut self, kind: EventType, target: Target, details: Value) {
        self.is_recorded = true;
        self.change.record(kind, target, details);
    }
}

/// The keys of these requests that ended while they waited, each with when the secret ends that came with
/// them: a provider has one, so this is one question for the whole batch.
async fn shut_out(change: &mut Change, requests: &[Arc<Request>]) -> Result<HashSet<Presented>, Error> {
    let (mut asked, mut ended) = (HashSet::new(), HashSet::new());
    for Request { key, .. } in requests.iter().map(AsRef::as_ref) {
        let presented = (key.id, key.expires_at);
        if asked.insert(presented) && !still_works(change, key).await? {
            ended.insert(presented);
        }
    }
    Ok(ended)
}

/// A key, and when the secret ends that was shown of it: after a rotation there are two.
type Presented = (ApiKeyId, Option<Timestamp>);

async fn work(app: App, ws: WorkspaceId, requests: Vec<Arc<Request>>) -> Result<Vec<Answer>, Error> {
    let Some(first) = requests.first() else { return Ok(Vec::new()) };
    let change = app.store.change(ws, first.actor.clone(), first.origin.clone()).await?;
    let gone = || Error::Corrupt("workspace", format!("there is no workspace {ws}"));
    let workspace = app.store.workspace(ws).ok_or_else(gone)?;
    let mut batch = Batch { change, ws, workspace, is_recorded: false };
    let shut_out = shut_out(&mut batch.change, &requests).await?;
    let may = |request: &Request| !shut_out.contains(&(request.key.id, request.key.expires_at));
    let mut answers = Vec::with_capacity(requests.len());
    let mut rest = requests.as_slice();
    while let Some(request) = rest.first() {
        if !may(request) {
            let detail = "the API key was revoked, or has expired, while the request waited";
            answers.push(Err(Problem::new(StatusCode::UNAUTHORIZED, detail)));
            rest = &rest[1..];
            continue;
        }
        // People join in thousands at a time: creations in a row are done together.
        let creations = rest.iter().take_while(|request| may(request)).map_while(|request| match &request.op {
            Op::CreateUser(user) => Some(users::Creation { by: Some((&request.actor, &request.origin)), user }),
            _ => None,
        });
        let creations: Vec<_> = creations.collect();
        if creations.is_empty() {
            batch.change.act_as(request.actor.clone(), request.origin.clone());
            answers.push(Fault::answer(operation::run(&mut batch, &request.op).await)?);
            rest = &rest[1..];
        } else {
            answers.extend(users::create_many(&mut batch, &creations).await?);
            rest = &rest[creations.len()..];
        }
    }
    // Where everything was refused there is nothing to commit.
    if batch.is_recorded {
        batch.change.commit().await?;
    }
    Ok(answers)
}
