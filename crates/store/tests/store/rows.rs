//! What admins write is what they read: members, groups, roles, upstreams, and their pages.

use provost_model::{BuiltinRole, GroupSource, PermissionSet};
use provost_store::Touched;
use provost_store::tables::groups::GroupRow;
use provost_store::tables::members::MemberRow;
use provost_store::tables::roles::RoleRow;
use provost_store::tables::upstreams::{UpstreamRow, seal_place};
use provost_store::tables::{Page, groups, members, roles, upstreams};

use crate::acts::{
    EVERYTHING, add_group, add_member, assert_same, change, commit, email, group, member, model, role, upstream,
    workspace,
};
use crate::database::on_both;

/// Text that a database might trip over.
const TEXT: &str = "O'Brien \"the\" $1 \\ %_; -- 🦀\u{301}\n\ttab";

#[test]
fn a_member() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let mut adding = change(&store, ws).await?;
        let row = member(adding.at(), "o'brien+$1@example.com");
        let row = MemberRow { name: TEXT.to_owned(), active: false, builtin_role: BuiltinRole::Admin, ..row };
        members::insert(&mut adding, ws, &row, Some("hash".to_owned())).await?;
        adding.touch(Touched::Member(row.id));
        commit(adding).await?;
        assert_same(members::get(&mut store.read().await?, ws, row.id).await?, Some(row.clone()));

        let mut changing = change(&store, ws).await?;
        let row = MemberRow {
            email: email("else@example.com"),
            name: String::new(),
            active: true,
            builtin_role: BuiltinRole::Owner,
            updated_at: changing.at(),
            ..row
        };
        members::update(&mut changing, ws, &row).await?;
        changing.touch(Touched::Member(row.id));
        commit(changing).await?;
        let mut tx = store.read().await?;
        assert_same(members::get(&mut tx, ws, row.id).await?, Some(row.clone()));
        assert_eq!(members::count_other_owners(&mut tx, ws, row.id).await?, 0);
        let somebody = member(row.created_at, "somebody@example.com").id;
        assert_eq!(members::count_other_owners(&mut tx, ws, somebody).await?, 1);
        let snapshot = &store.workspace(ws).expect("it is there").members[&row.id];
        assert_eq!((snapshot.email.as_str(), snapshot.builtin_role), ("else@example.com", BuiltinRole::Owner));
        Ok(())
    });
}

#[test]
fn a_group_and_who_is_in_it() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let mut adding = change(&store, ws).await?;
        let row = GroupRow { source: GroupSource::Scim, ..group(adding.at(), TEXT) };
        groups::insert(&mut adding, ws, &row).await?;
        adding.touch(Touched::Group(row.id));
        commit(adding).await?;
        assert_same(groups::get(&mut store.read().await?, ws, row.id).await?, Some(row.clone()));

        let mut ids = Vec::new();
        for n in 0..5 {
            ids.push(add_member(&store, ws, &format!("m{n}@example.com")).await?.id);
        }
        ids.sort();
        let mut joining = change(&store, ws).await?;
        for id in &ids {
            assert!(groups::add_member(&mut joining, ws, row.id, *id).await?, "it was not in it");
            assert!(!groups::add_member(&mut joining, ws, row.id, *id).await?, "it was in it");
            joining.touch(Touched::Member(*id));
        }
        assert!(groups::remove_member(&mut joining, ws, row.id, ids[4]).await?, "it was in it");
        assert!(!groups::remove_member(&mut joining, ws, row.id, ids[4]).await?, "it was not in it");
        let at = joining.at();
        groups::rename(&mut joining, ws, row.id, "Renamed", at).await?;
        joining.touch(Touched::Group(row.id));
        commit(joining).await?;

        let mut tx = store.read().await?;
        let renamed = GroupRow { name: "Renamed".to_owned(), updated_at: at, member_count: 4, ..row.clone() };
        assert_same(groups::get(&mut tx, ws, row.id).await?, Some(renamed));
        let first = groups::member_ids(&mut tx, ws, row.id, &Page { after: None, limit: 3 }).await?;
        assert_eq!(first, ids[..3]);
        let rest = Page { after: Some(first[2].to_string()), limit: 3 };
        assert_eq!(groups::member_ids(&mut tx, ws, row.id, &rest).await?, ids[3..4]);
        let snapshot = store.workspace(ws).expect("it is there");
        assert_eq!(&*snapshot.groups[&row.id].name, "Renamed");
        assert_eq!(snapshot.groups[&row.id].source, GroupSource::Scim);
        for (n, id) in ids.iter().enumerate() {
            assert_eq!(snapshot.members[id].is_in(row.id), n < 4);
        }
        Ok(())
    });
}

