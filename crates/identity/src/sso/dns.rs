//! Asks DNS whether a domain is the workspace's.

use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use provost_web::App;

/// How long all name servers together may take: an admin waits for it.
const PATIENCE: Duration = Duration::from_secs(8);

/// The texts (TXT records) of a name.
///
/// # Errors
/// What to tell the admin.
pub(crate) async fn texts(app: &App, name: &str) -> Result<Vec<String>, String> {
    let builder = match app.dns_server {
        Some(server) => {
            let mut at = NameServerConfig::udp_and_tcp(server.ip());
            for connection in &mut at.connections {
                connection.port = server.port();
            }
            let config = ResolverConfig::from_parts(None, Vec::new(), vec![at]);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
        None => TokioResolver::builder_tokio().map_err(|error| format!("this machine has no name server: {error}"))?,
    };
    let resolver = builder.build().map_err(|error| format!("this machine has no name server: {error}"))?;
    let lookup = tokio::time::timeout(PATIENCE, resolver.txt_lookup(format!("{name}."))).await;
    match lookup {
        Ok(Ok(found)) => Ok(found
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::TXT(text) => Some(text.txt_data.iter().map(|part| String::from_utf8_lossy(part)).collect()),
                _ => None,
            })
            .collect()),
        Ok(Err(error)) if error.is_no_records_found() || error.is_nx_domain() => Ok(Vec::new()),
        Ok(Err(_)) => Err("the name servers do not answer for it".to_owned()),
        Err(_) => Err(format!("the name servers did not answer within {} s", PATIENCE.as_secs())),
    }
}
