//! What devices were sent and what sessions ran with: kept, counted together, and each workspace's own.

use jiff::{SignedDuration, Timestamp};
use provost_model::drift::DriftState;
use provost_model::{MemberId, PolicyId};
use provost_store::tables::agent_commands::{self, AgentCommandRow};
use provost_store::tables::agent_sessions::{self, AgentSessionRow, Filter};
use provost_store::tables::policy_deliveries::{self, DeliveryRow};

use crate::acts::{assert_same, workspace};
use crate::database::on_both;

#[test]
fn what_a_device_did_is_added_up() {
    on_both(async |database| {
        let store = database.open().await?;
        let (ws, theirs) = (workspace(&store).await?, workspace(&store).await?);
        let now = store.clock().now().round(jiff::Unit::Microsecond).expect("it is in range");
        let later = now + SignedDuration::from_secs(9);
        let (policy, member) = (PolicyId::new(now), MemberId::new(now));
        let sent = DeliveryRow {
            workspace_id: ws,
            device: "grant_1".to_owned(),
            member_id: member.to_string(),
            policy: Some((policy, 1)),
            client_version: "0.169.0".to_owned(),
            first_at: now,
            last_at: now,
            fetches: 1,
            turns: 0,
            failed_turns: 0,
            last_turn_at: None,
        };
        let nothing = DeliveryRow { policy: None, device: "grant_2".to_owned(), ..sent.clone() };
        let turns = DeliveryRow { fetches: 0, turns: 2, failed_turns: 1, last_turn_at: Some(later), ..sent.clone() };
        let again = DeliveryRow { first_at: later, last_at: later, ..sent.clone() };
        for rows in [&[sent.clone(), nothing.clone()][..], &[turns], &[again]] {
            let mut tx = store.write().await?;
            policy_deliveries::add(&mut tx, rows).await?;
            tx.commit().await?;
        }
        let (last_at, last_turn_at) = (later, Some(later));
        let all = DeliveryRow { fetches: 2, turns: 2, failed_turns: 1, last_at, last_turn_at, ..sent };
        let mut tx = store.write().await?;
        let devices = ["grant_1".to_owned(), "grant_2".to_owned()];
        assert_same(policy_deliveries::of_version(&mut tx, ws, policy, 1).await?, vec![all.clone()]);
        assert_same(policy_deliveries::of_device(&mut tx, ws, "grant_1").await?, vec![all.clone()]);
        assert_same(policy_deliveries::of_member(&mut tx, ws, member, later).await?, vec![all.clone()]);
        assert_same(policy_deliveries::devices(&mut tx, ws, Some(member), "", 9).await?, devices.to_vec());
        assert_same(policy_deliveries::devices(&mut tx, ws, None, "grant_1", 9).await?, devices[1..].to_vec());
        assert_same(policy_deliveries::of_devices(&mut tx, ws, &devices).await?.len(), 2);
        // To another workspace it is not there.
        assert_same(policy_deliveries::of_version(&mut tx, theirs, policy, 1).await?, vec![]);
        assert_same(policy_deliveries::of_device(&mut tx, theirs, "grant_1").await?, vec![]);
        assert_same(policy_deliveries::of_devices(&mut tx, theirs, &devices).await?, vec![]);
        assert_same(policy_deliveries::of_member(&mut tx, theirs, member, now).await?, vec![]);
        assert_same(policy_deliveries::devices(&mut tx, theirs, None, "", 9).await?, Vec::<String>::new());
        policy_deliveries::delete_before(&mut tx, theirs, Timestamp::MAX).await?;
        policy_deliveries::delete_before(&mut tx, ws, later).await?;
        assert_same(policy_deliveries::of_devices(&mut tx, ws, &devices).await?, vec![all]);
        Ok(())
    });
}

#[test]
fn a_session_belongs_to_who_reported_it_first() {
    on_both(async |database| {
        let store = database.open().await?;
        let (ws, theirs) = (workspace(&store).await?, workspace(&store).await?);
        let now = store.clock().now().round(jiff::Unit::Microsecond).expect("it is in range");
        let (mia, max) = (MemberId::new(now), MemberId::new(now));
        let blank = AgentSessionRow {
            thread_id: "t".to_owned(),
            member_id: mia,
            device: "grant_1".to_owned(),
            client_version: String::new(),
            originator: String::new(),
            model: String::new(),
            approval_policy: String::new(),
            sandbox_policy: String::new(),
            network_access: String::new(),
            source: String::new(),
            policy: None,
            verdict: DriftState::Unknown,
            reasons: Vec::new(),
            started_at: now,
            last_at: now,
        };
        let known = AgentSessionRow {
            policy: Some((PolicyId::new(now), 3)),
            verdict: DriftState::Contradicting,
            reasons: vec!["'so' it is 🦀".to_owned()],
            sandbox_policy: "read-only".to_owned(),
            ..blank.clone()
        };
        let mut tx = store.write().await?;
        assert_same(agent_sessions::take(&mut tx, ws, &blank).await?, Some(blank.clone()));
        agent_sessions::update(&mut tx, ws, &known).await?;
        let of_max = AgentSessionRow { member_id: max, ..blank.clone() };
        assert_same(agent_sessions::take(&mut tx, ws, &of_max).await?, None);
        assert_same(agent_sessions::take(&mut tx, ws, &blank).await?, Some(known.clone()));
        assert_same(agent_sessions::take(&mut tx, theirs, &of_max).await?, Some(of_max.clone()));
        let devices = ["grant_1".to_owned()];
        assert_same(agent_sessions::latest_of(&mut tx, ws, &devices).await?, vec![known.clone()]);
        for (member, verdict, before, count) in [
            (None, None, None, 1),
            (Some(mia), Some(DriftState::Contradicting), None, 1),
            (Some(max), None, None, 0),
            (None, Some(DriftState::InStep), None, 0),
            (None, None, Some((now, "t".to_owned())), 0),
            (None, None, Some((now, "u".to_owned())), 1),
        ] {
            let filter = Filter { member, verdict, before, limit: 9 };
            assert_same(agent_sessions::list(&mut tx, ws, &filter).await?.len(), count);
        }
        agent_sessions::delete_before(&mut tx, ws, Timestamp::MAX).await?;
        let all = Filter { limit: 9, ..Filter::default() };
        assert_same(agent_sessions::list(&mut tx, ws, &all).await?, vec![]);
        assert_same(agent_sessions::list(&mut tx, theirs, &all).await?, vec![of_max]);
        Ok(())
    });
}

