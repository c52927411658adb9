use jiff::Timestamp;
use provost_model::event::{Actor, EventType, Origin, Target};
use provost_model::{ApiKeyId, BuiltinRole, MemberId, WorkloadIdentityId, WorkspaceId};
use provost_store::tables::api_keys::ApiKeyRow;
use provost_store::tables::members::MemberRow;
use provost_store::tables::workload_identities::WorkloadIdentityRow;
use provost_store::tables::{api_keys, members, workload_identities};
use provost_store::{Error, Store};
use serde_json::json;

use crate::acts::{change, commit, member, workspace};
use crate::database::{Database, on_both};

async fn refusal(database: &Database) -> String {
    match database.open().await {
        Err(Error::Migration(message)) => message,
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("it opened"),
    }
}

#[test]
fn a_second_start_finds_everything_as_it_was() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        store.close(std::time::Duration::from_secs(5)).await;
        let store = database.open().await?;
        assert_eq!(store.workspace(ws).expect("it is there").settings.name, "Acme");
        Ok(())
    });
}

#[test]
fn nodes_that_start_at_once_migrate_once() {
    on_both(async |database| {
        let open = || database.open();
        let (a, b, c, d) = tokio::join!(open(), open(), open(), open());
        let stores: Vec<Store> = vec![a?, b?, c?, d?];
        let ws = workspace(&stores[0]).await?;
        for store in &stores {
            store.refresh().await?;
            assert!(store.workspace(ws).is_some());
        }
        Ok(())
    });
}

#[test]
fn an_edited_migration_is_refused_by_name() {
    on_both(async |database| {
        drop(database.open().await?);
        database.tamper("UPDATE migrations SET checksum = checksum || checksum").await;
        assert_eq!(
            refusal(database).await,
            "migration 0001_first in this database differs from the one in this Provost"
        );
        Ok(())
    });
}

#[test]
fn a_migration_of_a_newer_provost_is_refused_by_name() {
    on_both(async |database| {
        drop(database.open().await?);
        let from_the_future =
            "INSERT INTO migrations SELECT '9999_future', checksum, done_at FROM migrations WHERE name = '0001_first'";
        database.tamper(from_the_future).await;
        assert_eq!(
            refusal(database).await,
            "the database has migration 9999_future, which this Provost does not know: it was written by a newer one"
        );
        Ok(())
    });
}

#[test]
fn an_url_of_no_known_database_is_refused_without_its_password() {
    on_both(async |database| {
        let url = "mysql://root:hunter2@localhost/provost";
        let error = database.open_at(url, Default::default()).await.err().expect("it is refused").to_string();
        assert_eq!(error, "the database URL starts with `mysql:`; use sqlite:PATH or postgres://…");
        let url = "postgres://root:hunter2@localhost:notaport/provost";
        let error = database.open_at(url, Default::default()).await.err().expect("it is refused").to_string();
        assert!(error.starts_with("the database URL cannot be read: "), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
        Ok(())
    });
}

/// Of workload identities of before it was noted, the ledger says who made them.
#[test]
fn who_made_a_workload_identity_is_read_from_the_ledger() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let mut adding = change(&store, ws).await?;
        let at = adding.at();
        let owner = MemberRow { builtin_role: BuiltinRole::Owner, ..member(at, "ada@example.com") };
        members::insert(&mut adding, ws, &owner, None).await?;
        let (owner, other) = (owner.id.to_string(), member(at, "bob@example.com"));
        members::insert(&mut adding, ws, &other, None).await?;
        let key = ApiKeyRow { known_by: vec![other.id.to_string()], ..ApiKeyRow::new(ApiKeyId::new(at), "k", at) };
        api_keys::insert(&mut adding, ws, &key, &[2; 32]).await?;
        let mut ids = Vec::new();
        let makers = [Some(Actor::member(other.id, &other.email)), Some(Actor::api_key(key.id)), None];
        for (n, maker) in makers.into_iter().enumerate() {
            let row = workload_identity(ws, other.id, &format!("w{n}"), at);
            workload_identities::insert(&mut adding, &row).await?;
            if let Some(actor) = maker {
                adding.act_as(actor, Origin::default());
                let target = Target::new("workload_identity", row.id, row.name.as_str());
                adding.record(EventType::WorkloadIdentityCreated, target, json!({}));
            }
            ids.push(row.id);
        }
        commit(adding).await?;
        store.close(std::time::Duration::from_secs(5)).await;
        for sql in [
            "DROP INDEX api_keys_by_maker",
            "ALTER TABLE workload_identities DROP COLUMN created_by",
            "ALTER TABLE workload_identities DROP COLUMN makers",
            // Done again by itself: what came after it is there already.
            include_str!("../../migrations/0009_workload_identity_makers.sql"),
        ] {
            database.tamper(sql).await;
        }
        let store = database.open().await?;
        let (key, other) = (key.id.to_string(), other.id.to_string());
        let expected = [
            (Some(other.clone()), vec![other.clone()]),
            (Some(key.clone()), vec![key, other]),
            // What the ledger does not say: the first owner's.
            (None, vec![owner]),
        ];
        for (id, expected) in ids.into_iter().zip(expected) {
            let row = workload_identities::get(&mut store.read().await?, ws, id).await?.expect("it is there");
            assert_eq!((row.created_by, row.makers), expected);
        }
        Ok(())
    });
}

fn workload_identity(ws: WorkspaceId, member: MemberId, name: &str, at: Timestamp) -> WorkloadIdentityRow {
    WorkloadIdentityRow {
        id: WorkloadIdentityId::new(at),
        workspace_id: ws,
        name: name.to_owned(),
        issuer: "https://issuer.example".to_owned(),
        audience: "provost".to_owned(),
        subject_pattern: "repo".to_owned(),
        claims: Default::default(),
        member_id: member,
        max_minutes: 5,
        enabled: true,
        created_by: None,
        makers: Vec::new(),
        created_at: at,
        updated_at: at,
        last_used_at: None,
    }
}
