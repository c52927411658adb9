//! Nothing of one workspace is found, changed or joined through another.

use provost_model::{AccessTokenId, ApiKeyId, ApiKeyStatus, GrantId, PermissionSet, PolicyRule};
use provost_store::ledger::{self, Filter};
use provost_store::tables::access_tokens::AccessTokenRow;
use provost_store::tables::api_keys::ApiKeyRow;
use provost_store::tables::grants::GrantRow;
use provost_store::tables::members::MemberRow;
use provost_store::tables::policies::PolicyRow;
use provost_store::tables::{
    access_tokens, api_keys, grants, groups, members, policies, policy_rules, roles, upstreams,
};

use crate::acts::{
    EVERYTHING, add_group, add_member, change, commit, email, group, member, policy, role, upstream, workspace,
};
use crate::database::on_both;

#[test]
fn another_workspaces_ids_find_and_change_nothing() {
    on_both(async |database| {
        let store = database.open().await?;
        let (ours, theirs) = (workspace(&store).await?, workspace(&store).await?);
        let mut adding = change(&store, ours).await?;
        let at = adding.at();
        let (m, g, p) = (member(at, "ada@example.com"), group(at, "g"), policy(at, "p"));
        let (r, u) = (role(at, "r", PermissionSet::all()), upstream(at, "u"));
        let t = AccessTokenRow {
            id: AccessTokenId::new(at),
            member_id: m.id,
            name: "t".to_owned(),
            created_at: at,
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
        };
        let k = ApiKeyRow {
            id: ApiKeyId::new(at),
            name: "k".to_owned(),
            last4: "wxyz".to_owned(),
            scopes: vec![],
            status: ApiKeyStatus::Active,
            created_by: None,
            created_at: at,
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
        };
        let session = GrantRow {
            id: GrantId::new(at),
            workspace_id: ours,
            member_id: m.id,
            client_id: String::new(),
            method: String::new(),
            created_at: at,
            expires_at: at,
            revoked_at: None,
        };
        let tx = &mut adding;
        members::insert(tx, ours, &m, None).await?;
        groups::insert(tx, ours, &g).await?;
        groups::add_member(tx, ours, g.id, m.id).await?;
        roles::insert(tx, ours, &r).await?;
        policies::insert(tx, ours, &p).await?;
        policy_rules::replace(tx, ours, &[PolicyRule { group_id: g.id, policy_id: p.id }]).await?;
        upstreams::insert(tx, ours, &u).await?;
        access_tokens::insert(tx, ours, &t, &[1; 32]).await?;
        api_keys::insert(tx, ours, &k, &[2; 32]).await?;
        grants::insert(tx, &session).await?;
        commit(adding).await?;

        // From their side nothing is there…
        let mut tx = store.read().await?;
        assert!(members::get(&mut tx, theirs, m.id).await?.is_none());
        assert!(members::get_by_email(&mut tx, theirs, &m.email).await?.is_none());
        assert!(members::list(&mut tx, theirs, &EVERYTHING).await?.is_empty());
        assert!(groups::get(&mut tx, theirs, g.id).await?.is_none());
        assert!(groups::list(&mut tx, theirs, &EVERYTHING).await?.is_empty());
        assert!(groups::member_ids(&mut tx, theirs, g.id, &EVERYTHING).await?.is_empty());
        assert!(roles::get(&mut tx, theirs, r.id).await?.is_none());
        assert!(roles::list(&mut tx, theirs, &EVERYTHING).await?.is_empty());
        assert!(policies::get(&mut tx, theirs, p.id).await?.is_none());
        assert!(policies::get_version(&mut tx, theirs, p.id, 1).await?.is_none());
        assert!(policies::list(&mut tx, theirs, &EVERYTHING).await?.is_empty());
        assert!(policies::list_versions(&mut tx, theirs, p.id, None, 9).await?.is_empty());
        assert!(policy_rules::list(&mut tx, theirs).await?.is_empty());
        assert!(policy_rules::positions_of(&mut tx, theirs, p.id).await?.is_empty());
        assert!(upstreams::get(&mut tx, theirs, u.id).await?.is_none());
        assert!(upstreams::list(&mut tx, theirs, &EVERYTHING).await?.is_empty());
        assert!(access_tokens::get(&mut tx, theirs, t.id).await?.is_none());
        assert!(access_tokens::list(&mut tx, theirs, Some(m.id), &EVERYTHING).await?.is_empty());
        assert!(access_tokens::list(&mut tx, theirs, None, &EVERYTHING).await?.is_empty());
        assert!(api_keys::get(&mut tx, theirs, k.id).await?.is_none());
        assert!(api_keys::list(&mut tx, theirs, &EVERYTHING).await?.is_empty());
        let events = ledger::list(&mut tx, theirs, &Filter { limit: 9, ..Filter::default() }).await?;
        assert_eq!(events.len(), 1, "their own creation");
        drop(tx);

        // …and nothing that they do changes anything.
        let mut meddling = change(&store, theirs).await?;
        let tx = &mut meddling;
        members::update(tx, theirs, &MemberRow { email: email("eve@example.com"), ..m.clone() }).await?;
        members::set_password(tx, theirs, m.id, "theirs").await?;
        members::delete(tx, theirs, m.id).await?;
        groups::rename(tx, theirs, g.id, "theirs", at).await?;
        assert!(!groups::remove_member(tx, theirs, g.id, m.id).await?);
        groups::delete(tx, theirs, g.id).await?;
        roles::update(tx, theirs, &roles::RoleRow { permissions: PermissionSet::NONE, ..r.clone() }).await?;
        roles::delete(tx, theirs, r.id).await?;
        policies::update(tx, theirs, &PolicyRow { version: 2, ..p.clone() }).await?;
        policies::delete(tx, theirs, p.id).await?;
        policy_rules::replace(tx, theirs, &[]).await?;
        upstreams::update(tx, theirs, &upstreams::UpstreamRow { base_url: "http://evil".to_owned(), ..u.clone() })
            .await?;
        upstreams::delete(tx, theirs, u.id).await?;
        access_tokens::set_last_used(tx, theirs, t.id, at).await?;
        access_tokens::revoke(tx, theirs, t.id, at).await?;
        assert!(access_tokens::end_all(tx, theirs, m.id, at).await?.is_empty());
        api_keys::set_last_used(tx, theirs, k.id, at).await?;
        api_keys::revoke(tx, theirs, k.id, at).await?;
        assert!(!grants::revoke(tx, theirs, session.id, at).await?);
        assert!(grants::end_all(tx, theirs, m.id, at).await?.is_empty());
        commit(meddling).await?;

        let mut tx = store.read().await?;
        let found = members::get(&mut tx, ours, m.id).await?.expect("it is there");
        assert_eq!(found.email, m.email);
        assert_eq!(members::logins(&mut tx, &m.email).await?[0].password_hash, None);
        let found = groups::get(&mut tx, ours, g.id).await?.expect("it is there");
        assert_eq!((&*found.name, found.member_count), ("g", 1));
        assert_eq!(roles::get(&mut tx, ours, r.id).await?.expect("it is there").permissions, PermissionSet::all());
        assert_eq!(policies::list_versions(&mut tx, ours, p.id, None, 9).await?.len(), 1);
        assert_eq!(policy_rules::list(&mut tx, ours).await?.len(), 1);
        assert_eq!(upstreams::get(&mut tx, ours, u.id).await?.expect("it is there").base_url, u.base_url);
        let found = access_tokens::get(&mut tx, ours, t.id).await?.expect("it is there");
        assert_eq!((found.revoked_at, found.last_used_at), (None, None));
        let found = api_keys::get(&mut tx, ours, k.id).await?.expect("it is there");
        assert_eq!((found.revoked_at, found.last_used_at), (None, None));
        Ok(())
    });
}

#[test]
fn a_member_joins_no_group_and_gets_no_role_of_another_workspace() {
    on_both(async |database| {
        let store = database.open().await?;
        let (ours, theirs) = (workspace(&store).await?, workspace(&store).await?);
        let (m, g) = (add_member(&store, ours, "ada@example.com").await?.id, add_group(&store, ours, "g").await?.id);
        let their_group = add_group(&store, theirs, "g").await?.id;
        let mut change = change(&store, theirs).await?;
        let their_role = role(change.at(), "r", PermissionSet::all());
        roles::insert(&mut change, theirs, &their_role).await?;
        for ws in [ours, theirs] {
            assert!(!groups::add_member(&mut change, ws, their_group, m).await?);
        }
        assert!(!roles::assign_to_member(&mut change, their_role.id, m).await?);
        assert!(!roles::assign_to_group(&mut change, their_role.id, g).await?);
        commit(change).await?;
        let fresh = database.open().await?.workspace(ours).expect("it is there");
        assert!(fresh.members[&m].groups.is_empty() && fresh.members[&m].roles.is_empty());
        assert_eq!(fresh.groups[&g].granted, PermissionSet::NONE);
        Ok(())
    });
}
