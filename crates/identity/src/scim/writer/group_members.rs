//! Who is in a group. What changes one membership costs the same in a small group and in a large one.

use std::collections::{BTreeSet, HashSet};

use provost_model::event::EventType;
use provost_model::{GroupId, MemberId};
use provost_store::Touched;
use provost_store::tables::scim_groups::ScimGroupRow;
use provost_store::tables::{group_members, scim_users};
use serde_json::json;

use super::groups::target;
use super::{Batch, Fault};
use crate::deprovision::left_group;
use crate::scim::group_fields::{Step, unknown_member};

/// An event names at most so many of those who came, and of those who went; all are counted.
const NAMED: usize = 100;

fn joining(step: &Step) -> &[MemberId] {
    match step {
        Step::Add(members) | Step::Replace(members) => members,
        Step::Remove(_) => &[],
    }
}

/// Refuses steps that put in who is not of the workspace.
pub(super) async fn check(batch: &mut Batch, steps: &[Step]) -> Result<(), Fault> {
    // Nearly all are in the snapshot; who came a moment ago is asked for.
    let joining = steps.iter().flat_map(joining);
    let unseen = joining.filter(|id| !batch.workspace.members.contains_key(*id)).copied();
    let unseen: Vec<MemberId> = unseen.collect::<BTreeSet<_>>().into_iter().collect();
    let found = scim_users::user_names(&mut batch.change, batch.ws, &unseen).await?;
    match unseen.iter().find(|id| !found.contains_key(id)) {
        Some(unknown) => Err(unknown_member(unknown).into()),
        None => Ok(()),
    }
}

/// Takes the steps, which [`check`] has let pass; whether anything changed.
pub(super) async fn take(batch: &mut Batch, group: &ScimGroupRow, steps: &[Step]) -> Result<bool, Fault> {
    let (ws, id) = (batch.ws, group.id);
    let (mut joined, mut left) = (HashSet::new(), HashSet::new());
    let mut note = |added: Vec<MemberId>, removed: Vec<MemberId>| {
        for member in added {
            if !left.remove(&member) {
                joined.insert(member);
            }
        }
        for member in removed {
            if !joined.remove(&member) {
                left.insert(member);
            }
        }
    };
    for step in steps {
        let change = &mut batch.change;
        match step {
            Step::Add(members) => note(group_members::add_many(change, ws, id, members).await?, Vec::new()),
            Step::Remove(members) => note(Vec::new(), group_members::remove_many(change, ws, id, members).await?),
            Step::Replace(members) if members.is_empty() => {
                note(Vec::new(), group_members::remove_all(change, ws, id).await?);
            }
            Step::Replace(members) => {
                let replaced = group_members::replace(change, ws, id, members).await?;
                note(replaced.added, replaced.removed);
            }
        }
    }
    if joined.is_empty() && left.is_empty() {
        return Ok(false);
    }
    for member in joined.iter().chain(&left) {
        batch.change.touch(Touched::Member(*member));
    }
    let sorted = |members: HashSet<MemberId>| members.into_iter().collect::<BTreeSet<_>>();
    let (joined, left) = (sorted(joined), sorted(left));
    let named = |members: &BTreeSet<MemberId>| members.iter().take(NAMED).copied().collect::<Vec<_>>();
    let details = json!({
        "source": "scim", "added": joined.len(), "removed": left.len(),
        "added_member_ids": named(&joined), "removed_member_ids": named(&left),
    });
    batch.record(EventType::GroupMembersUpdated, target(group), details);
    leave(batch, id, &left.into_iter().collect::<Vec<_>>()).await?;
    Ok(true)
}

/// Ends what these members had, for whom this was the last group that let them.
pub(super) async fn leave(batch: &mut Batch, group: GroupId, members: &[MemberId]) -> Result<(), Fault> {
    let workspace = batch.workspace.clone();
    left_group(&mut batch.change, &workspace, group, members).await?;
    Ok(())
}
