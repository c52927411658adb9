//! The last good snapshot: written by itself, and what it gives back is what was there.

use std::path::Path;
use std::time::Duration;

use jiff::SignedDuration;
use provost_model::{Clock, Workspace};
use provost_store::{KeepLastGood, MasterKey, Options, Result, Store};

use crate::acts::{add_member, eventually, workspace};
use crate::postgres::PostgresDatabase;

fn options(folder: &Path, clock: &Clock) -> Options {
    let key = MasterKey::from_file(&folder.join("master.key")).expect("a key");
    let keep = KeepLastGood { path: folder.join("last-good.sealed"), max_age: SignedDuration::from_hours(24) };
    Options { last_good: Some(keep), ..Options::sqlite(folder.join("provost.db"), key.into(), clock.clone()) }
}

/// All of a workspace, in an order that is always the same.
fn plain(workspace: &Workspace) -> Vec<String> {
    let mut lines: Vec<String> = vec![
        format!("{} {} {:?} {:?}", workspace.id, workspace.version, workspace.settings, workspace.default_role_id),
        format!("{:?} {:?}", workspace.policy_rules, workspace.upstreams),
    ];
    lines.extend(workspace.members.values().map(|member| format!("{member:?}")));
    lines.extend(workspace.groups.values().map(|group| format!("{group:?}")));
    lines.extend(workspace.roles.values().map(|role| format!("{role:?}")));
    lines.extend(workspace.policies.values().map(|policy| format!("{policy:?}")));
    lines.extend(workspace.policy_exceptions.values().map(|found| format!("{found:?}")));
    lines.extend(workspace.device_enrolments.iter().map(|found| format!("{found:?}")));
    lines.extend(workspace.access_tokens.iter().map(|found| format!("{found:?}")));
    lines.extend(workspace.api_keys.iter().map(|found| format!("{found:?}")));
    lines.extend(workspace.revoked_grants.iter().map(|found| format!("{found:?}")));
    lines.sort();
    lines
}

#[tokio::test]
async fn what_is_kept_is_what_was_there() -> Result<()> {
    let folder = tempfile::tempdir().expect("a directory");
    let clock = Clock::system();
    let store = Store::open(options(folder.path(), &clock)).await?;
    let ws = workspace(&store).await?;
    for n in 0..50 {
        add_member(&store, ws, &format!("m{n}@example.com")).await?;
    }
    let before = store.workspace(ws).expect("it is there");
    // By itself, soon: no close, as after a crash.
    let file = folder.path().join("last-good.sealed");
    eventually(Duration::from_secs(10), "it is written", || file.exists()).await;
    store.keep_last_good().await?;
    let sealed = std::fs::read(&file).expect("a file");
    assert!(!sealed.windows(12).any(|window| window == b"@example.com"), "it is sealed");
    std::fs::remove_file(folder.path().join("provost.db")).expect("it is there");

    let again = Store::open(options(folder.path(), &clock)).await?;
    let degraded = again.degraded().expect("the database is gone");
    assert!(degraded.as_of <= degraded.since);
    assert_eq!(plain(&again.workspace(ws).expect("it is kept")), plain(&before));
    assert!(again.kept_signing_keys().is_some());
    assert!(again.write().await.is_err() && again.read().await.is_err());
    // It is not replaced by itself, nor made younger.
    again.keep_last_good().await?;
    again.close(Duration::from_millis(100)).await;
    assert_eq!(std::fs::read(&file).expect("a file"), sealed);
    clock.advance(SignedDuration::from_hours(25));
    assert!(Store::open(options(folder.path(), &clock)).await.is_err(), "it is too old");
    Ok(())
}

#[tokio::test]
async fn a_postgres_that_was_emptied_is_not_begun_anew() -> Result<()> {
    let (folder, clock, server) =
        (tempfile::tempdir().expect("a directory"), Clock::system(), PostgresDatabase::create().await);
    let options = || Options { database_url: server.url().to_owned(), ..options(folder.path(), &clock) };
    let store = Store::open(options()).await?;
    let ws = workspace(&store).await?;
    store.close(Duration::from_secs(5)).await;
    server.empty().await;
    let store = Store::open(options()).await?;
    assert!(store.degraded().is_some_and(|degraded| degraded.reason.contains("no workspace")));
    assert!(store.workspace(ws).is_some() && store.write().await.is_err());
    Ok(())
}
