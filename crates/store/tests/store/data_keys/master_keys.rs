//! The master key changes, is another one, or is gone.

use std::path::Path;
use std::time::Duration;

use jiff::SignedDuration;
use provost_model::Clock;
use provost_model::event::{Actor, Origin};
use provost_store::{Error, KeepLastGood, MasterKey, MasterKeys, Options, Result, Store};

use super::{add_upstream, api_key, refusal, rotate, workspace};
use crate::acts::eventually;
use crate::database::{master_key, on_both};

fn another(folder: &Path) -> MasterKey {
    let file = folder.join("new.key");
    if !file.exists() {
        std::fs::write(&file, "q7DwkQ0jHhmM3fxYx1y1i0w9N8hQbJ2kqM0o4n2m1eM=\n").expect("it is written");
    }
    MasterKey::from_file(&file).expect("a key")
}

async fn rewrap(store: &Store, to: &MasterKey) -> Result<usize> {
    store.rewrap_data_keys(to, &Actor::system(), &Origin::default()).await
}

/// Two nodes change over from one master key to the next, one after the other, and never stop.
#[test]
fn nodes_change_over_one_by_one() {
    on_both(async |database| {
        let folder = tempfile::tempdir().expect("a directory");
        let new = another(folder.path());
        let open = async |keys: MasterKeys| database.open_with(&database.url(), keys, Clock::system()).await;
        let both = || MasterKeys { current: new.clone(), previous: vec![master_key()] };
        let (one, two) = (open(master_key().into()).await?, open(master_key().into()).await?);
        let ws = workspace(&one).await?;
        let row = add_upstream(&one, ws, "A", "sk-a").await?;
        // The first node starts anew, with both.
        drop(one);
        let one = open(both()).await?;
        assert_eq!(api_key(&one, ws, &row).as_deref(), Some("sk-a"));
        // A key that not every node could unwrap is not made meanwhile.
        let error = refusal(rotate(&one).await);
        assert!(error.contains(new.name()) && error.contains("rewrap them first"), "{error}");
        assert!(rewrap(&one, &new).await? >= 2);
        // The second node has the old one only, and goes on.
        tokio::time::sleep(Duration::from_millis(900)).await;
        let later = add_upstream(&two, ws, "B", "sk-b").await?;
        eventually(Duration::from_secs(3), "the other sees it", || api_key(&one, ws, &later).is_some()).await;
        assert_eq!(two.unseal("x", &one.sealer().seal("x", b"secret")).await?, b"secret");
        assert!(refusal(rotate(&two).await).contains("rewrap them first"));
        // But does not start again so.
        drop(two);
        let error = open(master_key().into()).await.err().expect("the old one alone").to_string();
        assert!(error.contains(new.name()) && error.contains(master_key().name()), "{error}");
        assert!(error.contains("PROVOST_MASTER_KEY") && error.contains("PROVOST_PREVIOUS_MASTER_KEY"), "{error}");
        // With the new one alone it does.
        let two = open(new.clone().into()).await?;
        assert_eq!(api_key(&two, ws, &later).as_deref(), Some("sk-b"));
        rotate(&two).await?;
        tokio::time::sleep(Duration::from_millis(1200)).await;
        assert_eq!(one.sealer().open("x", &two.sealer().seal("x", b"secret"))?, b"secret");
        Ok::<(), Error>(())
    });
}

#[test]
fn an_altered_data_key_is_named() {
    on_both(async |database| {
        let store = database.open().await?;
        workspace(&store).await?;
        database
            .tamper(
                "UPDATE data_keys SET wrapped = (SELECT wrapped FROM data_keys WHERE purpose = 'mark'), version = 9",
            )
            .await;
        // Who has them in memory goes on with those.
        tokio::time::sleep(Duration::from_millis(600)).await;
        assert_eq!(store.sealer().open("x", &store.sealer().seal("x", b"secret"))?, b"secret");
        let error = database.open().await.err().expect("it does not open").to_string();
        assert!(error.contains("data key dk_") && error.contains("was altered"), "{error}");
        Ok(())
    });
}

fn options(folder: &Path, keys: MasterKeys) -> Options {
    let keep = KeepLastGood { path: folder.join("last-good.sealed"), max_age: SignedDuration::from_hours(24) };
    Options { last_good: Some(keep), ..Options::sqlite(folder.join("provost.db"), keys, Clock::system()) }
}

