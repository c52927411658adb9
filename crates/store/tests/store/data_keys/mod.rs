//! Envelope encryption: keys change while everything runs, and nothing is lost.

mod kms;
mod master_keys;
mod upgrade;

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use provost_model::event::{Actor, Origin};
use provost_model::{Clock, WorkspaceId};
use provost_store::tables::agent_commands;
use provost_store::tables::agent_commands::AgentCommandRow;
use provost_store::tables::data_keys::{DataKeyId, Purpose};
use provost_store::tables::upstreams::{self, UpstreamRow};
use provost_store::{DataKeyUse, Error, Result, Store, Touched, ledger};

use crate::acts::{add_member, change, commit, eventually, upstream, workspace};
use crate::database::{Database, master_key, on_both};

const MINUTES: SignedDuration = SignedDuration::from_mins(2);

async fn open(database: &Database, clock: &Clock) -> Result<Store> {
    database.open_with(&database.url(), master_key().into(), clock.clone()).await
}

async fn rotate(store: &Store) -> Result<DataKeyId> {
    Ok(store.rotate_data_key(&Actor::system(), &Origin::default()).await?.id)
}

async fn reseal(store: &Store) -> Result<provost_store::Resealed> {
    store.reseal(&Actor::system(), &Origin::default()).await
}

async fn retire(store: &Store, id: DataKeyId) -> Result<()> {
    store.retire_data_key(id, &Actor::system(), &Origin::default()).await
}

fn refusal(result: Result<impl std::fmt::Debug>) -> String {
    match result {
        Err(Error::Refused(why)) => why,
        other => panic!("it is refused: {other:?}"),
    }
}

async fn key_of(store: &Store, purpose: Purpose) -> Result<Vec<DataKeyUse>> {
    Ok(store.data_keys(true).await?.into_iter().filter(|key| key.row.purpose == purpose).collect())
}

async fn current(store: &Store) -> Result<DataKeyId> {
    let keys = key_of(store, Purpose::Seal).await?;
    Ok(keys.iter().find(|key| key.is_current).expect("one seals").row.id)
}

/// The data key that a value names.
fn named(sealed: &[u8]) -> String {
    assert_eq!(sealed[0], 2, "it names its data key");
    let hex: String = sealed[1..9].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("dk_{hex}")
}

/// Adds an upstream with a key.
async fn add_upstream(store: &Store, ws: WorkspaceId, name: &str, api_key: &str) -> Result<UpstreamRow> {
    let mut adding = change(store, ws).await?;
    let row = upstream(adding.at(), name);
    let sealed = store.sealer().seal(&upstreams::seal_place(row.id), api_key.as_bytes());
    let row = UpstreamRow { api_key_sealed: Some(sealed), ..row };
    upstreams::insert(&mut adding, ws, &row).await?;
    adding.touch(Touched::Upstream(row.id));
    commit(adding).await?;
    Ok(row)
}

fn api_key(store: &Store, ws: WorkspaceId, row: &UpstreamRow) -> Option<String> {
    let key = store.workspace(ws)?.upstreams.get(&row.id)?.api_key.as_ref()?.to_string();
    Some(key)
}

fn commands(member: provost_model::MemberId, at: jiff::Timestamp, count: usize) -> Vec<AgentCommandRow> {
    let row = |n| AgentCommandRow {
        thread_id: "t".to_owned(),
        call_id: format!("c{n:04}"),
        member_id: member,
        at,
        argv: vec!["echo".to_owned(), format!("word {n}")],
        outcome: "ran".to_owned(),
    };
    (0..count).map(row).collect()
}

