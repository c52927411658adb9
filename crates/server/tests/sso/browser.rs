//! A browser: keeps cookies for each origin, follows no redirect by itself.

use std::collections::BTreeMap;

use http::StatusCode;
use http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use provost_testkit::server::Server;
use reqwest::{RequestBuilder, Url};

pub(crate) struct Browser {
    http: reqwest::Client,
    origin: Url,
    public: String,
    cookies: BTreeMap<(String, String), String>,
}

/// What it sees.
pub(crate) struct View {
    pub(crate) status: StatusCode,
    pub(crate) html: String,
    pub(crate) next: Option<String>,
}

impl Browser {
    /// On the same machine as the server: its plain listener stands for the public address.
    pub(crate) fn new(server: &Server) -> Self {
        let http =
            reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).redirect(reqwest::redirect::Policy::none());
        let origin = server.http_url().parse().expect("a URL");
        Self {
            http: http.build().expect("a client"),
            origin,
            public: server.url().to_owned(),
            cookies: BTreeMap::new(),
        }
    }

    fn url(&self, address: &str) -> Url {
        let address = address.strip_prefix(&self.public).unwrap_or(address);
        self.origin.join(address).expect("a URL")
    }

    pub(crate) async fn open(&mut self, address: &str) -> View {
        let url = self.url(address);
        self.send(url.clone(), self.http.get(url)).await
    }

    pub(crate) async fn submit(&mut self, address: &str, fields: &[(&str, &str)]) -> View {
        let url = self.url(address);
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.http.post(url.clone()).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(url, request.body(body)).await
    }

    /// Who is signed in; nobody is nothing.
    pub(crate) async fn signed_in(&mut self) -> Option<String> {
        let view = self.open("/api/v1/session").await;
        let body: serde_json::Value = serde_json::from_str(&view.html).unwrap_or_default();
        body["email"].as_str().map(str::to_owned)
    }

    /// Without its cookies it is another browser.
    pub(crate) fn forget(&mut self) {
        self.cookies.clear();
    }

    async fn send(&mut self, url: Url, request: RequestBuilder) -> View {
        let origin = url.origin().ascii_serialization();
        let own = self.cookies.iter().filter(|((of, _), _)| *of == origin);
        let cookies: Vec<String> = own.map(|((_, name), value)| format!("{name}={value}")).collect();
        let request = if cookies.is_empty() { request } else { request.header(COOKIE, cookies.join("; ")) };
        let answer = request.send().await.expect("an answer");
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str().expect("a cookie").split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').expect("a name and a value");
            self.cookies.insert((origin.clone(), name.to_owned()), value.to_owned());
        }
        let next = answer.headers().get(LOCATION).map(|at| url.join(at.to_str().expect("a URL")).expect("a URL"));
        let status = answer.status();
        View { status, next: next.map(String::from), html: answer.text().await.expect("a body") }
    }
}
