//! What goes with what is deleted, and what stays.

use jiff::SignedDuration;
use provost_model::{Permission, PermissionSet, PolicyRule};
use provost_store::Touched;
use provost_store::tables::links::LinkRow;
use provost_store::tables::{groups, links, members, policies, policy_rules, roles, sessions, workspaces};

use crate::acts::{EVERYTHING, add_group, add_member, change, commit, policy, role, session, workspace};
use crate::database::on_both;

#[test]
fn a_deleted_member_leaves_its_groups_roles_and_sessions() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let (group, member) = (add_group(&store, ws, "g").await?.id, add_member(&store, ws, "m@example.com").await?.id);
        let mut giving = change(&store, ws).await?;
        let now = giving.at();
        let role = role(now, "r", PermissionSet::all());
        roles::insert(&mut giving, ws, &role).await?;
        roles::assign_to_member(&mut giving, role.id, member).await?;
        groups::add_member(&mut giving, ws, group, member).await?;
        let expires_at = now + SignedDuration::from_hours(1);
        sessions::insert(&mut giving, &[1; 32], &session(ws, member, now)).await?;
        links::insert(&mut giving, &[2; 32], LinkRow { member: Some((ws, member)), expires_at }, now).await?;
        giving.touch(Touched::Role(role.id));
        giving.touch(Touched::Member(member));
        commit(giving).await?;

        let mut deleting = change(&store, ws).await?;
        members::delete(&mut deleting, ws, member).await?;
        deleting.touch(Touched::Member(member));
        commit(deleting).await?;
        let mut tx = store.read().await?;
        assert!(groups::member_ids(&mut tx, ws, group, &EVERYTHING).await?.is_empty());
        assert!(roles::member_ids(&mut tx, role.id).await?.is_empty());
        assert!(sessions::get(&mut tx, &[1; 32]).await?.is_none());
        assert!(links::get(&mut tx, &[2; 32], now).await?.is_none());
        assert!(store.workspace(ws).expect("it is there").members.is_empty());
        Ok(())
    });
}

#[test]
fn a_deleted_group_grants_nothing_and_its_rules_match_nobody() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let (group, member) = (add_group(&store, ws, "g").await?.id, add_member(&store, ws, "m@example.com").await?.id);
        let mut giving = change(&store, ws).await?;
        let role = role(giving.at(), "r", [Permission::CodexSecurityUse].into_iter().collect());
        let policy = policy(giving.at(), "p");
        roles::insert(&mut giving, ws, &role).await?;
        roles::assign_to_group(&mut giving, role.id, group).await?;
        groups::add_member(&mut giving, ws, group, member).await?;
        policies::insert(&mut giving, ws, &policy).await?;
        policy_rules::replace(&mut giving, ws, &[PolicyRule { group_id: group, policy_id: policy.id }]).await?;
        for touched in [Touched::Role(role.id), Touched::Member(member), Touched::Policy(policy.id), Touched::Workspace]
        {
            giving.touch(touched);
        }
        commit(giving).await?;
        let before = store.workspace(ws).expect("it is there");
        assert!(before.may(&before.members[&member], Permission::CodexSecurityUse));
        assert!(before.policy_for(&before.members[&member]).is_some());

        let mut deleting = change(&store, ws).await?;
        groups::delete(&mut deleting, ws, group).await?;
        deleting.touch(Touched::Group(group));
        commit(deleting).await?;
        for snapshot in [store.workspace(ws), database.open().await?.workspace(ws)] {
            let after = snapshot.expect("it is there");
            assert!(!after.may(&after.members[&member], Permission::CodexSecurityUse));
            assert!(after.policy_for(&after.members[&member]).is_none());
        }
        let mut tx = store.read().await?;
        assert!(roles::group_ids(&mut tx, role.id).await?.is_empty());
        assert_eq!(policy_rules::list(&mut tx, ws).await?.len(), 1, "an admin sees the rule, and that it dangles");
        Ok(())
    });
}

#[test]
fn a_deleted_role_grants_nothing_also_as_the_default() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let (group, member) = (add_group(&store, ws, "g").await?.id, add_member(&store, ws, "m@example.com").await?.id);
        let stranger = add_member(&store, ws, "stranger@example.com").await?.id;
        let mut giving = change(&store, ws).await?;
        let role = role(giving.at(), "r", [Permission::CodexSecurityUse].into_iter().collect());
        roles::insert(&mut giving, ws, &role).await?;
        roles::assign_to_group(&mut giving, role.id, group).await?;
        roles::assign_to_member(&mut giving, role.id, member).await?;
        workspaces::set_default_role(&mut giving, ws, Some(role.id)).await?;
        for touched in [Touched::Role(role.id), Touched::Member(member), Touched::Workspace] {
            giving.touch(touched);
        }
        commit(giving).await?;
        let before = store.workspace(ws).expect("it is there");
        assert!(before.may(&before.members[&member], Permission::CodexSecurityUse));
        assert!(before.may(&before.members[&stranger], Permission::CodexSecurityUse));

        let mut deleting = change(&store, ws).await?;
        roles::delete(&mut deleting, ws, role.id).await?;
        deleting.touch(Touched::Role(role.id));
        commit(deleting).await?;
        for snapshot in [store.workspace(ws), database.open().await?.workspace(ws)] {
            let after = snapshot.expect("it is there");
            for id in [member, stranger] {
                assert!(!after.may(&after.members[&id], Permission::CodexSecurityUse));
            }
            assert_eq!(after.groups[&group].granted, PermissionSet::NONE);
        }
        Ok(())
    });
}
