//! What a sign-in leaves behind: sessions, links, codes, client sessions, keys. Each works once, or
//! until it ends.

use jiff::SignedDuration;
use provost_model::{DeviceLoginId, GrantId, SessionId, WorkspaceId};
use provost_store::tables::authorization_codes::{self, CodeRow};
use provost_store::tables::device_logins::{self, DeviceLoginRow, DeviceLoginState};
use provost_store::tables::grants::{self, GrantRow};
use provost_store::tables::idempotency_keys::{self, Slot};
use provost_store::tables::links::{self, LinkRow};
use provost_store::tables::sessions::{self, SessionRow};
use provost_store::tables::signing_keys::{self, SigningKeyRow};
use provost_store::{Error, Result, Store};

use crate::acts::{add_member, assert_same, session, workspace};
use crate::database::on_both;

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

async fn somebody(store: &Store) -> Result<(WorkspaceId, provost_model::MemberId)> {
    let ws = workspace(store).await?;
    Ok((ws, add_member(store, ws, "ada@example.com").await?.id))
}

#[test]
fn a_session() {
    on_both(async |database| {
        let store = database.open().await?;
        let (ws, member) = somebody(&store).await?;
        let now = store.clock().now();
        let session = session(ws, member, now);
        let mut tx = store.write().await?;
        sessions::insert(&mut tx, &[1; 32], &session).await?;
        for n in 2..=4 {
            sessions::insert(&mut tx, &[n; 32], &SessionRow { id: SessionId::new(now), ..session.clone() }).await?;
        }
        assert_same(sessions::get(&mut tx, &[1; 32]).await?, Some(session.clone()));
        assert_same(sessions::get(&mut tx, &[9; 32]).await?, None);
        sessions::set_last_used(&mut tx, &[1; 32], now + MINUTE).await?;
        assert_same(
            sessions::get(&mut tx, &[1; 32]).await?,
            Some(SessionRow { last_used_at: now + MINUTE, ..session }),
        );
        sessions::delete(&mut tx, &[1; 32]).await?;
        assert_same(sessions::get(&mut tx, &[1; 32]).await?, None);
        assert_eq!(sessions::delete_expired(&mut tx, now).await?, 0);
        assert_eq!(sessions::end_all(&mut tx, ws, member).await?.len(), 3);
        tx.commit().await
    });
}

#[test]
fn a_link() {
    on_both(async |database| {
        let store = database.open().await?;
        let (ws, member) = somebody(&store).await?;
        let now = store.clock().now();
        let expires_at = now + MINUTE;
        let (invitation, setup) =
            (LinkRow { member: Some((ws, member)), expires_at }, LinkRow { member: None, expires_at });
        let mut tx = store.write().await?;
        links::insert(&mut tx, &[1; 32], invitation, now).await?;
        links::insert(&mut tx, &[2; 32], setup, now).await?;
        assert_eq!(links::get(&mut tx, &[1; 32], now).await?, Some(invitation));
        assert_eq!(links::get(&mut tx, &[2; 32], now).await?, Some(setup));
        assert_eq!(links::get(&mut tx, &[1; 32], expires_at).await?, None, "it has expired");
        assert!(links::consume(&mut tx, &[1; 32]).await?);
        assert!(!links::consume(&mut tx, &[1; 32]).await?, "it works once");
        assert_eq!(links::delete_setup_links(&mut tx).await?, 1);
        assert_eq!(links::get(&mut tx, &[2; 32], now).await?, None);
        tx.commit().await
    });
}

