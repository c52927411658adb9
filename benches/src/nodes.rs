//! Several nodes on one PostgreSQL.

use std::time::Duration;

use anyhow::{Context, Result};
use provost_model::Clock;
use provost_server::config::Config;
use provost_server::node::Node;
use provost_store::Store;

use crate::report::{judged, line, percentile};

/// Serves for ever, in a process of its own; says its plain address when it is ready.
pub async fn be_a_node(config: &Config) -> Result<()> {
    let node = Node::start(config, Clock::system()).await?;
    line(&node.http_address.context("plain HTTP")?.to_string());
    std::future::pending().await
}

/// Ends the connections on which nodes listen, as often as they come back.
pub async fn hang_up(store: Store) {
    loop {
        if let Ok(mut tx) = store.read().await {
            let sql = "SELECT pg_terminate_backend(pid) AS done FROM pg_stat_activity WHERE query LIKE 'LISTEN%'";
            // The next time will do.
            let _ = tx.rows(sql, []).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Says how long something took, in milliseconds, and whether that was under a second.
pub fn within_a_second(what: &str, figures: &[f64]) {
    let (p50, p99) = (percentile(figures, 50), percentile(figures, 99));
    line(&format!("  {what}, p50 {p50:.1} ms"));
    judged(&format!("{what}, p99"), p99, "ms", "< 1000 ms", p99 < 1_000.0);
}