/// What one node seals, every other opens at any moment, while the key changes under them; and within a
/// second it has changed everywhere.
#[test]
fn keys_rotate_under_two_nodes_that_read_and_write_all_the_time() {
    on_both(async |database| {
        let (one, two) = (database.open().await?, database.open().await?);
        let ws = workspace(&one).await?;
        eventually(Duration::from_secs(5), "the other node has it", || two.workspace(ws).is_some()).await;
        let before = current(&one).await?;
        let traffic = async |from: &Store, to: &Store, until: Instant| -> Result<usize> {
            let mut count = 0;
            while Instant::now() < until {
                let place = format!("test:{count}");
                let sealed = from.sealer().seal(&place, b"secret");
                tokio::task::yield_now().await;
                assert_eq!(to.unseal(&place, &sealed).await?, b"secret");
                if count % 40 == 0 {
                    let row =
                        add_upstream(from, ws, &format!("{} {count}", from.sealer().is_marked("", &[], &[])), "sk-1")
                            .await;
                    // Two nodes take a name at the same time now and then.
                    assert!(matches!(row, Ok(_) | Err(Error::Conflict(_))), "{row:?}");
                }
                count += 1;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            Ok(count)
        };
        let until = Instant::now() + Duration::from_millis(3500);
        let rotation = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let new = rotate(&one).await?;
            assert_ne!(new, before);
            for store in [&one, &two] {
                let seals = || named(&store.sealer().seal("x", b"")) == new.to_string();
                eventually(Duration::from_millis(1500), "the new key seals", seals).await;
            }
            let last = rotate(&two).await?;
            tokio::time::sleep_until((until - Duration::from_millis(200)).into()).await;
            assert_eq!(current(&one).await?, last);
            Ok::<_, Error>(last)
        };
        let (a, b, last) = tokio::join!(traffic(&one, &two, until), traffic(&two, &one, until), rotation);
        let (count, last) = (a? + b?, last?);
        assert!(count > 200, "there was traffic: {count}");
        for store in [&one, &two] {
            assert_eq!(named(&store.sealer().seal("x", b"")), last.to_string());
            let workspace = store.workspace(ws).expect("it is there");
            assert!(workspace.upstreams.values().all(|found| found.api_key.is_some()));
        }
        Ok(())
    });
}

/// A node that has not yet heard of a new key reads the table when it meets one.
#[test]
fn a_node_that_meets_an_unknown_key_reads_the_table_again() {
    on_both(async |database| {
        let (one, two) = (database.open().await?, database.open().await?);
        workspace(&one).await?;
        let new = rotate(&one).await?.to_string();
        // A third node starts with the new key, and uses it at once.
        let three = database.open().await?;
        let sealed = three.sealer().seal("x", b"secret");
        assert_eq!(named(&sealed), new);
        assert_eq!(two.unseal("x", &sealed).await?, b"secret");
        assert_eq!(two.sealer().open("x", &sealed)?, b"secret");
        // What no table has is no reason to wait.
        let mut foreign = sealed;
        foreign[3] ^= 1;
        assert!(matches!(two.unseal("x", &foreign).await, Err(Error::UnknownDataKey(_))));
        Ok(())
    });
}