#[test]
fn an_authorization_code() {
    on_both(async |database| {
        let store = database.open().await?;
        let (ws, member) = somebody(&store).await?;
        let now = store.clock().now();
        let code = CodeRow {
            workspace_id: ws,
            member_id: member,
            client_id: "app_x".to_owned(),
            redirect_uri: "http://localhost:1455/auth/callback".to_owned(),
            code_challenge: "challenge".to_owned(),
            method: "browser".to_owned(),
            expires_at: now + MINUTE,
            grant_id: None,
        };
        let (first, second) = (GrantId::new(now), GrantId::new(now));
        let mut tx = store.write().await?;
        authorization_codes::insert(&mut tx, &[1; 32], &code, now).await?;
        assert_same(authorization_codes::get(&mut tx, &[1; 32]).await?, Some(code.clone()));
        assert!(authorization_codes::consume(&mut tx, &[1; 32], first).await?);
        assert!(!authorization_codes::consume(&mut tx, &[1; 32], second).await?, "it works once");
        // A second exchange must find what the first one made.
        let used = CodeRow { grant_id: Some(first), ..code };
        assert_same(authorization_codes::get(&mut tx, &[1; 32]).await?, Some(used));
        assert_eq!(authorization_codes::delete_expired(&mut tx, now).await?, 0);
        assert_eq!(authorization_codes::delete_expired(&mut tx, now + MINUTE + MINUTE).await?, 1);
        tx.commit().await
    });
}

#[test]
fn a_device_login() {
    on_both(async |database| {
        let store = database.open().await?;
        let (ws, member) = somebody(&store).await?;
        let now = store.clock().now();
        let login = |user_code: &str| DeviceLoginRow {
            id: DeviceLoginId::new(now),
            user_code: user_code.to_owned(),
            client_id: "app_x".to_owned(),
            user_agent: "codex_cli_rs/0.169.0".to_owned(),
            ip: "2001:db8::1".to_owned(),
            state: DeviceLoginState::Pending,
            member: None,
            expires_at: now + MINUTE,
        };
        let (yes, no) = (login("ABCD-1234"), login("EFGH-5678"));
        let mut tx = store.write().await?;
        for row in [&yes, &no] {
            device_logins::insert(&mut tx, row, now).await?;
        }
        assert_eq!(device_logins::count(&mut tx, now).await?.values().sum::<i64>(), 2);
        assert_same(device_logins::get(&mut tx, yes.id, now).await?, Some(yes.clone()));
        assert_same(device_logins::get_by_user_code(&mut tx, "ABCD-1234", now).await?, Some(yes.clone()));
        assert_same(device_logins::get(&mut tx, yes.id, now + MINUTE).await?, None);
        assert_same(device_logins::get_by_user_code(&mut tx, "ABCD-1234", now + MINUTE).await?, None);
        assert!(!device_logins::consume(&mut tx, yes.id).await?, "nobody has decided");

        let who = (ws, member);
        assert!(device_logins::decide(&mut tx, yes.id, DeviceLoginState::Approved, who).await?);
        assert!(!device_logins::decide(&mut tx, yes.id, DeviceLoginState::Denied, who).await?, "it is decided");
        assert!(device_logins::decide(&mut tx, no.id, DeviceLoginState::Denied, who).await?);
        let approved = DeviceLoginRow { state: DeviceLoginState::Approved, member: Some(who), ..yes.clone() };
        assert_same(device_logins::get(&mut tx, yes.id, now).await?, Some(approved));
        assert_eq!(device_logins::count(&mut tx, now).await?.len(), 0, "none waits");
        assert!(device_logins::consume(&mut tx, yes.id).await?);
        assert!(!device_logins::consume(&mut tx, yes.id).await?, "it works once");
        tx.commit().await?;

        let mut tx = store.write().await?;
        let twin = device_logins::insert(&mut tx, &login("ABCD-1234"), now).await;
        assert!(matches!(twin, Err(Error::Conflict(_))), "{twin:?}");
        drop(tx);
        let mut tx = store.write().await?;
        assert_eq!(device_logins::delete_expired(&mut tx, now).await?, 0);
        assert_eq!(device_logins::delete_expired(&mut tx, now + MINUTE + MINUTE).await?, 2);
        tx.commit().await
    });
}

