//! Fetches documents of others: an identity provider's metadata, an issuer's keys.

use std::time::Duration;

use axum::body::Bytes;
use reqwest::{Method, Url};

use crate::limits::UpstreamAddresses;
use crate::outgoing::literal_address;

/// How long such a document may take: somebody waits for it at a sign-in.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest such document.
const MAX_BYTES: usize = 512 * 1024;

/// Why a document was not had. Says nothing of what the other side answered beyond its status: the
/// text may be shown to an admin, not to strangers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The URL is not one that may be fetched.
    #[error("the URL cannot be fetched: {0}")]
    Refused(&'static str),
    /// No answer, or not in time.
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Unreachable,
    /// Another status than 200.
    #[error("it answered {0}")]
    Status(u16),
    /// Longer than documents of this kind are.
    #[error("its answer is longer than {} kB", MAX_BYTES / 1024)]
    TooLong,
}

/// Whether a URL may be fetched at all: HTTPS (or HTTP to this machine, for trying things out), no
/// credentials in it, and not an address that is off limits. Names are checked again when dialled.
pub fn check_url(url: &Url, addresses: UpstreamAddresses) -> Result<(), FetchError> {
    let host = url.host_str().ok_or(FetchError::Refused("it names no host"))?;
    let literal = literal_address(host);
    let is_local = host == "localhost" || literal.is_some_and(|address| address.is_loopback());
    if !(url.scheme() == "https" || (url.scheme() == "http" && is_local)) {
        return Err(FetchError::Refused("it must start with https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(FetchError::Refused("it holds a user name or password"));
    }
    match literal {
        Some(address) => addresses.check(address).map_err(FetchError::Refused),
        None => Ok(()),
    }
}

/// Sends a request and reads the whole answer, with limits on its time and length. Redirects are not
/// followed. Any status is handed back.
pub async fn call(
    http: &reqwest::Client,
    addresses: UpstreamAddresses,
    request: http::Request<Vec<u8>>,
) -> Result<http::Response<Bytes>, FetchError> {
    let (parts, body) = request.into_parts();
    let url = Url::parse(&parts.uri.to_string()).map_err(|_| FetchError::Refused("it is not a URL"))?;
    check_url(&url, addresses)?;
    let exchange = async {
        let sent = http.request(parts.method, url).headers(parts.headers).body(body).send().await;
        let mut answer = sent.map_err(|_| FetchError::Unreachable)?;
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|_| FetchError::Unreachable)? {
            if bytes.len() + chunk.len() > MAX_BYTES {
                return Err(FetchError::TooLong);
            }
            bytes.extend_from_slice(&chunk);
        }
        let mut response = http::Response::new(Bytes::from(bytes));
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        Ok(response)
    };
    tokio::time::timeout(PATIENCE, exchange).await.unwrap_or(Err(FetchError::Unreachable))
}

/// Gets a document.
pub async fn fetch(http: &reqwest::Client, addresses: UpstreamAddresses, url: &str) -> Result<Bytes, FetchError> {
    let request = http::Request::builder().method(Method::GET).uri(url).body(Vec::new());
    let request = request.map_err(|_| FetchError::Refused("it is not a URL"))?;
    let answer = call(http, addresses, request).await?;
    match answer.status().as_u16() {
        200 => Ok(answer.into_body()),
        status => Err(FetchError::Status(status)),
    }
}
