//! Members as an identity provider sees them.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use provost_model::{BuiltinRole, MemberId, WorkspaceId, name_key};
use provost_store::tables::Offset;
use provost_store::tables::members::{self, MemberRow};
use provost_store::tables::scim_users::{self, ScimUserRow, Taken};
use provost_store::{Error, Result, Store, Touched};

use crate::acts::{add_member, assert_same, change, commit, email, member, workspace};
use crate::database::on_both;

const ALL: Offset = Offset { skip: 0, limit: 1_000 };

fn user(at: Timestamp, user_name: &str, address: &str) -> ScimUserRow {
    ScimUserRow {
        member: MemberRow { name: format!("{user_name} \u{1f980}"), ..member(at, address) },
        user_name: user_name.to_owned(),
        external_id: Some(format!("00u-{user_name}")),
        scim: Some(format!(r#"{{"userName":"{user_name}","title":"O'Brien \u0000"}}"#)),
    }
}

async fn add(store: &Store, ws: WorkspaceId, users: &[ScimUserRow]) -> Result<()> {
    let mut adding = change(store, ws).await?;
    scim_users::insert_many(&mut adding, ws, users).await?;
    users.iter().for_each(|user| adding.touch(Touched::Member(user.member.id)));
    commit(adding).await
}

#[test]
fn users_come_back_as_they_were_given() {
    on_both(async |database| {
        let store = database.open().await?;
        let (ws, other) = (workspace(&store).await?, workspace(&store).await?);
        let at = store.clock().now();
        let mut given: Vec<_> =
            (0..600).map(|n| user(at, &format!("Us\u{e9}r {n}"), &format!("u{n}@example.com"))).collect();
        given[7].external_id = None;
        given[8].member.active = false;
        add(&store, ws, &given).await?;
        // The snapshot and a node that starts now know the same six hundred.
        let fresh = database.open().await?;
        for node in [&store, &fresh] {
            let snapshot = node.workspace(ws).expect("it is there");
            assert_eq!(snapshot.members.len(), 600);
            assert!(!snapshot.members[&given[8].member.id].active);
        }

        let mut tx = store.read().await?;
        let ids: Vec<_> = given.iter().map(|user| user.member.id).collect();
        let found = scim_users::get_many(&mut tx, ws, &ids).await?;
        assert_eq!(found.len(), 600);
        given.iter().for_each(|user| assert_same(&found[&user.member.id], user));
        assert_same(scim_users::get(&mut tx, ws, ids[7]).await?, Some(given[7].clone()));
        let by_name = scim_users::get_by_user_name(&mut tx, ws, "USE\u{301}R 9").await?;
        assert_same(by_name, Some(given[9].clone()));
        let by_email = scim_users::get_by_email(&mut tx, ws, &email("U9@Example.com")).await?;
        assert_same(by_email, Some(given[9].clone()));
        let by_external = scim_users::get_by_external_id(&mut tx, ws, "00u-Us\u{e9}r 9", ALL).await?;
        assert_same(by_external, vec![given[9].clone()]);
        assert_eq!(scim_users::count_by_external_id(&mut tx, ws, "00u-Us\u{e9}r 9").await?, 1);
        assert_eq!(scim_users::count_by_external_id(&mut tx, ws, "00U-Us\u{e9}r 9").await?, 0, "it is case-exact");
        assert_eq!(scim_users::user_names(&mut tx, ws, &ids[..3]).await?[&ids[2]], "Us\u{e9}r 2");

        assert_eq!(scim_users::count(&mut tx, ws).await?, 600);
        let page = scim_users::list(&mut tx, ws, Offset { skip: 590, limit: 100 }).await?;
        let mut sorted = ids.clone();
        sorted.sort_by_key(MemberId::to_string);
        assert_eq!(page.iter().map(|user| user.member.id).collect::<Vec<_>>(), sorted[590..]);

        // Nothing of it shows in another workspace.
        assert_eq!(scim_users::count(&mut tx, other).await?, 0);
        assert!(scim_users::list(&mut tx, other, ALL).await?.is_empty());
        assert!(scim_users::get(&mut tx, other, ids[0]).await?.is_none());
        assert!(scim_users::get_many(&mut tx, other, &ids).await?.is_empty());
        assert!(scim_users::user_names(&mut tx, other, &ids).await?.is_empty());
        assert!(scim_users::get_by_user_name(&mut tx, other, "us\u{e9}r 9").await?.is_none());
        assert!(scim_users::get_by_email(&mut tx, other, &email("u9@example.com")).await?.is_none());
        assert!(scim_users::get_by_external_id(&mut tx, other, "00u-Us\u{e9}r 9", ALL).await?.is_empty());
        assert_eq!(scim_users::count_by_external_id(&mut tx, other, "00u-Us\u{e9}r 9").await?, 0);
        let keys = ["us\u{e9}r 9".to_owned()];
        assert_eq!(scim_users::taken(&mut tx, other, &keys, &["u9@example.com".to_owned()]).await?, Taken::default());
        drop(tx);
        let mut theirs = change(&store, other).await?;
        let stolen = ScimUserRow { user_name: "stolen".to_owned(), ..given[0].clone() };
        scim_users::update(&mut theirs, other, &stolen).await?;
        commit(theirs).await?;
        assert_same(scim_users::get(&mut store.read().await?, ws, ids[0]).await?, Some(given[0].clone()));
        Ok(())
    });
}

#[test]
fn user_names_that_read_the_same_are_one() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let at = store.clock().now();
        let zoe = user(at, "Zo\u{eb}", "zoe@example.com");
        add(&store, ws, &[zoe.clone(), user(at, "ada", "ada@example.com")]).await?;
        for (n, same) in ["zoe\u{308}", "ZO\u{cb}", " zo\u{eb} ", "\u{ff3a}o\u{eb}"].into_iter().enumerate() {
            let mut adding = change(&store, ws).await?;
            let keys = [name_key(same), "nobody".to_owned()];
            let taken = scim_users::taken(&mut adding, ws, &keys, &["ZOE@example.com".to_lowercase()]).await?;
            assert_eq!(taken.user_names, HashMap::from([(keys[0].clone(), zoe.member.id)]));
            assert_eq!(taken.emails, HashMap::from([("zoe@example.com".to_owned(), zoe.member.id)]));
            // A whole batch is refused with its bad row.
            let batch =
                [user(at, &format!("good {n}"), &format!("good{n}@example.com")), user(at, same, "z@example.com")];
            let refused = scim_users::insert_many(&mut adding, ws, &batch).await;
            assert!(matches!(&refused, Err(Error::Conflict(what)) if what.contains("user_key")), "{refused:?}");
        }
        // In another workspace the name is free.
        let other = workspace(&store).await?;
        add(&store, other, &[user(at, "ZO\u{cb}", "zoe@example.com")]).await?;
        assert_eq!(scim_users::count(&mut store.read().await?, ws).await?, 2);
        Ok(())
    });
}

