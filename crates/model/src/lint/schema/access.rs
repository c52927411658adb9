//! Approvals, reviewers, sandbox modes, web search: what a developer may choose.

use super::{Field, Shape, TEXTS, Table, Variant, Words};

pub(super) const APPROVAL_POLICIES: Shape = Shape::List(&Shape::Variant(&[
    Variant::word("untrusted"),
    Variant::noted("on-failure", "Clients read \"on-failure\" as \"on-request\". Write \"on-request\"."),
    Variant::word("on-request"),
    Variant::with("granular", &GRANULAR),
    Variant::word("never"),
]));

pub(super) static GRANULAR: Table = Table::new(&[
    Field::new("sandbox_approval", Shape::Bool, "Whether to ask before leaving the sandbox.").required(),
    Field::new("rules", Shape::Bool, "Whether to ask when a command rule says so.").required(),
    Field::new("skill_approval", Shape::Bool, "Whether to ask before a skill runs.").defaulted(),
    Field::new("request_permissions", Shape::Bool, "Whether to ask when more permissions are wanted.").defaulted(),
    Field::new("mcp_elicitations", Shape::Bool, "Whether to pass on questions of MCP servers.").required(),
]);

pub(super) const REVIEWERS: Shape = Shape::List(&REVIEWER);

pub(super) const REVIEWER: Shape = Shape::Word(
    &Words::new(&["user", "auto_review"])
        .tolerating(&[("guardian_subagent", "\"guardian_subagent\" is the old name of \"auto_review\".")]),
);

pub(super) const SANDBOX_MODES: Shape =
    Shape::List(&Shape::Word(&Words::new(&["read-only", "workspace-write", "danger-full-access"]).tolerating(&[(
        "external-sandbox",
        "Clients accept \"external-sandbox\" here and then drop it: it allows nothing. Remove it.",
    )])));

pub(super) const WEB_SEARCH_MODES: Shape =
    Shape::List(&Shape::Word(&Words::new(&["disabled", "cached", "indexed", "live"])));

pub(super) const RESIDENCY: Shape = Shape::Word(&Words::new(&["us"]));

pub(super) const REMOTE_SANDBOX: Shape = Shape::List(&Shape::Table(&Table::new(&[
    Field::new(
        "hostname_patterns",
        TEXTS,
        "Host names this entry is for, regardless of case; `*` stands for any run of characters and `?` for one.",
    )
    .required(),
    Field::new("allowed_sandbox_modes", SANDBOX_MODES, "Replaces the policy's own list on those hosts.").required(),
])));

pub(super) static AUTO_REVIEW: Table = Table::new(&[
    Field::new("required_on_models", TEXTS, "Models for which automatic review is mandatory."),
    Field::new("ignore_rules", TEXTS, "Rules the automatic reviewer passes over."),
]);
