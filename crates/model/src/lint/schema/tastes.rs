//! Tables of `config.toml` that are matters of taste, as far as a mistake in them keeps clients from starting.

use super::{Field, Shape, TEXTS, Table, Words};

pub(super) static TUI: Table = Table::new(&[
    Field::new("theme", Shape::Text, "The colours."),
    Field::new(
        "notifications",
        Shape::AnyOf("true, false, or a list of kinds", &[Shape::Bool, TEXTS]),
        "Which events notify.",
    ),
    Field::new("animations", Shape::Bool, "Whether things move."),
    Field::new("show_tooltips", Shape::Bool, "Whether tips are shown."),
    Field::new("alternate_screen", Shape::Word(&Words::new(&["auto", "always", "never"])), "Full screen or not."),
    Field::new("status_line", TEXTS, "What the status line shows."),
])
.others(&Shape::Anything);

pub(super) static TOOLS: Table = Table::new(&[Field::new(
    "web_search",
    Shape::AnyOf("true, false, or a table of settings", &[Shape::Bool, Shape::Table(&WEB_SEARCH)]),
    "Web search.",
)])
.others(&Shape::Anything);

static WEB_SEARCH: Table = Table::new(&[Field::new(
    "context_size",
    Shape::Word(&Words::new(&["low", "medium", "high"])),
    "How much of the results the model sees.",
)])
.others(&Shape::Anything);

pub(super) static SKILLS: Table = Table::new(&[
    Field::new("bundled", Shape::Table(&BUNDLED), "The skills clients bring along.").defaulted(),
    Field::new("include_instructions", Shape::Anything, "Whether skills explain themselves.").defaulted(),
    Field::new("config", Shape::List(&Shape::Table(&SKILL)), "Single skills.").defaulted(),
    Field::new("max_context_tokens", Shape::Anything, "The most tokens skills may take.").defaulted(),
]);

static BUNDLED: Table = Table::new(&[Field::new("enabled", Shape::Bool, "Whether they are on.").defaulted()]);

static SKILL: Table = Table::new(&[
    Field::new("path", Shape::Text, "The path of the skill."),
    Field::new("name", Shape::Text, "The name of the skill."),
    Field::new("enabled", Shape::Bool, "Whether it is on.").required(),
]);

pub(super) static TOOL_SUGGEST: Table = Table::new(&[
    Field::new("discoverables", Shape::List(&Shape::Anything), "Tools to suggest.").defaulted(),
    Field::new("disabled_tools", Shape::List(&Shape::Anything), "Tools not to suggest.").defaulted(),
]);

pub(super) static MARKETPLACE: Table =
    Table::new(&[Field::new("source_type", Shape::Word(&Words::new(&["git", "local"])), "The kind of source.")])
        .others(&Shape::Anything);

pub(super) static MEMORIES: Table =
    Table::new(&[Field::new("generate_memories", Shape::Bool, "Whether memories are made.")]).others(&Shape::Anything);

pub(super) static AUTO_REVIEW: Table =
    Table::new(&[Field::new("policy", Shape::Text, "The reviewer's policy.")]).others(&Shape::Anything);

pub(super) static AUDIO: Table = Table::new(&[
    Field::new("microphone", Shape::Text, "The microphone."),
    Field::new("speaker", Shape::Text, "The speaker."),
])
.others(&Shape::Anything);

pub(super) static REALTIME: Table =
    Table::new(&[Field::new("version", Shape::Word(&Words::new(&["v1", "v2", "v3"])), "The version of the API.")])
        .others(&Shape::Anything);

pub(super) static NOTICE: Table =
    Table::new(&[Field::new("hide_full_access_warning", Shape::Bool, "Whether the warning was seen.")])
        .others(&Shape::Anything);
