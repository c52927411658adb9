//! Provisioning: 100,000 users in 1,000 groups over SCIM, every change on disk before it is answered,
//! beside scim2-server, which holds everything in memory. Then, whether one lookup and one membership
//! cost more among 100,000 members than among 1,000. Under `mk/with-postgres` the same users are
//! provisioned on PostgreSQL too, which does not sync there.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use provost_benches::client::Connection;
use provost_benches::population;
use provost_benches::process::Server;
use provost_benches::report::{judged, line, median};
use provost_model::event::{Actor, EventType, Origin};
use provost_model::{ApiKeyId, Clock, Scope};
use provost_server::node::{Node, open_store};
use provost_store::Touched;
use provost_store::tables::api_keys::{self, ApiKeyRow};
use provost_web::hash_secret;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

const CONNECTIONS: usize = 64;
/// So many has the baseline, which takes a new one for each request and lets five wait: of more, those
/// that find no room try again after a second, and it would be idle most of the time.
const BASELINE_CONNECTIONS: usize = 4;
const USERS: usize = 100_000;
/// So many members has each group.
const IN_GROUP: usize = 100;
/// What the baseline is given: it takes about as long for these as Provost for all. It finds names and
/// ids by their hashes, so that it would do no more of them per second if there were fewer.
const BASELINE_USERS: usize = 5_000;
/// The fewer members of the comparison at the end.
const FEW: usize = 1_000;
/// So many members are named by one request where a group of everyone is filled.
const FILL: usize = 1_000;
/// Lookups and memberships are timed so many times, in turns.
const ROUNDS: usize = 10;
/// So many rounds before are not counted: what was just started is not warm, and a log that grows is
/// synced more slowly than one that is written over, as it is from its first checkpoint on.
const WARMING: usize = 30;
const IN_ROUND: usize = 40;
const TOKEN: &str = "pk-0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, serve, data, database] = &arguments[..]
        && serve == "serve"
    {
        let database = Some(database.as_str()).filter(|url| !url.is_empty());
        return tokio::runtime::Runtime::new()?.block_on(be_provost(data.as_ref(), database));
    }
    // One thread: the load shall leave the processors to the server.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measure())
}

async fn measure() -> Result<()> {
    let groups = USERS / IN_GROUP;
    let (many, few) = (tempfile::tempdir()?, tempfile::tempdir()?);
    line(&format!(
        "scim: {USERS} users in {groups} groups over {CONNECTIONS} connections, plain HTTP; SQLite, each change synced"
    ));
    line(&format!("  {:<58} {:>9.0} us", "a write and its sync on the disk of SQLite", sync_time(many.path())?));
    say_load()?;
    let baseline = Baseline::start().await?;
    let theirs = provision(&baseline.target, BASELINE_USERS).await?;
    drop(baseline);
    say("scim2-server 0.8.3 (in memory, over 4 connections)", &theirs);

    say_load()?;
    let ours = on_sqlite(many.path(), &theirs).await?;
    if let Ok(url) = std::env::var("PROVOST_TEST_POSTGRES") {
        say_load()?;
        on_postgres(&url, &theirs).await?;
    }
    say_load()?;
    let (large, large_target) = start(many.path(), None, false).await?;
    let (small, small_target) = start(few.path(), None, true).await?;
    let few_users = provision(&small_target, FEW).await?;
    let everyone = [
        (everyone(&small_target, &few_users.ids).await?, &few_users.ids, &small_target),
        (everyone(&large_target, &ours.ids).await?, &ours.ids, &large_target),
    ];
    let (mut lookups, mut memberships) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for round in 0..WARMING + ROUNDS {
        for (n, (group, ids, target)) in everyone.iter().enumerate() {
            let lookup = time_lookups(target, round, ids.len()).await?;
            let membership = time_memberships(target, round, group, ids).await?;
            if round >= WARMING {
                lookups[n].extend(lookup);
                memberships[n].extend(membership);
            }
        }
    }
    compare("lookup by userName", lookups);
    compare("PATCH of one membership of everyone's group", memberships);
    small.stop().await?;
    large.stop().await
}

/// Provisions all on SQLite, and looks whether it lasts.
async fn on_sqlite(data: &Path, theirs: &Provisioned) -> Result<Provisioned> {
    let (server, target) = start(data, None, true).await?;
    let ours = provision(&target, USERS).await?;
    judge("Provost", &server, &ours, theirs)?;
    // Killed, not stopped: what was answered is not in the memory of the process alone.
    server.stop().await?;
    let (server, target) = start(data, None, false).await?;
    check(&target).await?;
    server.stop().await?;
    Ok(ours)
}

