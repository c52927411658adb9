//! A server with a SAML connection, and a browser that goes through it over TLS: the cookie that binds
//! a sign-in to its browser lives nowhere else.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::DeflateDecoder;
use http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use http::{Method, StatusCode};
use provost_testkit::saml::{Idp, Said};
use provost_testkit::server::{Answer, Database, Server};
use reqwest::redirect::Policy;
use serde_json::{Value, json};
use url::Url;

/// A server, a connection, a provider.
pub(super) struct Stage {
    pub(super) server: Server,
    pub(super) idp: Idp,
    pub(super) id: String,
    pub(super) http: reqwest::Client,
}

/// A sign-in that a browser has begun.
#[derive(Debug, Clone)]
pub(super) struct Began {
    /// The request, as the provider reads it.
    pub(super) request: String,
    pub(super) request_id: String,
    pub(super) relay_state: String,
    /// The browser's cookies.
    pub(super) cookie: String,
    /// All that `Set-Cookie` said.
    pub(super) set_cookie: String,
}

impl Stage {
    /// With a connection whose configuration differs so, which creates members.
    pub(super) async fn new(database: Database, config: Value) -> Self {
        let server = Server::start_with(database, crate::api::PATIENT).await;
        let ca = std::fs::read(server.ca_certificate()).unwrap();
        let http = reqwest::Client::builder()
            .tls_certs_only([reqwest::Certificate::from_pem(&ca).unwrap()])
            .redirect(Policy::none())
            .build();
        super::own_domain(&server, "acme.example").await;
        let mut stage = Self { server, idp: Idp::new(), id: String::new(), http: http.unwrap() };
        let mut whole = stage.idp.config();
        whole.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
        stage.id =
            stage.connect(json!({ "name": "Acme", "protocol": "saml", "saml": whole, "create_members": true })).await;
        stage
    }

    /// Adds a connection; its id.
    pub(super) async fn connect(&self, body: Value) -> String {
        let made = self.server.post("/api/v1/connections", body).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
        made.text("id")
    }

    /// Our address to the connection's provider, without `/acs`.
    pub(super) fn sp(&self) -> String {
        format!("{}/sign-in/saml/{}", self.server.url(), self.id)
    }

    /// A request of a browser to the public address.
    pub(super) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.server.url()))
    }

    /// What an honest provider says of mia, unasked.
    pub(super) fn said(&self) -> Said {
        Said::to(&self.sp(), "mia-7", "mia@acme.example", self.server.clock.now())
    }

    /// What it says when asked.
    pub(super) fn answer(&self, began: &Began) -> Said {
        Said { in_response_to: Some(began.request_id.clone()), ..self.said() }
    }

    /// Begins a sign-in with a new browser.
    pub(super) async fn begin(&self, next: &str) -> Began {
        let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        let path = format!("/sign-in/sso/{}?next={next}", self.id);
        let answer = self.server.send(self.request(Method::GET, &path)).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        let url = Url::parse(answer.headers[LOCATION].to_str().unwrap()).unwrap();
        assert!(url.as_str().starts_with("https://idp.acme.example/sso?tenant=7&SAMLRequest="), "{url}");
        let field = |name: &str| url.query_pairs().find(|(found, _)| found == name).unwrap().1.into_owned();
        let mut request = String::new();
        let deflated = STANDARD.decode(field("SAMLRequest")).unwrap();
        DeflateDecoder::new(&deflated[..]).read_to_string(&mut request).unwrap();
        let set_cookie = answer.headers[SET_COOKIE].to_str().unwrap().to_owned();
        Began {
            request_id: request.split(" ID=\"").nth(1).unwrap().split('"').next().unwrap().to_owned(),
            request,
            relay_state: field("RelayState"),
            cookie: set_cookie.split(';').next().unwrap().to_owned(),
            set_cookie,
        }
    }

    /// The provider's page has the browser post a response.
    pub(super) async fn post(&self, response: &str, relay_state: &str, cookie: &str) -> Answer {
        self.post_to(&self.id, response, relay_state, cookie).await
    }

    /// The same, to another connection.
    pub(super) async fn post_to(&self, id: &str, response: &str, relay_state: &str, cookie: &str) -> Answer {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("SAMLResponse", &STANDARD.encode(response)).append_pair("RelayState", relay_state);
        let request = self.request(Method::POST, &format!("/sign-in/saml/{id}/acs"));
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").header(COOKIE, cookie);
        self.server.send(request.header("origin", "https://idp.acme.example").body(form.finish())).await
    }

    /// Posts the answer to a sign-in.
    pub(super) async fn finish(&self, began: &Began, response: &str) -> Answer {
        self.post(response, &began.relay_state, &began.cookie).await
    }

    /// The reasons of the refusals so far.
    pub(super) async fn reasons(&self) -> Vec<String> {
        let events = self.server.events("sign_in.failed").await;
        events.iter().map(|event| event["details"]["reason"].as_str().unwrap().to_owned()).collect()
    }

    /// A refusal: a page, no session, and the reason in the events.
    pub(super) async fn assert_refused(&self, answer: &Answer, reason: &str, what: &str) {
        assert!(answer.status.is_client_error(), "{what}: {} {}", answer.status, answer.body);
        let page = answer.body.as_str().unwrap_or_else(|| panic!("{what}: a page, not {}", answer.body));
        assert!(page.contains("You are not signed in"), "{what}: {page}");
        assert_eq!(session(answer), None, "{what}");
        assert!(page.contains(&format!("<code>{reason}</code>")), "{what}, {reason}: {page}");
        // Failures that are alike are recorded together.
        assert!(self.reasons().await.iter().any(|recorded| recorded == reason), "{what}");
    }

    /// Whom a session is of: their address, from the home page.
    pub(super) async fn who(&self, answer: &Answer) -> String {
        let cookie = session(answer).unwrap_or_else(|| panic!("no session: {} {}", answer.status, answer.body));
        let home = self.server.send(self.request(Method::GET, "/").header(COOKIE, cookie)).await;
        let page = home.body.as_str().unwrap().to_owned();
        page.split("<dd>").nth(1).unwrap().split('<').next().unwrap().to_owned()
    }
}

/// The cookie of the session that an answer begins.
pub(super) fn session(answer: &Answer) -> Option<String> {
    let cookies = answer.headers.get_all(SET_COOKIE).iter().map(|cookie| cookie.to_str().unwrap());
    let mut found = cookies.filter(|cookie| cookie.contains("provost-session="));
    found.next().map(|cookie| cookie.split(';').next().unwrap().to_owned())
}

/// Where an answer leads.
pub(super) fn to(answer: &Answer) -> &str {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    answer.headers[LOCATION].to_str().unwrap()
}

/// As a form carries it.
pub(super) fn base64(text: &str) -> String {
    STANDARD.encode(text)
}
