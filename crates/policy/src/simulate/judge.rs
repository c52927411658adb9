//! The pure part of a run: what becomes of members, sessions and commands.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use provost_model::drift::Ran;
use provost_model::simulate::{Sight, Verdicts, member_change};
use provost_model::{ClientVersion, MemberId, Workspace, WorkspaceId};
use provost_store::tables::agent_commands::SealedCommandRow;
use provost_store::tables::agent_sessions::AgentSessionRow;
use provost_store::{Result, Sealer};

use super::Finding;
use super::rows::{SimulatedCommand, SimulatedMember, SimulatedSession, Transition};

/// Both workspaces, and what is needed to hold facts against them.
pub(super) struct Judge {
    pub(super) ws: WorkspaceId,
    pub(super) sealer: Sealer,
    pub(super) before: Verdicts,
    pub(super) after: Verdicts,
    pub(super) now: Timestamp,
    /// Whether findings name members by their addresses.
    pub(super) with_emails: bool,
    /// The versions of the clients of threads and members, if a rollout goes by them.
    pub(super) versions: Versions,
}

/// Which versions clients had.
#[derive(Default)]
pub(super) struct Versions {
    pub(super) of_threads: HashMap<String, ClientVersion>,
    pub(super) of_members: HashMap<MemberId, Vec<ClientVersion>>,
}

/// What members on clients of these versions go by, before and after; none if they are gone.
type Sights = HashMap<(MemberId, Option<ClientVersion>), Option<(Sight, Sight)>>;

/// What some of the facts come to.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) total: u64,
    pub(super) changed: u64,
    /// Of members who are gone; or, of changed members, those whose policy stays.
    pub(super) aside: u64,
    pub(super) transitions: BTreeMap<(&'static str, &'static str), u64>,
}

impl Counts {
    pub(super) fn add(&mut self, other: Self) {
        self.total += other.total;
        self.changed += other.changed;
        self.aside += other.aside;
        for (transition, count) in other.transitions {
            *self.transitions.entry(transition).or_default() += count;
        }
    }

    pub(super) fn transitions(self) -> Vec<Transition> {
        let each = self.transitions.into_iter();
        each.map(|((before, after), count)| Transition { before, after, count }).collect()
    }
}

impl Versions {
    /// Whether what a member is sent depends on the version of their client.
    pub(super) fn matter(workspace: &Workspace) -> bool {
        let mut rollouts = workspace.policies.values().filter_map(|policy| policy.rollout.as_ref());
        rollouts.any(|rollout| rollout.min_client_version.is_some() || rollout.max_client_version.is_some())
    }

    pub(super) fn learn(&mut self, session: &AgentSessionRow) {
        let Ok(version) = session.client_version.parse::<ClientVersion>() else { return };
        self.of_threads.insert(session.thread_id.clone(), version);
        let known = self.of_members.entry(session.member_id).or_default();
        if !known.contains(&version) {
            known.push(version);
        }
    }
}

impl Judge {
    /// What becomes of members; at most so many are listed.
    pub(super) fn members(&self, members: &[MemberId], room: usize) -> (Counts, Vec<Finding>) {
        let (mut counts, mut found) = (Counts::default(), Vec::new());
        let (before, after) = (self.before.workspace(), self.after.workspace());
        for id in members {
            counts.total += 1;
            // On a client that does not say its version, and on those that they were seen with.
            let versions = self.versions.of_members.get(id).into_iter().flatten().copied().map(Some);
            let mut clients = std::iter::once(None).chain(versions);
            let Some(change) = clients.find_map(|client| member_change(before, after, *id, client, self.now)) else {
                continue;
            };
            counts.changed += 1;
            counts.aside += u64::from(!change.policy_changes);
            if found.len() < room {
                found.push(Finding::Member(Box::new(SimulatedMember::new(change, self.email(*id)))));
            }
        }
        (counts, found)
    }

    /// What becomes of sessions.
    pub(super) fn sessions(&self, sessions: Vec<AgentSessionRow>, room: usize) -> (Counts, Vec<Finding>) {
        let (mut counts, mut found) = (Counts::default(), Vec::new());
        for session in sessions {
            counts.total += 1;
            let Some((was, will)) = self.sights(session.member_id, session.client_version.parse().ok()) else {
                counts.aside += 1;
                continue;
            };
            let ran = Ran {
                approval_policy: session.approval_policy.clone(),
                sandbox_mode: session.sandbox_policy.clone(),
                at: session.last_at,
            };
            let ((before, _), after) = (was.session(&ran), will.session(&ran));
            if before == after.0 {
                continue;
            }
            counts.changed += 1;
            *counts.transitions.entry((before.as_str(), after.0.as_str())).or_default() += 1;
            if found.len() < room {
                let email = self.email(session.member_id);
                found.push(Finding::Session(Box::new(SimulatedSession::new(session, email, before, after))));
            }
        }
        (counts, found)
    }

    /// What becomes of commands. Their words are opened only where the rules over them differ.
    ///
    /// # Errors
    /// If words cannot be opened: a figure that leaves some out would not be exact.
    pub(super) fn commands(&self, commands: &[SealedCommandRow], room: usize) -> Result<(Counts, Vec<Finding>)> {
        let (mut counts, mut found) = (Counts::default(), Vec::new());
        let mut sights = Sights::new();
        let mut alike: HashMap<(usize, usize), bool> = HashMap::new();
        for command in commands {
            counts.total += 1;
            let client = self.versions.of_threads.get(&command.thread_id).copied();
            let key = (command.member_id, client);
            let both = sights.entry(key).or_insert_with(|| self.sights(command.member_id, client));
            let Some((was, will)) = both else {
                counts.aside += 1;
                continue;
            };
            if *alike.entry((was.name(), will.name())).or_insert_with(|| was.decides_commands_as(will)) {
                continue;
            }
            let argv = command.argv(self.ws, &self.sealer)?;
            let (before, after) = (was.command(&argv), will.command(&argv));
            if before == after {
                continue;
            }
            counts.changed += 1;
            *counts.transitions.entry((before.as_str(), after.as_str())).or_default() += 1;
            if found.len() < room {
                let email = self.email(command.member_id);
                let row = SimulatedCommand::new(command, argv, email, (before, after), (was, will));
                found.push(Finding::Command(Box::new(row)));
            }
        }
        Ok((counts, found))
    }

    /// What a member goes by before and after; none if they are gone.
    fn sights(&self, id: MemberId, client: Option<ClientVersion>) -> Option<(Sight, Sight)> {
        let (was, will) = (self.member(&self.before, id)?, self.member(&self.after, id)?);
        Some((self.before.sight(&was, client), self.after.sight(&will, client)))
    }

    fn member(&self, verdicts: &Verdicts, id: MemberId) -> Option<Arc<provost_model::Member>> {
        verdicts.workspace().members.get(&id).cloned()
    }

    fn email(&self, id: MemberId) -> Option<String> {
        let member = self.before.workspace().members.get(&id).filter(|_| self.with_emails);
        member.map(|member| member.email.to_string())
    }
}