/// The same on PostgreSQL.
async fn on_postgres(url: &str, theirs: &Provisioned) -> Result<()> {
    let data = tempfile::tempdir()?;
    let (server, target) = start(data.path(), Some(url), true).await?;
    let ours = provision(&target, USERS).await?;
    judge("Provost on PostgreSQL, not synced", &server, &ours, theirs)?;
    check(&target).await?;
    server.stop().await
}

fn judge(who: &str, server: &Server, ours: &Provisioned, theirs: &Provisioned) -> Result<()> {
    say(who, ours);
    let cpu = server.cpu()?.as_secs_f64() * 1e6 / USERS as f64;
    line(&format!("  {:<58} {cpu:>9.0} us", "its CPU per user, all in all"));
    let ratio = ours.users_per_second() / theirs.users_per_second();
    judged("users with their groups per second, / scim2-server", ratio, "", ">= 10", ratio >= 10.0);
    let ratio = ours.creates_per_second() / theirs.creates_per_second();
    judged("users created per second, / scim2-server", ratio, "", ">= 10", ratio >= 10.0);
    Ok(())
}

async fn check(target: &Target) -> Result<()> {
    for (what, wanted) in [("Users", USERS), ("Groups", USERS / IN_GROUP)] {
        let (found, wanted) = (total(target, what).await?, wanted as u64 + 1);
        ensure!(found == wanted, "of {wanted} {what} {found} are there");
    }
    Ok(())
}

/// How busy the machine is with all that runs on it: the figures of a busy one are of little use.
fn say_load() -> Result<()> {
    let load = std::fs::read_to_string("/proc/loadavg")?;
    line(&format!("  (load of the last minute: {})", load.split(' ').next().unwrap_or_default()));
    Ok(())
}

/// How long a write and its sync take on this disk, in microseconds: the middle of several.
fn sync_time(directory: &Path) -> Result<f64> {
    let mut file = tempfile::tempfile_in(directory)?;
    let mut times = Vec::new();
    for _ in 0..50 {
        let start = Instant::now();
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    Ok(median(times))
}

/// A server that speaks SCIM.
#[derive(Clone)]
struct Target {
    address: String,
    base: &'static str,
    connections: usize,
}

impl Target {
    fn connect(&self) -> Connection {
        Connection::new(&self.address, TOKEN, "application/scim+json")
    }
}

/// What was provisioned, and how long it took.
struct Provisioned {
    ids: Vec<String>,
    users: Duration,
    groups: Duration,
    memberships: Duration,
}

impl Provisioned {
    fn creates_per_second(&self) -> f64 {
        self.ids.len() as f64 / self.users.as_secs_f64()
    }

    fn users_per_second(&self) -> f64 {
        self.ids.len() as f64 / (self.users + self.groups + self.memberships).as_secs_f64()
    }
}

fn say(who: &str, done: &Provisioned) {
    let (users, groups) = (done.ids.len() as f64, (done.ids.len() / IN_GROUP) as f64);
    let per_second = |count: f64, time: Duration| count / time.as_secs_f64();
    line(&format!(
        "  {who}: {users} users, {:.0} users/s all in all; {:.0} users/s, {:.0} groups/s, {:.0} PATCHes of {IN_GROUP} members/s",
        done.users_per_second(),
        per_second(users, done.users),
        per_second(groups, done.groups),
        per_second(groups, done.memberships),
    ));
}

fn compare(what: &str, [few, many]: [Vec<f64>; 2]) {
    let (few, many) = (median(few), median(many));
    line(&format!("  {what}: median {few:.0} us of {FEW} members, {many:.0} us of {USERS}"));
    judged(&format!("{what}, of {USERS} / of {FEW}"), many / few, "", "<= 1.50", many / few <= 1.5);
}

/// Creates users, then groups, then puts the users into the groups. Both servers have done one of each
/// before: the baseline builds its models when it first needs them.
async fn provision(target: &Target, users: usize) -> Result<Provisioned> {
    measured(target, 1, "first-", 1).await?;
    measured(target, users, "", IN_GROUP).await
}

async fn measured(target: &Target, users: usize, prefix: &str, in_group: usize) -> Result<Provisioned> {
    let (ids, user_time) = load(target, users, 201, |n| {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "userName": format!("{prefix}{}", user_name(n)),
            "externalId": format!("{prefix}00u{n:017}"),
            "name": { "givenName": "Given", "familyName": format!("Family {n}") },
            "emails": [{ "value": format!("{prefix}{}", user_name(n)), "type": "work", "primary": true }],
            "active": true,
        });
        Ok(("POST", "/Users".to_owned(), body.to_string()))
    })
    .await?;
    let count = users / in_group;
    let (groups, group_time) = load(target, count, 201, |n| {
        let schemas = ["urn:ietf:params:scim:schemas:core:2.0:Group"];
        let body = json!({ "schemas": schemas, "displayName": format!("{prefix}Group {n}"), "externalId": format!("{prefix}00g{n}") });
        Ok(("POST", "/Groups".to_owned(), body.to_string()))
    })
    .await?;
    let ids: Vec<String> = ids.iter().map(|body| id(body)).collect::<Result<_>>()?;
    let groups: Vec<String> = groups.iter().map(|body| id(body)).collect::<Result<_>>()?;
    let (_, memberships) = load(target, count, 200, |n| {
        let path = format!("/Groups/{}", groups[n]);
        Ok(("PATCH", path, membership("add", &ids[n * in_group..(n + 1) * in_group])))
    })
    .await?;
    Ok(Provisioned { ids, users: user_time, groups: group_time, memberships })
}

