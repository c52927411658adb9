//! The address that clients use: the issuer of tokens, the base of every link.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use axum::http::Uri;
use axum::http::uri::Scheme;
use serde::{Deserialize, Serialize};

/// An origin, `scheme://host[:port]`, with no slash at its end: paths are appended to it.
///
/// It has no path of its own, because the addresses below it are fixed (clients know them).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicUrl {
    origin: String,
    host: String,
}

impl PublicUrl {
    /// The URL of a listener that nobody has named. A listener on all addresses is reachable from
    /// its own machine at least.
    pub(super) fn of_listener(scheme: &str, bound: SocketAddr) -> Self {
        let host = match bound.ip() {
            ip if ip.is_unspecified() => "localhost".to_owned(),
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => format!("[{v6}]"),
        };
        let origin = format!("{scheme}://{host}:{}", bound.port());
        Self { origin, host }
    }

    /// The whole origin.
    pub fn as_str(&self) -> &str {
        &self.origin
    }

    /// The host as a certificate names it: a DNS name, or an address without brackets.
    pub fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Whether clients come over TLS, so that cookies may be `Secure`.
    pub fn is_https(&self) -> bool {
        self.origin.starts_with("https://")
    }
}

/// What is wrong with a public URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidPublicUrl {
    /// It cannot be read, or has no `http://` or `https://`.
    Unreadable,
    /// It has a path, a query, a fragment or user information.
    MoreThanOrigin,
    /// It is plain HTTP for other machines.
    Plaintext,
}

impl fmt::Display for InvalidPublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "expected https://HOST or https://HOST:PORT",
            Self::MoreThanOrigin => "a public URL has a host and a port and nothing after them",
            Self::Plaintext => "it must be https: Codex refuses plain HTTP from other machines",
        })
    }
}

impl std::error::Error for InvalidPublicUrl {}

impl FromStr for PublicUrl {
    type Err = InvalidPublicUrl;

    fn from_str(text: &str) -> Result<Self, InvalidPublicUrl> {
        let uri: Uri = text.parse().map_err(|_| InvalidPublicUrl::Unreadable)?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(InvalidPublicUrl::Unreadable);
        };
        if *scheme != Scheme::HTTPS && *scheme != Scheme::HTTP {
            return Err(InvalidPublicUrl::Unreadable);
        }
        let host = authority.host().to_ascii_lowercase();
        let beyond = uri.path() != "/" || text.contains(['?', '#', '@']);
        if beyond || host.is_empty() {
            return Err(InvalidPublicUrl::MoreThanOrigin);
        }
        let default_port = if *scheme == Scheme::HTTPS { 443 } else { 80 };
        let port = match authority.port_u16() {
            Some(port) if port == default_port => String::new(),
            Some(port) => format!(":{port}"),
            // `https://host:` and `https://host:99999` read as "no port" here.
            None if authority.as_str().len() != host.len() => return Err(InvalidPublicUrl::Unreadable),
            None => String::new(),
        };
        let url = Self { origin: format!("{scheme}://{host}{port}"), host };
        let ip: Option<IpAddr> = url.host().parse().ok();
        let this_machine = url.host == "localhost" || ip.is_some_and(|ip| ip.is_loopback());
        if !url.is_https() && !this_machine {
            return Err(InvalidPublicUrl::Plaintext);
        }
        Ok(url)
    }
}

impl TryFrom<String> for PublicUrl {
    type Error = InvalidPublicUrl;

    fn try_from(text: String) -> Result<Self, InvalidPublicUrl> {
        text.parse()
    }
}

impl From<PublicUrl> for String {
    fn from(url: PublicUrl) -> Self {
        url.origin
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_read_and_written_one_way() {
        for (text, origin, host) in [
            ("https://codex.corp", "https://codex.corp", "codex.corp"),
            ("https://Codex.Corp:8443/", "https://codex.corp:8443", "codex.corp"),
            ("https://codex.corp:443", "https://codex.corp", "codex.corp"),
            ("https://[::1]:8443", "https://[::1]:8443", "::1"),
            ("http://localhost:8080", "http://localhost:8080", "localhost"),
        ] {
            let url: PublicUrl = text.parse().expect("an origin");
            assert_eq!((url.as_str(), url.host()), (origin, host));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        use InvalidPublicUrl::{MoreThanOrigin, Plaintext, Unreadable};
        for (text, error) in [
            ("", Unreadable),
            ("codex.corp", Unreadable),
            ("ftp://codex.corp", Unreadable),
            ("https://codex.corp:99999", Unreadable),
            ("https://codex.corp/path", MoreThanOrigin),
            ("https://codex.corp?a=b", MoreThanOrigin),
            ("https://codex.corp/#a", MoreThanOrigin),
            ("https://me:pw@codex.corp", MoreThanOrigin),
            ("http://codex.corp", Plaintext),
        ] {
            assert_eq!(text.parse::<PublicUrl>(), Err(error), "{text}");
        }
    }

    #[test]
    fn a_listener_that_nobody_named_names_itself() {
        for (bound, url) in [
            ("127.0.0.1:8443", "https://127.0.0.1:8443"),
            ("[::1]:8443", "https://[::1]:8443"),
            ("0.0.0.0:8443", "https://localhost:8443"),
        ] {
            let bound: SocketAddr = bound.parse().expect("an address");
            assert_eq!(PublicUrl::of_listener("https", bound).as_str(), url);
        }
    }
}
