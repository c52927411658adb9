//! A master key that is a command: good, failing, hanging, and talking nonsense.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use provost_model::Clock;
use provost_model::event::{Actor, Origin};
use provost_store::{KmsCommand, MasterKey, MasterKeys, Options, Result, Store};

use super::{add_upstream, api_key, rotate, workspace};
use crate::database::{Database, master_key, on_both};

/// What a KMS would do, but for the cryptography.
const GOOD: &str = r#"
value=$(cat)
echo "$1 $2" >> "$1/calls"
echo "do not show me: $value" >&2
env | grep -c '^PROVOST_' > "$1/environment"
case "$2" in
    wrap) printf 'wrapped %s' "$value" | base64 | tr -d '\n' ;;
    unwrap) printf %s "$value" | base64 -d | sed 's/^wrapped //' ;;
    *) exit 3 ;;
esac
"#;

fn script(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("kms.sh");
    std::fs::write(&path, text).expect("it is written");
    path
}

fn command(folder: &Path, text: &str) -> MasterKey {
    let script = script(folder, text).display().to_string();
    let argv = ["/bin/sh".to_owned(), script, folder.display().to_string()];
    KmsCommand::new(&argv).expect("a command").within(Duration::from_secs(5)).into()
}

async fn open(database: &Database, keys: impl Into<MasterKeys>) -> Result<Store> {
    database.open_with(&database.url(), keys.into(), Clock::system()).await
}

#[test]
fn a_command_keeps_the_master_key() {
    on_both(async |database| {
        let folder = tempfile::tempdir().expect("a directory");
        let kms = || command(folder.path(), GOOD);
        let store = open(database, kms()).await?;
        let ws = workspace(&store).await?;
        let row = add_upstream(&store, ws, "A", "sk-a").await?;
        rotate(&store).await?;
        assert!(store.data_keys(true).await?.iter().all(|key| key.row.master_key == "kms"));
        let fresh = open(database, kms()).await?;
        assert_eq!(api_key(&fresh, ws, &row).as_deref(), Some("sk-a"));
        let calls = std::fs::read_to_string(folder.path().join("calls")).expect("it was called");
        assert!(
            calls.lines().any(|line| line.ends_with(" wrap")) && calls.lines().any(|line| line.ends_with(" unwrap"))
        );
        // It is asked about keys, and not about values.
        let before = calls.lines().count();
        for n in 0..100 {
            let sealed = fresh.sealer().seal("x", &[n]);
            assert_eq!(store.unseal("x", &sealed).await?, [n]);
        }
        let calls = std::fs::read_to_string(folder.path().join("calls")).expect("it was called");
        assert!(calls.lines().count() <= before + 1, "{calls}");
        assert_eq!(std::fs::read_to_string(folder.path().join("environment")).expect("it looked").trim(), "0");
        Ok(())
    });
}

#[test]
fn from_a_file_to_a_command_and_back() {
    on_both(async |database| {
        let folder = tempfile::tempdir().expect("a directory");
        let kms = command(folder.path(), GOOD);
        let store = open(database, master_key()).await?;
        let ws = workspace(&store).await?;
        let row = add_upstream(&store, ws, "A", "sk-a").await?;
        store.rewrap_data_keys(&kms, &Actor::system(), &Origin::default()).await?;
        let error = open(database, master_key()).await.err().expect("the file alone").to_string();
        assert!(error.contains("wrapped by a KMS"), "{error}");
        let store = open(database, kms).await?;
        assert_eq!(api_key(&store, ws, &row).as_deref(), Some("sk-a"));
        store.rewrap_data_keys(&master_key(), &Actor::system(), &Origin::default()).await?;
        assert_eq!(api_key(&open(database, master_key()).await?, ws, &row).as_deref(), Some("sk-a"));
        Ok(())
    });
}

/// Whatever is wrong with the command: the start ends soon, with words for the operator and no secret.
#[tokio::test]
async fn a_command_that_does_not_do_it_is_named() {
    let folder = tempfile::tempdir().expect("a directory");
    let open = async |keys: MasterKey| {
        Store::open(Options::sqlite(folder.path().join("x.db"), keys.into(), Clock::system())).await
    };
    drop(open(command(folder.path(), GOOD)).await.expect("it opens"));
    let hang = "sleep 60 & echo $! > \"$1/child\"; sleep 60";
    for (case, text, expected) in [
        ("failing", "echo secret-words >&2; exit 4", "failed (exit status: 4)"),
        ("hanging", hang, "gave no answer within"),
        ("silent", "exit 0", "did not answer in base64"),
        ("nonsense", "echo 'no base64!'", "did not answer in base64"),
        ("chatty", "yes AAAA | head -c 100000", "answered more than"),
        ("wrong", "head -c 40 /dev/zero | base64", "does not unwrap the data key"),
        ("short", "echo AAAA", "does not unwrap the data key"),
    ] {
        let argv = [
            "/bin/sh".to_owned(),
            script(folder.path(), text).display().to_string(),
            folder.path().display().to_string(),
        ];
        let kms = KmsCommand::new(&argv).expect("a command").within(Duration::from_millis(700));
        let began = Instant::now();
        let error = open(kms.into()).await.err().unwrap_or_else(|| panic!("{case}: it opens")).to_string();
        assert!(error.contains(expected), "{case}: {error}");
        assert!(!error.contains("secret-words"), "{case}: {error}");
        assert!(began.elapsed() < Duration::from_secs(10), "{case}: it took {:?}", began.elapsed());
    }
    // What it had started ended with it.
    let child: i32 =
        std::fs::read_to_string(folder.path().join("child")).expect("it ran").trim().parse().expect("an id");
    let alive = || std::fs::read_to_string(format!("/proc/{child}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    crate::acts::eventually(Duration::from_secs(5), "it has ended", || !alive()).await;

    let error = KmsCommand::new(&[]).expect_err("no program").to_string();
    assert!(error.contains("names no program"), "{error}");
    let missing = KmsCommand::new(&["/no/such/program".to_owned()]).expect("a command");
    let error = open(missing.into()).await.err().expect("there is no such program").to_string();
    assert!(error.contains("`/no/such/program unwrap` cannot be started"), "{error}");
}

/// What cannot be unwrapped again is never relied on.
#[tokio::test]
async fn a_command_that_loses_what_it_wraps_is_refused() -> Result<()> {
    let folder = tempfile::tempdir().expect("a directory");
    let options = |keys: MasterKey| Options::sqlite(folder.path().join("x.db"), keys.into(), Clock::system());
    let store = Store::open(options(master_key())).await?;
    let ws = workspace(&store).await?;
    let row = add_upstream(&store, ws, "A", "sk-a").await?;
    let forgetful = command(folder.path(), "echo AAAA");
    let error = store.rewrap_data_keys(&forgetful, &Actor::system(), &Origin::default()).await.expect_err("refused");
    assert!(error.to_string().contains("does not unwrap what it wrapped"), "{error}");
    assert_eq!(api_key(&Store::open(options(master_key())).await?, ws, &row).as_deref(), Some("sk-a"));
    // Nor does a running node with a command that fails make a key.
    assert!(store.data_keys(true).await?.len() == 2);
    let failing = command(folder.path(), "exit 1");
    assert!(store.rewrap_data_keys(&failing, &Actor::system(), &Origin::default()).await.is_err());
    let both = MasterKeys { current: failing, previous: vec![master_key()] };
    let store = Store::open(Options { master_keys: both, ..options(master_key()) }).await?;
    assert!(rotate(&store).await.is_err());
    assert_eq!(store.data_keys(true).await?.len(), 2);
    Ok(())
}
