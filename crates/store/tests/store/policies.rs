use jiff::SignedDuration;
use provost_model::{PolicyId, PolicyRule};
use provost_store::tables::policies::PolicyRow;
use provost_store::tables::policy_deliveries::DeliveryRow;
use provost_store::tables::{client_versions, policies, policy_deliveries, policy_rules, workspaces};
use provost_store::{Error, Touched};

use crate::acts::{EVERYTHING, add_group, assert_same, change, commit, policy, workspace};
use crate::database::on_both;

#[test]
fn every_version_of_a_policy_is_kept() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let mut versions = Vec::new();
        for version in 1..=4 {
            let mut writing = change(&store, ws).await?;
            let first = versions.first().cloned().unwrap_or_else(|| policy(writing.at(), "Strict"));
            let row = PolicyRow {
                version,
                name: format!("Strict {version}"),
                contents: format!("# 'v{version}' 🦀\n"),
                defaults: (version % 2 == 0).then(|| "model = \"gpt\"\n".to_owned()),
                created_by: "key_x".to_owned(),
                created_at: writing.at(),
                note: format!("because of {version} 🦀"),
                restores: (version == 4).then_some(1),
                approved_by: (version == 3).then(|| "mem_y".to_owned()),
                ..first
            };
            match version {
                1 => policies::insert(&mut writing, ws, &row).await?,
                _ => policies::update(&mut writing, ws, &row).await?,
            }
            writing.touch(Touched::Policy(row.id));
            commit(writing).await?;
            versions.push(row);
        }
        let (id, newest) = (versions[0].id, versions[3].clone());
        let mut tx = store.read().await?;
        assert_same(policies::get(&mut tx, ws, id).await?, Some(newest.clone()));
        assert_same(policies::list(&mut tx, ws, &EVERYTHING).await?, vec![newest.clone()]);
        for row in &versions {
            assert_same(policies::get_version(&mut tx, ws, id, row.version).await?, Some(row.clone()));
        }
        assert!(policies::get_version(&mut tx, ws, id, 5).await?.is_none());
        let newest_first: Vec<_> = versions.iter().rev().cloned().collect();
        assert_same(policies::list_versions(&mut tx, ws, id, None, 2).await?, newest_first[..2].to_vec());
        assert_same(policies::list_versions(&mut tx, ws, id, Some(3), 9).await?, newest_first[2..].to_vec());
        for snapshot in [store.workspace(ws), database.open().await?.workspace(ws)] {
            let policy = snapshot.expect("it is there").policies[&id].clone();
            assert_eq!((&*policy.name, policy.version), ("Strict 4", 4));
            assert_eq!(
                (&*policy.contents, policy.defaults.as_deref()),
                (&*newest.contents, newest.defaults.as_deref())
            );
        }
        Ok(())
    });
}

#[test]
fn rules_keep_their_order_and_protect_their_policies() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let (a, b) = (add_group(&store, ws, "a").await?.id, add_group(&store, ws, "b").await?.id);
        let mut writing = change(&store, ws).await?;
        let rows = [policy(writing.at(), "One"), policy(writing.at(), "Two")];
        for row in &rows {
            policies::insert(&mut writing, ws, row).await?;
            writing.touch(Touched::Policy(row.id));
        }
        let rule = |group_id, policy_id: PolicyId| PolicyRule { group_id, policy_id };
        let rules = [rule(b, rows[1].id), rule(a, rows[0].id), rule(b, rows[0].id)];
        policy_rules::replace(&mut writing, ws, &rules).await?;
        workspaces::set_fallback(&mut writing, ws, Some(rows[1].id)).await?;
        writing.touch(Touched::Workspace);
        commit(writing).await?;

        let mut tx = store.read().await?;
        assert_eq!(policy_rules::list(&mut tx, ws).await?, rules);
        assert_eq!(policy_rules::positions_of(&mut tx, ws, rows[0].id).await?, [1, 2]);
        drop(tx);
        for snapshot in [store.workspace(ws), database.open().await?.workspace(ws)] {
            let found = snapshot.expect("it is there").policy_rules.clone();
            assert_eq!((&*found.rules, found.fallback), (rules.as_slice(), Some(rows[1].id)));
        }
        // A policy that a rule names is not deleted under it.
        let mut deleting = change(&store, ws).await?;
        let error = policies::delete(&mut deleting, ws, rows[0].id).await.expect_err("a rule names it");
        assert!(matches!(error, Error::Database(_)), "{error}");
        drop(deleting);

        let mut clearing = change(&store, ws).await?;
        policy_rules::replace(&mut clearing, ws, &[]).await?;
        workspaces::set_fallback(&mut clearing, ws, None).await?;
        policies::delete(&mut clearing, ws, rows[0].id).await?;
        clearing.touch(Touched::Workspace);
        clearing.touch(Touched::Policy(rows[0].id));
        commit(clearing).await?;
        let snapshot = store.workspace(ws).expect("it is there");
        assert!(snapshot.policy_rules.rules.is_empty() && snapshot.policy_rules.fallback.is_none());
        assert_eq!(snapshot.policies.keys().copied().collect::<Vec<_>>(), [rows[1].id]);
        let mut tx = store.read().await?;
        assert_same(policies::list_versions(&mut tx, ws, rows[0].id, None, 9).await?, vec![]);
        Ok(())
    });
}

#[test]
fn the_versions_that_clients_were_seen_with_are_counted_by_member() {
    on_both(async |database| {
        let store = database.open().await?;
        let (ws, other) = (workspace(&store).await?, workspace(&store).await?);
        let now = store.clock().now();
        let hours = |hours| now - SignedDuration::from_hours(hours);
        let row = |ws, device: &str, member: &str, version: &str, at| DeliveryRow {
            workspace_id: ws,
            device: device.to_owned(),
            member_id: member.to_owned(),
            policy: None,
            client_version: version.to_owned(),
            first_at: at,
            last_at: at,
            fetches: 1,
            turns: 0,
            failed_turns: 0,
            last_turn_at: None,
        };
        let mut tx = store.write().await?;
        let rows = [
            row(ws, "laptop", "mia", "0.169.0", hours(2)),
            row(ws, "desktop", "mia", "0.169.0", hours(1)),
            row(ws, "phone", "max", "0.169.0", hours(3)),
            row(ws, "runner", "", "0.130.0", hours(4)),
            row(ws, "old", "max", "0.98.0", hours(99)),
            row(ws, "silent", "max", "", hours(1)),
            row(other, "theirs", "eve", "0.1.0", hours(1)),
        ];
        policy_deliveries::add(&mut tx, &rows).await?;
        tx.commit().await?;
        let mut tx = store.read().await?;
        let seen = client_versions::seen_since(&mut tx, ws, hours(5), 9).await?;
        let seen: Vec<_> = seen.into_iter().map(|row| (row.client_version, row.last_seen_at, row.members)).collect();
        assert_same(seen, vec![("0.169.0".to_owned(), hours(1), 2), ("0.130.0".to_owned(), hours(4), 0)]);
        assert_same(client_versions::seen_since(&mut tx, ws, hours(200), 2).await?.len(), 2);
        Ok(())
    });
}
