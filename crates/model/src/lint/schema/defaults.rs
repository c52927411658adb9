//! The keys of `config.toml` that managed defaults usually set.
//!
//! Unlike the policy, this is no complete account: tables of the terminal interface and other tastes pass unchecked.

use super::telemetry::{FEEDBACK, LENIENT_OTEL};
use super::{Field, Shape, TEXT_MAP, TEXTS, Table, Variant, Words, access, hooks, permissions, tastes};

const COUNT: Shape = Shape::Integer(0, i64::MAX);
const NUMBER: Shape = Shape::Integer(i64::MIN, i64::MAX);
const UNCHECKED: Shape = Shape::Table(&OPEN);

static OPEN: Table = Table::new(&[]).others(&Shape::Anything);

const TOOL_APPROVAL: Shape = Shape::Word(&Words::new(&["auto", "prompt", "writes", "approve"]));
const SANDBOX_MODE: Shape = Shape::Word(&Words::new(&["read-only", "workspace-write", "danger-full-access"]));

const APPROVAL_POLICY: Shape = Shape::Variant(&[
    Variant::word("untrusted"),
    Variant::noted("on-failure", "Clients read \"on-failure\" as \"on-request\". Write \"on-request\"."),
    Variant::word("on-request"),
    Variant::with("granular", &access::GRANULAR),
    Variant::word("never"),
]);

