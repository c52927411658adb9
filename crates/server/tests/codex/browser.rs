//! The browser of a member: keeps the session's cookie, fills in forms, follows no redirect by itself.

use provost_testkit::server::{PASSWORD, Server};
use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, RequestBuilder, StatusCode, Url};

use super::encode;

pub(super) struct Browser {
    http: Client,
    origin: Url,
    cookie: Option<String>,
}

pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) html: String,
    location: Option<String>,
}

impl Browser {
    /// Opened over HTTPS, as the public address says.
    pub(super) fn new(server: &Server) -> Self {
        let pem = std::fs::read(server.ca_certificate()).unwrap();
        let ca = reqwest::Certificate::from_pem(&pem).unwrap();
        let http = Client::builder().tls_certs_only([ca]).no_proxy().redirect(reqwest::redirect::Policy::none());
        Self { http: http.build().unwrap(), origin: server.url().parse().unwrap(), cookie: None }
    }

    /// Goes to an address.
    pub(super) async fn open(&mut self, address: &str) -> Page {
        let url = self.origin.join(address).unwrap();
        self.send(self.http.get(url)).await
    }

    /// Sends a form.
    pub(super) async fn submit(&mut self, address: &str, fields: &[(&str, &str)]) -> Page {
        let url = self.origin.join(address).unwrap();
        let form = self.http.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(encode(fields));
        self.send(form).await
    }

    /// Goes to an address that wants a session, signs in on the page it is led to, and comes back.
    pub(super) async fn open_signing_in(&mut self, address: &str, email: &str) -> Page {
        let sign_in = self.open(address).await.next();
        let form = self.open(&sign_in).await;
        let fields = [("next", &*form.hidden("next")), ("email", email), ("password", PASSWORD)];
        let next = self.submit("/sign-in", &fields).await.next();
        self.open(&next).await
    }

    async fn send(&mut self, mut request: RequestBuilder) -> Page {
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        let response = request.send().await.unwrap();
        let text = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        if let Some(cookie) = text(SET_COOKIE) {
            self.cookie = cookie.split(';').next().map(str::to_owned);
        }
        let (status, location) = (response.status(), text(LOCATION));
        Page { status, location, html: response.text().await.unwrap() }
    }
}

impl Page {
    /// Where it leads.
    #[track_caller]
    pub(super) fn next(&self) -> String {
        self.location.clone().unwrap_or_else(|| panic!("{} leads nowhere: {}", self.status, self.html))
    }

    /// A hidden field of its form.
    #[track_caller]
    pub(super) fn hidden(&self, name: &str) -> String {
        let field = format!("name=\"{name}\" value=\"");
        let after = self.html.split_once(&field).unwrap_or_else(|| panic!("no `{name}` in {}", self.html)).1;
        after.split('"').next().unwrap_or_default().replace("&amp;", "&")
    }
}
