//! How long a permission decision and a policy lookup take with 100,000 members.

use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Context, Result};
use provost_benches::population::{self, LARGE, SMALL, Size};
use provost_benches::report::{judged, line, median};
use provost_model::{Clock, Member, Permission, Workspace};
use provost_server::node::open_store;

#[tokio::main]
async fn main() -> Result<()> {
    line("decision: a permission and a policy for a random member, from the snapshot");
    for (name, size) in [("100", SMALL), ("100,000", LARGE)] {
        let workspace = snapshot(size).await?;
        let members = shuffled(workspace.members.values().take(50_000).cloned().collect());
        let permission = nanoseconds(&members, |member| workspace.may(member, Permission::CodexLocalUse));
        judged(&format!("permission decision, {name} members"), permission, "ns", "< 100 ns", permission < 100.0);
        let policy = nanoseconds(&members, |member| workspace.policy_for(member).is_some());
        line(&format!("  {:<58} {policy:>9.2} ns", format!("policy of a member, {name} members")));
        let found = nanoseconds(&members, |member| workspace.members.get(&member.id).is_some());
        line(&format!("  {:<58} {found:>9.2} ns", format!("finding a member by its id, {name} members")));
    }
    Ok(())
}

async fn snapshot(size: Size) -> Result<Arc<Workspace>> {
    let data = tempfile::tempdir()?;
    population::populate(data.path(), size, 1).await?;
    let store = open_store(&population::config(data.path())?, Clock::system()).await?;
    let world = store.world();
    world.workspaces.values().next().cloned().context("a workspace")
}

/// In an order that no cache foresees: a fixed shuffle (an LCG of Knuth's), equal in every run.
fn shuffled(mut members: Vec<Arc<Member>>) -> Vec<Arc<Member>> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for index in (1..members.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        members.swap(index, (state >> 33) as usize % (index + 1));
    }
    members
}

/// Nanoseconds of one call: the median of several rounds over all members.
fn nanoseconds(members: &[Arc<Member>], decide: impl Fn(&Member) -> bool) -> f64 {
    let rounds = (1_000_000 / members.len()).clamp(5, 10_000);
    let round = |_| {
        let start = std::time::Instant::now();
        for member in members {
            black_box(decide(black_box(member)));
        }
        start.elapsed().as_nanos() as f64 / members.len() as f64
    };
    median((0..rounds).map(round).collect())
}
