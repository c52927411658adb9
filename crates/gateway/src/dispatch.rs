//! Sends a turn to its upstream. What goes wrong names the upstream by its name: its address and key
//! are its admin's business, and an error of the HTTP client might spell out either.

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue, StatusCode};
use provost_model::Upstream;
use provost_web::{App, Error, literal_address};
use reqwest::Url;

use crate::headers::pick;

/// What an upstream is told of a client. Neither its credentials nor whose it is.
const FORWARDED: [&str; 3] = ["accept", "openai-beta", "x-client-request-id"];

const OUR_USER_AGENT: &str = concat!("provost/", env!("CARGO_PKG_VERSION"));

/// Sends a body; the answer's head is all that has come when this returns.
pub(crate) async fn send(
    app: &App,
    upstream: &Upstream,
    headers: &HeaderMap,
    body: Vec<u8>,
) -> Result<http::Response<reqwest::Body>, Error> {
    let url = responses_url(app, upstream)?;
    let mut forwarded = pick(headers, |name| FORWARDED.contains(&name.as_str()));
    forwarded.entry(ACCEPT).or_insert(HeaderValue::from_static("text/event-stream, application/json"));
    forwarded.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    forwarded.insert(USER_AGENT, HeaderValue::from_static(OUR_USER_AGENT));
    if let Some(key) = &upstream.api_key {
        forwarded.insert(AUTHORIZATION, bearer(key, upstream)?);
    }
    let sent = app.http.post(url).headers(forwarded).body(body).send();
    match tokio::time::timeout(app.limits.upstream_idle(), sent).await {
        Ok(sent) => sent.map(Into::into).map_err(|error| failure(&error, upstream)),
        Err(_) => Err(late(upstream)),
    }
}

fn bearer(key: &str, upstream: &Upstream) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::try_from(format!("Bearer {key}"))
        .map_err(|_| bad_gateway("upstream_misconfigured", upstream, "has a key that cannot be sent"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// `{base_url}/responses`. An address in it needs no resolving, so it is checked here: what was
/// accepted under another configuration is not dialled under this one.
fn responses_url(app: &App, upstream: &Upstream) -> Result<Url, Error> {
    let misconfigured = || bad_gateway("upstream_misconfigured", upstream, "has an address that cannot be used");
    let url = format!("{}/responses", upstream.base_url.trim_end_matches('/'));
    let url: Url = url.parse().map_err(|_| misconfigured())?;
    let host = url.host_str().ok_or_else(misconfigured)?;
    if let Some(address) = literal_address(host)
        && let Err(reason) = app.upstream_addresses.check(address)
    {
        tracing::warn!(upstream = %upstream.id, reason, "the address of an upstream is not dialled");
        return Err(misconfigured());
    }
    Ok(url)
}

fn failure(error: &reqwest::Error, upstream: &Upstream) -> Error {
    tracing::warn!(upstream = %upstream.id, cause = %innermost(error), "an upstream cannot be called");
    if error.is_connect() {
        return bad_gateway("upstream_unreachable", upstream, "cannot be reached");
    }
    if error.is_timeout() {
        return late(upstream);
    }
    bad_gateway("upstream_broke_off", upstream, "broke off before it answered")
}

/// 504: the upstream has not begun to answer.
fn late(upstream: &Upstream) -> Error {
    let message = format!("The upstream `{}` did not answer in time. Try again in a moment.", upstream.name);
    Error::new(StatusCode::GATEWAY_TIMEOUT, "upstream_timeout", message)
}

/// The cause of an error, without the address that the outer ones name.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if std::error::Error::source(error).is_some() { cause.to_string() } else { "no cause given".to_owned() }
}

/// 502: it is the upstream, and not the caller.
pub(crate) fn bad_gateway(code: &'static str, upstream: &Upstream, what: &str) -> Error {
    let message = format!(
        "The upstream `{}` {what}. If it stays so, ask your administrator to look at the upstream.",
        upstream.name
    );
    Error::new(StatusCode::BAD_GATEWAY, code, message)
}
