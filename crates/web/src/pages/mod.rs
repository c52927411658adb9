//! Pages that the server renders: sign-in, device approval, set-up. They work without scripts.

use axum::response::{Html, IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use http::{HeaderValue, StatusCode};
use maud::{DOCTYPE, Markup, html};

/// What a page may load: our own style sheet. Forms go to us; the redirect that ends a browser
/// sign-in goes on to the client that waits on loopback.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; \
     form-action 'self' http://127.0.0.1:* http://localhost:*";

/// What a page with our own script may do besides: run it, and let it call us.
const POLICY_WITH_SCRIPT: &str = "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; \
     connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; \
     form-action 'self' http://127.0.0.1:* http://localhost:*";

/// A page.
pub struct Page {
    script: Option<&'static str>,
    status: StatusCode,
    title: String,
    body: Markup,
}

impl Page {
    /// A page with this title; it is also its heading.
    pub fn new(title: &str, body: Markup) -> Self {
        Self { script: None, status: StatusCode::OK, title: title.to_owned(), body }
    }

    /// With a script of ours, by its path; everything else must work without it.
    #[must_use]
    pub fn with_script(self, path: &'static str) -> Self {
        Self { script: Some(path), ..self }
    }

    /// With another status.
    #[must_use]
    pub fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let markup = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) " · Provost" }
                    link rel="icon" type="image/svg+xml" href="/assets/icon.svg";
                    link rel="stylesheet" href="/assets/site.css";
                    @if let Some(script) = self.script { script src=(script) defer {} }
                }
                body {
                    main {
                        p.brand { "Provost" }
                        h1 { (self.title) }
                        (self.body)
                    }
                }
            }
        };
        let policy = if self.script.is_some() { POLICY_WITH_SCRIPT } else { POLICY };
        let headers = [
            (CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy)),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        ];
        (self.status, headers, Html(markup.into_string())).into_response()
    }
}

/// A message above a form that says what went wrong; screen readers read it first.
pub fn alert(message: Option<&str>) -> Markup {
    html! { @if let Some(message) = message { p.alert role="alert" { (message) } } }
}

/// `GET /assets/site.css`.
pub async fn style_sheet() -> impl IntoResponse {
    asset("text/css; charset=utf-8", include_str!("site.css"))
}

/// `GET /assets/passkeys.js`.
pub async fn passkeys_script() -> impl IntoResponse {
    asset("text/javascript; charset=utf-8", include_str!("passkeys.js"))
}

/// `GET /assets/icon.svg`.
pub async fn icon() -> impl IntoResponse {
    asset("image/svg+xml", include_str!("icon.svg"))
}

fn asset(content_type: &'static str, text: &'static str) -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (CACHE_CONTROL, HeaderValue::from_static("max-age=3600")),
    ];
    (headers, text)
}
