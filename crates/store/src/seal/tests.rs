//! Forms, hostile bytes, and the master key.

use aws_lc_rs::aead::{AES_256_GCM, Aad, RandomizedNonceKey};
use aws_lc_rs::{hkdf, hmac};
use jiff::Timestamp;
use proptest::prelude::*;

use super::ring::{HeldKey, Ring};
use super::*;
use crate::db::Db;
use crate::migrate::migrate;
use crate::tables::data_keys::{DataKeyRow, Purpose};

/// As everything was sealed before there were data keys.
fn seal_first(master: &[u8; 32], place: &str, plain: &[u8]) -> Vec<u8> {
    let key = RandomizedNonceKey::new(&AES_256_GCM, master).expect("32 bytes");
    let mut body = plain.to_vec();
    let nonce = key.seal_in_place_append_tag(Aad::from(place), &mut body).expect("it is short");
    [&[1], nonce.as_ref().as_slice(), &body].concat()
}

#[test]
fn a_mark_is_for_one_use_and_one_text() {
    let (sealer, other) = (Sealer::ephemeral(), Sealer::ephemeral());
    let mark = sealer.mark("telemetry", b"mia");
    assert!(sealer.is_marked("telemetry", b"mia", &mark));
    assert!(!sealer.is_marked("telemetr", b"ymia", &mark) && !sealer.is_marked("telemetry", b"max", &mark));
    assert!(!sealer.is_marked("telemetry", b"mia", &mark[..31]) && !sealer.is_marked("telemetry", b"mia", b""));
    assert!(!other.is_marked("telemetry", b"mia", &mark));
}

#[test]
fn opens_only_in_its_place_and_unaltered() {
    let sealer = Sealer::ephemeral();
    let sealed = sealer.seal("upstream:1", b"secret");
    assert_eq!(sealer.open("upstream:1", &sealed).expect("opens"), b"secret");
    assert!(matches!(sealer.open("upstream:2", &sealed), Err(Error::Unsealable)));
    assert!(matches!(Sealer::ephemeral().open("upstream:1", &sealed), Err(Error::UnknownDataKey(_))));
    for index in 0..sealed.len() {
        let mut altered = sealed.clone();
        altered[index] ^= 1;
        assert!(sealer.open("upstream:1", &altered).is_err(), "byte {index}");
        assert!(matches!(sealer.open("upstream:1", &sealed[..index]), Err(Error::Unsealable)), "cut at {index}");
    }
}

#[test]
fn what_was_sealed_and_marked_before_there_were_data_keys_stays_good() {
    let master = random();
    let sealer = Sealer::of_first(MasterKey::new(master).into(), &master).expect("a ring");
    let sealed = seal_first(&master, "upstream:1", b"secret");
    assert_eq!(sealer.open("upstream:1", &sealed).expect("opens"), b"secret");
    assert!(sealer.open("upstream:2", &sealed).is_err());
    // The mark key as it was derived then.
    let derived = hkdf::Salt::new(hkdf::HKDF_SHA256, b"provost").extract(&master);
    let key: hmac::Key = derived.expand(&[b"marks"], hmac::HMAC_SHA256).expect("one block").into();
    let mark = hmac::sign(&key, b"telemetry\0mia");
    assert!(sealer.is_marked("telemetry", b"mia", mark.as_ref()));
    // What is sealed now is not under that key.
    assert_eq!(sealer.seal("upstream:1", b"secret")[0], 2);
}

#[tokio::test]
async fn a_wrapped_key_is_of_its_row_and_its_master_key() {
    let (master, other) = (MasterKey::new(random()), MasterKey::new(random()));
    let secret = random();
    let row = keyring::new_row(&master, Purpose::Seal, &secret, Timestamp::UNIX_EPOCH).await.expect("wraps");
    let (masters, others) = (MasterKeys::from(master.clone()), MasterKeys::from(other.clone()));
    assert_eq!(masters.unwrap(&row).await.expect("unwraps"), secret);
    let error = others.unwrap(&row).await.expect_err("another master key").to_string();
    assert!(error.contains(master.name()) && error.contains(other.name()), "{error}");
    assert!(error.contains("PROVOST_MASTER_KEY") && error.contains("PROVOST_PREVIOUS_MASTER_KEY"), "{error}");
    let both = MasterKeys { current: other.clone(), previous: vec![master.clone()] };
    assert_eq!(both.unwrap(&row).await.expect("unwraps"), secret);
    // In another row, for another use, or said to be another's, it is nothing.
    for altered in [
        DataKeyRow {
            id: keyring::new_row(&master, Purpose::Seal, &secret, row.created_at).await.expect("wraps").id,
            ..row.clone()
        },
        DataKeyRow { purpose: Purpose::Mark, ..row.clone() },
        DataKeyRow { master_key: other.name().to_owned(), ..row.clone() },
    ] {
        assert!(both.unwrap(&altered).await.is_err());
    }
    for index in 0..row.wrapped.len() {
        let mut altered = row.clone();
        altered.wrapped[index] ^= 1;
        assert!(masters.unwrap(&altered).await.is_err(), "byte {index}");
        altered.wrapped.truncate(index);
        assert!(masters.unwrap(&altered).await.is_err(), "cut at {index}");
    }
    assert!(!format!("{masters:?}").contains(&format!("{:?}", secret[0..4].to_vec())));
}

