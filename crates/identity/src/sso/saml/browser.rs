//! Binds a sign-in to the browser that began it, by a cookie.
//!
//! The answer comes as a form that the identity provider's page posts: a request from another site. A
//! cookie goes along with such a request only with `SameSite=None`, which browsers take only with
//! `Secure`, so over TLS that is what it is. Over plain HTTP no such cookie exists: there it is
//! `SameSite=Lax`, which is enough where the identity provider runs on the same host (trying things
//! out on one machine), and everywhere else the sign-in is refused rather than left unbound. It is
//! good for one request, and nothing but that request looks at it.

use http::HeaderValue;
use http::request::Parts;
use jiff::SignedDuration;
use provost_model::TokenHash;
use provost_web::{App, cookie_name, is_tls};

/// One name for each request, so that two tabs do not take each other's cookie away.
fn name(request: &TokenHash) -> String {
    format!("provost-saml-{}", provost_model::hex(&request[..8]))
}

/// The cookie of a request; no time at all takes it away.
pub(super) fn cookie(parts: &Parts, request: &TokenHash, value: &str, lasts: SignedDuration) -> HeaderValue {
    let same_site = if is_tls(parts) { "None; Secure" } else { "Lax" };
    let name = cookie_name(parts, &name(request));
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite={same_site}; Max-Age={}", lasts.as_secs());
    HeaderValue::try_from(text).expect("a secret is plain ASCII")
}

/// What the browser has for a request.
pub(super) fn read<'a>(parts: &'a Parts, request: &TokenHash) -> Option<&'a str> {
    provost_web::cookie(parts, &name(request))
}

/// Where a sign-in that is begun on the plain listener goes on: at the public address, where the
/// answer will arrive and a cookie for it can be kept. None if it is there already.
pub(super) fn elsewhere(app: &App, parts: &Parts) -> Option<String> {
    let is_plain = !is_tls(parts) && app.public_url.starts_with("https://");
    is_plain.then(|| format!("{}{}", app.public_url, parts.uri.path_and_query().map_or("/", |found| found.as_str())))
}
