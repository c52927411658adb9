//! A database of before there were data keys.

use aws_lc_rs::aead::{AES_256_GCM, Aad, RandomizedNonceKey};
use aws_lc_rs::{hkdf, hmac};
use provost_model::Clock;
use provost_store::tables::data_keys::Purpose;
use provost_store::tables::upstreams;
use provost_store::{Error, MasterKey, MasterKeys, Result};

use super::{MINUTES, add_upstream, api_key, key_of, named, refusal, reseal, retire, rotate, workspace};
use crate::database::{Database, master_key, on_both};

/// The bytes of [`master_key`].
const MASTER: [u8; 32] = [0; 32];

fn another() -> MasterKey {
    MasterKey::from_text(&format!("{}A=", "B".repeat(42))).expect("32 bytes in base64")
}

/// As it was: everything sealed under the master key itself, and no table of keys.
async fn made_old(database: &Database, place: &str, plain: &[u8]) {
    let key = RandomizedNonceKey::new(&AES_256_GCM, &MASTER).expect("32 bytes");
    let mut body = plain.to_vec();
    let nonce = key.seal_in_place_append_tag(Aad::from(place), &mut body).expect("it is short");
    let sealed = [&[1], nonce.as_ref().as_slice(), &body].concat();
    let hex: String = sealed.iter().map(|byte| format!("{byte:02x}")).collect();
    let bytes = match database {
        Database::Sqlite(_) => format!("X'{hex}'"),
        Database::Postgres(_) => format!("'\\x{hex}'"),
    };
    database.tamper(format!("UPDATE upstreams SET api_key_sealed = {bytes}")).await;
    database.tamper("DROP TABLE data_keys").await;
    database.tamper("DELETE FROM migrations WHERE name >= '0020'").await;
}

/// A mark of then.
fn old_mark(purpose: &str, data: &str) -> Vec<u8> {
    let derived = hkdf::Salt::new(hkdf::HKDF_SHA256, b"provost").extract(&MASTER);
    let key: hmac::Key = derived.expand(&[b"marks"], hmac::HMAC_SHA256).expect("one block").into();
    hmac::sign(&key, format!("{purpose}\0{data}").as_bytes()).as_ref().to_vec()
}

#[test]
fn what_was_sealed_and_marked_then_stays_good_through_every_change_of_keys() {
    on_both(async |database| {
        let clock = Clock::system();
        let open = async |keys: MasterKeys| database.open_with(&database.url(), keys, clock.clone()).await;
        let store = open(master_key().into()).await?;
        let ws = workspace(&store).await?;
        let row = add_upstream(&store, ws, "A", "sk-old").await?;
        store.close(std::time::Duration::from_secs(5)).await;
        made_old(database, &upstreams::seal_place(row.id), b"sk-old").await;

        // Neither another key nor none makes it its own.
        let error = open(another().into()).await.err().expect("another master key").to_string();
        assert!(error.contains("does not open with the master key") && error.contains("PROVOST_"), "{error}");
        let folder = tempfile::tempdir().expect("a directory");
        let file = folder.path().join("master.key");
        let missing = MasterKey::from_file(&file).expect("one is made up");
        let error = open(missing.into()).await.err().expect("no master key");
        assert!(matches!(error, Error::MasterKey(_)), "{error}");
        assert!(!file.exists(), "no key is written that this database does not want");

        let store = open(master_key().into()).await?;
        assert_eq!(api_key(&store, ws, &row).as_deref(), Some("sk-old"));
        let mark = old_mark("telemetry", "mia");
        assert!(store.sealer().is_marked("telemetry", b"mia", &mark));
        assert_eq!(store.sealer().mark("telemetry", b"mia").to_vec(), mark);
        let first = key_of(&store, Purpose::First).await?.remove(0);
        assert_eq!(first.values, Some(1));
        assert!(refusal(retire(&store, first.row.id).await).contains("still opens 1 values"));
        named(&store.sealer().seal("x", b""));

        // Under another master key, with nothing sealed anew yet.
        let system = (provost_model::event::Actor::system(), provost_model::event::Origin::default());
        store.rewrap_data_keys(&another(), &system.0, &system.1).await?;
        let store = open(another().into()).await?;
        assert_eq!(api_key(&store, ws, &row).as_deref(), Some("sk-old"));

        assert_eq!(reseal(&store).await?.values, 1);
        retire(&store, first.row.id).await?;
        let mark_key = key_of(&store, Purpose::Mark).await?.remove(0).row.id;
        assert!(refusal(retire(&store, mark_key).await).contains("makes marks"));
        rotate(&store).await?;
        clock.advance(MINUTES);
        reseal(&store).await?;
        let store = open(another().into()).await?;
        assert_eq!(api_key(&store, ws, &row).as_deref(), Some("sk-old"));
        assert!(store.sealer().is_marked("telemetry", b"mia", &mark));
        assert!(key_of(&store, Purpose::First).await?[0].row.retired_at.is_some());
        Ok::<(), Error>(())
    });
}

/// The master key changes with the upgrade: the old one is given as the previous one.
#[test]
fn an_upgrade_may_come_with_a_new_master_key() {
    on_both(async |database| -> Result<()> {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let row = add_upstream(&store, ws, "A", "sk-old").await?;
        store.close(std::time::Duration::from_secs(5)).await;
        made_old(database, &upstreams::seal_place(row.id), b"sk-old").await;
        let both = MasterKeys { current: another(), previous: vec![master_key()] };
        let store = database.open_with(&database.url(), both, Clock::system()).await?;
        assert_eq!(api_key(&store, ws, &row).as_deref(), Some("sk-old"));
        // Wrapped by the new one from the start: the old one is needed no more.
        let store = database.open_with(&database.url(), another().into(), Clock::system()).await?;
        assert_eq!(api_key(&store, ws, &row).as_deref(), Some("sk-old"));
        Ok(())
    });
}
