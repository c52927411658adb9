use jiff::{SignedDuration, Timestamp};
use provost_model::{
    ClientFacts, GroupId, MemberId, Percent, PolicyId, RolloutGuard, RolloutId, RolloutStage, RolloutStatus,
    WorkspaceId,
};
use provost_store::tables::policies::PolicyRow;
use provost_store::tables::policy_deliveries::DeliveryRow;
use provost_store::tables::rollouts::{RolloutFilter, RolloutRow};
use provost_store::tables::{policies, policy_deliveries, rollouts};
use provost_store::{Result, Store, Touched};

use crate::acts::{EVERYTHING, change, commit, policy, workspace};
use crate::database::on_both;

fn row(policy_id: PolicyId, candidate_version: i64, at: Timestamp) -> RolloutRow {
    RolloutRow {
        id: RolloutId::new(at),
        policy_id,
        baseline_version: 1,
        candidate_version,
        status: RolloutStatus::Running,
        percent: Percent::from_hundredths(1_234),
        group_ids: vec![GroupId::new(at)],
        min_client_version: "0.137.0".parse().ok(),
        max_client_version: None,
        guard: RolloutGuard { min_clients: 3, ..RolloutGuard::default() },
        stages: vec![RolloutStage { percent: Percent::ALL, minutes: 5 }],
        stage: 0,
        stage_since: at,
        note: "why 'not' 🦀".to_owned(),
        figures: None,
        created_by: "key_x".to_owned(),
        created_at: at,
        updated_at: at,
        ended_at: None,
    }
}

/// A policy at its first version, with a rollout of the next.
async fn begin(store: &Store, ws: WorkspaceId) -> Result<(PolicyRow, RolloutRow)> {
    let mut writing = change(store, ws).await?;
    let published = policy(writing.at(), "Strict");
    policies::insert(&mut writing, ws, &published).await?;
    writing.touch(Touched::Policy(published.id));
    commit(writing).await?;
    let mut writing = change(store, ws).await?;
    let version = policies::next_version(&mut writing, ws, published.id).await?;
    let candidate = PolicyRow { version, contents: "# next\n".to_owned(), ..published.clone() };
    policies::insert_candidate(&mut writing, ws, &candidate).await?;
    let rollout = row(published.id, version, writing.at());
    rollouts::insert(&mut writing, ws, &rollout).await?;
    writing.touch(Touched::Policy(published.id));
    commit(writing).await?;
    Ok((candidate, rollout))
}

#[test]
fn a_rollout_is_kept_found_and_carried_by_its_policy() {
    on_both(async |database| {
        let store = database.open().await?;
        let (ws, theirs) = (workspace(&store).await?, workspace(&store).await?);
        let (candidate, rollout) = begin(&store, ws).await?;
        let id = candidate.id;
        let mut tx = store.read().await?;
        assert_eq!(rollouts::get(&mut tx, ws, rollout.id).await?, Some(rollout.clone()));
        assert_eq!(rollouts::live_of(&mut tx, ws, id).await?, Some(rollout.clone()));
        assert_eq!(policies::get(&mut tx, ws, id).await?.map(|row| row.version), Some(1));
        assert_eq!(policies::next_version(&mut tx, ws, id).await?, 3);
        let list = async |tx: &mut _, policy, status| {
            rollouts::list(tx, ws, RolloutFilter { policy, status }, &EVERYTHING).await.map(|found| found.len())
        };
        assert_eq!(list(&mut tx, None, None).await?, 1);
        assert_eq!(list(&mut tx, Some(id), Some(RolloutStatus::Running)).await?, 1);
        assert_eq!(list(&mut tx, None, Some(RolloutStatus::Halted)).await?, 0);
        // Nothing of it through another workspace.
        assert_eq!(rollouts::get(&mut tx, theirs, rollout.id).await?, None);
        assert_eq!(rollouts::live_of(&mut tx, theirs, id).await?, None);
        assert!(rollouts::list(&mut tx, theirs, RolloutFilter::default(), &EVERYTHING).await?.is_empty());
        assert!(rollouts::candidates_of(&mut tx, theirs, id).await?.is_empty());
        assert_eq!(policies::next_version(&mut tx, theirs, id).await?, 1);
        drop(tx);
        let mut writing = change(&store, theirs).await?;
        let stolen = RolloutRow { status: RolloutStatus::Finished, ..rollout.clone() };
        rollouts::update(&mut writing, theirs, &stolen).await?;
        policies::insert_candidate(&mut writing, theirs, &PolicyRow { version: 9, ..candidate.clone() }).await?;
        policies::set_version(&mut writing, theirs, id, 2, rollout.created_at).await?;
        commit(writing).await?;

        for snapshot in [store.workspace(ws), database.open().await?.workspace(ws)] {
            let policy = snapshot.expect("it is there").policies[&id].clone();
            let found = policy.rollout.clone().expect("it is under way");
            assert_eq!((policy.version, found.candidate.version, found.share), (1, 2, 1_234));
            assert_eq!((&*found.candidate.contents, &found.holders), ("# next\n", &None));
            assert_eq!(&*found.groups, rollout.group_ids);
        }
        // A policy has one at a time, whatever the API thinks.
        let mut writing = change(&store, ws).await?;
        assert!(rollouts::insert(&mut writing, ws, &row(id, 3, rollout.created_at)).await.is_err());
        drop(writing);

        let mut writing = change(&store, ws).await?;
        let over = RolloutRow {
            status: RolloutStatus::Cancelled,
            figures: Some(serde_json::json!({ "candidate": 1 })),
            ended_at: Some(writing.at()),
            ..rollout.clone()
        };
        rollouts::update(&mut writing, ws, &over).await?;
        writing.touch(Touched::Policy(id));
        commit(writing).await?;
        assert!(store.workspace(ws).expect("it is there").policies[&id].rollout.is_none());
        let mut tx = store.read().await?;
        assert_eq!(rollouts::get(&mut tx, ws, rollout.id).await?, Some(over));
        let known = rollouts::candidates_of(&mut tx, ws, id).await?;
        assert_eq!(known, [(2, rollout.id, RolloutStatus::Cancelled)]);
        Ok(())
    });
}