/// The top level of a `config.toml` fragment.
pub(in crate::lint) static DEFAULTS: Table = Table::new(&[
    Field::new("model", Shape::Text, "The model of new threads."),
    Field::new("review_model", Shape::Text, "The model of `/review`."),
    Field::new("model_provider", Shape::Text, "The provider of the model."),
    Field::new("model_providers", Shape::Anything, "Providers of models, by id."),
    Field::new("model_context_window", NUMBER, "The model's context window in tokens."),
    Field::new("model_auto_compact_token_limit", NUMBER, "Tokens after which a conversation is compacted."),
    Field::new("model_reasoning_effort", Shape::Text, "How hard the model thinks."),
    Field::new("plan_mode_reasoning_effort", Shape::Text, "How hard the model thinks while planning."),
    Field::new(
        "model_reasoning_summary",
        Shape::Word(&Words::new(&["auto", "concise", "detailed", "none"])),
        "How much of its reasoning the model shows.",
    ),
    Field::new("model_verbosity", Shape::Word(&Words::new(&["low", "medium", "high"])), "How long answers are."),
    Field::new("model_catalog_json", Shape::Text, "A file on the device with the list of models."),
    Field::new("model_instructions_file", Shape::Text, "A file on the device that replaces the built-in instructions."),
    Field::new("experimental_compact_prompt_file", Shape::Text, "A file on the device with the compaction prompt."),
    Field::new("personality", Shape::Word(&Words::new(&["none", "friendly", "pragmatic"])), "The tone of answers."),
    Field::new("service_tier", Shape::Text, "The service tier."),
    Field::new("approval_policy", APPROVAL_POLICY, "When the agent asks before it acts."),
    Field::new("approvals_reviewer", access::REVIEWER, "Who answers approvals."),
    Field::new("sandbox_mode", SANDBOX_MODE, "What commands may touch."),
    Field::new("sandbox_workspace_write", Shape::Table(&WORKSPACE_WRITE), "Settings of the workspace-write sandbox."),
    Field::new("default_permissions", Shape::Text, "The permission profile to start with."),
    Field::new("permissions", Shape::Map(&permissions::PROFILE_SHAPE), "Permission profiles, by name."),
    Field::new("shell_environment_policy", Shape::Table(&ENVIRONMENT), "Which environment variables commands see."),
    Field::new("allow_login_shell", Shape::Bool, "Whether commands may run in a login shell."),
    Field::new("web_search", Shape::Word(&Words::new(&["disabled", "cached", "indexed", "live"])), "Web search."),
    Field::new("instructions", Shape::Text, "Instructions for every session."),
    Field::new("developer_instructions", Shape::Text, "Instructions for every session, as the developer."),
    Field::new("compact_prompt", Shape::Text, "The compaction prompt."),
    Field::new("include_permissions_instructions", Shape::Bool, "Whether the model is told its permissions."),
    Field::new("include_environment_context", Shape::Bool, "Whether the model is told about its surroundings."),
    Field::new("notify", TEXTS, "A command to run on notifications."),
    Field::new("forced_login_method", Shape::Word(&Words::new(&["chatgpt", "api"])), "How developers must sign in."),
    Field::new(
        "forced_chatgpt_workspace_id",
        Shape::AnyOf("a workspace id, or a list of them", &[Shape::Text, TEXTS]),
        "The workspaces developers may sign in to.",
    ),
    Field::new("cli_auth_credentials_store", Shape::Anything, "Where credentials are kept.").ignored(LOCAL_ONLY),
    Field::new("chatgpt_base_url", Shape::Anything, "The address of the service.").ignored(LOCAL_ONLY),
    Field::new("openai_base_url", Shape::Text, "The address of the model API."),
    Field::new("mcp_servers", Shape::Map(&Shape::Table(&MCP_SERVER)), "MCP servers, by id."),
    Field::new(
        "mcp_oauth_credentials_store",
        Shape::Word(&Words::new(&["auto", "file", "keyring"])),
        "Where tokens of MCP servers are kept.",
    ),
    Field::new("mcp_oauth_callback_port", Shape::Integer(0, u16::MAX as i64), "The port sign-in returns to."),
    Field::new("mcp_oauth_callback_url", Shape::Text, "The address sign-in returns to."),
    Field::new("features", Shape::Table(&FEATURES), "Features switched on or off."),
    Field::new("otel", Shape::Table(&LENIENT_OTEL), "What clients report, and where to."),
    Field::new("hooks", Shape::Table(&hooks::LENIENT_HOOKS), "Commands that run at fixed points of a session."),
    Field::new("history", Shape::Table(&HISTORY), "The history of prompts."),
    Field::new("feedback", Shape::Table(&FEEDBACK), "Feedback to OpenAI."),
    Field::new("analytics", Shape::Table(&ENABLED), "Analytics."),
    Field::new("windows", Shape::Table(&WINDOWS), "Sandboxes on Windows."),
    Field::new("agents", Shape::Table(&AGENTS), "Subagents."),
    Field::new("projects", Shape::Map(&Shape::Table(&PROJECT)), "Projects, by path."),
    Field::new("profile", Shape::Text, "No longer supported."),
    Field::new("profiles", Shape::Map(&Shape::Table(&PROFILE)), "Named sets of settings."),
    Field::new("project_doc_max_bytes", COUNT, "The most bytes read from AGENTS.md."),
    Field::new("project_doc_fallback_filenames", TEXTS, "Names to look for besides AGENTS.md."),
    Field::new("project_root_markers", TEXTS, "Files that mark the root of a project."),
    Field::new("tool_output_token_limit", COUNT, "The most tokens of a tool's output the model sees."),
    Field::new("background_terminal_max_timeout", COUNT, "How long background commands may run."),
    Field::new("sqlite_home", Shape::Text, "The directory of local databases."),
    Field::new("log_dir", Shape::Text, "The directory of log files."),
    Field::new(
        "file_opener",
        Shape::Word(&Words::new(&["vscode", "vscode-insiders", "windsurf", "cursor", "none"])),
        "The editor links open in.",
    ),
    Field::new("hide_agent_reasoning", Shape::Bool, "Whether reasoning is hidden."),
    Field::new("show_raw_agent_reasoning", Shape::Bool, "Whether raw reasoning is shown."),
    Field::new("suppress_unstable_features_warning", Shape::Bool, "Whether to stay silent about unstable features."),
    Field::new("check_for_update_on_startup", Shape::Bool, "Whether clients look for updates."),
    Field::new("disable_paste_burst", Shape::Bool, "Whether fast typing is taken for pasting."),
    Field::new("experimental_use_unified_exec_tool", Shape::Bool, "The old name of a feature."),
    Field::new("oss_provider", Shape::Text, "The local provider `--oss` uses."),
    Field::new("js_repl_node_path", Shape::Text, "The path of Node.js."),
    Field::new("experimental_realtime_ws_base_url", Shape::Text, "The address of the realtime API."),
    Field::new("tui", Shape::Table(&tastes::TUI), "The terminal interface."),
    Field::new("tools", Shape::Table(&tastes::TOOLS), "Tools."),
    Field::new("tool_suggest", Shape::Table(&tastes::TOOL_SUGGEST), "Suggested tools."),
    Field::new("memories", Shape::Table(&tastes::MEMORIES), "Memories."),
    Field::new("skills", Shape::Table(&tastes::SKILLS), "Skills."),
    Field::new("plugins", Shape::Map(&Shape::Table(&ENABLED_OPEN)), "Plugins."),
    Field::new("marketplaces", Shape::Map(&Shape::Table(&tastes::MARKETPLACE)), "Marketplaces."),
    Field::new("apps", Shape::Map(&Shape::Table(&APP)), "Apps."),
    Field::new("notice", Shape::Table(&tastes::NOTICE), "Notices already shown."),
    Field::new("auto_review", Shape::Table(&tastes::AUTO_REVIEW), "The automatic reviewer."),
    Field::new("browser_use", UNCHECKED, "Control of the browser."),
    Field::new("computer_use", UNCHECKED, "Control of other apps."),
    Field::new("ghost_snapshot", UNCHECKED, "Snapshots."),
    Field::new("audio", Shape::Table(&tastes::AUDIO), "Audio devices."),
    Field::new("realtime", Shape::Table(&tastes::REALTIME), "Voice."),
    Field::new("desktop", UNCHECKED, "The desktop app."),
    Field::new("cloud", UNCHECKED, "Cloud tasks."),
    Field::new("goals", UNCHECKED, "Goals."),
    Field::new("orchestrator", UNCHECKED, "The orchestrator."),
])
// The check of defaults says itself which of the other keys are unknown, and which belong into a policy.
.others(&Shape::Anything);

