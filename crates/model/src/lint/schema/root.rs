//! The top level of `requirements.toml`.

use super::{Field, Shape, Table, access, commands, desktop, features, hooks, integrations, models, network};
use super::{permissions, telemetry};

const LOCAL_ONLY: &str = "Clients read it only from their own system file or from MDM and ignore it in a policy from the \
    server. Remove it here and set it on the devices.";

/// Every top-level key of a policy.
pub(crate) static ROOT: Table = Table::new(&[
    // A rule refuses it whatever it holds, with a better message than its fields could give.
    Field::new("config_server", Shape::Anything, "Where devices fetch policies from; set on the devices only."),
    Field::new("allowed_login_methods", Shape::Anything, "How developers may sign in.").ignored(LOCAL_ONLY),
    Field::new("allowed_chatgpt_workspaces", Shape::Anything, "The workspaces to sign in to.").ignored(LOCAL_ONLY),
    Field::new("cli_auth_credentials_store", Shape::Anything, "Where credentials are kept.").ignored(LOCAL_ONLY),
    Field::new("chatgpt_base_url", Shape::Anything, "The address of the service.").ignored(LOCAL_ONLY),
    Field::new("unsafe_enforce_sqlite_journal_mode", Shape::Bool, "Forces the journal mode of local databases."),
    Field::new(
        "allowed_approval_policies",
        access::APPROVAL_POLICIES,
        "The approval policies developers may choose: when the agent asks before it acts.",
    ),
    Field::new(
        "allowed_approvals_reviewers",
        access::REVIEWERS,
        "Who may answer approvals: the `user`, or `auto_review`, a second model.",
    ),
    Field::new(
        "allowed_sandbox_modes",
        access::SANDBOX_MODES,
        "The sandbox modes developers may choose. The list must include `read-only`.",
    ),
    Field::new(
        "allowed_permission_profiles",
        Shape::Map(&Shape::Bool),
        "The permission profiles developers may choose; any that is not `true` here is denied.",
    ),
    Field::new("default_permissions", Shape::Text, "The permission profile developers start with."),
    Field::new("remote_sandbox_config", access::REMOTE_SANDBOX, "Sandbox modes for hosts of certain names."),
    Field::new(
        "allowed_web_search_modes",
        access::WEB_SEARCH_MODES,
        "The kinds of web search developers may choose; `disabled` is always among them.",
    ),
    Field::new("allow_managed_hooks_only", Shape::Bool, "Whether only the hooks of the policy run."),
    Field::new("allow_browser_and_computer_use", Shape::Bool, "`false` switches off control of browser and computer."),
    Field::new("allow_appshots", Shape::Bool, "`false` switches off pictures of apps."),
    Field::new("allow_remote_control", Shape::Bool, "`false` switches off control from other devices."),
    Field::new("enforce_residency", access::RESIDENCY, "Keeps service traffic in a region; `us` is the only one."),
    Field::new("additional_developer_instructions", Shape::Text, "Instructions added to every session."),
    Field::new("guardian_policy_config", Shape::Text, "The organisation's part of the automatic reviewer's policy."),
    Field::new("guardian_extra_policy", Shape::Text, "Text added to the automatic reviewer's policy."),
    Field::new("model_provider", Shape::Text, "The provider every session must use."),
    // Clients merge the layers before they look at this one; so does the linter.
    Field::new("model_providers", Shape::Anything, "Providers of models, by id."),
    Field::new("models", Shape::Table(&models::MODELS), "Model defaults."),
    Field::new("features", Shape::Table(&features::TABLE), "Features pinned on or off."),
    Field::new("hooks", Shape::Table(&hooks::HOOKS), "Commands and tools that run at fixed points of a session."),
    Field::new(
        "mcp_servers",
        integrations::MCP_SERVERS,
        "The only MCP servers that may run; an empty table means none.",
    ),
    Field::new("plugins", integrations::PLUGINS, "The MCP servers plugins may bring, by plugin."),
    Field::new("marketplaces", Shape::Table(&integrations::MARKETPLACES), "Where plugins may come from."),
    Field::new("apps", Shape::Table(&integrations::APPS), "Apps and their tools, by id."),
    Field::new("rules", Shape::Table(&commands::RULES), "Commands that need approval or are forbidden."),
    Field::new(
        "experimental_network",
        Shape::Table(&network::NETWORK),
        "Managed network rules for commands in the sandbox. Web search, MCP servers and apps are not covered.",
    )
    .alias(&["network_proxy"]),
    Field::new("permissions", Shape::Table(&permissions::PERMISSIONS), "Permission profiles and file rules."),
    Field::new("application", Shape::Table(&network::APPLICATION), "Network and storage of the desktop app."),
    Field::new("auto_review", Shape::Table(&access::AUTO_REVIEW), "The automatic reviewer."),
    Field::new("computer_use", Shape::Table(&desktop::COMPUTER_USE), "Control of other apps."),
    Field::new("browser_use", Shape::Table(&desktop::BROWSER_USE), "Control of the browser."),
    Field::new("in_app_browser", Shape::Table(&desktop::IN_APP_BROWSER), "The browser inside the app."),
    Field::new("sqlite_home", Shape::Text, "The directory of local databases."),
    Field::new("log_dir", Shape::Text, "The directory of log files."),
    Field::new("model_catalog_json", Shape::Text, "A file on the device with the list of models."),
    Field::new("check_for_update_on_startup", Shape::Bool, "Whether clients look for updates."),
    Field::new("allow_login_shell", Shape::Bool, "Whether commands may run in a login shell."),
    Field::new("otel", Shape::Table(&telemetry::OTEL), "What clients report, and where to."),
    Field::new("feedback", Shape::Table(&telemetry::FEEDBACK), "Feedback to OpenAI."),
    Field::new("windows", Shape::Table(&desktop::WINDOWS), "Sandboxes on Windows."),
])
.keyed();
