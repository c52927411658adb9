//! The client that calls upstreams.

use std::net::{IpAddr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;

use crate::limits::{Limits, UpstreamAddresses};

/// A client that dials only what `addresses` allow, follows no redirect, and sends small writes at
/// once. How long an answer may take is its caller's to watch.
pub fn outgoing_client(limits: &Limits, addresses: UpstreamAddresses) -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .connect_timeout(limits.upstream_connect())
        .redirect(Policy::none())
        .tcp_nodelay(true)
        .dns_resolver(Checked(addresses))
        .build()
}

/// Resolves a name and keeps the addresses that may be dialled: what is checked is what is dialled,
/// so a name cannot change in between.
struct Checked(UpstreamAddresses);

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let addresses = self.0;
        let host = name.as_str().to_owned();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host, 0)).await?.collect();
            let mut refusal = "the name has no address";
            let mut allowed = Vec::new();
            for address in found {
                match addresses.check(address.ip()) {
                    Ok(()) => allowed.push(address),
                    Err(reason) => refusal = reason,
                }
            }
            if allowed.is_empty() {
                return Err(refusal.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// The address in a URL that names one instead of a host: it needs no resolving, so whoever accepts
/// such a URL must check it.
pub fn literal_address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}
