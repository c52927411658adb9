//! Access tokens and API keys.

use jiff::SignedDuration;
use provost_model::{AccessTokenId, ApiKeyId, ApiKeyStatus, Scope};
use provost_store::tables::access_tokens::AccessTokenRow;
use provost_store::tables::api_keys::{ApiKeyRow, Filter};
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
        let row = |member_id, name: &str| AccessTokenRow::new(AccessTokenId::new(at), member_id, name, at);
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
            last4: "wxyz".to_owned(),
            scopes: scopes.to_vec(),
            status,
            ..ApiKeyRow::new(ApiKeyId::new(at), name, at)
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
        assert_same(api_keys::list(&mut tx, ws, &Filter::default(), &EVERYTHING, at).await?, vec![used]);
        let revoked = api_keys::get(&mut tx, ws, rows[0].id).await?.expect("it is still shown");
        assert_eq!(revoked.revoked_at, Some(at));
        Ok(())
    });
}

#[test]
fn a_node_that_missed_a_rotation_forgets_every_secret_that_ended() {
    on_both(async |database| {
        let (store, late) = (database.open().await?, database.open().await?);
        let ws = workspace(&store).await?;
        let ada = add_member(&store, ws, "ada@example.com").await?;
        let mut adding = change(&store, ws).await?;
        let at = adding.at();
        let mut key = ApiKeyRow::new(ApiKeyId::new(at), "key", at);
        let mut token = AccessTokenRow::new(AccessTokenId::new(at), ada.id, "token", at);
        api_keys::insert(&mut adding, ws, &key, &[1; 32]).await?;
        access_tokens::insert(&mut adding, ws, &token, &[101; 32]).await?;
        adding.touch(Touched::ApiKey(key.id));
        adding.touch(Touched::AccessToken(token.id));
        commit(adding).await?;
        late.refresh().await?;
        for n in 2..=4 {
            let mut rotating = change(&store, ws).await?;
            let now = rotating.at();
            let until = now + SignedDuration::from_hours(1);
            api_keys::replace_secret(&mut rotating, ws, key.id, &[n; 32], until, now).await?;
            access_tokens::replace_secret(&mut rotating, ws, token.id, &[100 + n; 32], until, now).await?;
            (key.previous_expires_at, token.previous_expires_at) = (Some(until), Some(until));
            api_keys::update(&mut rotating, ws, &key).await?;
            access_tokens::update(&mut rotating, ws, &token).await?;
            rotating.touch(Touched::ApiKey(key.id));
            rotating.touch(Touched::AccessToken(token.id));
            commit(rotating).await?;
        }
        late.refresh().await?;
        for snapshot in [store.workspace(ws), late.workspace(ws), database.open().await?.workspace(ws)] {
            let snapshot = snapshot.expect("it is there");
            let mut keys: Vec<_> =
                snapshot.api_keys.iter().map(|(hash, key)| (hash[0], key.expires_at.is_some())).collect();
            let tokens = snapshot.access_tokens.iter();
            let mut tokens: Vec<_> = tokens.map(|(hash, token)| (hash[0], token.expires_at.is_some())).collect();
            keys.sort_unstable();
            tokens.sort_unstable();
            assert_eq!(keys, [(3, true), (4, false)]);
            assert_eq!(tokens, [(103, true), (104, false)]);
        }
        // Whose the first secret was is still known, here and nowhere else.
        let mut tx = store.read().await?;
        assert_eq!(api_keys::get_by_secret(&mut tx, ws, &[1; 32]).await?.map(|row| row.id), Some(key.id));
        assert_eq!(access_tokens::get_by_secret(&mut tx, ws, &[101; 32]).await?.map(|row| row.id), Some(token.id));
        let other = workspace(&store).await?;
        assert!(api_keys::get_by_secret(&mut tx, other, &[4; 32]).await?.is_none());
        assert!(access_tokens::get_by_secret(&mut tx, other, &[104; 32]).await?.is_none());
        Ok(())
    });
}
