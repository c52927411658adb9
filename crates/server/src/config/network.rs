//! The `[network]` section: whom the server dials, and whom it believes.

use std::net::SocketAddr;

use ipnet::IpNet;
use provost_web::limits::UpstreamAddresses;
use serde::{Deserialize, Serialize};

/// Addresses that get a rule of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    /// Whether an upstream may have a loopback or private address. Default true: vLLM and Ollama
    /// live there. Link-local and metadata addresses are refused whatever this says.
    pub allow_private_upstreams: bool,
    /// With `--behind-proxy`: the networks whose `X-Forwarded-For` and `X-Forwarded-Proto` are
    /// believed. Default: this machine only. Anybody else's are ignored.
    pub trusted_proxies: Vec<IpNet>,
    /// The name server that domains are verified with, as `ADDRESS:PORT`. Default: those of this
    /// machine.
    pub dns_server: Option<SocketAddr>,
}

impl Default for Network {
    fn default() -> Self {
        let loopback = ["127.0.0.0/8", "::1/128"];
        Self {
            allow_private_upstreams: true,
            trusted_proxies: loopback
                .map(|net| net.parse().expect("the two loopback networks are well formed"))
                .to_vec(),
            dns_server: None,
        }
    }
}

impl Network {
    /// The rule that the gateway asks before it dials.
    pub fn upstream_addresses(&self) -> UpstreamAddresses {
        UpstreamAddresses { allow_private: self.allow_private_upstreams }
    }
}
