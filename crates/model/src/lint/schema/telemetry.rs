//! `[otel]`: what clients report, and where to.

use super::{Field, Shape, TEXT_MAP, Table, Variant, Words};

pub(super) static OTEL: Table = Table::new(OTEL_FIELDS).strict();

/// The same in `config.toml`, where clients pass over unknown keys.
pub(super) static LENIENT_OTEL: Table = Table::new(OTEL_FIELDS);

const OTEL_FIELDS: &[Field] = &[
    Field::new("tool_result", Shape::Table(&TOOL_RESULT), "How much of a tool's result is reported."),
    Field::new("log_sse_deltas", Shape::Bool, "Whether every piece of a streamed answer is reported."),
    Field::new("log_user_prompt", Shape::Bool, "Whether prompts are reported in full; otherwise they are redacted."),
    Field::new("log_agent_responses", Shape::Bool, "Whether answers are reported in full."),
    Field::new("log_guardian_assessments", Shape::Bool, "Whether the automatic reviewer's reasons are reported."),
    Field::new("environment", Shape::Text, "A name for this fleet, such as `production`."),
    Field::new("exporter", EXPORTER, "Where log events go.").secret(),
    Field::new("trace_exporter", EXPORTER, "Where traces go.").secret(),
    Field::new("metrics_exporter", EXPORTER, "Where metrics go.").secret(),
    Field::new("span_attributes", TEXT_MAP, "Attributes added to every span."),
    Field::new("tracestate", Shape::Map(&TEXT_MAP), "Entries added to the trace state."),
];

static TOOL_RESULT: Table =
    Table::new(&[Field::new("max_bytes", Shape::Integer(0, i64::MAX), "The most bytes reported.").defaulted()]);

const EXPORTER: Shape = Shape::Variant(&[
    Variant::word("none"),
    Variant::word("statsig"),
    Variant::with("otlp-http", &OTLP_HTTP),
    Variant::with("otlp-grpc", &OTLP_GRPC),
]);

static OTLP_HTTP: Table = Table::new(&[
    Field::new("endpoint", Shape::Text, "The full address, such as `https://collector/v1/logs`.").required(),
    Field::new("headers", TEXT_MAP, "Headers of every request.").defaulted().secret(),
    Field::new("protocol", Shape::Word(&Words::new(&["binary", "json"])), "The encoding.").required(),
    Field::new("tls", Shape::Table(&TLS), "Certificates.").defaulted(),
]);

static OTLP_GRPC: Table = Table::new(&[
    Field::new("endpoint", Shape::Text, "The address of the collector.").required(),
    Field::new("headers", TEXT_MAP, "Headers of every request.").defaulted().secret(),
    Field::new("tls", Shape::Table(&TLS), "Certificates.").defaulted(),
]);

static TLS: Table = Table::new(&[
    Field::new("ca-certificate", Shape::Text, "The path of the authority's certificate."),
    Field::new("client-certificate", Shape::Text, "The path of the client's certificate."),
    Field::new("client-private-key", Shape::Text, "The path of the client's key."),
]);

pub(super) static FEEDBACK: Table =
    Table::new(&[Field::new("enabled", Shape::Bool, "Whether developers may send feedback to OpenAI.")]);
