//! `[hooks]`: commands and tools that run at fixed points of a session.

use super::{Field, Shape, Table, Tagged};

/// The events that clients know (0.169.0).
pub const EVENTS: &[&str] = &[
    "PreToolUse",
    "PermissionRequest",
    "PostToolUse",
    "PreCompact",
    "PostCompact",
    "SessionStart",
    "SessionEnd",
    "UserPromptSubmit",
    "SubagentStart",
    "SubagentStop",
    "Stop",
    "Interrupt",
    "PreModelRequest",
    "PostModelRequest",
];

const GROUPS: Shape = Shape::List(&Shape::Table(&GROUP));

pub(super) static HOOKS: Table = Table::new(HOOK_FIELDS).keyed();

/// The same in `config.toml`, where the directories are unknown and the state of hooks is kept.
pub(super) static LENIENT_HOOKS: Table = Table::new(HOOK_FIELDS.split_at(2).1).others(&Shape::Anything);

const HOOK_FIELDS: &[Field] = &[
    Field::new("managed_dir", Shape::Text, "The absolute directory of the hook programs, put there by other means."),
    Field::new("windows_managed_dir", Shape::Text, "The same for Windows."),
    Field::new("PreToolUse", GROUPS, "Runs before a tool is used; can refuse it."),
    Field::new("PermissionRequest", GROUPS, "Runs when an approval is asked for; can answer it."),
    Field::new("PostToolUse", GROUPS, "Runs after a tool was used."),
    Field::new("PreCompact", GROUPS, "Runs before the conversation is compacted."),
    Field::new("PostCompact", GROUPS, "Runs after the conversation was compacted."),
    Field::new("SessionStart", GROUPS, "Runs when a session starts."),
    Field::new("SessionEnd", GROUPS, "Runs when a session ends, always in step."),
    Field::new("UserPromptSubmit", GROUPS, "Runs when the developer sends a prompt; can refuse it."),
    Field::new("SubagentStart", GROUPS, "Runs when a subagent starts."),
    Field::new("SubagentStop", GROUPS, "Runs when a subagent stops."),
    Field::new("Stop", GROUPS, "Runs when a turn ends."),
    Field::new("Interrupt", GROUPS, "Runs when the developer interrupts."),
    Field::new("PreModelRequest", GROUPS, "Runs before a request goes to the model."),
    Field::new("PostModelRequest", GROUPS, "Runs after a model answered."),
];

static GROUP: Table = Table::new(&[
    Field::new("matcher", Shape::Text, "A regular expression over what the event is about, such as the tool's name.")
        .defaulted(),
    Field::new("hooks", Shape::List(&Shape::Tagged(&HANDLER)), "What to run, in this order.").defaulted(),
]);

static HANDLER: Tagged = Tagged {
    tag: "type",
    variants: &[("command", &COMMAND), ("mcp_tool", &MCP_TOOL), ("prompt", &SKIPPED), ("agent", &SKIPPED)],
};

static COMMAND: Table = Table::new(&[
    Field::new("command", Shape::Text, "The command line to run.").required(),
    Field::new("commandWindows", Shape::Text, "The command line to run on Windows.").alias(&["command_windows"]),
    TIMEOUT,
    Field::new("async", Shape::Bool, "Whether the session goes on while it runs."),
    STATUS,
    Field::new(
        "additionalContextLimit",
        Shape::Integer(0, i64::MAX),
        "How much of its output reaches the model; 0 for all of it.",
    ),
]);

static MCP_TOOL: Table = Table::new(&[
    Field::new("server", Shape::Text, "The MCP server.").required(),
    Field::new("tool", Shape::Text, "Its tool.").required(),
    Field::new("input", Shape::Map(&Shape::Json), "The tool's arguments."),
    TIMEOUT,
    STATUS,
]);

// Clients read these two kinds and never run them.
static SKIPPED: Table = Table::new(&[]).others(&Shape::Anything);

const TIMEOUT: Field = Field::new("timeout", Shape::Integer(0, i64::MAX), "Seconds after which it is stopped.");
const STATUS: Field = Field::new("statusMessage", Shape::Text, "What the developer sees meanwhile.");
