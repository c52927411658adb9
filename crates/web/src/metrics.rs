use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The counters of `/metrics`, in the OpenMetrics text format. None of them names a person.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    turns: Family<TurnLabels, Counter>,
    alerts: Family<AlertLabels, Counter>,
    /// Model streams that are open now.
    pub open_streams: Gauge,
    backlog: Gauge,
    database_up: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    surface: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TurnLabels {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AlertLabels {
    kind: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("provost");
        let requests = Family::default();
        registry.register("http_requests", "Requests answered, by surface and status", requests.clone());
        let turns = Family::default();
        registry.register("turns", "Model calls, by how they ended", turns.clone());
        let alerts = Family::default();
        registry.register("alerts", "What somebody should look at, by kind", alerts.clone());
        let open_streams = Gauge::default();
        registry.register("open_streams", "Model streams that are open", open_streams.clone());
        let backlog = Gauge::default();
        registry.register("event_backlog", "Events that wait to be written", backlog.clone());
        let database_up = Gauge::default();
        registry.register("database_up", "Whether the database answers", database_up.clone());
        Self { registry, requests, turns, alerts, open_streams, backlog, database_up }
    }
}

impl Metrics {
    /// Counts an answered request.
    pub fn count_request(&self, surface: &'static str, status: u16) {
        self.requests.get_or_create(&RequestLabels { surface, status }).inc();
    }

    /// Counts a model call: `completed`, `refused`, `failed` or `cancelled`.
    pub fn count_turn(&self, outcome: &'static str) {
        self.turns.get_or_create(&TurnLabels { outcome }).inc();
    }

    /// Counts an alert, by the type of its event.
    pub fn count_alert(&self, kind: &'static str) {
        self.alerts.get_or_create(&AlertLabels { kind }).inc();
    }

    /// All of them as text.
    pub fn render(&self, backlog: usize, database_up: bool) -> String {
        self.backlog.set(i64::try_from(backlog).unwrap_or(i64::MAX));
        self.database_up.set(database_up.into());
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a string does not fail");
        text
    }
}
