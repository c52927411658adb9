//! A Provost that has only the gateway, on a port of its own, with one workspace in it.

use axum::Router;
use std::net::SocketAddr;
use std::time::Duration;

use jiff::SignedDuration;
use provost_gateway::{admin_routes, client_routes};
use provost_model::event::{Actor, Event, EventType, Origin, Target};
use provost_model::{
    AccessTokenId, ApiKeyId, ApiKeyStatus, BuiltinRole, Clock, GrantId, MemberId, Scope, Settings, WorkspaceId,
};
use provost_store::tables::{access_tokens, api_keys, members, workspaces};
use provost_store::{MasterKey, Options, Store, Touched, ledger};
use provost_testkit::upstream::Upstream;
use provost_web::limits::{Limits, UpstreamAddresses};
use provost_web::{
    AccessClaims, App, AppParts, Deliveries, IssuerKeys, Keys, LastUse, Metrics, RateLimit, Running, Secret,
    SignInLimits, door, outgoing_client,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct TestApp {
    pub(crate) app: App,
    pub(crate) url: String,
    pub(crate) clock: Clock,
    pub(crate) upstream: Upstream,
    pub(crate) upstream_id: String,
    pub(crate) workspace_id: WorkspaceId,
    pub(crate) member_id: MemberId,
    /// Of the member `dev@example.com`.
    pub(crate) access_token: String,
    pub(crate) api_key: String,
    pub(crate) http: reqwest::Client,
    _dir: TempDir,
}

impl TestApp {
    /// With an upstream `scripted` that serves `gpt-test` (there: `big-model-1`) at a price.
    pub(crate) async fn start() -> Self {
        Self::start_with(Limits::default(), UpstreamAddresses::default()).await
    }

    pub(crate) async fn start_with(limits: Limits, addresses: UpstreamAddresses) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let master_key = MasterKey::from_file(&dir.path().join("master.key")).unwrap();
        let store =
            Store::open(Options::sqlite(dir.path().join("test.db"), master_key.into(), clock.clone())).await.unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = App::new(AppParts {
            keys: Keys::open(store.clone(), url.clone()).await.unwrap(),
            store,
            public_url: url.clone(),
            limits,
            metrics: Metrics::default(),
            last_use: LastUse::default(),
            deliveries: Deliveries::default(),
            issuer_keys: IssuerKeys::default(),
            http: outgoing_client(&limits, addresses).unwrap(),
            upstream_addresses: addresses,
            dns_server: None,
            running: Running::default(),
            sign_ins: SignInLimits::per_minute(10),
            guesses: RateLimit::per_minute(10),
        });
        let (admin, _) = admin_routes().split_for_parts();
        // `axum::serve` takes a router.
        let routes = Router::new().fallback_service(door(client_routes().merge(admin), app.clone()));
        tokio::spawn(async move {
            axum::serve(listener, routes.into_make_service_with_connect_info::<SocketAddr>()).await.unwrap();
        });
        let seeded = seed(&app.store).await;
        let mut test = Self {
            upstream: Upstream::start().await,
            upstream_id: String::new(),
            http: reqwest::Client::new(),
            app,
            url,
            clock,
            workspace_id: seeded.workspace_id,
            member_id: seeded.member_id,
            access_token: seeded.access_token,
            api_key: seeded.api_key,
            _dir: dir,
        };
        if addresses.allow_private {
            let model =
                json!({ "slug": "gpt-test", "upstream_model": "big-model-1", "input_price": 2.0, "output_price": 8.0 });
            let body = json!({ "name": "scripted", "base_url": test.upstream.url(), "api_key": "sk-upstream", "models": [model] });
            let added = test.admin("POST", "/api/v1/upstreams", Some(body)).await;
            test.upstream_id = added.json()["id"].as_str().unwrap().to_owned();
        }
        test
    }

    /// A turn of the member, as Codex 0.169.0 asks for it.
    pub(crate) fn turn(&self) -> reqwest::RequestBuilder {
        self.http
            .post(format!("{}/backend-api/codex/responses", self.url))
            .bearer_auth(&self.access_token)
            .header("version", "0.169.0")
            .header("accept", "text/event-stream")
            .json(&json!({ "model": "gpt-test", "input": "hi", "stream": true, "store": true }))
    }

    /// A call of the admin API with the API key.
    pub(crate) async fn admin(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let request = self.http.request(method.parse().unwrap(), format!("{}{path}", self.url));
        let request = request.bearer_auth(&self.api_key);
        answer(body.iter().fold(request, |request, body| request.json(body))).await
    }

    /// Changes the settings.
    pub(crate) async fn set(&self, edit: impl FnOnce(&mut Settings)) {
        let mut change = self.change().await;
        let mut settings = workspaces::settings(&mut change, self.workspace_id).await.unwrap();
        edit(&mut settings);
        workspaces::set_settings(&mut change, self.workspace_id, &settings).await.unwrap();
        change.touch(Touched::Workspace);
        change.record(EventType::SettingsUpdated, None, json!({}));
        change.commit().await.unwrap();
    }

    /// Suspends the member, or lets it back in.
    pub(crate) async fn set_active(&self, active: bool) {
        let mut change = self.change().await;
        let mut member = members::get(&mut change, self.workspace_id, self.member_id).await.unwrap().unwrap();
        member.active = active;
        members::update(&mut change, self.workspace_id, &member).await.unwrap();
        change.touch(Touched::Member(self.member_id));
        change.record(EventType::MemberUpdated, None, json!({}));
        change.commit().await.unwrap();
    }

    pub(crate) async fn change(&self) -> provost_store::Change {
        self.app.store.change(self.workspace_id, Actor::system(), Origin::default()).await.unwrap()
    }

    /// What a signed-in client of the member would send, valid for so long.
    pub(crate) fn signed_in_token(&self, lifetime: SignedDuration) -> String {
        let now = self.clock.now();
        let claims = AccessClaims {
            workspace_id: self.workspace_id,
            member_id: self.member_id,
            grant_id: GrantId::new(now),
            exp: (now + lifetime).as_second(),
        };
        self.app.keys.sign_access_token(claims, &json!({})).unwrap()
    }

    /// The events of a type, once there are `count`.
    pub(crate) async fn events(&self, kind: EventType, count: usize) -> Vec<Event> {
        let wait = async {
            loop {
                assert!(self.app.store.flush(PATIENCE).await);
                let filter = ledger::Filter { kind: Some(kind), actor: None, after: 0, limit: 1_000 };
                let mut tx = self.app.store.read().await.unwrap();
                let events = ledger::list(&mut tx, self.workspace_id, &filter).await.unwrap();
                if events.len() >= count {
                    return events;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("no {count} events {}", kind.as_str()))
    }

    /// The details of the only event of a type, without what differs from run to run.
    pub(crate) async fn event(&self, kind: EventType) -> Value {
        let mut events = self.events(kind, 1).await;
        assert_eq!(events.len(), 1, "{events:#?}");
        let mut details = events.remove(0).details;
        for (field, value) in details.as_object_mut().unwrap() {
            if field.ends_with("_ms") && !value.is_null() {
                *value = "[ms]".into();
            }
        }
        details
    }
}

struct Seeded {
    workspace_id: WorkspaceId,
    member_id: MemberId,
    access_token: String,
    api_key: String,
}

async fn seed(store: &Store) -> Seeded {
    let mut change = store.create_workspace("Example", Actor::system(), Origin::default()).await.unwrap();
    let (workspace_id, now) = (change.workspace_id(), change.at());
    let member_id = MemberId::new(now);
    let member = members::MemberRow {
        id: member_id,
        email: "dev@example.com".to_owned().try_into().unwrap(),
        name: "Dev".to_owned(),
        active: true,
        builtin_role: BuiltinRole::Member,
        created_at: now,
        updated_at: now,
    };
    members::insert(&mut change, workspace_id, &member, None).await.unwrap();
    let (token, key) = (Secret::new("at-"), Secret::new("pk-"));
    let row = access_tokens::AccessTokenRow {
        expires_at: Some(now + SignedDuration::from_hours(24)),
        ..access_tokens::AccessTokenRow::new(AccessTokenId::new(now), member_id, "ci", now)
    };
    access_tokens::insert(&mut change, workspace_id, &row, &token.hash).await.unwrap();
    let row = api_keys::ApiKeyRow {
        last4: "0000".to_owned(),
        scopes: vec![Scope::Admin],
        status: ApiKeyStatus::Active,
        ..api_keys::ApiKeyRow::new(ApiKeyId::new(now), "automation", now)
    };
    api_keys::insert(&mut change, workspace_id, &row, &key.hash).await.unwrap();
    change.touch(Touched::Workspace);
    change.record(EventType::WorkspaceCreated, Target::new("workspace", workspace_id, "Example"), json!({}));
    change.commit().await.unwrap();
    Seeded { workspace_id, member_id, access_token: token.text, api_key: key.text }
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// Sends a request and reads the answer.
pub(crate) async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let headers = response.headers().clone();
    let content_type = headers.get("content-type").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    Answer { status: response.status().as_u16(), content_type, headers, body: response.bytes().await.unwrap().to_vec() }
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{} {}", self.status, self.text()))
    }

    /// Status, content type and body on one line, without what differs from run to run.
    pub(crate) fn line(&self) -> String {
        let body = match serde_json::from_slice::<Value>(&self.body) {
            Ok(mut body) => {
                if body.pointer("/error/request_id").is_some() {
                    body["error"]["request_id"] = "[id]".into();
                }
                body.to_string()
            }
            Err(_) => self.text(),
        };
        format!("{} {}\n    {body}", self.status, self.content_type)
    }
}
