//! Groups as an identity provider sees them, and many memberships at once.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use provost_model::{GroupId, GroupSource, MemberId, WorkspaceId, name_key};
use provost_store::tables::group_members::{self, GroupMember, Replaced};
use provost_store::tables::scim_groups::{self, ScimGroupRow};
use provost_store::tables::scim_users::{self, ScimUserRow};
use provost_store::tables::{Offset, Page};
use provost_store::{Error, Result, Store, Touched};

use crate::acts::{EVERYTHING, add_group, add_member, assert_same, change, commit, member, workspace};
use crate::database::on_both;

const ALL: Offset = Offset { skip: 0, limit: 1_000 };

fn group(at: Timestamp, name: &str) -> ScimGroupRow {
    ScimGroupRow {
        id: GroupId::new(at),
        name: name.to_owned(),
        source: GroupSource::Scim,
        external_id: Some(format!("00g-{name}")),
        scim: Some(format!(r#"{{"displayName":"{name}"}}"#)),
        created_at: at,
        updated_at: at,
    }
}

async fn add_groups(store: &Store, ws: WorkspaceId, groups: &[ScimGroupRow]) -> Result<()> {
    let mut adding = change(store, ws).await?;
    scim_groups::insert_many(&mut adding, ws, groups).await?;
    groups.iter().for_each(|group| adding.touch(Touched::Group(group.id)));
    commit(adding).await
}

async fn add_users(store: &Store, ws: WorkspaceId, count: usize) -> Result<Vec<MemberId>> {
    let at = store.clock().now();
    let user = |n: usize| ScimUserRow {
        member: member(at, &format!("u{n}@example.com")),
        user_name: format!("u{n}"),
        external_id: None,
        scim: Some("{}".to_owned()),
    };
    let users: Vec<_> = (0..count).map(user).collect();
    let mut adding = change(store, ws).await?;
    scim_users::insert_many(&mut adding, ws, &users).await?;
    users.iter().for_each(|user| adding.touch(Touched::Member(user.member.id)));
    commit(adding).await?;
    let mut ids: Vec<_> = users.iter().map(|user| user.member.id).collect();
    ids.sort_by_key(MemberId::to_string);
    Ok(ids)
}

fn sorted(mut ids: Vec<MemberId>) -> Vec<MemberId> {
    ids.sort_by_key(MemberId::to_string);
    ids
}

#[test]
fn groups_come_back_as_they_were_given() {
    on_both(async |database| {
        let store = database.open().await?;
        let (ws, other) = (workspace(&store).await?, workspace(&store).await?);
        let at = store.clock().now();
        let given: Vec<_> = (0..70).map(|n| group(at, &format!("T\u{e9}am {n:02}"))).collect();
        add_groups(&store, ws, &given).await?;
        let by_hand = add_group(&store, ws, "By hand").await?;
        assert_eq!(store.workspace(ws).expect("it is there").groups.len(), 71);

        let mut tx = store.read().await?;
        let ids: Vec<_> = given.iter().map(|group| group.id).collect();
        let found = scim_groups::get_many(&mut tx, ws, &ids).await?;
        given.iter().for_each(|group| assert_same(&found[&group.id], group));
        assert_same(scim_groups::get_by_name(&mut tx, ws, "TE\u{301}AM 05").await?, Some(given[5].clone()));
        let by_external = scim_groups::get_by_external_id(&mut tx, ws, "00g-T\u{e9}am 05", ALL).await?;
        assert_same(by_external, vec![given[5].clone()]);
        assert_eq!(scim_groups::count_by_external_id(&mut tx, ws, "00g-T\u{e9}am 05").await?, 1);
        let found = scim_groups::get(&mut tx, ws, by_hand.id).await?.expect("it is there");
        assert_eq!((found.source, found.external_id, found.scim), (GroupSource::Manual, None, None));
        assert_eq!(scim_groups::count(&mut tx, ws, None).await?, 71);
        assert_eq!(scim_groups::count(&mut tx, ws, Some(GroupSource::Scim)).await?, 70);
        let page = Offset { skip: 69, limit: 10 };
        assert_eq!(scim_groups::list(&mut tx, ws, None, page).await?.len(), 2);
        assert_eq!(scim_groups::list(&mut tx, ws, Some(GroupSource::Scim), page).await?.len(), 1);
        let taken = scim_groups::taken(&mut tx, ws, &[name_key("t\u{c9}AM 05"), "nobody's".to_owned()]).await?;
        assert_eq!(taken, HashMap::from([("t\u{e9}am 05".to_owned(), given[5].id)]));

        assert!(scim_groups::get(&mut tx, other, ids[0]).await?.is_none());
        assert!(scim_groups::get_many(&mut tx, other, &ids).await?.is_empty());
        assert!(scim_groups::get_by_name(&mut tx, other, &given[0].name).await?.is_none());
        assert!(scim_groups::get_by_external_id(&mut tx, other, "00g-T\u{e9}am 05", ALL).await?.is_empty());
        assert!(scim_groups::list(&mut tx, other, None, ALL).await?.is_empty());
        assert_eq!(scim_groups::count(&mut tx, other, None).await?, 0);
        assert!(scim_groups::taken(&mut tx, other, &["t\u{e9}am 05".to_owned()]).await?.is_empty());
        drop(tx);

        let mut changing = change(&store, ws).await?;
        let renamed = ScimGroupRow { name: "Renamed".to_owned(), external_id: None, scim: None, ..given[3].clone() };
        scim_groups::update(&mut changing, ws, &renamed).await?;
        scim_groups::update(&mut changing, other, &ScimGroupRow { name: "stolen".to_owned(), ..given[4].clone() })
            .await?;
        scim_groups::set_updated(&mut changing, other, ids[4], at + Duration::from_secs(5)).await?;
        changing.touch(Touched::Group(ids[3]));
        commit(changing).await?;
        let mut tx = store.read().await?;
        assert_same(scim_groups::get(&mut tx, ws, ids[3]).await?, Some(renamed));
        assert_same(scim_groups::get(&mut tx, ws, ids[4]).await?, Some(given[4].clone()));
        drop(tx);

        let mut conflicting = change(&store, ws).await?;
        let refused = scim_groups::insert_many(&mut conflicting, ws, &[group(at, "RENAMED")]).await;
        assert!(matches!(&refused, Err(Error::Conflict(what)) if what.contains("name_key")), "{refused:?}");
        Ok(())
    });
}

#[test]
fn members_join_leave_and_are_replaced_many_at_a_time() {
    on_both(async |database| {
        let store = database.open().await?;
        let (ws, other) = (workspace(&store).await?, workspace(&store).await?);
        let members = add_users(&store, ws, 300).await?;
        let stranger = add_member(&store, other, "u1@example.com").await?.id;
        let at = store.clock().now();
        let (team, second) = (group(at, "Team"), group(at, "Second"));
        add_groups(&store, ws, &[team.clone(), second.clone()]).await?;

        let mut joining = change(&store, ws).await?;
        let everyone = [&members[..], &[stranger, MemberId::new(at)]].concat();
        let added = group_members::add_many(&mut joining, ws, team.id, &everyone[..200]).await?;
        assert_eq!(sorted(added), members[..200]);
        let added = group_members::add_many(&mut joining, ws, team.id, &everyone).await?;
        assert_eq!(sorted(added), members[200..], "who was in it, is a stranger or nobody, is not added");
        group_members::add_many(&mut joining, ws, second.id, &members[..1]).await?;
        // Another workspace's provider reaches neither the group nor its members.
        assert!(group_members::add_many(&mut joining, other, team.id, &[stranger]).await?.is_empty());
        assert!(group_members::remove_many(&mut joining, other, team.id, &members).await?.is_empty());
        assert!(group_members::remove_all(&mut joining, other, team.id).await?.is_empty());
        assert_eq!(group_members::replace(&mut joining, other, team.id, &[stranger]).await?, Replaced::default());
        members.iter().for_each(|id| joining.touch(Touched::Member(*id)));
        commit(joining).await?;

        let mut tx = store.read().await?;
        assert_eq!(group_members::count(&mut tx, ws, team.id).await?, 300);
        assert_eq!(group_members::count(&mut tx, other, team.id).await?, 0);
        let page = Page { after: Some(members[9].to_string()), limit: 2 };
        let listed = group_members::list(&mut tx, ws, team.id, &page).await?;
        assert_eq!(listed.iter().map(|member| member.id).collect::<Vec<_>>(), members[10..12]);
        let user = scim_users::get(&mut tx, ws, members[10]).await?.expect("it is there");
        let shown = GroupMember { id: members[10], user_name: user.user_name, name: user.member.name };
        assert_eq!(listed[0], shown);
        assert!(group_members::list(&mut tx, other, team.id, &EVERYTHING).await?.is_empty());
        let among = group_members::among(&mut tx, ws, second.id, &members[..5]).await?;
        assert_eq!(among, members[..1]);
        let groups = group_members::groups_of(&mut tx, ws, &members[..2]).await?;
        assert_eq!(groups[&members[0]].len(), 2);
        assert_eq!(groups[&members[1]], [(team.id, "Team".to_owned())]);
        assert!(group_members::groups_of(&mut tx, other, &members[..2]).await?.is_empty());
        drop(tx);

        let mut leaving = change(&store, ws).await?;
        let removed = group_members::remove_many(&mut leaving, ws, team.id, &[members[0], stranger]).await?;
        assert_eq!(removed, [members[0]]);
        let replaced = group_members::replace(&mut leaving, ws, team.id, &[members[0], members[1], stranger]).await?;
        assert_eq!(replaced.added, [members[0]]);
        assert_eq!(sorted(replaced.removed), members[2..]);
        let gone = group_members::remove_all(&mut leaving, ws, second.id).await?;
        assert_eq!(gone, [members[0]]);
        members.iter().for_each(|id| leaving.touch(Touched::Member(*id)));
        commit(leaving).await?;
        let fresh = database.open().await?;
        for node in [&store, &fresh] {
            let snapshot = node.workspace(ws).expect("it is there");
            let is_in: Vec<_> = members.iter().filter(|id| snapshot.members[*id].is_in(team.id)).copied().collect();
            assert_eq!(is_in, members[..2]);
            assert!(!snapshot.members[&members[0]].is_in(second.id));
        }
        Ok(())
    });
}

#[test]
fn a_membership_of_fifty_thousand_costs_no_more_than_one_of_nine() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let at = store.clock().now();
        let (large, small) = (group(at, "Large"), group(at, "Small"));
        add_groups(&store, ws, &[large.clone(), small.clone()]).await?;
        // Behind the store's back: it would be the same, and take a minute.
        let (large_id, small_id) = (large.id, small.id);
        database
            .tamper(format!(
                "WITH RECURSIVE n (i) AS (SELECT 100000 UNION ALL SELECT i + 1 FROM n WHERE i < 149999)
                 INSERT INTO members (id, workspace_id, email, email_key, name, active, builtin_role, created_at,
                    updated_at, user_name, user_key)
                 SELECT 'mem_01980000000070008000000000' || CAST(i AS TEXT), '{ws}', 'u' || CAST(i AS TEXT) || '@example.com',
                    'u' || CAST(i AS TEXT) || '@example.com', '', TRUE, 'member', 0, 0, 'u' || CAST(i AS TEXT),
                    'u' || CAST(i AS TEXT)
                 FROM n;
                 INSERT INTO group_members SELECT '{ws}', '{large_id}', id FROM members;
                 INSERT INTO group_members SELECT '{ws}', '{small_id}', id FROM members WHERE user_key < 'u100009';"
            ))
            .await;
        // Ten, not one: by so many keys a planner takes other ways.
        let mut last = Vec::new();
        for n in 0..10 {
            last.push(add_member(&store, ws, &format!("last{n}@example.com")).await?.id);
        }
        assert_eq!(group_members::count(&mut store.read().await?, ws, large.id).await?, 50_000);
        assert_eq!(group_members::count(&mut store.read().await?, ws, small.id).await?, 9);

        let mut times: [Vec<Duration>; 2] = Default::default();
        for _ in 0..15 {
            for (group, times) in [&large, &small].into_iter().zip(&mut times) {
                let start = Instant::now();
                let mut joining = change(&store, ws).await?;
                assert!(scim_groups::get(&mut joining, ws, group.id).await?.is_some());
                assert_eq!(group_members::add_many(&mut joining, ws, group.id, &last).await?.len(), 10);
                assert_eq!(group_members::remove_many(&mut joining, ws, group.id, &last).await?.len(), 10);
                last.iter().for_each(|id| joining.touch(Touched::Member(*id)));
                commit(joining).await?;
                times.push(start.elapsed());
            }
        }
        let [large_time, small_time] = times.map(|mut times| {
            times.sort();
            times[times.len() / 2]
        });
        // Counting fifty thousand would take many times as long; a busy machine is allowed its noise.
        assert!(large_time < small_time * 3, "{large_time:?} against {small_time:?}");

        let mut emptying = change(&store, ws).await?;
        assert_eq!(group_members::remove_all(&mut emptying, ws, large.id).await?.len(), 50_000);
        Ok(())
    });
}