#[test]
fn a_role_and_who_has_it() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let (group, somebody) =
            (add_group(&store, ws, "g").await?.id, add_member(&store, ws, "m@example.com").await?.id);
        let mut adding = change(&store, ws).await?;
        let row = RoleRow { description: TEXT.to_owned(), ..role(adding.at(), TEXT, PermissionSet::all()) };
        roles::insert(&mut adding, ws, &row).await?;
        assert!(roles::assign_to_group(&mut adding, row.id, group).await?, "it did not have it");
        assert!(!roles::assign_to_group(&mut adding, row.id, group).await?, "it had it");
        assert!(roles::assign_to_member(&mut adding, row.id, somebody).await?, "it did not have it");
        assert!(!roles::assign_to_member(&mut adding, row.id, somebody).await?, "it had it");
        adding.touch(Touched::Role(row.id));
        adding.touch(Touched::Member(somebody));
        commit(adding).await?;
        let mut tx = store.read().await?;
        assert_same(roles::get(&mut tx, ws, row.id).await?, Some(row.clone()));
        assert_eq!(roles::group_ids(&mut tx, row.id).await?, [group]);
        assert_eq!(roles::member_ids(&mut tx, row.id).await?, [somebody]);
        drop(tx);
        let snapshot = store.workspace(ws).expect("it is there");
        assert_eq!(*snapshot.roles[&row.id].groups, [group]);
        assert_eq!(*snapshot.members[&somebody].roles, [row.id]);
        assert_eq!(snapshot.groups[&group].granted, PermissionSet::all());

        let mut changing = change(&store, ws).await?;
        let (description, permissions) = (String::new(), PermissionSet::NONE);
        let row = RoleRow { name: "Less".to_owned(), description, permissions, updated_at: changing.at(), ..row };
        roles::update(&mut changing, ws, &row).await?;
        assert!(roles::unassign_from_group(&mut changing, row.id, group).await?, "it had it");
        assert!(!roles::unassign_from_group(&mut changing, row.id, group).await?, "it did not have it");
        assert!(roles::unassign_from_member(&mut changing, row.id, somebody).await?, "it had it");
        assert!(!roles::unassign_from_member(&mut changing, row.id, somebody).await?, "it did not have it");
        changing.touch(Touched::Role(row.id));
        changing.touch(Touched::Member(somebody));
        commit(changing).await?;
        let mut tx = store.read().await?;
        assert_same(roles::get(&mut tx, ws, row.id).await?, Some(row.clone()));
        assert_eq!(roles::group_ids(&mut tx, row.id).await?, []);
        assert_eq!(roles::member_ids(&mut tx, row.id).await?, []);
        assert_eq!(store.workspace(ws).expect("it is there").groups[&group].granted, PermissionSet::NONE);
        Ok(())
    });
}

#[test]
fn an_upstream_and_its_models() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let mut adding = change(&store, ws).await?;
        let row = upstream(adding.at(), "Models");
        let sealed = store.sealer().seal(&seal_place(row.id), b"sk-secret");
        let row = UpstreamRow { api_key_sealed: Some(sealed), ..row };
        upstreams::insert(&mut adding, ws, &row).await?;
        adding.touch(Touched::Upstream(row.id));
        commit(adding).await?;
        assert_same(upstreams::get(&mut store.read().await?, ws, row.id).await?, Some(row.clone()));
        for snapshot in [store.workspace(ws), database.open().await?.workspace(ws)] {
            let route = snapshot.expect("it is there").models["large"].clone();
            assert_eq!(route.upstream.api_key.as_deref(), Some("sk-secret"));
            assert_eq!(route.model(), &model("large"));
        }

        let mut changing = change(&store, ws).await?;
        let row = UpstreamRow {
            name: TEXT.to_owned(),
            base_url: "http://localhost:11434/v1".to_owned(),
            api_key_sealed: None,
            models: vec![model("tiny")],
            updated_at: changing.at(),
            ..row
        };
        upstreams::update(&mut changing, ws, &row).await?;
        changing.touch(Touched::Upstream(row.id));
        commit(changing).await?;
        assert_same(upstreams::get(&mut store.read().await?, ws, row.id).await?, Some(row));
        let snapshot = store.workspace(ws).expect("it is there");
        assert_eq!(snapshot.models.keys().collect::<Vec<_>>(), ["tiny"]);
        assert_eq!(snapshot.models["tiny"].upstream.api_key, None);
        Ok(())
    });
}

/// Every list goes on after its cursor, in one order, without losing or repeating anything.
#[test]
fn pages_join_to_the_whole() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let mut adding = change(&store, ws).await?;
        for n in 0..7 {
            let at = adding.at();
            members::insert(&mut adding, ws, &member(at, &format!("m{n}@example.com")), None).await?;
            groups::insert(&mut adding, ws, &group(at, &format!("g{n}"))).await?;
            roles::insert(&mut adding, ws, &role(at, &format!("r{n}"), PermissionSet::NONE)).await?;
            upstreams::insert(&mut adding, ws, &upstream(at, &format!("u{n}"))).await?;
        }
        commit(adding).await?;
        let mut tx = store.read().await?;
        let mut joined: [Vec<String>; 4] = Default::default();
        for length in [3, 3, 1, 0] {
            for (list, joined) in joined.iter_mut().enumerate() {
                let page = Page { after: joined.last().cloned(), limit: 3 };
                let ids: Vec<String> = match list {
                    0 => members::list(&mut tx, ws, &page).await?.iter().map(|row| row.id.to_string()).collect(),
                    1 => groups::list(&mut tx, ws, &page).await?.iter().map(|row| row.id.to_string()).collect(),
                    2 => roles::list(&mut tx, ws, &page).await?.iter().map(|row| row.id.to_string()).collect(),
                    _ => upstreams::list(&mut tx, ws, &page).await?.iter().map(|row| row.id.to_string()).collect(),
                };
                assert_eq!(ids.len(), length);
                joined.extend(ids);
            }
        }
        let whole = members::list(&mut tx, ws, &EVERYTHING).await?;
        assert_eq!(joined[0], whole.iter().map(|row| row.id.to_string()).collect::<Vec<_>>());
        assert!(joined.iter().all(|ids| ids.is_sorted()));
        Ok(())
    });
}
