//! Sign-ins through SAML: requests that wait for their answer, assertions that were taken.

use jiff::SignedDuration;
use provost_model::{ConnectionId, WorkspaceId};
use provost_store::tables::saml_assertions;
use provost_store::tables::saml_requests::{self, SamlRequestRow};

use crate::acts::workspace;
use crate::database::on_both;

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

#[test]
fn a_request_is_answered_once_through_its_connection_by_its_browser() {
    on_both(async |database| {
        let store = database.open().await?;
        let now = store.clock().now();
        let (ws, connection) = (workspace(&store).await?, ConnectionId::new(now));
        let row = SamlRequestRow {
            workspace_id: ws,
            connection_id: connection,
            request_id: "_1".to_owned(),
            browser: [7; 32],
            next: "/codex/device".to_owned(),
            expires_at: now + MINUTE,
        };
        let mut tx = store.write().await?;
        saml_requests::insert(&mut tx, &[1; 32], &row, now).await?;
        for (ws, connection, hash, browser, at) in [
            (WorkspaceId::new(now), connection, [1; 32], [7; 32], now),
            (ws, ConnectionId::new(now), [1; 32], [7; 32], now),
            (ws, connection, [2; 32], [7; 32], now),
            (ws, connection, [1; 32], [8; 32], now),
            (ws, connection, [1; 32], [7; 32], now + MINUTE),
        ] {
            assert_eq!(saml_requests::take(&mut tx, ws, connection, &hash, &browser, at).await?, None);
        }
        assert_eq!(saml_requests::take(&mut tx, ws, connection, &[1; 32], &[7; 32], now).await?, Some(row.clone()));
        assert_eq!(saml_requests::take(&mut tx, ws, connection, &[1; 32], &[7; 32], now).await?, None, "once");
        saml_requests::insert(&mut tx, &[1; 32], &row, now).await?;
        assert_eq!(saml_requests::delete_expired(&mut tx, now).await?, 0);
        assert_eq!(saml_requests::delete_expired(&mut tx, now + MINUTE).await?, 1);
        tx.commit().await
    });
}

#[test]
fn an_assertion_is_taken_once_in_each_connection() {
    on_both(async |database| {
        let store = database.open().await?;
        let now = store.clock().now();
        let (ws, connection, other) = (workspace(&store).await?, ConnectionId::new(now), ConnectionId::new(now));
        let mut tx = store.write().await?;
        assert!(saml_assertions::take(&mut tx, ws, connection, "_a", now + MINUTE).await?);
        assert!(!saml_assertions::take(&mut tx, ws, connection, "_a", now + MINUTE).await?);
        assert!(saml_assertions::take(&mut tx, ws, other, "_a", now + MINUTE).await?, "another provider's is another");
        tx.commit().await?;
        // Another node sees what this one took.
        let second = database.open().await?;
        let mut tx = second.write().await?;
        assert!(!saml_assertions::take(&mut tx, ws, connection, "_a", now + MINUTE).await?);
        assert_eq!(saml_assertions::delete_expired(&mut tx, now).await?, 0);
        assert_eq!(saml_assertions::delete_expired(&mut tx, now + MINUTE).await?, 2);
        assert!(saml_assertions::take(&mut tx, ws, connection, "_a", now + MINUTE).await?);
        tx.commit().await
    });
}
