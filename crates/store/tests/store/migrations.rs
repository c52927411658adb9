use provost_store::{Error, Store};

use crate::acts::workspace;
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
