//! At rest, no secret can be read: not in the file, not in its journal, not in a dump.

use std::fs;

use provost_store::Touched;
use provost_store::tables::signing_keys::{self, SigningKeyRow};
use provost_store::tables::upstreams::{self, UpstreamRow};

use crate::acts::{change, commit, upstream, workspace};
use crate::database::{Database, on_both};

const API_KEY: &[u8] = b"sk-do-not-write-me-down";
const PRIVATE_KEY: &[u8] = b"-----a private key, in PKCS#8-----";

#[test]
fn the_database_files_hold_no_secret() {
    on_both(async |database| {
        let Database::Sqlite(dir) = database else { return Ok(()) };
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let mut adding = change(&store, ws).await?;
        let row = upstream(adding.at(), "A name to find");
        let sealed = store.sealer().seal(&upstreams::seal_place(row.id), API_KEY);
        upstreams::insert(&mut adding, ws, &UpstreamRow { api_key_sealed: Some(sealed), ..row.clone() }).await?;
        let now = adding.at();
        let key = SigningKeyRow {
            kid: "k1".to_owned(),
            sealed: store.sealer().seal(&signing_keys::seal_place("k1"), PRIVATE_KEY),
            public_jwk: "{}".to_owned(),
            created_at: now,
            retires_at: now,
        };
        signing_keys::insert(&mut adding, &key).await?;
        adding.touch(Touched::Upstream(row.id));
        commit(adding).await?;
        assert_eq!(
            store.workspace(ws).expect("it is there").upstreams[&row.id].api_key.as_deref().map(str::as_bytes),
            Some(API_KEY)
        );

        let holds = |text: &[u8]| {
            let files = fs::read_dir(dir.path()).expect("the directory is there");
            let mut bytes = files.map(|file| fs::read(file.expect("it is there").path()).expect("it can be read"));
            bytes.any(|bytes| bytes.windows(text.len()).any(|window| window == text))
        };
        // While the store is open some of it is in the journal, afterwards all of it in the file.
        assert!(holds(b"A name to find"), "the search finds what is there");
        assert!(!holds(API_KEY) && !holds(PRIVATE_KEY));
        store.close(std::time::Duration::from_secs(5)).await;
        assert!(holds(b"A name to find"), "the search finds what is there");
        assert!(!holds(API_KEY) && !holds(PRIVATE_KEY));
        Ok(())
    });
}

#[test]
fn a_sealed_value_moved_to_another_row_does_not_open() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let mut adding = change(&store, ws).await?;
        let (ours, theirs) = (upstream(adding.at(), "Ours"), upstream(adding.at(), "Theirs"));
        let sealed = store.sealer().seal(&upstreams::seal_place(ours.id), API_KEY);
        upstreams::insert(&mut adding, ws, &UpstreamRow { api_key_sealed: Some(sealed), ..ours }).await?;
        upstreams::insert(&mut adding, ws, &theirs).await?;
        commit(adding).await?;
        drop(database.open().await?);
        // Whoever can write the database points our key at their address.
        let moved = "UPDATE upstreams SET api_key_sealed =
            (SELECT api_key_sealed FROM upstreams WHERE name = 'Ours') WHERE name = 'Theirs'";
        database.tamper(moved).await;
        assert!(matches!(database.open().await.err(), Some(provost_store::Error::Unsealable)));
        Ok(())
    });
}
