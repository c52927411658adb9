//! Those who check access tokens do it without the database: the snapshot tells them which client
//! sessions have ended, for as long as a token of one may live.

use jiff::SignedDuration;
use provost_model::{Clock, GrantId};
use provost_store::Touched;
use provost_store::tables::grants::{self, ACCESS_TOKEN_LIFETIME, GrantRow};

use crate::acts::{add_member, change, commit, workspace};
use crate::database::on_both;

#[test]
fn an_ended_client_session_is_remembered_while_its_tokens_may_live() {
    on_both(async |database| {
        let clock = Clock::system();
        let store = database.open_at(&database.url(), clock.clone()).await?;
        let ws = workspace(&store).await?;
        let member = add_member(&store, ws, "ada@example.com").await?.id;
        let now = clock.now();
        let rows = [GrantId::new(now), GrantId::new(now)].map(|id| GrantRow {
            id,
            workspace_id: ws,
            member_id: member,
            client_id: "app_x".to_owned(),
            method: "browser".to_owned(),
            created_at: now,
            expires_at: now + SignedDuration::from_hours(24),
            revoked_at: None,
        });
        let mut tx = store.write().await?;
        for row in &rows {
            grants::insert(&mut tx, row).await?;
        }
        tx.commit().await?;
        assert!(store.workspace(ws).expect("it is there").revoked_grants.is_empty());

        let mut ending = change(&store, ws).await?;
        let at = ending.at();
        grants::revoke(&mut ending, ws, rows[0].id, at).await?;
        ending.touch(Touched::Grant(rows[0].id));
        commit(ending).await?;
        let fresh = database.open_at(&database.url(), clock.clone()).await?;
        for snapshot in [store.workspace(ws), fresh.workspace(ws)] {
            let revoked = snapshot.expect("it is there").revoked_grants.clone();
            assert_eq!(revoked.iter().collect::<Vec<_>>(), [(&rows[0].id, &(at + ACCESS_TOKEN_LIFETIME))]);
        }

        // Still remembered just before the last token dies, and forgotten with the first change after.
        clock.advance(ACCESS_TOKEN_LIFETIME - SignedDuration::from_mins(1));
        add_member(&store, ws, "eve@example.com").await?;
        assert!(store.workspace(ws).expect("it is there").revoked_grants.contains_key(&rows[0].id));
        clock.advance(SignedDuration::from_mins(2));
        add_member(&store, ws, "bob@example.com").await?;
        assert!(store.workspace(ws).expect("it is there").revoked_grants.is_empty());
        let fresh = database.open_at(&database.url(), clock.clone()).await?;
        assert!(fresh.workspace(ws).expect("it is there").revoked_grants.is_empty());
        Ok(())
    });
}
