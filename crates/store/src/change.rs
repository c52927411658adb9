use std::collections::HashSet;
use std::ops::{Deref, DerefMut};
use std::str::FromStr;

use jiff::Timestamp;
use provost_model::event::{Actor, EventType, NewEvent, Origin, Target};
use provost_model::{
    AccessTokenId, ApiKeyId, DeviceEnrolmentId, EventId, GrantId, GroupId, MemberId, PolicyExceptionId, PolicyId,
    RoleId, UpstreamId, WorkspaceId,
};
use serde_json::Value;

use crate::db::Tx;
use crate::{Error, Result, Store, ledger};

/// A change in the making: a transaction that holds the workspace's lock, so that what it checks
/// stays true until it commits. Derefs to [`Tx`] for the functions of [`crate::tables`].
pub struct Change {
    store: Store,
    tx: Tx,
    workspace_id: WorkspaceId,
    version: i64,
    at: Timestamp,
    actor: Actor,
    origin: Origin,
    events: Vec<NewEvent>,
    touched: HashSet<Touched>,
}

/// What a change touched: every node reads it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Touched {
    /// The settings, the default role, the policy rules and the fallback.
    Workspace,
    /// A member, its groups and its roles.
    Member(MemberId),
    /// A group.
    Group(GroupId),
    /// A role and its groups.
    Role(RoleId),
    /// A policy and its rollout.
    Policy(PolicyId),
    /// An exception.
    PolicyException(PolicyExceptionId),
    /// A device enrolment.
    DeviceEnrolment(DeviceEnrolmentId),
    /// An upstream.
    Upstream(UpstreamId),
    /// An access token.
    AccessToken(AccessTokenId),
    /// An API key.
    ApiKey(ApiKeyId),
    /// A client session.
    Grant(GrantId),
}

impl Touched {
    /// How the `changes` table spells it.
    pub(crate) fn columns(self) -> (&'static str, String) {
        match self {
            Self::Workspace => ("workspace", String::new()),
            Self::Member(id) => ("member", id.to_string()),
            Self::Group(id) => ("group", id.to_string()),
            Self::Role(id) => ("role", id.to_string()),
            Self::Policy(id) => ("policy", id.to_string()),
            Self::PolicyException(id) => ("policy_exception", id.to_string()),
            Self::DeviceEnrolment(id) => ("device_enrolment", id.to_string()),
            Self::Upstream(id) => ("upstream", id.to_string()),
            Self::AccessToken(id) => ("access_token", id.to_string()),
            Self::ApiKey(id) => ("api_key", id.to_string()),
            Self::Grant(id) => ("grant", id.to_string()),
        }
    }

    pub(crate) fn from_columns(kind: &str, id: &str) -> Result<Self> {
        fn parse<T: FromStr<Err: ToString>>(id: &str) -> Result<T> {
            id.parse().map_err(|error: T::Err| Error::Corrupt("change", error.to_string()))
        }
        Ok(match kind {
            "workspace" => Self::Workspace,
            "member" => Self::Member(parse(id)?),
            "group" => Self::Group(parse(id)?),
            "role" => Self::Role(parse(id)?),
            "policy" => Self::Policy(parse(id)?),
            "policy_exception" => Self::PolicyException(parse(id)?),
            "device_enrolment" => Self::DeviceEnrolment(parse(id)?),
            "upstream" => Self::Upstream(parse(id)?),
            "access_token" => Self::AccessToken(parse(id)?),
            "api_key" => Self::ApiKey(parse(id)?),
            "grant" => Self::Grant(parse(id)?),
            _ => return Err(Error::Corrupt("change", format!("kind `{kind}`"))),
        })
    }
}

impl Change {
    pub(crate) async fn begin(
        store: &Store,
        mut tx: Tx,
        workspace_id: WorkspaceId,
        actor: Actor,
        origin: Origin,
    ) -> Result<Self> {
        // The first statement takes the workspace's row: changes of one workspace stand in line.
        let lock = "UPDATE workspaces SET version = version + 1 WHERE id = $1 RETURNING version";
        let row = tx.row(lock, [workspace_id.into()]).await?;
        let row = row.ok_or_else(|| Error::Corrupt("workspace", format!("there is no workspace {workspace_id}")))?;
        Ok(Self {
            store: store.clone(),
            version: row.int("version")?,
            tx,
            workspace_id,
            at: store.clock().now(),
            actor,
            origin,
            events: Vec::new(),
            touched: HashSet::new(),
        })
    }

    /// Whose change it is.
    pub fn workspace_id(&self) -> WorkspaceId {
        self.workspace_id
    }

    /// The version of the workspace that it makes.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// When it happens: one time for everything in it.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// What is recorded from here on was done by this actor: one change may carry the requests of
    /// several ([`crate::Gather`]).
    pub fn act_as(&mut self, actor: Actor, origin: Origin) {
        self.actor = actor;
        self.origin = origin;
    }

    /// Says what happened.
    pub fn record(&mut self, kind: EventType, target: impl Into<Option<Target>>, details: Value) {
        self.events.push(NewEvent {
            workspace_id: self.workspace_id,
            id: EventId::new(self.at),
            kind,
            at: self.at,
            actor: self.actor.clone(),
            target: target.into(),
            origin: self.origin.clone(),
            details,
        });
    }

    /// Says what to read again.
    pub fn touch(&mut self, touched: Touched) {
        self.touched.insert(touched);
    }

    /// Writes the events and what was touched, commits, and swaps the snapshot: when this returns,
    /// every request in this process sees the change.
    pub async fn commit(mut self) -> Result<()> {
        if self.events.is_empty() {
            return Err(Error::Unrecorded);
        }
        let (ws, version) = (self.workspace_id, self.version);
        let columns = self.touched.iter().map(|touched| touched.columns());
        let rows = columns.map(|(kind, id)| vec![ws.into(), kind.into(), id.into(), version.into()]).collect();
        let sql = "INSERT INTO changes (workspace_id, kind, id, version) VALUES $rows
                   ON CONFLICT (workspace_id, kind, id) DO UPDATE SET version = excluded.version";
        self.tx.insert_many(sql, rows).await?;
        ledger::append(&mut self.tx, self.workspace_id, &self.events).await?;
        if !self.touched.is_empty() && matches!(self.tx, Tx::Postgres(_)) {
            // Other nodes listen; the version poll stands behind it.
            self.tx.rows("SELECT pg_notify('provost_changes', $1)", [self.store.name().into()]).await?;
        }
        // Read here, where what was written is at hand; shown when it is committed.
        let next = match self.touched.is_empty() {
            true => None,
            false => self.store.next(&mut self.tx, self.workspace_id, self.version).await?,
        };
        self.tx.commit().await?;
        match next {
            Some(next) => self.store.show(next).await,
            None if self.touched.is_empty() => {}
            None => {
                if let Err(error) = self.store.refresh().await {
                    // It is committed: an error would say that it is not. The follower tries again.
                    tracing::error!(%error, "a change is committed but cannot be read back yet");
                }
            }
        }
        Ok(())
    }
}

impl Deref for Change {
    type Target = Tx;
    fn deref(&self) -> &Tx {
        &self.tx
    }
}

impl DerefMut for Change {
    fn deref_mut(&mut self) -> &mut Tx {
        &mut self.tx
    }
}
