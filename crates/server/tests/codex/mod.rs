//! The real Codex CLI, governed end to end: who may sign in, under which policy it runs, what it
//! may ask of which model, and what of it is on record. Every test drives the client that developers
//! have, in the newest version and in an old one wherever the old one can.

mod access_tokens;
mod browser;
mod config_server;
mod drift;
mod exceptions;
mod explain;
mod failing_upstreams;
mod gateway;
mod leaving;
mod machines;
mod policy;
mod refresh;
mod refusals;
mod rollouts;
mod sign_in;
mod sso;
mod workloads;

use provost_testkit::codex::{Codex, Device, Output, Version};
use provost_testkit::server::{As, Database, Server};
use provost_testkit::upstream::{Recorded, Reply, Upstream};
use reqwest::{Method, Url};
use serde_json::{Value, json};

/// What the guide says to a member who may not. A developer must read exactly this.
const REFUSED: &str = "403 - Unauthorized. Contact your ChatGPT administrator for access.";

/// The arguments of a turn with the model that the upstream serves.
const TURN: [&str; 2] = ["-m", "gpt-test"];

/// The client id that Codex signs in with.
const CLIENT_ID: &str = "app_EMoamEEZ73f0CkXaXp7hrann";

/// A PKCE pair, from RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A Provost with one scripted upstream, which serves the model `gpt-test`.
struct Site {
    server: Server,
    upstream: Upstream,
}

/// A member with a session of their own.
struct Developer {
    id: String,
    email: String,
    session: As,
}

impl Site {
    async fn open() -> Self {
        Self::open_with(Database::Sqlite, "").await
    }

    async fn open_with(database: Database, config_file: &str) -> Self {
        let (server, upstream) = (Server::start_with(database, config_file).await, Upstream::start().await);
        server.upstream(&upstream.url(), &["gpt-test"]).await;
        Self { server, upstream }
    }

    /// Adds a member, `NAME@acme.example`, and signs them in to the console.
    async fn hire(&self, name: &str) -> Developer {
        let email = format!("{name}@acme.example");
        let id = self.server.member(&email).await;
        let session = self.server.sign_in(&email).await;
        Developer { id, email, session }
    }

    /// A laptop on which nobody is signed in.
    fn laptop(&self, version: Version) -> Device {
        Device::new(&Codex::new(version), self.server.url(), &self.server.ca_certificate())
    }

    /// A laptop of a developer who has signed in: their tokens are where the client keeps them. Takes
    /// no time, and no toggle; how the client gets them itself is what [`sign_in`] is about.
    async fn signed_in_laptop(&self, version: Version, developer: &Developer) -> Device {
        let laptop = self.laptop(version);
        let tokens = self.tokens(developer).await;
        write_auth(&laptop, &tokens, &self.server.workspace_id);
        laptop
    }

    /// The tokens of a browser sign-in.
    async fn tokens(&self, developer: &Developer) -> Value {
        let callback = "http://127.0.0.1:1455/auth/callback";
        let query = [
            ("response_type", "code"),
            ("client_id", CLIENT_ID),
            ("redirect_uri", callback),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let query = encode(&query);
        let answer =
            self.server.call(&developer.session, Method::GET, &format!("/oauth/authorize?{query}"), None).await;
        let location: Url = answer.headers["location"].to_str().unwrap().parse().unwrap();
        let code = location.query_pairs().find(|(name, _)| name == "code").expect("a code").1.into_owned();
        let form = json!({
            "grant_type": "authorization_code", "client_id": CLIENT_ID, "code": code,
            "redirect_uri": callback, "code_verifier": VERIFIER,
        });
        self.server.call(&As::Nobody, Method::POST, "/oauth/token", Some(form)).await.ok()
    }

    /// Turns a toggle of the workspace.
    async fn set(&self, setting: &str, value: Value) {
        let mut patch = json!({});
        patch[setting] = value;
        self.server.patch("/api/v1/settings", patch).await.ok();
    }

    /// Makes the rules: who is in which group gets which policy, everybody else the fallback.
    async fn rule(&self, rules: &[(&str, &str)], fallback: Option<&str>) {
        let rules: Vec<Value> =
            rules.iter().map(|(group, policy)| json!({ "group_id": group, "policy_id": policy })).collect();
        let body = json!({ "rules": rules, "fallback_policy_id": fallback });
        self.server.put("/api/v1/policy-rules", body).await.ok();
    }

    /// Everybody gets this policy.
    async fn rule_everybody(&self, contents: &str) -> String {
        let policy = self.server.policy("Everybody", contents).await;
        self.rule(&[], Some(&policy)).await;
        policy
    }

    /// Has the model ask for a command in a turn of this laptop, and returns what the client printed
    /// and the turn in which it told the model how that went.
    async fn run(&self, laptop: &Device, command: &str, arguments: &[&str]) -> (Output, Recorded) {
        let before = self.upstream.turns().len();
        self.upstream.push(Reply::shell(command));
        self.upstream.push(Reply::text("Done."));
        let output = laptop.exec("do it", &[&TURN, arguments].concat()).await;
        let mut turns = self.upstream.turns().split_off(before);
        assert_eq!(turns.len(), 2, "{output}");
        (output, turns.remove(1))
    }

    /// The events of a type of which this member is the actor.
    async fn events_of(&self, developer: &Developer, kind: &str) -> Vec<Value> {
        let mut events = self.server.events(kind).await;
        events.retain(|event| event["actor"]["id"] == developer.id);
        for event in &events {
            assert_eq!(event["actor"]["kind"], "member");
            assert_eq!(event["actor"]["email"], developer.email);
        }
        events
    }
}

/// Puts tokens where the client keeps them.
fn write_auth(laptop: &Device, tokens: &Value, account_id: &str) {
    let auth = json!({
        "OPENAI_API_KEY": null,
        "tokens": {
            "id_token": tokens["id_token"], "access_token": tokens["access_token"],
            "refresh_token": tokens["refresh_token"], "account_id": account_id,
        },
        "last_refresh": "2026-01-01T00:00:00Z",
    });
    std::fs::write(laptop.codex_home().join("auth.json"), auth.to_string()).unwrap();
}

/// The text of a form or a query.
fn encode(fields: &[(&str, &str)]) -> String {
    let url = Url::parse_with_params("http://form/", fields).unwrap();
    url.query().unwrap_or_default().to_owned()
}
