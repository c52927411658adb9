//! Permission profiles and the file rules that hold for all of them.

use super::{ALLOW_DENY, Field, Shape, TEXTS, Table, Words};

/// `[permissions]`: two reserved names, and a profile under every other one.
pub(super) static PERMISSIONS: Table = Table::new(&[
    Field::new("filesystem", Shape::Table(&FILESYSTEM), "File rules that hold for everyone, whatever the profile."),
    // The reserved name has a form of its own; the permission rules check it.
    Field::new("network", Shape::Anything, "Managed network rules, another name of `[experimental_network]`."),
])
.others(&Shape::Table(&PROFILE));

static FILESYSTEM: Table =
    Table::new(&[Field::new("deny_read", TEXTS, "Absolute paths, `~/` paths or globs nobody may read.")]).keyed();

/// The shape of one profile.
pub(super) const PROFILE_SHAPE: Shape = Shape::Table(&PROFILE);

static PROFILE: Table = Table::new(&[
    Field::new("description", Shape::Text, "What developers see in the list of profiles."),
    Field::new("extends", Shape::Text, "The profile to build on: `:read-only`, `:workspace` or another one."),
    Field::new("workspace_roots", Shape::Map(&Shape::Bool), "Further directories that count as workspace."),
    Field::new("filesystem", Shape::Table(&PROFILE_FILESYSTEM), "Paths and the access to them."),
    Field::new("network", Shape::Table(&PROFILE_NETWORK), "Network access of the profile."),
]);

const ACCESS: Shape = Shape::Word(
    &Words::new(&["read", "write", "deny"]).tolerating(&[("none", "\"none\" is the old name of \"deny\".")]),
);

static PROFILE_FILESYSTEM: Table = Table::new(&[Field::new(
    "glob_scan_max_depth",
    Shape::Integer(0, i64::MAX),
    "How deep to look for files that match a glob; at least 1.",
)])
.others(&Shape::AnyOf(
    "\"read\", \"write\", \"deny\", or a table of subpaths with these words",
    &[ACCESS, Shape::Map(&ACCESS)],
));

static PROFILE_NETWORK: Table = Table::new(&[
    Field::new("enabled", Shape::Bool, "Whether commands may use the network."),
    Field::new("proxy_url", Shape::Text, "The address of the HTTP proxy."),
    Field::new("enable_socks5", Shape::Bool, "Whether to offer a SOCKS proxy."),
    Field::new("socks_url", Shape::Text, "The address of the SOCKS proxy."),
    Field::new("enable_socks5_udp", Shape::Bool, "Whether the SOCKS proxy carries UDP."),
    Field::new("allow_upstream_proxy", Shape::Bool, "Whether to pass requests on to the system's own proxy."),
    Field::new("dangerously_allow_non_loopback_proxy", Shape::Bool, "Lets the proxy listen beyond this machine."),
    Field::new("dangerously_allow_all_unix_sockets", Shape::Bool, "Lets commands reach every Unix socket."),
    Field::new("mode", Shape::Word(&Words::new(&["limited", "full"]).strict()), "How far network access goes."),
    Field::new("domains", Shape::Map(&ALLOW_DENY), "Hosts and `allow` or `deny`."),
    Field::new("unix_sockets", Shape::Map(&ALLOW_DENY), "Paths of Unix sockets and `allow` or `deny`."),
    Field::new("allow_local_binding", Shape::Bool, "Lifts the guard on local and private addresses."),
    Field::new("mitm", Shape::Table(&MITM), "Inspection of encrypted requests."),
]);

static MITM: Table = Table::new(&[
    Field::new("version", Shape::Integer(0, u8::MAX as i64), "The version of the hook format; 2 is the only one."),
    Field::new("hooks", Shape::Map(&Shape::Table(&MITM_HOOK)), "Requests to act on.").secret(),
    Field::new("actions", Shape::Map(&Shape::Table(&MITM_ACTION)), "What hooks do with a request.").secret(),
])
.strict();

static MITM_HOOK: Table = Table::new(&[
    Field::new("schemes", TEXTS, "The schemes of the request."),
    Field::new("ports", Shape::List(&PORT), "The ports of the request."),
    Field::new("host", Shape::Text, "The host of the request.").required(),
    Field::new("methods", TEXTS, "The methods of the request.").required(),
    Field::new("path_prefixes", TEXTS, "What the path begins with.").required(),
    Field::new("query", Shape::Map(&Shape::Anything), "Query parameters of the request."),
    Field::new("headers", Shape::Map(&Shape::Anything), "Headers of the request."),
    Field::new("body", Shape::Anything, "The body of the request."),
    Field::new("action", TEXTS, "The actions to take, by name.").required(),
])
.strict();

const PORT: Shape = Shape::Integer(0, u16::MAX as i64);

static MITM_ACTION: Table = Table::new(&[
    Field::new("body_secret_substitution", Shape::Table(&SUBSTITUTION), "Secrets to put into the body."),
    Field::new("aws_sigv4", Shape::Table(&AWS_SIGNATURE), "Signs the request for AWS."),
    Field::new("strip_request_headers", TEXTS, "Headers to remove."),
    Field::new("inject_request_headers", Shape::List(&Shape::Table(&INJECTED_HEADER)), "Headers to add.").secret(),
])
.strict();

// What is below here clients check further, and no recorded verdict says how.

static INJECTED_HEADER: Table = Table::new(&[]).others(&Shape::Anything);

static SUBSTITUTION: Table = Table::new(&[
    Field::new("replacements", Shape::List(&Shape::Anything), "What to put for what.").required(),
    Field::new("port", PORT, "The port of the request."),
    Field::new("max_body_bytes", Shape::Integer(0, i64::MAX), "The largest body to look at."),
])
.strict()
.keyed();

static AWS_SIGNATURE: Table = Table::new(&[
    Field::new("placeholder_access_key_id", Shape::Text, "The access key id that stands for the real one.").required(),
    Field::new("region", Shape::Anything, "The AWS region."),
    Field::new("service", Shape::Anything, "The AWS service."),
    Field::new("access_key_id", Shape::Anything, "Where the access key id comes from."),
    Field::new("secret_access_key", Shape::Anything, "Where the secret access key comes from.").secret(),
    Field::new("session_token", Shape::Anything, "Where the session token comes from.").secret(),
    Field::new("port", PORT, "The port of the request."),
    Field::new("max_body_bytes", Shape::Integer(0, i64::MAX), "The largest body to sign."),
])
.strict()
.keyed();