const LOCAL_ONLY: &str = "Clients read it only from files on the device. Remove it here and set it there.";

static PROFILE: Table = Table::new(&[
    Field::new("model", Shape::Text, "The model."),
    Field::new("model_provider", Shape::Text, "The provider of the model."),
    Field::new("approval_policy", APPROVAL_POLICY, "When the agent asks before it acts."),
    Field::new("sandbox_mode", SANDBOX_MODE, "What commands may touch."),
])
.others(&Shape::Anything);

static WORKSPACE_WRITE: Table = Table::new(&[
    Field::new("writable_roots", TEXTS, "Further directories commands may write to.").defaulted(),
    Field::new("network_access", Shape::Bool, "Whether commands may use the network.").defaulted(),
    Field::new("exclude_tmpdir_env_var", Shape::Bool, "Whether `$TMPDIR` is off limits.").defaulted(),
    Field::new("exclude_slash_tmp", Shape::Bool, "Whether `/tmp` is off limits.").defaulted(),
]);

static ENVIRONMENT: Table = Table::new(&[
    Field::new("inherit", Shape::Word(&Words::new(&["core", "all", "none"])), "What to start from."),
    Field::new("ignore_default_excludes", Shape::Bool, "Whether names such as `*KEY*` are kept."),
    Field::new("exclude", TEXTS, "Names to remove."),
    Field::new("set", TEXT_MAP, "Variables to set.").secret(),
    Field::new("include_only", TEXTS, "Names to keep."),
    Field::new("experimental_use_profile", Shape::Bool, "Whether the shell's profile is read."),
])
.keyed();

