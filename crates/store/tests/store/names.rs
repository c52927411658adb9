//! Names and addresses are unique in their workspace, in whichever case and Unicode form.

use provost_model::{PermissionSet, WorkspaceId};
use provost_store::tables::{groups, members, policies, roles, upstreams};
use provost_store::{Change, Error, Result, Store};

use crate::acts::{add_group, add_member, change, commit, email, group, member, policy, role, upstream, workspace};
use crate::database::on_both;

/// Each reads the same to people.
const SAME: [&str; 5] = ["Zo\u{eb} B", "Zoe\u{308} B", "ZO\u{cb} B", "  zo\u{eb}   b ", "\u{ff3a}o\u{eb} B"];

#[track_caller]
fn assert_conflict(result: Result<()>, column: &str) {
    match result {
        Err(Error::Conflict(what)) => assert!(what.contains(column), "{what}"),
        other => panic!("no conflict: {other:?}"),
    }
}

/// Of what reads the same, the first is taken and every other conflicts.
async fn first_only(
    store: &Store,
    ws: WorkspaceId,
    column: &str,
    insert: impl AsyncFn(&mut Change, &str) -> Result<()>,
) -> Result<()> {
    for (n, name) in SAME.iter().enumerate() {
        let mut change = change(store, ws).await?;
        let inserted = insert(&mut change, name).await;
        if n == 0 {
            inserted?;
            commit(change).await?;
        } else {
            assert_conflict(inserted, column);
        }
    }
    Ok(())
}

#[test]
fn names_that_read_the_same_conflict_within_a_workspace() {
    on_both(async |database| {
        let store = database.open().await?;
        // The same names are free again in the second workspace.
        for ws in [workspace(&store).await?, workspace(&store).await?] {
            first_only(&store, ws, "name_key", async |change, name| {
                let row = group(change.at(), name);
                groups::insert(change, ws, &row).await
            })
            .await?;
            first_only(&store, ws, "name_key", async |change, name| {
                let row = role(change.at(), name, PermissionSet::NONE);
                roles::insert(change, ws, &row).await
            })
            .await?;
            first_only(&store, ws, "name_key", async |change, name| {
                let row = policy(change.at(), name);
                policies::insert(change, ws, &row).await
            })
            .await?;
            first_only(&store, ws, "name_key", async |change, name| {
                let row = upstream(change.at(), name);
                upstreams::insert(change, ws, &row).await
            })
            .await?;
            // A member goes by its address: its user name conflicts too, and the database says which.
            first_only(&store, ws, "_key", async |change, name| {
                let row = member(change.at(), &format!("{}@example.com", name.replace(' ', "")));
                members::insert(change, ws, &row, None).await
            })
            .await?;
        }
        Ok(())
    });
}

#[test]
fn a_rename_conflicts_too_and_changes_nothing() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        add_group(&store, ws, "Platform").await?;
        let other = add_group(&store, ws, "Data").await?;
        let mut renaming = change(&store, ws).await?;
        let at = renaming.at();
        assert_conflict(groups::rename(&mut renaming, ws, other.id, "PLATFORM", at).await, "name_key");
        drop(renaming);

        add_member(&store, ws, "ada@example.com").await?;
        let eve = add_member(&store, ws, "eve@example.com").await?;
        let mut moving = change(&store, ws).await?;
        let moved = members::MemberRow { email: email("ADA@EXAMPLE.COM"), ..eve.clone() };
        assert_conflict(members::update(&mut moving, ws, &moved).await, "_key");
        drop(moving);

        let mut tx = store.read().await?;
        assert_eq!(groups::get(&mut tx, ws, other.id).await?.expect("it is there").name, "Data");
        assert_eq!(members::get(&mut tx, ws, eve.id).await?.expect("it is there").email, eve.email);
        Ok(())
    });
}

#[test]
fn a_name_may_change_its_case() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let id = add_group(&store, ws, "platform").await?.id;
        let mut renaming = change(&store, ws).await?;
        let at = renaming.at();
        groups::rename(&mut renaming, ws, id, "Platform", at).await?;
        commit(renaming).await?;
        assert_eq!(groups::get(&mut store.read().await?, ws, id).await?.expect("it is there").name, "Platform");
        Ok(())
    });
}

#[test]
fn a_member_is_found_by_any_spelling_of_the_address() {
    on_both(async |database| {
        let store = database.open().await?;
        let (ws, other) = (workspace(&store).await?, workspace(&store).await?);
        let here = add_member(&store, ws, "Zo\u{eb}@Example.com").await?;
        let there = add_member(&store, other, "zoe\u{308}@example.com").await?;
        let mut setting = change(&store, ws).await?;
        members::set_password(&mut setting, ws, here.id, "$argon2id$…").await?;
        commit(setting).await?;
        let mut tx = store.read().await?;
        let spelling = email("ZO\u{cb}@EXAMPLE.COM");
        let found = members::get_by_email(&mut tx, ws, &spelling).await?.expect("it is there");
        assert_eq!((found.id, found.email.as_str()), (here.id, "Zo\u{eb}@Example.com"));
        let logins = members::logins(&mut tx, &spelling).await?;
        let mut found: Vec<_> =
            logins.iter().map(|login| (login.workspace_id, login.member_id, login.active)).collect();
        let mut expected = vec![(ws, here.id, true), (other, there.id, true)];
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
        let hash =
            |id| logins.iter().find(|login| login.member_id == id).and_then(|login| login.password_hash.as_deref());
        assert_eq!(hash(here.id), Some("$argon2id$…"));
        assert_eq!(hash(there.id), None);
        Ok(())
    });
}
