//! Access tokens and API keys.

use jiff::SignedDuration;
use provost_model::{AccessTokenId, ApiKeyId, ApiKeyStatus, Scope};
use provost_store::tables::access_tokens::AccessTokenRow;
use provost_store::tables::api_keys::ApiKeyRow;
use provost_store::tables::{access_tokens, api_keys};
use provost_store::{Error, Touched};

use crate::acts::{EVERYTHING, add_member, assert_same, change, commit, workspace};
use crate::database::on_both;

#[test]
fn an_access_token_works_until_it_is_revoked() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let (ada, eve) =
            (add_member(&store, ws, "ada@example.com").await?, add_member(&store, ws, "eve@example.com").await?);
        let mut adding = change(&store, ws).await?;
        let at = adding.at();
        let row = |member_id, name: &str| AccessTokenRow {
            id: AccessTokenId::new(at),
            member_id,
            name: name.to_owned(),
            created_at: at,
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
        };
        let expiring = AccessTokenRow { expires_at: Some(at + SignedDuration::from_hours(1)), ..row(ada.id, "one") };
        let rows = [expiring, row(ada.id, "two"), row(eve.id, "three")];
        for (n, row) in (1..).zip(&rows) {
            access_tokens::insert(&mut adding, ws, row, &[n; 32]).await?;
            adding.touch(Touched::AccessToken(row.id));
        }
        commit(adding).await?;
        for (n, row) in (1..).zip(&rows) {
            let token = store.workspace(ws).expect("it is there").access_tokens[&[n; 32]].clone();
            assert_eq!((token.id, token.member_id, token.expires_at), (row.id, row.member_id, row.expires_at));
        }
        // Two tokens of one secret cannot be.
        let mut again = change(&store, ws).await?;
        let twin = access_tokens::insert(&mut again, ws, &row(eve.id, "twin"), &[1; 32]).await;
        assert!(matches!(twin, Err(Error::Conflict(_))), "{twin:?}");
        drop(again);

        let mut tx = store.write().await?;
        access_tokens::set_last_used(&mut tx, ws, rows[2].id, at).await?;
        tx.commit().await?;
        let mut revoking = change(&store, ws).await?;
        access_tokens::revoke(&mut revoking, ws, rows[0].id, at).await?;
        // It was revoked then, and stays revoked then.
        access_tokens::revoke(&mut revoking, ws, rows[0].id, at + SignedDuration::from_hours(1)).await?;
        revoking.touch(Touched::AccessToken(rows[0].id));
        let ended = AccessTokenRow { revoked_at: Some(at), ..rows[1].clone() };
        assert_same(access_tokens::end_all(&mut revoking, ws, ada.id, at).await?, vec![ended]);
        revoking.touch(Touched::AccessToken(rows[1].id));
        commit(revoking).await?;

        for snapshot in [store.workspace(ws), database.open().await?.workspace(ws)] {
            let snapshot = snapshot.expect("it is there");
            assert_eq!(snapshot.access_tokens.keys().collect::<Vec<_>>(), [&[3; 32]]);
        }
        let mut tx = store.read().await?;
        let used = AccessTokenRow { last_used_at: Some(at), ..rows[2].clone() };
        let revoked = AccessTokenRow { revoked_at: Some(at), ..rows[0].clone() };
        assert_same(access_tokens::get(&mut tx, ws, revoked.id).await?, Some(revoked));
        assert_same(access_tokens::list(&mut tx, ws, None, &EVERYTHING).await?, vec![used.clone()]);
        assert_same(access_tokens::list(&mut tx, ws, Some(eve.id), &EVERYTHING).await?, vec![used]);
        assert_same(access_tokens::list(&mut tx, ws, Some(ada.id), &EVERYTHING).await?, vec![]);
        Ok(())
    });
}

#[test]
fn an_api_key_works_until_it_is_revoked() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let mut adding = change(&store, ws).await?;
        let at = adding.at();
        let row = |name: &str, scopes: &[Scope], status| ApiKeyRow {
            id: ApiKeyId::new(at),
            name: name.to_owned(),
            last4: "wxyz".to_owned(),
            scopes: scopes.to_vec(),
            status,
            created_by: None,
            created_at: at,
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
        };
        let rows = [
            ApiKeyRow { created_by: Some("mem_x".to_owned()), ..row("all", &Scope::ALL, ApiKeyStatus::Active) },
            ApiKeyRow { expires_at: Some(at), ..row("none", &[], ApiKeyStatus::PendingApproval) },
        ];
        for (n, row) in (1..).zip(&rows) {
            api_keys::insert(&mut adding, ws, row, &[n; 32]).await?;
            adding.touch(Touched::ApiKey(row.id));
        }
        commit(adding).await?;
        for (n, row) in (1..).zip(&rows) {
            let key = store.workspace(ws).expect("it is there").api_keys[&[n; 32]].clone();
            assert_eq!((key.id, &*key.name, &*key.scopes), (row.id, &*row.name, &*row.scopes));
            assert_eq!((key.status, key.expires_at), (row.status, row.expires_at));
            assert_same(api_keys::get(&mut store.read().await?, ws, row.id).await?, Some(row.clone()));
        }
        let mut tx = store.write().await?;
        api_keys::set_last_used(&mut tx, ws, rows[1].id, at).await?;
        tx.commit().await?;
        let mut revoking = change(&store, ws).await?;
        api_keys::revoke(&mut revoking, ws, rows[0].id, at).await?;
        revoking.touch(Touched::ApiKey(rows[0].id));
        commit(revoking).await?;
        for snapshot in [store.workspace(ws), database.open().await?.workspace(ws)] {
            assert_eq!(snapshot.expect("it is there").api_keys.keys().collect::<Vec<_>>(), [&[2; 32]]);
        }
        let mut tx = store.read().await?;
        let used = ApiKeyRow { last_used_at: Some(at), ..rows[1].clone() };
        assert_same(api_keys::list(&mut tx, ws, &EVERYTHING).await?, vec![used]);
        let revoked = api_keys::get(&mut tx, ws, rows[0].id).await?.expect("it is still shown");
        assert_eq!(revoked.revoked_at, Some(at));
        Ok(())
    });
}
