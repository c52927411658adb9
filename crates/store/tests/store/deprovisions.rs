//! Receipts of who left, the nodes that sign them, and what ends with a member.

use jiff::SignedDuration;
use provost_model::event::{Actor, EventType, Origin};
use provost_model::{DeprovisionId, MemberId, NodeId, SessionId, SignInMethod};
use provost_store::Result;
use provost_store::tables::deprovisions::{self, DeprovisionRow};
use provost_store::tables::links::{self, LinkRow};
use provost_store::tables::sessions::{self, Limits, SessionRow};
use provost_store::tables::{Page, nodes};
use provost_store::trails;
use serde_json::json;

use crate::acts::{add_member, assert_same, change, commit, workspace};
use crate::database::on_both;

const EVERYTHING: Page = Page { after: None, limit: 100 };

#[test]
fn a_receipt_waits_for_the_nodes_that_ran_when_it_was_made() {
    on_both(async |database| {
        let store = database.open().await?;
        let (ws, theirs) = (workspace(&store).await?, workspace(&store).await?);
        let now = store.clock().now();
        let (first, second, late) = (NodeId::new(now), NodeId::new(now), NodeId::new(now));
        let mut tx = store.write().await?;
        nodes::note(&mut tx, first, now, now).await?;
        nodes::note(&mut tx, second, now, now).await?;
        tx.commit().await?;

        let mut making = change(&store, ws).await?;
        let version = making.version();
        let row = DeprovisionRow {
            id: DeprovisionId::new(now),
            member_id: MemberId::new(now),
            member_email: "ada@example.com".to_owned(),
            cause: "suspended".to_owned(),
            group_id: None,
            at: now,
            ended: json!({ "sessions": 1 }),
            items: json!([]),
        };
        deprovisions::insert(&mut making, ws, version, &row).await?;
        assert!(deprovisions::is_made(&mut making, ws, row.member_id, version).await?);
        assert!(!deprovisions::is_made(&mut making, ws, row.member_id, version + 1).await?);
        commit(making).await?;

        let mut tx = store.write().await?;
        nodes::note(&mut tx, late, now, now).await?;
        assert_same(deprovisions::get(&mut tx, ws, row.id).await?, Some(row.clone()));
        assert_same(deprovisions::list(&mut tx, ws, None, &EVERYTHING).await?, vec![row.clone()]);
        assert_same(deprovisions::list(&mut tx, ws, Some(row.member_id), &EVERYTHING).await?, vec![row.clone()]);
        assert_same(deprovisions::list(&mut tx, ws, Some(MemberId::new(now)), &EVERYTHING).await?, vec![]);
        // To another workspace it is not there.
        assert!(deprovisions::get(&mut tx, theirs, row.id).await?.is_none());
        assert!(deprovisions::list(&mut tx, theirs, None, &EVERYTHING).await?.is_empty());
        assert!(deprovisions::nodes(&mut tx, theirs, row.id, row.id).await?.is_empty());

        // Who came later has nothing to sign; who signs, signs once.
        assert!(deprovisions::pending(&mut tx, late).await?.is_empty());
        let pending = deprovisions::pending(&mut tx, first).await?;
        assert_eq!((pending.len(), pending[0].deprovision_id, pending[0].version), (1, row.id, version));
        let at = now + SignedDuration::from_millis(7);
        deprovisions::apply(&mut tx, row.id, first, at, 2).await?;
        deprovisions::apply(&mut tx, row.id, first, at + SignedDuration::from_secs(9), 0).await?;
        assert!(deprovisions::pending(&mut tx, first).await?.is_empty());
        // Who has stopped, or has not been heard of, runs no more.
        nodes::note(&mut tx, first, now, at).await?;
        nodes::delete_unseen(&mut tx, at, first).await?;
        let signed = deprovisions::nodes(&mut tx, ws, row.id, row.id).await?;
        let signed: Vec<_> = signed.iter().map(|n| (n.node_id, n.applied_at, n.streams_ended, n.runs)).collect();
        let mut wanted = vec![(first, Some(at), 2, true), (second, None, 0, false)];
        wanted.sort_by_key(|node| node.0);
        assert_eq!(signed, wanted);
        nodes::delete(&mut tx, first).await?;
        assert!(deprovisions::nodes(&mut tx, ws, row.id, row.id).await?.iter().all(|node| !node.runs));
        tx.commit().await
    });
}

