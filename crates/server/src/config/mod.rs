//! The configuration of `provost serve`: four layers, the weakest first, become one [`Config`].
//!
//! 1. the defaults, which start a server on an empty directory;
//! 2. a TOML file (`--config FILE`), whose keys are the flags with underscores;
//! 3. the environment: `PROVOST_` and the flag in capitals, `PROVOST_LIMITS_…`, `PROVOST_NETWORK_…`,
//!    `PROVOST_KEYS_…`;
//! 4. the flags.
//!
//! How the listener speaks (`tls`, `tls_cert` with `tls_key`, `behind_proxy`) is one choice: the
//! strongest layer that says anything about it decides it alone.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use provost_web::limits::Limits;

mod database;
mod environment;
mod file;
mod keys;
mod network;
mod public_url;
mod settings;
mod transport;

pub use database::DatabaseUrl;
pub use keys::{KeySources, Keys};
pub use network::Network;
pub use public_url::PublicUrl;
pub use settings::{HttpListen, LogFormat, ServeArgs, Settings, TlsMode};
pub use transport::Transport;

/// Where the data directory is when nothing says otherwise: `data` in the working directory.
pub const DEFAULT_DATA: &str = "data";

/// Where the TLS listener is when nothing says otherwise.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8443);

/// Where the plain HTTP listener, for a browser on the same machine, is when nothing says otherwise.
pub const DEFAULT_HTTP_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// What `provost serve` runs with. Everything here has been checked; printing it shows no secret.
#[derive(Debug, Clone)]
pub struct Config {
    /// The data directory: database, objects, keys, certificates.
    pub data: PathBuf,
    /// The main listener. What it speaks is [`Config::transport`]'s.
    pub listen: SocketAddr,
    /// The plain HTTP listener beside it, if any.
    pub http_listen: Option<SocketAddr>,
    /// Where the main listener's TLS comes from, or that a proxy in front does it.
    pub transport: Transport,
    /// The address that clients use, if the operator said one. See [`Config::public_url`].
    pub configured_public_url: Option<PublicUrl>,
    /// The database.
    pub database: DatabaseUrl,
    /// How log lines look.
    pub log_format: LogFormat,
    /// What one caller may cost.
    pub limits: Limits,
    /// Which addresses may be dialled, and which proxies are believed.
    pub network: Network,
    /// Where the master key is.
    pub keys: KeySources,
}

impl Config {
    /// Merges the layers and checks the outcome. `variable` reads one environment variable
    /// (`|name| std::env::var(name).ok()`).
    ///
    /// # Errors
    /// What is wrong, where it was said (file, line and key; variable; flag), and the way out.
    pub fn load(args: ServeArgs, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let environment = environment::settings(variable)?;
        let path = args.config.or_else(|| environment::config_file(variable));
        let file = path.as_deref().map(file::read).transpose()?.unwrap_or_default();
        let limits = environment::limits(file.limits.unwrap_or_default(), variable)?;
        let network = environment::network(file.network.clone().unwrap_or_default(), variable)?;
        let keys = environment::keys(file.keys.clone().unwrap_or_default(), variable)?;
        let keys = KeySources::new(keys, variable)?;
        let file_name = path.as_deref().unwrap_or(Path::new("")).display().to_string();
        let transport =
            Transport::choose([("flags", &args.settings), ("environment", &environment), (&file_name, &file)])?;
        let settings = args.settings.or(environment).or(file);

        let data = settings.data.unwrap_or_else(|| PathBuf::from(DEFAULT_DATA));
        let listen = settings.listen.unwrap_or(DEFAULT_LISTEN);
        let http_listen = match settings.http_listen {
            Some(HttpListen::Off) => None,
            Some(HttpListen::On(address)) => Some(address),
            None => Some(DEFAULT_HTTP_LISTEN),
        };
        transport::check_listeners(&transport, listen, http_listen)?;
        let database = match settings.database_url {
            Some(url) => url.checked()?,
            None => DatabaseUrl::file_in(&data),
        };
        Ok(Self {
            transport: transport.unwrap_or_default(),
            configured_public_url: settings.public_url,
            log_format: settings.log_format.unwrap_or_default(),
            data,
            listen,
            http_listen,
            database,
            limits,
            network,
            keys,
        })
    }

    /// The address that clients use, without a slash at its end. When the operator said none it is
    /// made from `bound`, the address of the main listener after binding (so that port 0 works).
    pub fn public_url(&self, bound: SocketAddr) -> PublicUrl {
        self.configured_public_url.clone().unwrap_or_else(|| PublicUrl::of_listener(self.transport.scheme(), bound))
    }

    /// What the operator should hear at start although it is no error: one sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let guessed = self.configured_public_url.is_none();
        let reachable = !self.listen.ip().is_loopback() || self.transport == Transport::BehindProxy;
        if guessed && reachable {
            let guess = self.public_url(self.listen);
            vec![format!(
                "no public URL is set, so clients and links get {guess}: \
                 say what they reach with --public-url https://HOST"
            )]
        } else {
            Vec::new()
        }
    }
}

/// Makes the data directory, readable by its owner only, unless it is there.
///
/// # Errors
/// The directory cannot be made; the error names it.
pub fn create_data_directory(data: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data)
        .with_context(|| format!("cannot make the data directory {}", data.display()))
}