#[test]
fn what_counts_is_what_a_device_did_since_the_rollout_began() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let mut writing = change(&store, ws).await?;
        let published = policy(writing.at(), "Strict");
        policies::insert(&mut writing, ws, &published).await?;
        commit(writing).await?;
        let id = published.id;
        let start = store.clock().now();
        let member = MemberId::new(start);
        let minute = |minute: i64| start + SignedDuration::from_mins(minute);
        let sent = |device: &str, version: u32, client: &str, at: i64, turns: u32, failed: u32| DeliveryRow {
            workspace_id: ws,
            device: device.to_owned(),
            member_id: member.to_string(),
            policy: Some((id, version)),
            client_version: client.to_owned(),
            first_at: minute(at),
            last_at: minute(at),
            fetches: 1,
            turns,
            failed_turns: failed,
            last_turn_at: None,
        };
        let mut tx = store.write().await?;
        let before = [sent("a", 1, "1", -60, 5, 2), sent("a", 1, "2", -50, 5, 2), sent("gone", 1, "1", -50, 1, 1)];
        policy_deliveries::add(&mut tx, &before).await?;
        tx.commit().await?;
        let mut writing = change(&store, ws).await?;
        policies::insert_candidate(&mut writing, ws, &PolicyRow { version: 2, ..published }).await?;
        let rollout = row(id, 2, minute(0));
        rollouts::insert(&mut writing, ws, &rollout).await?;
        commit(writing).await?;
        let mut tx = store.write().await?;
        let machine = DeliveryRow { member_id: String::new(), ..sent("machine", 1, "", 1, 0, 0) };
        let since = [
            sent("a", 1, "2", 5, 3, 1),
            sent("new", 1, "1", 6, 0, 0),
            sent("moved", 1, "1", 1, 0, 0),
            sent("moved", 2, "1", 2, 1, 0),
            sent("moved", 2, "2", 4, 1, 1),
            machine,
        ];
        policy_deliveries::add(&mut tx, &since).await?;
        let (candidate, mut baseline) = rollouts::facts(&mut tx, ws, &rollout).await?;
        baseline.sort_by_key(|facts| facts.last_at);
        let facts = |since: i64, last: i64, turns, failed_turns| ClientFacts {
            since: minute(since),
            last_at: minute(last),
            turns,
            failed_turns,
        };
        assert_eq!(candidate, [facts(2, 4, 2, 1)]);
        assert_eq!(baseline, [facts(0, 5, 3, 1), facts(6, 6, 0, 0)]);
        tx.commit().await?;

        // Paused: the members who have it keep it.
        let mut writing = change(&store, ws).await?;
        rollouts::update(&mut writing, ws, &RolloutRow { status: RolloutStatus::Paused, ..rollout }).await?;
        writing.touch(Touched::Policy(id));
        commit(writing).await?;
        let snapshot = store.workspace(ws).expect("it is there");
        let holders = snapshot.policies[&id].rollout.as_ref().and_then(|rollout| rollout.holders.clone());
        assert_eq!(holders.as_deref(), Some([member].as_slice()));
        Ok(())
    });
}
