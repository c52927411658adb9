//! What client versions make of a policy.
use super::schema::EVENTS;
/// The path that stands for all of the same shape: hooks of all events, the three names of the network rules.
pub(super) fn canonical(path: &str) -> std::borrow::Cow<'_, str> {
    const TWINS: &[(&str, &str)] = &[
        ("network_proxy.", "experimental_network."),
        ("permissions.network.", "experimental_network."),
        ("plugins.*.mcp_servers.", "mcp_servers."),
        ("otel.trace_exporter.", "otel.exporter."),
        ("otel.metrics_exporter.", "otel.exporter."),
        ("otel.trace_exporter=", "otel.exporter="),
        ("otel.metrics_exporter=", "otel.exporter="),
        ("browser_use.origins.*.", "browser_use.default_origin_policy."),
    ];
    for (twin, known) in TWINS {
        if let Some(rest) = path.strip_prefix(twin) {
            return format!("{known}{rest}").into();
        }
    }
    if let Some((event, rest)) = path.strip_prefix("hooks.").and_then(|rest| rest.split_once('.'))
        && EVENTS.contains(&event)
        && event != EVENTS[0]
    {
        return format!("hooks.{}.{rest}", EVENTS[0]).into();
    }
    path.into()
}