#[test]
fn a_member_made_by_hand_goes_by_its_address_until_a_provider_names_it() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let by_hand = add_member(&store, ws, "Eve@example.com").await?;
        let found = scim_users::get_by_user_name(&mut store.read().await?, ws, "eve@EXAMPLE.com").await?;
        let found = found.expect("it is there");
        assert_eq!((found.user_name.as_str(), &found.external_id, &found.scim), ("Eve@example.com", &None, &None));

        // Its user name follows its address.
        let mut moving = change(&store, ws).await?;
        let at = moving.at();
        members::update(&mut moving, ws, &MemberRow { email: email("eve@new.example"), ..by_hand.clone() }).await?;
        commit(moving).await?;
        let mut tx = store.read().await?;
        assert!(scim_users::get_by_user_name(&mut tx, ws, "eve@example.com").await?.is_none());
        let mut taken = scim_users::get_by_user_name(&mut tx, ws, "eve@new.example").await?.expect("it is there");
        drop(tx);

        // The provider takes it over: its name stays when an admin changes the address.
        taken.user_name = "EVE".to_owned();
        taken.external_id = Some("00u1".to_owned());
        taken.scim = Some("{}".to_owned());
        taken.member.builtin_role = BuiltinRole::Admin;
        taken.member.updated_at = at + SignedDuration::from_secs(1);
        let mut changing = change(&store, ws).await?;
        scim_users::update(&mut changing, ws, &taken).await?;
        let moved = MemberRow { email: email("eve@third.example"), ..taken.member.clone() };
        members::update(&mut changing, ws, &moved).await?;
        changing.touch(Touched::Member(taken.member.id));
        commit(changing).await?;
        let expected = ScimUserRow { member: moved, ..taken };
        assert_same(scim_users::get_by_user_name(&mut store.read().await?, ws, "eve").await?, Some(expected));
        let snapshot = store.workspace(ws).expect("it is there");
        assert_eq!(snapshot.members[&by_hand.id].email.as_str(), "eve@third.example");
        Ok(())
    });
}
