//! What a proxy says about the client behind it, when that proxy is believed.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::http::uri::Scheme;
use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The networks of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Arc<[IpNet]>);

impl From<Vec<IpNet>> for TrustedProxies {
    fn from(networks: Vec<IpNet>) -> Self {
        Self(networks.into())
    }
}

impl TrustedProxies {
    fn contain(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.0.iter().any(|network| network.contains(&ip))
    }

    /// These proxies, if the one at the other end of a connection is among them.
    pub(super) fn believed(&self, peer: IpAddr) -> Option<Self> {
        self.contain(peer).then(|| self.clone())
    }

    /// The client's address and scheme as a believed proxy tells them.
    ///
    /// Every proxy appends the address it was called from, so the list is read from its end, and
    /// the first address that is not a proxy's is the client: what stands before it is what the
    /// client itself wrote, and proves nothing.
    pub(super) fn origin(&self, headers: &HeaderMap, peer: SocketAddr, scheme: &Scheme) -> (SocketAddr, Scheme) {
        let mut client = peer;
        let lines: Vec<_> = headers.get_all(X_FORWARDED_FOR).iter().collect();
        let hops = lines.iter().rev().flat_map(|line| line.to_str().unwrap_or("?").rsplit(','));
        for hop in hops {
            let Some(ip) = address(hop.trim()) else {
                break;
            };
            client = SocketAddr::new(ip, 0);
            if !self.contain(ip) {
                break;
            }
        }
        let said = headers.get_all(X_FORWARDED_PROTO).iter().next_back();
        let said = said.and_then(|line| line.to_str().ok()?.rsplit(',').next());
        let scheme = match said.map(str::trim) {
            Some("https") => Scheme::HTTPS,
            Some("http") => Scheme::HTTP,
            _ => scheme.clone(),
        };
        (client, scheme)
    }
}

/// An address as proxies write it: bare, in brackets, or with a port.
fn address(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    let ip = bare.parse().ok().or_else(|| Some(hop.parse::<SocketAddr>().ok()?.ip()))?;
    Some(ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin_of(headers: &[(HeaderName, &str)]) -> (String, Scheme) {
        let proxies: Vec<IpNet> = ["127.0.0.1/32", "10.0.0.0/8"].map(|net| net.parse().expect("a network")).to_vec();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value.parse().expect("a header value"));
        }
        let peer = "127.0.0.1:5000".parse().expect("an address");
        let (client, scheme) = TrustedProxies::from(proxies).origin(&map, peer, &Scheme::HTTP);
        (client.ip().to_string(), scheme)
    }

    #[test]
    fn the_client_is_the_last_address_that_is_not_a_proxy() {
        for (line, client) in [
            ("203.0.113.9", "203.0.113.9"),
            ("198.51.100.1, 203.0.113.9, 10.0.0.3", "203.0.113.9"),
            ("10.0.0.4, 10.0.0.3", "10.0.0.4"),
            ("203.0.113.9:4711", "203.0.113.9"),
            ("[2001:db8::9]:4711", "2001:db8::9"),
            ("[2001:db8::9]", "2001:db8::9"),
            ("203.0.113.9, unknown, 10.0.0.3", "10.0.0.3"),
            ("", "127.0.0.1"),
        ] {
            assert_eq!(origin_of(&[(X_FORWARDED_FOR, line)]).0, client, "{line}");
        }
        let lines = [(X_FORWARDED_FOR, "198.51.100.1"), (X_FORWARDED_FOR, "203.0.113.9")];
        assert_eq!(origin_of(&lines).0, "203.0.113.9", "the proxy's own line is the last one");
    }

    #[test]
    fn the_scheme_is_the_last_proxys_word() {
        assert_eq!(origin_of(&[(X_FORWARDED_PROTO, "https")]).1, Scheme::HTTPS);
        assert_eq!(origin_of(&[(X_FORWARDED_PROTO, "https, http")]).1, Scheme::HTTP);
        assert_eq!(origin_of(&[(X_FORWARDED_PROTO, "gopher")]).1, Scheme::HTTP);
    }

    #[test]
    fn only_a_named_network_is_believed() {
        let proxies = TrustedProxies::from(vec!["10.0.0.0/8".parse().expect("a network")]);
        for (peer, believed) in [("10.1.2.3", true), ("::ffff:10.1.2.3", true), ("203.0.113.9", false)] {
            let peer = peer.parse().expect("an address");
            assert_eq!(proxies.believed(peer).is_some(), believed, "{peer}");
        }
        assert!(TrustedProxies::default().believed(IpAddr::from([127, 0, 0, 1])).is_none());
    }
}
