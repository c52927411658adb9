//! A Provost of one test: the real node on free ports, with a workspace, an owner and their keys.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::SignedDuration;
use provost_identity::create_first_workspace;
use provost_model::event::Origin;
use provost_model::{Clock, Email};
use provost_server::config::{Config, ServeArgs};
use provost_server::node::{Node, open_store};
use reqwest::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::dns::{self, Texts};
use crate::postgres::PostgresDatabase;

/// The password of every member that a test makes.
pub const PASSWORD: &str = "correct horse battery staple";

/// On which database a test's server runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// A file of its own.
    Sqlite,
    /// A database of its own on the server that `mk/with-postgres` runs.
    Postgres,
}

/// A running server.
pub struct Server {
    /// The node itself, to look inside.
    pub node: Node,
    /// The time: a test moves it.
    pub clock: Clock,
    /// The first workspace.
    pub workspace_id: String,
    /// Its owner.
    pub owner_id: String,
    /// A key with every scope.
    pub api_key: String,
    /// The path of the owner's first sign-in.
    pub sign_in_path: String,
    /// The database, where it is PostgreSQL: a test takes it away and gives it back.
    pub postgres: Option<PostgresDatabase>,
    /// What DNS says, for the domains that are verified.
    pub dns: Texts,
    http: reqwest::Client,
    // Dropped last: the node writes there until it stops.
    data: TempDir,
}

/// An answer, read whole.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: reqwest::header::HeaderMap,
    /// Its body; a string if it is not JSON, null if it is empty.
    pub body: Value,
}

impl Answer {
    async fn read(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.expect("the answer has an end");
        let body = match serde_json::from_str(&text) {
            Ok(value) => value,
            Err(_) if text.is_empty() => Value::Null,
            Err(_) => Value::String(text),
        };
        Self { status, headers, body }
    }

    /// The body of an answer that must be a success.
    ///
    /// # Panics
    /// If it is not.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!(self.status.is_success(), "{}: {}", self.status, self.body);
        self.body
    }

    /// A text of the body, by its key.
    ///
    /// # Panics
    /// If it is not there.
    #[track_caller]
    pub fn text(&self, key: &str) -> String {
        let text = self.body[key].as_str();
        text.unwrap_or_else(|| panic!("`{key}` of {}", self.body)).to_owned()
    }
}

/// Who calls the admin API.
#[derive(Debug, Clone)]
pub enum As {
    /// An API key.
    Key(String),
    /// A member's session.
    Session {
        /// The member.
        member_id: String,
        /// The `Cookie` header.
        cookie: String,
        /// The `x-csrf-token` header.
        csrf_token: String,
    },
    /// Nobody.
    Nobody,
}

impl Server {
    /// Starts one on SQLite.
    pub async fn start() -> Self {
        Self::start_on(Database::Sqlite).await
    }

    /// Starts one.
    pub async fn start_on(database: Database) -> Self {
        Self::start_with(database, "").await
    }

    /// Starts one with a configuration file.
    pub async fn start_with(database: Database, config_file: &str) -> Self {
        let data = tempfile::Builder::new().prefix("provost-").tempdir().expect("a temporary directory");
        let postgres = match database {
            Database::Sqlite => None,
            Database::Postgres => Some(PostgresDatabase::create().await),
        };
        let mut config = config(&data, postgres.as_ref(), config_file);
        let dns = Texts::default();
        config.network.dns_server = Some(dns::start(dns.clone()).await);
        let clock = Clock::system();
        let store = open_store(&config, clock.clone()).await.expect("the store opens");
        let owner = Email::try_from("owner@acme.example".to_owned()).expect("an address");
        let made = create_first_workspace(&store, "Acme", &owner, None, Origin::default()).await;
        let made = made.expect("the database answers").expect("there is no workspace yet");
        let handover = made.handover.expect("the owner has no password yet");
        store.close(Duration::from_secs(5)).await;
        let node = Node::start(&config, clock.clone()).await.expect("the node starts");
        // Redirects are what the tests look at, so they are not followed.
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build();
        Self {
            node,
            clock,
            workspace_id: made.workspace_id.to_string(),
            owner_id: made.owner_id.to_string(),
            api_key: handover.api_key,
            sign_in_path: handover.sign_in_path,
            postgres,
            dns,
            http: http.expect("an HTTP client"),
            data,
        }
    }

    /// A second node on the same data, as behind a load balancer.
    pub async fn second_node(&self) -> Node {
        let mut config = config(&self.data, self.postgres.as_ref(), "");
        // Every node of one Provost has its one public address.
        config.configured_public_url = Some(self.url().parse().expect("a public URL"));
        Node::start(&config, self.clock.clone()).await.expect("the second node starts")
    }

    /// Stops the node, does something to its data directory and its database, and starts it again: on the
    /// same addresses, with the same configuration.
    ///
    /// # Errors
    /// What the node says that does not start.
    pub async fn restart(self, meanwhile: impl AsyncFnOnce(&Path, Option<&PostgresDatabase>)) -> Result<Self, String> {
        let mut config = config(&self.data, self.postgres.as_ref(), "");
        config.limits = self.node.app.limits;
        config.configured_public_url = Some(self.url().parse().expect("a public URL"));
        config.listen = self.node.address;
        let Self { node, clock, postgres, dns, http, data, workspace_id, owner_id, api_key, sign_in_path } = self;
        node.stop().await;
        meanwhile(&data.path().join("data"), postgres.as_ref()).await;
        let node = Node::start(&config, clock.clone()).await.map_err(|error| format!("{error:#}"))?;
        Ok(Self { node, clock, postgres, dns, http, data, workspace_id, owner_id, api_key, sign_in_path })
    }

