//! One running Provost: everything that `provost serve` starts, and how it stops.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::SignedDuration;
use provost_identity::Presence;
use provost_model::Clock;
use provost_store::{KeepLastGood, Options, Store};
use provost_web::{
    App, AppParts, Deliveries, IssuerKeys, Keys, LastUse, Metrics, RateLimit, Running, SignInLimits, outgoing_client,
};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Transport, create_data_directory};
use crate::listen::{self, Door, TrustedProxies};
use crate::routes;
use crate::tls::{Certificate, PrivateCa, names};

/// How long queued events may take to be written at the end.
const FLUSH_PATIENCE: Duration = Duration::from_secs(10);
/// How often keys are renewed and what expired is forgotten.
const UPKEEP: Duration = Duration::from_secs(3600);
/// How many connections to PostgreSQL a node keeps.
const DATABASE_CONNECTIONS: u32 = 10;

/// A running node.
pub struct Node {
    /// What the handlers use.
    pub app: App,
    /// Where the main listener is.
    pub address: SocketAddr,
    /// Where the plain HTTP listener is, if there is one.
    pub http_address: Option<SocketAddr>,
    shutdown: CancellationToken,
    listeners: JoinSet<usize>,
    presence: Presence,
}

/// Opens the memory of a configuration. `provost init` needs no more.
pub async fn open_store(config: &Config, clock: Clock) -> Result<Store> {
    create_data_directory(&config.data)?;
    let options = Options {
        database_url: config.database.expose().to_owned(),
        connections: DATABASE_CONNECTIONS,
        master_keys: config.keys.open(&config.data)?,
        clock,
        last_good: last_good(config),
    };
    Store::open(options).await.with_context(|| format!("the database {} cannot be opened", config.database))
}

/// Where the last good snapshot is kept.
fn last_good(config: &Config) -> Option<KeepLastGood> {
    let days = config.limits.last_good_days;
    let max_age = SignedDuration::from_hours(24 * i64::from(days));
    (days > 0).then(|| KeepLastGood { path: config.data.join("last-good.sealed"), max_age })
}

impl Node {
    /// Starts one: opens the memory, binds the listeners, serves.
    pub async fn start(config: &Config, clock: Clock) -> Result<Self> {
        let store = open_store(config, clock.clone()).await?;
        let listener = bind(config.listen).await?;
        let address = listener.local_addr()?;
        let http = match config.http_listen {
            Some(address) => Some(bind(address).await?),
            None => None,
        };
        let http_address = http.as_ref().map(TcpListener::local_addr).transpose()?;
        let public_url = config.public_url(address);
        let shutdown = CancellationToken::new();

        let certificate = match &config.transport {
            Transport::SelfSigned => {
                let ca = PrivateCa::in_data(&config.data);
                let listen_ip = address.ip().to_string();
                let names = names([public_url.host(), &listen_ip]);
                Some(Certificate::of_private_ca(ca, names, &clock)?)
            }
            Transport::Files { cert, key } => Some(Certificate::read(cert.clone(), key.clone())?),
            Transport::BehindProxy => None,
        };
        let tls = certificate.as_ref().map(Certificate::acceptor).transpose()?;
        if let Some(certificate) = certificate {
            tokio::spawn(certificate.keep_current(clock, shutdown.clone()));
        }
        let trusted_proxies = match &config.transport {
            Transport::BehindProxy => TrustedProxies::from(config.network.trusted_proxies.clone()),
            _ => TrustedProxies::default(),
        };

        let upstream_addresses = config.network.upstream_addresses();
        let per_minute = config.limits.sign_in_attempts_per_minute;
        let app = App::new(AppParts {
            keys: Keys::open(store.clone(), public_url.as_str().to_owned()).await?,
            public_url: public_url.as_str().to_owned(),
            limits: config.limits,
            metrics: Metrics::default(),
            last_use: LastUse::default(),
            deliveries: Deliveries::default(),
            issuer_keys: IssuerKeys::default(),
            http: outgoing_client(&config.limits, upstream_addresses)?,
            upstream_addresses,
            dns_server: config.network.dns_server,
            running: Running::default(),
            sign_ins: SignInLimits::per_minute(per_minute),
            guesses: RateLimit::per_minute(per_minute),
            store,
        });
        let presence = Presence::begin(&app).await?;
        let service = routes::service(app.clone());
        let mut listeners = JoinSet::new();
        for (listener, tls) in [(Some(listener), tls), (http, None)] {
            let Some(listener) = listener else { continue };
            let door = Door { tls, limits: config.limits, trusted_proxies: trusted_proxies.clone() };
            let (service, shutdown) = (service.clone(), shutdown.clone());
            listeners.spawn(async move { listen::serve(listener, door, service, shutdown).await.cut });
        }
        tokio::spawn(upkeep(app.clone(), shutdown.clone()));
        let exceptions = provost_policy::expire_exceptions(app.store.clone());
        tokio::spawn(shutdown.clone().run_until_cancelled_owned(exceptions));
        let cutting = provost_governance::cut_log_files(app.store.clone(), config.limits.log_file());
        tokio::spawn(shutdown.clone().run_until_cancelled_owned(cutting));
        tokio::spawn(shutdown.clone().run_until_cancelled_owned(provost_policy::watch_rollouts(app.clone())));
        if app.store.kept_signing_keys().is_some() {
            tokio::spawn(after_the_database_is_back(app.clone(), shutdown.clone()));
        }
        Ok(Self { app, address, http_address, shutdown, listeners, presence })
    }

