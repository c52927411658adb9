//! Models and the providers that serve them.

use super::{Field, Shape, TEXT_MAP, TEXTS, Table, Tagged, Words};

pub(super) static MODELS: Table = Table::new(&[Field::new(
    "new_thread",
    Shape::Table(&NEW_THREAD),
    "Defaults for new threads; a developer's own choice overrides them.",
)]);

static NEW_THREAD: Table = Table::new(&[
    Field::new("model", Shape::Text, "The model of new threads."),
    Field::new("model_reasoning_effort", Shape::Text, "The reasoning effort of new threads."),
    Field::new("service_tier", Shape::Text, "The service tier of new threads."),
]);

/// The shape of `model_providers`, which clients check only after merging all layers.
pub(in crate::lint) static PROVIDERS: Shape = Shape::Map(&Shape::Table(&PROVIDER));

const COUNT: Shape = Shape::Integer(0, i64::MAX);

static PROVIDER: Table = Table::new(&[
    Field::new("name", Shape::Text, "What developers see.").defaulted(),
    Field::new("base_url", Shape::Text, "The address of the API."),
    Field::new("model_catalog_url", Shape::Text, "Where the list of models comes from."),
    Field::new("env_key", Shape::Text, "The environment variable that holds the API key."),
    Field::new("env_key_instructions", Shape::Text, "How developers get an API key."),
    Field::new("experimental_bearer_token", Shape::Text, "An API key in the clear; prefer `env_key` or `auth`.")
        .secret(),
    Field::new("auth", Shape::Table(&COMMAND_AUTH), "A command that prints the token."),
    // Clients try two forms and name neither when both fail; the provider rules check it.
    Field::new("gateway_oauth", Shape::Anything, "Sign-in at the gateway in front of the provider."),
    Field::new("aws", Shape::Table(&AWS), "AWS credentials, for Bedrock only."),
    Field::new("project_id", Shape::Text, "The Google Cloud project."),
    Field::new("location", Shape::Text, "The Google Cloud location."),
    Field::new("credential_file", Shape::Text, "The Google Cloud credential file."),
    Field::new(
        "wire_api",
        Shape::Word(
            &Words::new(&["responses"])
                .strict()
                .refusing(&[("chat", "Clients no longer speak the chat API. Write `wire_api = \"responses\"`.")]),
        ),
        "The protocol; `responses` is the only one.",
    )
    .defaulted(),
    Field::new("capabilities", Shape::Table(&CAPABILITIES), "What the provider can do."),
    Field::new("query_params", TEXT_MAP, "Query parameters of every request.").secret(),
    Field::new("http_headers", TEXT_MAP, "Headers of every request.").secret(),
    Field::new("env_http_headers", TEXT_MAP, "Headers whose values come from environment variables."),
    Field::new("request_max_retries", COUNT, "How often a failed request is repeated."),
    Field::new("stream_max_retries", COUNT, "How often a broken stream is resumed."),
    Field::new("stream_idle_timeout_ms", COUNT, "Milliseconds of silence after which a stream is broken."),
    Field::new("websocket_connect_timeout_ms", COUNT, "Milliseconds to wait for a WebSocket."),
    Field::new("requires_openai_auth", Shape::Bool, "Whether developers sign in with their OpenAI account.")
        .defaulted(),
    Field::new("supports_websockets", Shape::Bool, "Whether the provider offers WebSockets.").defaulted(),
    Field::new("supports_standalone_web_search", Shape::Bool, "Whether it offers web search by itself.").defaulted(),
]);

static COMMAND_AUTH: Table = Table::new(&[
    Field::new("command", Shape::Text, "The program that prints the token.").required(),
    Field::new("args", TEXTS, "Its arguments.").defaulted(),
    Field::new("timeout_ms", Shape::Integer(1, i64::MAX), "Milliseconds it may take.").defaulted(),
    Field::new("refresh_interval_ms", COUNT, "Milliseconds after which it runs again; 0 for never.").defaulted(),
    Field::new("cwd", Shape::Text, "The directory it runs in.").defaulted(),
]);

static CAPABILITIES: Table = Table::new(&[
    Field::new("cyber_access_programs", Shape::Bool, "Whether access programs apply."),
    Field::new("external_web_access", Shape::Bool, "Whether web search may leave the provider."),
    Field::new(
        "remote_compaction",
        Shape::Word(&Words::new(&["unsupported", "v2"])),
        "Whether the provider compacts conversations.",
    ),
]);

static AWS: Table = Table::new(&[
    Field::new("profile", Shape::Text, "The AWS profile."),
    Field::new("region", Shape::Text, "The AWS region."),
    Field::new("credential_export", Shape::Table(&COMMAND), "A command that prints AWS credentials."),
    Field::new("auth_refresh", Shape::Table(&COMMAND), "The `aws` command that renews the sign-in."),
]);

static COMMAND: Table = Table::new(&[
    Field::new("command", Shape::Text, "The program.").required(),
    Field::new("args", TEXTS, "Its arguments.").defaulted(),
    Field::new("timeout_ms", Shape::Integer(1, i64::MAX), "Milliseconds it may take.").defaulted(),
]);

/// Clients know two sources for the gateway's token, and refuse any mixture.
pub(in crate::lint) static GATEWAY: Shape = Shape::AnyOf(
    "a table with either `authorization_url`, `token_url` and `client_id`, or `credential_export`",
    &[Shape::Table(&GATEWAY_OAUTH), Shape::Table(&GATEWAY_EXPORT)],
);

static GATEWAY_OAUTH: Table = Table::new(&[
    Field::new("authorization_url", Shape::Text, "Where developers sign in.").required(),
    Field::new("token_url", Shape::Text, "Where the client gets tokens.").required(),
    Field::new("client_id", Shape::Text, "The client's id at the authorization server.").required(),
    Field::new("device_authorization_url", Shape::Text, "Where sign-in without a browser starts."),
    Field::new("resource", Shape::Text, "The resource the token is for."),
    Field::new("scopes", TEXTS, "The scopes to ask for."),
    Field::new("redirect_port", Shape::Integer(0, u16::MAX as i64), "The loopback port the browser returns to."),
    Field::new(
        "credentials_store",
        Shape::Word(&Words::new(&["file", "keyring"])),
        "Where the token is kept: `file` also works without a desktop session.",
    ),
    Field::new("delivery", Shape::Tagged(&DELIVERY), "How the token travels; in the Authorization header by default."),
])
.strict()
.keyed();

static GATEWAY_EXPORT: Table = Table::new(&[
    Field::new("credential_export", Shape::Table(&COMMAND_AUTH), "A command that prints the token.").required(),
    Field::new("delivery", Shape::Tagged(&DELIVERY), "How the token travels; in the Authorization header by default."),
])
.strict()
.keyed();

static DELIVERY: Tagged = Tagged { tag: "kind", variants: &[("header", &HEADER), ("cookie", &COOKIE)] };

static HEADER: Table = Table::new(&[
    Field::new("name", Shape::Text, "The name of the header.").required(),
    Field::new("scheme", Shape::Text, "The word before the token, such as `Bearer`."),
])
.strict();

static COOKIE: Table = Table::new(&[Field::new("name", Shape::Text, "The name of the cookie.").required()]).strict();