#[test]
fn what_ends_with_a_member_is_theirs_alone() {
    on_both(async |database| {
        let store = database.open().await?;
        let (ws, theirs) = (workspace(&store).await?, workspace(&store).await?);
        let ada = add_member(&store, ws, "ada@example.com").await?.id;
        let eve = add_member(&store, ws, "eve@example.com").await?.id;
        let now = store.clock().now();
        let hour = SignedDuration::from_hours(1);
        let mut tx = store.write().await?;
        for (n, member, used) in [(1, ada, now), (2, ada, now - hour), (3, eve, now)] {
            let row = SessionRow {
                id: SessionId::new(now),
                workspace_id: ws,
                member_id: member,
                csrf_token: String::new(),
                proof: provost_model::Proof::by(SignInMethod::Password),
                ip: "192.0.2.1".to_owned(),
                user_agent: "a browser".to_owned(),
                created_at: now - hour,
                last_used_at: used,
                expires_at: now + hour,
            };
            sessions::insert(&mut tx, &[n; 32], &row).await?;
        }
        for (n, member, expires_at) in [(1, ada, now + hour), (2, ada, now - hour), (3, eve, now + hour)] {
            links::insert(&mut tx, &[n; 32], LinkRow { member: Some((ws, member)), expires_at }, now).await?;
        }
        let limits = Limits { began: now - hour - hour, used: now - SignedDuration::from_mins(30) };
        let any = sessions::list_any(&mut tx, ws, ada, limits, now, &EVERYTHING).await?;
        assert_eq!(any.len(), 1, "the other was not used for too long");
        let id: SessionId = any[0].id.parse().expect("a session's id");
        assert_eq!((any[0].kind.as_str(), any[0].ip.as_str()), ("console", "192.0.2.1"));
        assert!(sessions::list_any(&mut tx, theirs, ada, limits, now, &EVERYTHING).await?.is_empty());
        assert!(sessions::get_by_id(&mut tx, theirs, id).await?.is_none());
        sessions::delete_by_id(&mut tx, theirs, id).await?;
        assert!(sessions::get_by_id(&mut tx, ws, id).await?.is_some());
        // Another workspace ends nothing here.
        assert!(sessions::end_all(&mut tx, theirs, ada).await?.is_empty());
        assert_eq!(links::delete_all(&mut tx, theirs, ada, now).await?, 0);
        assert_eq!(sessions::delete_over(&mut tx, theirs, limits).await?, 0);
        assert_eq!(sessions::delete_over(&mut tx, ws, limits).await?, 1);
        assert_eq!(sessions::end_all(&mut tx, ws, ada).await?.len(), 1);
        assert_eq!(links::delete_all(&mut tx, ws, ada, now).await?, 1, "the other had expired");
        assert_eq!(sessions::end_all(&mut tx, ws, eve).await?.len(), 1);
        assert_eq!(links::delete_all(&mut tx, ws, eve, now).await?, 1);
        tx.commit().await
    });
}

#[test]
fn a_trail_is_one_member_s_newest_first() {
    on_both(async |database| {
        let store = database.open().await?;
        let (ws, theirs) = (workspace(&store).await?, workspace(&store).await?);
        let ada = add_member(&store, ws, "ada@example.com").await?;
        let eve = add_member(&store, ws, "eve@example.com").await?;
        let by = |member: &provost_store::tables::members::MemberRow| Actor::member(member.id, &member.email);
        let said = [
            (EventType::SignInSucceeded, by(&ada)),
            (EventType::TurnCompleted, by(&ada)),
            (EventType::SignInFailed, Actor::anonymous(Some("ADA@example.com".to_owned()))),
            (EventType::SignInFailed, Actor::anonymous(Some("eve@example.com".to_owned()))),
            (EventType::SignInSucceeded, by(&eve)),
            (EventType::TokenReuseDetected, by(&ada)),
        ];
        for (kind, actor) in said {
            store.record(ws, kind, actor, Origin::default(), None, json!({}));
        }
        assert!(store.flush(std::time::Duration::from_secs(10)).await);
        let mut tx = store.read().await?;
        let mut trail = async |ws, before, limit| -> Result<Vec<(EventType, i64)>> {
            let events = trails::sign_ins(&mut tx, ws, ada.id, ada.email.as_str(), before, limit).await?;
            Ok(events.into_iter().map(|event| (event.kind, event.seq)).collect())
        };
        let whole = trail(ws, i64::MAX, 10).await?;
        let kinds: Vec<_> = whole.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [EventType::TokenReuseDetected, EventType::SignInFailed, EventType::SignInSucceeded]);
        assert_eq!(trail(ws, i64::MAX, 1).await?, whole[..1]);
        assert_eq!(trail(ws, whole[0].1, 10).await?, whole[1..]);
        assert!(trail(theirs, i64::MAX, 10).await?.is_empty());
        assert_eq!(trails::alerts(&mut tx, ws, i64::MAX, 10).await?.len(), 1);
        assert!(trails::alerts(&mut tx, ws, whole[0].1, 10).await?.is_empty());
        assert!(trails::alerts(&mut tx, theirs, i64::MAX, 10).await?.is_empty());
        Ok(())
    });
}