#[test]
fn a_new_key_waits_for_the_other_nodes_and_old_ones_still_open() {
    let rings = Ring::ephemeral();
    let later = std::time::Instant::now() + std::time::Duration::from_millis(50);
    let mut row = rings.keys[1].row.clone();
    let before = row.id;
    (row.id, row.generation) = (DataKeyId::random(), 3);
    let new = row.id;
    let keys = rings.keys.iter().cloned().chain([HeldKey::new(row, random(), later)]).collect();
    let ring = Ring::new(1, keys).expect("a ring");
    let sealed = ring.seal("x", b"early");
    assert_eq!(ring.current().row.id, before);
    assert!(!ring.is_settled());
    std::thread::sleep(std::time::Duration::from_millis(60));
    assert!(ring.is_settled());
    let named = ring.seal("x", b"late");
    assert_eq!(&named[1..9], &new.0);
    assert_eq!(ring.open("x", &sealed).expect("opens"), b"early");
    assert_eq!(ring.open("x", &named).expect("opens"), b"late");
}

/// A column that nobody seals anew would lose its values when the old key is retired.
#[tokio::test]
async fn every_sealed_column_of_the_schema_is_in_the_table() {
    let folder = tempfile::tempdir().expect("a directory");
    let db = Db::open(&format!("sqlite:{}", folder.path().join("x.db").display()), 1).await.expect("it opens");
    migrate(&db, Timestamp::UNIX_EPOCH).await.expect("it migrates");
    let sql = "SELECT m.name AS table_name, c.name AS column_name FROM sqlite_master m, pragma_table_info(m.name) c
        WHERE m.type = 'table' AND c.name LIKE '%sealed' ORDER BY 1, 2";
    let rows = db.read().await.expect("it reads").rows(sql, []).await.expect("it answers");
    let text = |row: &crate::Row, column| row.text(column).expect("it is there");
    let name = |row: &crate::Row| format!("{}.{}", text(row, "table_name"), text(row, "column_name"));
    let found: Vec<String> = rows.iter().map(name).collect();
    let mut known: Vec<String> =
        columns::SEALED.iter().map(|sealed| format!("{}.{}", sealed.table, sealed.column)).collect();
    known.sort();
    assert_eq!(found, known, "SEALED in seal/columns.rs lists every sealed column");
}

proptest! {
    #[test]
    fn whatever_is_sealed_opens_as_it_was(place in ".{0,40}", plain in proptest::collection::vec(any::<u8>(), 0..300)) {
        let sealer = Sealer::ephemeral();
        let sealed = sealer.seal(&place, &plain);
        prop_assert_eq!(sealed.len(), 9 + 12 + plain.len() + 16);
        prop_assert_eq!(sealer.open(&place, &sealed).expect("opens"), plain);
        let elsewhere = format!("{place}x");
        prop_assert!(sealer.open(&elsewhere, &sealed).is_err());
    }

    #[test]
    fn no_bytes_of_anybody_open_or_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..120), form in 0u8..4) {
        let sealer = Sealer::ephemeral();
        if let Some(first) = bytes.first_mut() {
            *first = form;
        }
        prop_assert!(sealer.open("x", &bytes).is_err());
        // Under an id that there is.
        if bytes.len() >= 9 {
            bytes[0] = 2;
            bytes[1..9].copy_from_slice(&sealer.current().0);
            prop_assert!(matches!(sealer.open("x", &bytes), Err(Error::Unsealable)));
        }
    }
}