#[test]
fn a_client_session_and_its_refresh_tokens() {
    on_both(async |database| {
        let store = database.open().await?;
        let (ws, member) = somebody(&store).await?;
        let now = store.clock().now();
        let grant = |method: &str| GrantRow {
            id: GrantId::new(now),
            workspace_id: ws,
            member_id: member,
            client_id: "app_x".to_owned(),
            method: method.to_owned(),
            created_at: now,
            expires_at: now + MINUTE,
            revoked_at: None,
        };
        let rows = [grant("browser"), grant("device_code")];
        let mut tx = store.write().await?;
        for (n, row) in (1..).zip(&rows) {
            grants::insert(&mut tx, row).await?;
            grants::insert_refresh_token(&mut tx, row.id, &[n; 32], now).await?;
        }
        let found = grants::get_refresh_token(&mut tx, &[1; 32]).await?.expect("it is there");
        assert_same(&found.grant, &rows[0]);
        assert_eq!(found.replaced_at, None);
        assert!(grants::get_refresh_token(&mut tx, &[9; 32]).await?.is_none());
        grants::replace_refresh_token(&mut tx, &[1; 32], now).await?;
        grants::replace_refresh_token(&mut tx, &[1; 32], now + MINUTE).await?;
        let found = grants::get_refresh_token(&mut tx, &[1; 32]).await?.expect("it is there");
        assert_eq!(found.replaced_at, Some(now), "the first time counts");

        assert!(grants::revoke(&mut tx, ws, rows[0].id, now).await?);
        assert!(!grants::revoke(&mut tx, ws, rows[0].id, now + MINUTE).await?, "it is revoked");
        let ended = GrantRow { revoked_at: Some(now), ..rows[1].clone() };
        assert_same(grants::end_all(&mut tx, ws, member, now).await?, vec![ended]);
        let found = grants::get_refresh_token(&mut tx, &[1; 32]).await?.expect("it is there");
        assert_eq!(found.grant.revoked_at, Some(now));
        assert_eq!(grants::delete_ended(&mut tx, now).await?, 0);
        assert_eq!(grants::delete_ended(&mut tx, now + MINUTE).await?, 2);
        assert!(grants::get_refresh_token(&mut tx, &[1; 32]).await?.is_none(), "it goes with its session");
        tx.commit().await
    });
}

#[test]
fn a_signing_key() {
    on_both(async |database| {
        let store = database.open().await?;
        let now = store.clock().now();
        let key = |kid: &str, age: SignedDuration| SigningKeyRow {
            kid: kid.to_owned(),
            sealed: vec![0, 255, 7],
            public_jwk: "{\"kty\":\"EC\"}".to_owned(),
            created_at: now - age,
            retires_at: now + MINUTE - age,
        };
        let rows = [key("new", SignedDuration::ZERO), key("old", MINUTE / 2), key("retired", MINUTE)];
        let mut tx = store.write().await?;
        for row in rows.iter().rev() {
            signing_keys::insert(&mut tx, row).await?;
        }
        assert_same(signing_keys::list(&mut tx, now).await?, rows[..2].to_vec());
        assert_eq!(signing_keys::delete_retired(&mut tx, now).await?, 1);
        assert_same(signing_keys::list(&mut tx, now - MINUTE).await?, rows[..2].to_vec());
        tx.commit().await
    });
}

#[test]
fn an_answer_kept_for_a_repeated_request() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let now = store.clock().now();
        let slot = Slot { workspace_id: ws, caller: "key_x".to_owned(), key: "k".to_owned() };
        let mut tx = store.write().await?;
        assert!(idempotency_keys::claim(&mut tx, &slot, b"print", now).await?.is_none(), "it was free");
        let kept = idempotency_keys::claim(&mut tx, &slot, b"other", now).await?.expect("it is taken");
        assert_eq!((kept.fingerprint.as_slice(), kept.answer), (b"print".as_slice(), None));
        idempotency_keys::keep(&mut tx, &slot, 201, vec![0, 1, 255]).await?;
        let kept = idempotency_keys::claim(&mut tx, &slot, b"print", now).await?.expect("it is taken");
        assert_eq!(kept.answer, Some((201, vec![0, 1, 255])));
        let elsewhere = Slot { caller: "key_y".to_owned(), ..slot.clone() };
        assert!(idempotency_keys::claim(&mut tx, &elsewhere, b"print", now).await?.is_none(), "another caller's own");
        idempotency_keys::release(&mut tx, &slot).await?;
        assert!(idempotency_keys::claim(&mut tx, &slot, b"print", now).await?.is_none(), "it is free again");
        assert_eq!(idempotency_keys::delete_older(&mut tx, now).await?, 0);
        assert_eq!(idempotency_keys::delete_older(&mut tx, now + MINUTE).await?, 2);
        tx.commit().await
    });
}
