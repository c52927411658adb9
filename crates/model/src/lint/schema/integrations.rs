//! MCP servers, plugins, marketplaces and apps: what may be connected.

use super::{Field, Shape, Table, Tagged, Words};

pub(in crate::lint) const MCP_SERVERS: Shape = Shape::Map(&Shape::Table(&MCP_SERVER));

static MCP_SERVER: Table = Table::new(&[Field::new(
    "identity",
    IDENTITY,
    "The command or URL the server must have; a server of this name that differs is disabled.",
)
.required()]);

/// Clients pass over further keys beside a plain string and refuse them beside a table.
const IDENTITY: Shape = Shape::AnyOf(
    "a table with `command` or `url`: identity = { url = \"https://…\" }",
    &[Shape::Table(&COMMAND), Shape::Table(&URL), Shape::Table(&STRUCTURED_COMMAND), Shape::Table(&STRUCTURED_URL)],
);

static COMMAND: Table = Table::new(&[
    Field::new("command", Shape::Text, "The program that starts the server.").required(),
    // Not part of this form; listed so that it is not called unknown when both are written.
    Field::new("url", Shape::Anything, "The address of the server."),
])
.keyed();

static URL: Table = Table::new(&[
    Field::new("url", Shape::Text, "The address of the server.").required(),
    Field::new("command", Shape::Anything, "The program that starts the server."),
])
.keyed();

static STRUCTURED_COMMAND: Table = Table::new(&[Field::new(
    "command",
    Shape::Table(&COMMAND_MATCHER),
    "The program that starts the server, and its arguments.",
)
.required()])
.strict()
.keyed();

static STRUCTURED_URL: Table =
    Table::new(&[Field::new("url", Shape::Tagged(&MATCHER), "A matcher for the address of the server.").required()])
        .strict()
        .keyed();

static COMMAND_MATCHER: Table = Table::new(&[
    Field::new("executable", Shape::Text, "The program.").required(),
    Field::new("args", Shape::List(&Shape::Tagged(&MATCHER)), "One matcher per argument, in order.").required(),
])
.strict();

static MATCHER: Tagged = Tagged { tag: "match", variants: &[("exact", &VALUE), ("prefix", &VALUE), ("regex", &REGEX)] };

static VALUE: Table = Table::new(&[Field::new("value", Shape::Text, "The text to compare with.").required()]).strict();

static REGEX: Table =
    Table::new(&[Field::new("expression", Shape::Text, "A regular expression for the whole text.").required()])
        .strict();

pub(in crate::lint) const PLUGINS: Shape = Shape::Map(&Shape::Table(&PLUGIN));

static PLUGIN: Table = Table::new(&[Field::new("mcp_servers", MCP_SERVERS, "The MCP servers the plugin may bring.")]);

pub(super) static MARKETPLACES: Table = Table::new(&[
    Field::new(
        "restrict_to_allowed_sources",
        Shape::Bool,
        "Whether marketplaces and plugins may only come from `allowed_sources`.",
    ),
    Field::new(
        "allowed_sources",
        Shape::Map(&Shape::Table(&SOURCE)),
        "The permitted sources, by a name of your choice.",
    ),
])
.strict();

static SOURCE: Table = Table::new(&[
    Field::new("source", Shape::Word(&Words::new(&["git", "host_pattern", "local"])), "The kind of source."),
    Field::new("url", Shape::Text, "The Git address, for `git`."),
    Field::new("ref", Shape::Text, "The branch, tag or commit, for `git`."),
    Field::new("host_pattern", Shape::Text, "A regular expression for the lower-case host, for `host_pattern`."),
    Field::new("path", Shape::Text, "The absolute path, for `local`."),
])
.strict();

pub(super) static APPS: Table = Table::new(&[]).others(&Shape::Table(&APP));

static APP: Table = Table::new(&[
    Field::new("enabled", Shape::Bool, "`false` disables the app, whatever other layers say."),
    Field::new("tools", Shape::Table(&APP_TOOLS), "The app's tools, by name."),
]);

static APP_TOOLS: Table = Table::new(&[]).others(&Shape::Table(&APP_TOOL));

static APP_TOOL: Table = Table::new(&[
    Field::new(
        "approval_mode",
        Shape::Word(&Words::new(&["auto", "prompt", "writes", "approve"]).strict()),
        "When the tool needs approval.",
    ),
    Field::new("analytics_result_source", Shape::Table(&RESULT_SOURCE), "How the tool's results are counted."),
]);

static RESULT_SOURCE: Table = Table::new(&[
    Field::new("format", Shape::Text, "The format of the result.").required(),
    Field::new("type", Shape::Text, "The type of the result.").required(),
])
.strict();