fn from_file(folder: &Path) -> MasterKeys {
    MasterKey::from_file(&folder.join("master.key")).expect("a key").into()
}

#[tokio::test]
async fn a_key_is_written_for_a_new_database_only_and_for_its_owner_only() -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a directory");
    let file = folder.path().join("master.key");
    let keys = from_file(folder.path());
    assert!(!file.exists(), "nothing wants it yet");
    let store = Store::open(options(folder.path(), keys)).await?;
    let ws = workspace(&store).await?;
    assert_eq!(std::fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);
    store.close(Duration::from_secs(5)).await;
    let kept = std::fs::read(&file).expect("it is there");
    std::fs::remove_file(&file).expect("it is there");
    let error = Store::open(options(folder.path(), from_file(folder.path()))).await.err().expect("no key").to_string();
    assert!(error.contains("master.key is not there"), "{error}");
    assert!(!file.exists(), "no other key takes its place");
    std::fs::write(&file, kept).expect("it is written");
    assert!(Store::open(options(folder.path(), from_file(folder.path()))).await?.workspace(ws).is_some());
    Ok(())
}

/// Two that start at once on a new directory end up with one key.
#[tokio::test]
async fn two_starts_at_once_have_one_key() -> Result<()> {
    let folder = tempfile::tempdir().expect("a directory");
    let (a, b) = (from_file(folder.path()), from_file(folder.path()));
    let (a, b) = tokio::join!(Store::open(options(folder.path(), a)), Store::open(options(folder.path(), b)));
    let (a, b) = (a?, b?);
    assert_eq!(a.sealer().open("x", &b.sealer().seal("x", b"secret"))?, b"secret");
    Ok(())
}

/// The last good snapshot opens while the database is away: its data keys are beside it, wrapped.
#[tokio::test]
async fn the_last_good_snapshot_has_its_keys_beside_it() -> Result<()> {
    let folder = tempfile::tempdir().expect("a directory");
    let store = Store::open(options(folder.path(), from_file(folder.path()))).await?;
    let ws = workspace(&store).await?;
    let row = add_upstream(&store, ws, "A", "sk-in-the-snapshot").await?;
    let mark = store.sealer().mark("telemetry", b"mia");
    rotate(&store).await?;
    store.close(Duration::from_secs(5)).await;
    let file = folder.path().join("last-good.sealed");
    let new = another(folder.path());
    let both = MasterKeys { current: new.clone(), previous: vec![from_file(folder.path()).current] };
    let store = Store::open(options(folder.path(), both)).await?;
    rewrap(&store, &new).await?;
    // Wrapped by the new master key, soon and by itself.
    let name = new.name().to_owned();
    let holds = || std::fs::read(&file).is_ok_and(|bytes| bytes.windows(16).any(|part| part == name.as_bytes()));
    eventually(Duration::from_secs(10), "it is written again", holds).await;
    store.close(Duration::from_secs(5)).await;
    let sealed = std::fs::read(&file).expect("it is there");
    assert!(!sealed.windows(18).any(|part| part == b"sk-in-the-snapshot"));
    std::fs::remove_file(folder.path().join("provost.db")).expect("it is there");

    let old = Store::open(options(folder.path(), from_file(folder.path()))).await.err().expect("the old key");
    assert!(old.to_string().contains("sealed under another master key") && old.to_string().contains(&name), "{old}");
    let again = Store::open(options(folder.path(), new.clone().into())).await?;
    assert!(again.degraded().is_some());
    assert_eq!(api_key(&again, ws, &row).as_deref(), Some("sk-in-the-snapshot"));
    assert!(again.sealer().is_marked("telemetry", b"mia", &mark));
    drop(again);
    // Neither its keys nor what they are said to be can be altered.
    let line = sealed.iter().position(|byte| *byte == b'\n').expect("a line of keys");
    for index in (0..sealed.len()).step_by(7).chain([line - 1, line, line + 1, sealed.len() - 1]) {
        let mut altered = sealed.clone();
        altered[index] ^= 1;
        std::fs::write(&file, altered).expect("it is written");
        assert!(Store::open(options(folder.path(), new.clone().into())).await.is_err(), "byte {index}");
    }
    Ok(())
}
