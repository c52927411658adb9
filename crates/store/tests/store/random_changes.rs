//! The snapshot that is brought up change by change equals the one that is read whole, and both grant
//! what a plain reading of the rules grants: after any sequence of changes.

mod act;
mod expected;

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::test_runner::{Config, TestRunner};
use provost_model::{Permission, Workspace, WorkspaceId};
use provost_store::{Result, Store};

use crate::acts::{change, commit, workspace};
use crate::database::{Database, Kind, runtime};
use act::{Act, act, furnish};
use expected::Expected;

#[test]
fn on_sqlite() {
    any_sequence_of_changes(Kind::Sqlite);
}

#[test]
fn on_postgres() {
    any_sequence_of_changes(Kind::Postgres);
}

fn any_sequence_of_changes(kind: Kind) {
    let runtime = runtime();
    let database = runtime.block_on(Database::create(kind));
    let store = runtime.block_on(database.open()).expect("the store opens");
    let mut runner = TestRunner::new(Config { cases: 12, failure_persistence: None, ..Config::default() });
    let sequences = vec(vec(act(), 1..6), 3..8);
    let outcome = runner.run(&sequences, |changes| {
        runtime.block_on(follow(&database, &store, &changes)).expect("the store does what the test asks");
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

/// Makes the changes in a workspace of their own, and looks at it after each from three nodes: the
/// one that makes them, one that sees some together, and one that has just started.
async fn follow(database: &Database, store: &Store, changes: &[Vec<Act>]) -> Result<()> {
    let ws = workspace(store).await?;
    let other = database.open().await?;
    let mut expected = Expected::default();
    for (n, acts) in [&furnish()].into_iter().chain(changes).enumerate() {
        let mut change = change(store, ws).await?;
        for act in acts {
            act.perform(&mut change, ws, &mut expected).await?;
        }
        commit(change).await?;
        let fresh = database.open().await?;
        let whole = plain(&snapshot(&fresh, ws));
        assert_eq!(plain(&snapshot(store, ws)), whole, "brought up change by change, and read whole");
        if n % 2 == 1 {
            other.refresh().await?;
            assert_eq!(plain(&snapshot(&other, ws)), whole, "brought up by several changes at once, and read whole");
        }
        expected.check(&snapshot(store, ws));
        fresh.close(std::time::Duration::from_secs(1)).await;
    }
    other.close(std::time::Duration::from_secs(1)).await;
    Ok(())
}

fn snapshot(store: &Store, ws: WorkspaceId) -> Workspace {
    Workspace::clone(&store.workspace(ws).expect("it is there"))
}

/// All that a snapshot says, in an order and without what only the way to it explains: ids of what is
/// gone may linger in a member or a role, and decide nothing.
fn plain(workspace: &Workspace) -> BTreeMap<String, String> {
    let mut said = BTreeMap::new();
    let mut say = |what: String, says: String| assert!(said.insert(what, says).is_none());
    for member in workspace.members.values() {
        let groups = member.groups.iter().filter(|id| workspace.groups.contains_key(*id)).collect::<Vec<_>>();
        let roles = member.roles.iter().filter(|id| workspace.roles.contains_key(*id)).collect::<Vec<_>>();
        let fields = (&member.email, &member.name, member.active, member.builtin_role, groups, roles);
        let decisions = Permission::ALL.iter().map(|permission| workspace.decide(member, *permission));
        let policy = workspace.policy_for(member).map(|policy| (policy.id, policy.version));
        let decisions = decisions.collect::<Vec<_>>();
        // What is derived for the fast answer must say what the reasons say.
        let granted = decisions.iter().filter(|decision| decision.granted).map(|decision| decision.permission);
        assert_eq!(workspace.permissions(member), granted.collect(), "{}", member.id);
        say(format!("member {}", member.id), format!("{fields:?} {policy:?} {}", reasons(&decisions)));
    }
    for group in workspace.groups.values() {
        say(format!("group {}", group.id), format!("{group:?}"));
    }
    for role in workspace.roles.values() {
        let groups = role.groups.iter().filter(|id| workspace.groups.contains_key(*id)).collect::<Vec<_>>();
        say(format!("role {}", role.id), format!("{:?} {:?} {groups:?}", role.name, role.permissions));
    }
    for policy in workspace.policies.values() {
        say(format!("policy {}", policy.id), format!("{policy:?}"));
    }
    say("settings".to_owned(), format!("{:?}", workspace.settings));
    let rules = &workspace.policy_rules;
    say("rules".to_owned(), format!("{:?} {:?} {:?}", rules.rules, rules.fallback, workspace.default_role_id));
    said
}

/// The decisions by the ids of their reasons.
fn reasons(decisions: &[provost_model::Decision]) -> String {
    use provost_model::Reason;
    let mut text = String::new();
    for decision in decisions.iter().filter(|decision| decision.granted) {
        text += decision.permission.as_str();
        for reason in &decision.because {
            text += &match reason {
                Reason::Setting(name) => format!(" {name}"),
                Reason::Role(role, group) => format!(" {}@{:?}", role.id, group.as_ref().map(|group| group.id)),
                Reason::DefaultRole(role) => format!(" default {}", role.id),
                Reason::BuiltinRole(role) => format!(" {}", role.as_str()),
            };
        }
        text += "; ";
    }
    text
}