fn user_name(n: usize) -> String {
    format!("user-{n}@bench.example")
}

fn membership(op: &str, ids: &[String]) -> String {
    let operation = match (op, ids) {
        ("remove", [id]) => json!({ "op": op, "path": format!("members[value eq \"{id}\"]") }),
        _ => {
            let members: Vec<Value> = ids.iter().map(|id| json!({ "value": id })).collect();
            json!({ "op": op, "path": "members", "value": members })
        }
    };
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation] }).to_string()
}

/// Sends so many requests over all connections; their answers in order, and how long it took.
async fn load(
    target: &Target,
    count: usize,
    expected: u16,
    request: impl Fn(usize) -> Result<(&'static str, String, String)>,
) -> Result<(Vec<String>, Duration)> {
    // Made before: what the load costs is not what is measured.
    let requests = Arc::new((0..count).map(request).collect::<Result<Vec<_>>>()?);
    let next = Arc::new(AtomicUsize::new(0));
    let mut running = JoinSet::new();
    let start = Instant::now();
    for _ in 0..target.connections {
        let (requests, next, target) = (requests.clone(), next.clone(), target.clone());
        running.spawn(async move {
            let (mut connection, mut answers) = (target.connect(), Vec::new());
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                let Some((method, path, body)) = requests.get(n) else { return Ok::<_, anyhow::Error>(answers) };
                let answer = connection.ask(method, &format!("{}{path}", target.base), body).await?;
                let accepted = answer.status == expected || expected == 200 && answer.status == 204;
                ensure!(accepted, "{method} {path}: {} {}", answer.status, answer.body);
                answers.push((n, answer.body));
            }
        });
    }
    let mut answers = vec![String::new(); count];
    while let Some(done) = running.join_next().await {
        for (n, answer) in done?? {
            answers[n] = answer;
        }
    }
    Ok((answers, start.elapsed()))
}

fn id(body: &str) -> Result<String> {
    let body: Value = serde_json::from_str(body)?;
    Ok(body["id"].as_str().context("no id")?.to_owned())
}

async fn total(target: &Target, what: &str) -> Result<u64> {
    let answer = target.connect().ask("GET", &format!("{}/{what}?count=1", target.base), "").await?;
    let body: Value = serde_json::from_str(&answer.body)?;
    body["totalResults"].as_u64().with_context(|| format!("no total: {body}"))
}

/// Makes a group of all but one; its id.
async fn everyone(target: &Target, ids: &[String]) -> Result<String> {
    let mut connection = target.connect();
    let schemas = ["urn:ietf:params:scim:schemas:core:2.0:Group"];
    let body = json!({ "schemas": schemas, "displayName": "Everyone" }).to_string();
    let answer = connection.ask("POST", &format!("{}/Groups", target.base), &body).await?;
    let group = id(&answer.body)?;
    for ids in ids[1..].chunks(FILL) {
        let path = format!("{}/Groups/{group}", target.base);
        let answer = connection.ask("PATCH", &path, &membership("add", ids)).await?;
        ensure!(answer.status < 300, "{}", answer.body);
    }
    Ok(group)
}