    /// Where a browser on this machine opens pages: the plain listener, since it does not know the
    /// private CA; else the public address.
    pub fn browser_url(&self, config: &Config) -> String {
        match (&config.configured_public_url, self.http_address) {
            (None, Some(address)) => format!("http://{address}"),
            _ => self.app.public_url.clone(),
        }
    }

    /// Stops: takes no more requests, lets running answers finish for as long as the limits say,
    /// writes what is queued, closes the database.
    pub async fn stop(mut self) {
        self.shutdown.cancel();
        let mut cut = 0;
        while let Some(listener) = self.listeners.join_next().await {
            cut += listener.unwrap_or(0);
        }
        if cut > 0 {
            tracing::warn!(connections = cut, "cut what had not finished in time");
        }
        self.presence.end().await;
        if !self.app.deliveries.flush(&self.app.store, FLUSH_PATIENCE).await {
            tracing::error!("closed with policy deliveries unwritten: the database did not answer");
        }
        self.app.store.close(FLUSH_PATIENCE).await;
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!(
            "cannot listen on {address}: another program may be there; choose another with --listen or --http-listen"
        )
    })
}

/// What a start without the database has left undone.
async fn after_the_database_is_back(app: App, shutdown: CancellationToken) {
    let mut swaps = app.store.swaps();
    while app.store.kept_signing_keys().is_some() {
        if !matches!(shutdown.run_until_cancelled(swaps.changed()).await, Some(Ok(()))) {
            return;
        }
    }
    if let Err(error) = app.keys.renew().await {
        tracing::error!(%error, "the signing keys could not be renewed");
    }
}

async fn upkeep(app: App, shutdown: CancellationToken) {
    while shutdown.run_until_cancelled(tokio::time::sleep(UPKEEP)).await.is_some() {
        if let Err(error) = app.keys.renew().await {
            tracing::error!(%error, "the signing keys could not be renewed");
        }
        if let Err(error) = provost_identity::housekeeping(&app.store).await {
            tracing::warn!(%error, "what has expired could not be forgotten");
        }
        if let Err(error) = provost_governance::housekeeping(&app.store).await {
            tracing::warn!(%error, "what clients reported long ago could not be forgotten");
        }
    }
}