#[test]
fn an_interrupted_reseal_goes_on_and_lets_the_old_key_go() {
    on_both(async |database| {
        let clock = Clock::system();
        let store = open(database, &clock).await?;
        let ws = workspace(&store).await?;
        let upstreams: Vec<UpstreamRow> =
            [add_upstream(&store, ws, "A", "sk-a").await?, add_upstream(&store, ws, "B", "sk-b").await?].into();
        let member = add_member(&store, ws, "mia@example.com").await?.id;
        let rows = commands(member, clock.now(), 1_000);
        let mut tx = store.write().await?;
        agent_commands::insert(&mut tx, ws, store.sealer(), &rows).await?;
        tx.commit().await?;
        let old = current(&store).await?;
        let late = store.sealer().seal("late", b"secret");
        assert!(refusal(retire(&store, old).await).contains("rotate first"));
        let new = rotate(&store).await?;
        assert!(refusal(retire(&store, old).await).contains("wait a minute"));
        clock.advance(MINUTES);
        assert!(refusal(retire(&store, old).await).contains("still opens 1002 values: reseal first"));
        eventually(Duration::from_secs(2), "it seals", || named(&store.sealer().seal("x", b"")) == new.to_string())
            .await;

        // Cut off somewhere in the middle, as often as it takes.
        let needed = async || -> Result<i64> {
            let keys = key_of(&store, Purpose::Seal).await?;
            Ok(keys.iter().find(|key| key.row.id == old).and_then(|key| key.values).expect("it is listed"))
        };
        let mut patience = Duration::from_millis(1);
        while needed().await? == 1_002 {
            assert!(tokio::time::timeout(patience, reseal(&store)).await.is_err(), "it was not interrupted");
            patience = patience * 5 / 4;
        }
        let left = needed().await?;
        assert!(left > 0, "it was interrupted");
        assert!(refusal(retire(&store, old).await).contains(&format!("still opens {left} values")));
        // Beside a change that writes back what it read.
        let writing = async {
            let mut changing = change(&store, ws).await?;
            let row = upstreams::get(&mut changing, ws, upstreams[0].id).await?.expect("it is there");
            tokio::time::sleep(Duration::from_millis(30)).await;
            upstreams::update(&mut changing, ws, &UpstreamRow { name: "C".to_owned(), ..row }).await?;
            changing.touch(Touched::Upstream(upstreams[0].id));
            commit(changing).await
        };
        let (done, written) = tokio::join!(reseal(&store), writing);
        written?;
        assert_eq!(done?.unopened, 0);
        reseal(&store).await?;
        assert_eq!((needed().await?, reseal(&store).await?.values), (0, 0));
        retire(&store, old).await?;
        assert!(refusal(retire(&store, old).await).contains("retired already"));

        // Everything is there, for this node and for one that never had the old key.
        let fresh = open(database, &clock).await?;
        for store in [&store, &fresh] {
            for (row, expected) in upstreams.iter().zip(["sk-a", "sk-b"]) {
                assert_eq!(api_key(store, ws, row).as_deref(), Some(expected));
            }
            let mut tx = store.read().await?;
            let since = (jiff::Timestamp::MIN, "", "");
            let found = agent_commands::list_since(&mut tx, ws, store.sealer(), since, 2_000).await?;
            assert_eq!(found.len(), rows.len());
            assert!(found.iter().all(|row| row.argv[1].starts_with("word ")));
        }
        let mut tx = store.read().await?;
        let kept = provost_store::tables::data_keys::list(&mut tx).await?;
        let kept = kept.iter().find(|row| row.id == old).expect("that it was there stays on record");
        assert!(kept.retired_at.is_some());

        // A node that hung all the while writes what it had sealed: nothing is lost.
        for store in [&store, &fresh] {
            assert!(matches!(store.unseal("late", &late).await, Err(Error::UnknownDataKey(id)) if id == old));
        }
        let restore = async |id| store.restore_data_key(id, &Actor::system(), &Origin::default()).await;
        assert!(refusal(restore(new).await).contains("no retired data key"));
        restore(old).await?;
        for store in [&store, &fresh] {
            assert_eq!(store.unseal("late", &late).await?, b"secret");
        }
        assert_eq!(current(&store).await?, new);
        retire(&store, old).await?;

        let told: Vec<&str> = ledger::list(&mut tx, ws, &ledger::Filter { limit: 1_000, ..Default::default() })
            .await?
            .iter()
            .map(|event| event.kind.as_str())
            .filter(|kind| kind.starts_with("encryption_key."))
            .collect();
        assert_eq!(told.first(), Some(&"encryption_key.rotated"));
        assert_eq!(told.last(), Some(&"encryption_key.retired"));
        assert!(told.contains(&"encryption_key.resealed"));
        Ok(())
    });
}

#[test]
fn a_value_that_does_not_open_stays_and_holds_nothing_up() {
    on_both(async |database| {
        let clock = Clock::system();
        let store = open(database, &clock).await?;
        let ws = workspace(&store).await?;
        let (a, b) = (add_upstream(&store, ws, "A", "sk-a").await?, add_upstream(&store, ws, "B", "sk-b").await?);
        // Somebody put another row's value there.
        database
            .tamper(format!(
                "UPDATE upstreams SET api_key_sealed = (SELECT api_key_sealed FROM upstreams WHERE id = '{}')
                WHERE id = '{}'",
                b.id, a.id
            ))
            .await;
        let old = current(&store).await?;
        rotate(&store).await?;
        clock.advance(MINUTES);
        assert_eq!(reseal(&store).await?, provost_store::Resealed { values: 1, unopened: 1 });
        assert!(refusal(retire(&store, old).await).contains("still opens 1 values"));
        assert_eq!(api_key(&store, ws, &b).as_deref(), Some("sk-b"));
        Ok(())
    });
}