async fn time_lookups(target: &Target, round: usize, users: usize) -> Result<Vec<f64>> {
    let mut connection = target.connect();
    let mut times = Vec::with_capacity(IN_ROUND);
    for n in 0..IN_ROUND {
        // Far apart, so that it is not one page of the database over and over.
        let name = user_name((round * IN_ROUND + n) * 7_919 % users);
        let path = format!("{}/Users?filter=userName%20eq%20%22{name}%22", target.base);
        let start = Instant::now();
        let answer = connection.ask("GET", &path, "").await?;
        times.push(start.elapsed().as_secs_f64() * 1e6);
        ensure!(answer.status == 200 && answer.body.contains(&name), "{}", answer.body);
    }
    Ok(times)
}

async fn time_memberships(target: &Target, round: usize, group: &str, ids: &[String]) -> Result<Vec<f64>> {
    let mut connection = target.connect();
    let path = format!("{}/Groups/{group}", target.base);
    let mut times = Vec::with_capacity(IN_ROUND);
    for n in 0..IN_ROUND / 2 {
        let one = &ids[1 + (round * IN_ROUND + n) * 7_919 % (ids.len() - 1)];
        for op in ["remove", "add"] {
            let body = membership(op, std::slice::from_ref(one));
            let start = Instant::now();
            let answer = connection.ask("PATCH", &path, &body).await?;
            times.push(start.elapsed().as_secs_f64() * 1e6);
            ensure!(answer.status < 300, "{}", answer.body);
        }
    }
    Ok(times)
}

/// Starts Provost on this data; new data gets a workspace and a key for SCIM.
async fn start(data: &Path, database: Option<&str>, is_new: bool) -> Result<(Server, Target)> {
    if is_new {
        let store = open_store(&population::config_on(data, database)?, Clock::system()).await?;
        let mut change = store.create_workspace("Bench", Actor::system(), Origin::default()).await?;
        let (workspace_id, now) = (change.workspace_id(), change.at());
        let key = ApiKeyRow {
            last4: TOKEN[TOKEN.len() - 4..].to_owned(),
            scopes: vec![Scope::Scim],
            ..ApiKeyRow::new(ApiKeyId::new(now), "provider", now)
        };
        api_keys::insert(&mut change, workspace_id, &key, &hash_secret(TOKEN)).await?;
        change.touch(Touched::Workspace);
        change.touch(Touched::ApiKey(key.id));
        change.record(EventType::WorkspaceCreated, None, json!({}));
        change.commit().await?;
        store.close(Duration::from_secs(10)).await;
    }
    let server = Server::start(&["serve", &data.display().to_string(), database.unwrap_or_default()]).await?;
    let address = server.ready.clone();
    Ok((server, Target { address, base: "/scim/v2", connections: CONNECTIONS }))
}

async fn be_provost(data: &Path, database: Option<&str>) -> Result<()> {
    let node = Node::start(&population::config_on(data, database)?, Clock::system()).await?;
    line(&node.http_address.context("plain HTTP")?.to_string());
    std::future::pending().await
}

/// scim2-server, in a Python environment of its own that is made when it is first wanted.
struct Baseline {
    target: Target,
    _process: Child,
}

impl Baseline {
    async fn start() -> Result<Self> {
        let environment = Self::environment().await?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let process = Command::new(environment.join("bin/scim2-server"))
            .args(["--port", &port.to_string(), "--bearer-token", TOKEN])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let address = format!("127.0.0.1:{port}");
        let start = Instant::now();
        while TcpStream::connect(&address).await.is_err() {
            ensure!(start.elapsed() < Duration::from_secs(30), "scim2-server does not listen");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(Self { target: Target { address, base: "/v2", connections: BASELINE_CONNECTIONS }, _process: process })
    }

    async fn environment() -> Result<PathBuf> {
        let pins = Path::new(env!("CARGO_MANIFEST_DIR")).join("scim2-server.txt");
        let environment = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/scim2-server");
        // Copied when all is installed, so that a half-made environment is made again.
        let made = environment.join("installed.txt");
        if std::fs::read(&made).ok() != Some(std::fs::read(&pins)?) {
            let python = environment.join("bin/python").display().to_string();
            let (path, list) = (environment.display().to_string(), pins.display().to_string());
            run("python3", &["-m", "venv", "--clear", &path]).await?;
            run(&python, &["-m", "pip", "install", "--quiet", "--no-deps", "--requirement", &list]).await?;
            std::fs::copy(&pins, &made)?;
        }
        Ok(environment)
    }
}

async fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let status = Command::new(program).args(arguments).status().await;
    let status = status.with_context(|| format!("the baseline needs {program} (with venv and pip), and PyPI"))?;
    ensure!(status.success(), "the baseline could not be made: {program} {}", arguments.join(" "));
    Ok(())
}