    /// The public address: HTTPS with the private CA.
    pub fn url(&self) -> &str {
        &self.node.app.public_url
    }

    /// The address of the plain listener.
    pub fn http_url(&self) -> String {
        format!("http://{}", self.node.http_address.expect("a test's server listens on plain HTTP"))
    }

    /// The certificate of the private CA.
    pub fn ca_certificate(&self) -> PathBuf {
        self.data.path().join("data/tls/ca.pem")
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.data.path().join("data")
    }

    /// As the key that `provost init` prints.
    pub fn admin(&self) -> As {
        As::Key(self.api_key.clone())
    }

    /// Calls over plain HTTP.
    pub async fn call(&self, who: &As, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.request(method, path);
        request = match who {
            As::Key(key) => request.bearer_auth(key),
            As::Session { cookie, csrf_token, .. } => request.header(COOKIE, cookie).header("x-csrf-token", csrf_token),
            As::Nobody => request,
        };
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        Answer::read(request.send().await.expect("the server answers")).await
    }

    /// A request to a path, for what [`Server::call`] does not do.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.http_url()))
    }

    /// Sends a request that [`Server::request`] made.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        Answer::read(request.send().await.expect("the server answers")).await
    }

    /// GET as the admin.
    pub async fn get(&self, path: &str) -> Answer {
        self.call(&self.admin(), Method::GET, path, None).await
    }

    /// POST as the admin.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(&self.admin(), Method::POST, path, Some(body)).await
    }

    /// PUT as the admin.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.call(&self.admin(), Method::PUT, path, Some(body)).await
    }

    /// PATCH as the admin.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call(&self.admin(), Method::PATCH, path, Some(body)).await
    }

    /// DELETE as the admin.
    pub async fn delete(&self, path: &str) -> Answer {
        self.call(&self.admin(), Method::DELETE, path, None).await
    }

    /// Adds a member with [`PASSWORD`]; its id.
    pub async fn member(&self, email: &str) -> String {
        self.post("/api/v1/members", json!({ "email": email, "password": PASSWORD })).await.text("id")
    }

    /// Adds a group with these members; its id.
    pub async fn group(&self, name: &str, members: &[&str]) -> String {
        let id = self.post("/api/v1/groups", json!({ "name": name })).await.text("id");
        for member in members {
            self.put(&format!("/api/v1/groups/{id}/members/{member}"), Value::Null).await.ok();
        }
        id
    }

    /// Adds a policy; its id.
    pub async fn policy(&self, name: &str, contents: &str) -> String {
        self.post("/api/v1/policies", json!({ "name": name, "contents": contents })).await.text("id")
    }

    /// Adds an upstream that serves these models.
    pub async fn upstream(&self, base_url: &str, models: &[&str]) -> String {
        let models: Vec<Value> = models.iter().map(|slug| json!({ "slug": slug })).collect();
        let body = json!({ "name": "Scripted", "base_url": base_url, "api_key": "sk-upstream", "models": models });
        self.post("/api/v1/upstreams", body).await.text("id")
    }

    /// Signs a member in to the admin API.
    pub async fn sign_in(&self, email: &str) -> As {
        let body = json!({ "email": email, "password": PASSWORD });
        let answer = self.call(&As::Nobody, Method::POST, "/api/v1/sessions", Some(body)).await;
        assert!(answer.status.is_success(), "{}: {}", answer.status, answer.body);
        let cookie = answer.headers[SET_COOKIE].to_str().expect("a cookie is ASCII");
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        As::Session { member_id: answer.text("member_id"), cookie, csrf_token: answer.text("csrf_token") }
    }

    /// Makes an access token (`at-…`) of a member, whose toggle must be on.
    pub async fn access_token(&self, email: &str) -> String {
        let session = self.sign_in(email).await;
        let body = json!({ "name": "test", "expires_in_days": 1 });
        self.call(&session, Method::POST, "/api/v1/access-tokens", Some(body)).await.text("token")
    }

    /// The events of a type, once everything so far is written.
    pub async fn events(&self, kind: &str) -> Vec<Value> {
        assert!(self.node.app.store.flush(Duration::from_secs(10)).await, "the events are written");
        let answer = self.get(&format!("/api/v1/events?type={kind}&limit=1000")).await.ok();
        answer["data"].as_array().expect("a list").clone()
    }

    /// Moves the time.
    pub fn advance(&self, by: SignedDuration) {
        self.clock.advance(by);
    }
}

fn config(data: &TempDir, postgres: Option<&PostgresDatabase>, config_file: &str) -> Config {
    let mut args = ServeArgs::default();
    if !config_file.is_empty() {
        let path = data.path().join("provost.toml");
        std::fs::write(&path, config_file).expect("a file in our own directory");
        args.config = Some(path);
    }
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    args.settings.data = Some(data.path().join("data"));
    args.settings.listen = Some(anywhere);
    args.settings.http_listen = Some(format!("{anywhere}").parse().expect("an address"));
    args.settings.database_url = postgres.map(|database| database.url().parse().expect("a database URL"));
    Config::load(args, &|_| None).expect("the configuration of a test is good")
}
