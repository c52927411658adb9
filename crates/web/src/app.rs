use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use provost_store::Store;

use crate::limits::{Limits, UpstreamAddresses};
use crate::{Deliveries, IssuerKeys, Keys, LastUse, Metrics, RateLimit, Running, SignInLimits};

/// What every handler may use. Cheap to clone; every clone is the same one.
#[derive(Clone)]
pub struct App {
    parts: Arc<AppParts>,
}

/// The parts of an [`App`].
pub struct AppParts {
    /// The memory.
    pub store: Store,
    /// Where clients and browsers reach this Provost, without a slash at the end.
    pub public_url: String,
    /// The limits of the configuration.
    pub limits: Limits,
    /// The keys that sign access tokens.
    pub keys: Keys,
    /// The counters of `/metrics`.
    pub metrics: Metrics,
    /// Calls upstreams.
    pub http: reqwest::Client,
    /// Which addresses `http` dials: what its resolver does not see, who accepts a URL checks.
    pub upstream_addresses: UpstreamAddresses,
    /// The name server that domains are verified with; none is this machine's.
    pub dns_server: Option<SocketAddr>,
    /// The keys of issuers whose tokens workloads exchange.
    pub issuer_keys: IssuerKeys,
    /// When tokens and keys were last used.
    pub last_use: LastUse,
    /// Who was sent which policy, and whether they got on with their work.
    pub deliveries: Deliveries,
    /// What runs here, and ends with what its caller may.
    pub running: Running,
    /// Slows down who guesses passwords and codes.
    pub sign_ins: SignInLimits,
    /// Slows down who guesses codes and tokens, per address.
    pub guesses: RateLimit,
}

impl App {
    /// From its parts.
    pub fn new(parts: AppParts) -> Self {
        Self { parts: Arc::new(parts) }
    }
}

impl Deref for App {
    type Target = AppParts;
    fn deref(&self) -> &AppParts {
        &self.parts
    }
}