#[test]
fn the_words_of_a_command_are_sealed_to_their_place() {
    on_both(async |database| {
        let store = database.open().await?;
        let (ws, theirs) = (workspace(&store).await?, workspace(&store).await?);
        let now = store.clock().now().round(jiff::Unit::Microsecond).expect("it is in range");
        let command = |call: &str| AgentCommandRow {
            thread_id: "t".to_owned(),
            call_id: call.to_owned(),
            member_id: MemberId::new(now),
            at: now,
            argv: vec!["rm".to_owned(), "-r".to_owned()],
            outcome: "ran".to_owned(),
        };
        let (first, second) = (command("a"), command("b"));
        let mut tx = store.write().await?;
        let sealer = store.sealer();
        agent_commands::insert(&mut tx, ws, sealer, &[first.clone(), second.clone()]).await?;
        // Told again, it stays as it was.
        let altered = AgentCommandRow { argv: vec!["ls".to_owned()], ..first.clone() };
        agent_commands::insert(&mut tx, ws, sealer, &[altered]).await?;
        let since = (Timestamp::MIN, "", "");
        assert_same(agent_commands::list_since(&mut tx, ws, sealer, since, 9).await?, vec![first, second.clone()]);
        assert_same(agent_commands::list_since(&mut tx, ws, sealer, (now, "t", "a"), 9).await?, vec![second]);
        assert_same(agent_commands::list_since(&mut tx, theirs, sealer, since, 9).await?, vec![]);
        // Moved to another place, it does not open.
        tx.execute("UPDATE agent_commands SET call_id = 'c' WHERE call_id = 'b'", []).await?;
        assert!(agent_commands::list_since(&mut tx, ws, sealer, since, 9).await.is_err());
        agent_commands::delete_before(&mut tx, ws, Timestamp::MAX).await?;
        assert_same(agent_commands::list_since(&mut tx, ws, sealer, since, 9).await?, vec![]);
        Ok(())
    });
}

#[test]
fn commands_are_read_page_by_page_without_being_opened() {
    on_both(async |database| {
        let store = database.open().await?;
        let (ws, theirs) = (workspace(&store).await?, workspace(&store).await?);
        let now = store.clock().now().round(jiff::Unit::Microsecond).expect("it is in range");
        let member_id = MemberId::new(now);
        // Two moments, two threads, two calls: in this order, and no two at one place.
        let places: Vec<(i64, &str, &str)> = [0, 60]
            .into_iter()
            .flat_map(|after| {
                ["t", "u"].into_iter().flat_map(move |thread| ["a", "b"].map(|call| (after, thread, call)))
            })
            .collect();
        let command = |(after, thread, call): &(i64, &str, &str)| AgentCommandRow {
            thread_id: (*thread).to_owned(),
            call_id: format!("{call}{after}"),
            member_id,
            at: now + jiff::SignedDuration::from_secs(*after),
            argv: vec!["echo".to_owned(), format!("{thread}{call}{after}")],
            outcome: "ran".to_owned(),
        };
        let mut rows: Vec<_> = places.iter().map(command).collect();
        let mut tx = store.write().await?;
        let sealer = store.sealer();
        assert_same(agent_commands::latest(&mut tx, ws).await?, None);
        rows.reverse();
        agent_commands::insert(&mut tx, ws, sealer, &rows).await?;
        rows.reverse();
        for limit in [1, 3, 8, 9] {
            let (mut read, mut after) = (Vec::new(), (now, String::new(), String::new()));
            loop {
                let place = (after.0, after.1.as_str(), after.2.as_str());
                let page = agent_commands::sealed_since(&mut tx, ws, place, limit).await?;
                let Some(last) = page.last() else { break };
                after = (last.at, last.thread_id.clone(), last.call_id.clone());
                for row in page {
                    let argv = row.argv(ws, sealer)?;
                    assert!(row.argv(theirs, sealer).is_err(), "sealed to its workspace");
                    let (thread_id, call_id) = (row.thread_id, row.call_id);
                    let (member_id, at, outcome) = (row.member_id, row.at, row.outcome);
                    read.push(AgentCommandRow { thread_id, call_id, member_id, at, argv, outcome });
                }
            }
            assert_same(read, rows.clone());
        }
        let late = (now + jiff::SignedDuration::from_secs(1), "", "");
        assert_same(agent_commands::sealed_since(&mut tx, ws, late, 9).await?.len(), 4);
        assert_same(agent_commands::sealed_since(&mut tx, theirs, (now, "", ""), 9).await?.len(), 0);
        assert_same(agent_commands::latest(&mut tx, ws).await?, Some(now + jiff::SignedDuration::from_secs(60)));
        assert_same(agent_commands::latest(&mut tx, theirs).await?, None);
        Ok(())
    });
}
