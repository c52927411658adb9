//! The database goes away while Provost runs: decisions go on, writes fail clearly, nothing queued is
//! lost, and everything heals by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use provost_model::{Clock, WorkspaceId};
use provost_store::{Error, Result, Store};
use sqlx::Connection;
use tokio::net::{TcpListener, UnixStream};
use tokio::task::JoinSet;

use crate::acts::{add_member, change, commit, eventually, workspace};
use crate::database::{Database, on_both};
use crate::recorder::{turn, turns};

/// Changes are answered within this, whether or not the database is.
const CLEARLY: Duration = Duration::from_secs(7);

async fn assert_away(store: &Store, ws: WorkspaceId) {
    let start = Instant::now();
    let error = change(store, ws).await.err().expect("the database is away");
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
    assert!(start.elapsed() < CLEARLY, "it took {:?} to say so", start.elapsed());
}

async fn assert_healed(store: &Store, ws: WorkspaceId) -> Result<()> {
    eventually(CLEARLY, "the store knows that the database is back", || store.is_healthy()).await;
    assert!(store.flush(CLEARLY).await, "the queued events are written");
    let added = add_member(store, ws, "after@example.com").await?;
    assert!(store.workspace(ws).expect("it is there").members.contains_key(&added.id));
    Ok(())
}

#[test]
fn a_postgres_that_refuses_connections() {
    on_both(async |database| {
        let Database::Postgres(server) = database else { return Ok(()) };
        let (store, other) = (database.open().await?, database.open().await?);
        let ws = workspace(&store).await?;
        let before = add_member(&store, ws, "before@example.com").await?;
        let under_way = change(&store, ws).await?;
        assert!(store.is_healthy());

        server.shut().await;
        let error = commit(under_way).await.expect_err("its connection is gone");
        assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
        eventually(CLEARLY, "the store knows that the database is away", || !store.is_healthy()).await;
        assert!(store.workspace(ws).expect("the last snapshot").members.contains_key(&before.id));
        assert_away(&store, ws).await;
        let error = store.write().await.err().expect("the database is away");
        assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
        for n in 0..10 {
            turn(&store, ws, n);
        }
        assert!(!store.flush(Duration::from_millis(300)).await);
        assert_eq!(store.backlog(), 10);

        server.reopen().await;
        assert_healed(&store, ws).await?;
        assert_eq!(turns(&store, ws).await?, (0..10).collect::<Vec<_>>());
        // The listeners are back as well.
        eventually(CLEARLY, "the other node is well", || other.is_healthy()).await;
        let added = add_member(&store, ws, "called@example.com").await?;
        let seen = || other.workspace(ws).is_some_and(|workspace| workspace.members.contains_key(&added.id));
        eventually(Duration::from_secs(1), "the other node sees the change", seen).await;
        Ok(())
    });
}

/// Worse than one that refuses: the connection stands, and nothing comes back.
#[test]
fn a_postgres_that_does_not_answer() {
    on_both(async |database| {
        let Database::Postgres(server) = database else { return Ok(()) };
        let (address, frozen) = freezer(server.url()).await;
        let store = database.open_at(&address, Clock::system()).await?;
        let ws = workspace(&store).await?;

        frozen.store(true, Ordering::Relaxed);
        turn(&store, ws, 0);
        assert_away(&store, ws).await;
        assert!(store.workspace(ws).is_some());
        eventually(CLEARLY, "the store knows that the database is away", || !store.is_healthy()).await;

        frozen.store(false, Ordering::Relaxed);
        assert_healed(&store, ws).await?;
        assert_eq!(turns(&store, ws).await?, [0]);
        Ok(())
    });
}

/// SQLite cannot go away, but another process can keep it to itself: a backup, a person with a shell.
#[test]
fn a_sqlite_that_another_process_has_locked() {
    on_both(async |database| {
        let Database::Sqlite(_) = database else { return Ok(()) };
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let mut other = database.sqlite().await;
        let lock = other.begin_with("BEGIN IMMEDIATE").await.expect("it is free");
        turn(&store, ws, 0);
        assert_away(&store, ws).await;
        assert!(store.workspace(ws).is_some());
        store.refresh().await?;
        assert!(store.is_healthy(), "it can be read");
        assert_eq!(store.backlog(), 1);
        drop(lock);
        drop(other);
        assert_healed(&store, ws).await?;
        assert_eq!(turns(&store, ws).await?, [0]);
        Ok(())
    });
}

/// Stands before PostgreSQL, and lets nothing through while it is frozen. The answer is its URL.
async fn freezer(url: &str) -> (String, Arc<AtomicBool>) {
    let options: sqlx::postgres::PgConnectOptions = url.parse().expect("the URL can be read");
    let directory = options.get_socket().expect("the test's server listens on a socket").clone();
    let socket = directory.join(format!(".s.PGSQL.{}", options.get_port()));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let frozen = Arc::new(AtomicBool::new(false));
    let switch = frozen.clone();
    tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (mut near, _) = listener.accept().await.expect("it listens");
            let (socket, switch) = (socket.clone(), switch.clone());
            connections.spawn(async move {
                while switch.load(Ordering::Relaxed) {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                let mut far = UnixStream::connect(socket).await.expect("PostgreSQL listens");
                let (near_in, near_out) = near.split();
                let (far_in, far_out) = far.split();
                let done = tokio::join!(relay(near_in, far_out, &switch), relay(far_in, near_out, &switch));
                // How a connection ends is of no matter here.
                let _ = done;
            });
        }
    });
    let database = url.rsplit('/').next().expect("the URL names a database");
    (format!("postgres://postgres@{address}/{database}"), frozen)
}

async fn relay(
    mut from: impl tokio::io::AsyncRead + Unpin,
    mut to: impl tokio::io::AsyncWrite + Unpin,
    frozen: &AtomicBool,
) -> std::io::Result<()> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut buffer = [0; 4096];
    loop {
        let n = from.read(&mut buffer).await?;
        while frozen.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        if n == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..n]).await?;
    }
}