static MCP_SERVER: Table = Table::new(&[
    Field::new("command", Shape::Text, "The program that starts the server."),
    Field::new("args", TEXTS, "Its arguments."),
    Field::new("env", TEXT_MAP, "Its environment.").secret(),
    Field::new("cwd", Shape::Text, "The directory it runs in."),
    Field::new("url", Shape::Text, "The address of the server."),
    Field::new("bearer_token", Shape::Anything, "Not supported.").secret(),
    Field::new("bearer_token_env_var", Shape::Text, "The environment variable that holds the token."),
    Field::new("http_headers", TEXT_MAP, "Headers of every request.").secret(),
    Field::new("enabled", Shape::Bool, "Whether the server is used."),
    Field::new("required", Shape::Bool, "Whether clients fail without it."),
    Field::new("enabled_tools", TEXTS, "The only tools to offer."),
    Field::new("disabled_tools", TEXTS, "Tools not to offer."),
    Field::new("default_tools_approval_mode", TOOL_APPROVAL, "When its tools need approval."),
    Field::new("startup_timeout_sec", Shape::Seconds, "Seconds the server may take to start."),
    Field::new("tool_timeout_sec", Shape::Seconds, "Seconds a tool may take."),
    Field::new("tools", Shape::Map(&Shape::Table(&MCP_TOOL)), "Settings of single tools."),
])
.others(&Shape::Anything);

static MCP_TOOL: Table =
    Table::new(&[Field::new("approval_mode", TOOL_APPROVAL, "When the tool needs approval.")]).others(&Shape::Anything);

static FEATURES: Table = Table::new(&[
    CONFIGURABLE_CODE_MODE,
    Field::new("multi_agent_v2", TOGGLE, "Several agents, second version."),
    Field::new("network_proxy", TOGGLE, "The network proxy."),
    Field::new("code_mode_host", TOGGLE, "The host of code mode."),
    Field::new("guardianv2", TOGGLE, "The automatic reviewer, second version."),
    Field::new("guardianv3", TOGGLE, "The automatic reviewer, third version."),
    Field::new("sleep_tool", TOGGLE, "Waiting."),
    Field::new("token_budget", TOGGLE, "A budget of tokens."),
    Field::new("rollout_budget", TOGGLE, "A budget for a session."),
    Field::new("context_management", TOGGLE, "Management of the context."),
    Field::new("runtime_agent_instances", TOGGLE, "Instances of agents."),
])
.others(&Shape::Bool);

const CONFIGURABLE_CODE_MODE: Field = Field::new("code_mode", TOGGLE, "Code mode.");

const TOGGLE: Shape = Shape::AnyOf("true, false, or a table of settings", &[Shape::Bool, Shape::Table(&ENABLED_OPEN)]);

static ENABLED_OPEN: Table =
    Table::new(&[Field::new("enabled", Shape::Bool, "Whether it is on.")]).others(&Shape::Anything);

static ENABLED: Table = Table::new(&[Field::new("enabled", Shape::Bool, "Whether it is on.")]);

static APP: Table = Table::new(&[
    Field::new("enabled", Shape::Bool, "Whether the app is on."),
    Field::new("default_tools_approval_mode", TOOL_APPROVAL, "When its tools need approval."),
])
.others(&Shape::Anything);

static HISTORY: Table = Table::new(&[
    Field::new("persistence", Shape::Word(&Words::new(&["save-all", "none"])), "Whether prompts are kept.").defaulted(),
    Field::new("max_bytes", COUNT, "The most bytes kept.").defaulted(),
]);

static WINDOWS: Table = Table::new(&[Field::new(
    "sandbox",
    Shape::Word(&Words::new(&["elevated", "unelevated", "mxc"])),
    "The Windows sandbox.",
)])
.others(&Shape::Anything);

static AGENTS: Table = Table::new(&[
    Field::new("max_threads", Shape::Integer(1, i64::MAX), "How many agents may run at once."),
    Field::new("max_depth", NUMBER, "How deep agents may start agents."),
    Field::new("job_max_runtime_seconds", NUMBER, "How long a job may run."),
])
.others(&UNCHECKED);

static PROJECT: Table = Table::new(&[Field::new(
    "trust_level",
    Shape::Word(&Words::new(&["trusted", "untrusted"])),
    "Whether the project is trusted.",
)])
.others(&Shape::Anything);
