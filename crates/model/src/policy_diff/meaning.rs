//! What each key of a policy does, as far as a change of it is judged (`requirements-keys.md` §2).

/// How a change of a key is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A list of what may be chosen. Absent, or with all of these words in it, it constrains nothing.
    Choices(&'static [&'static str]),
    /// A list whose every entry opens something; absent is empty.
    Grants,
    /// A list whose every entry closes something; absent is empty.
    Denials,
    /// A table of what alone may be used. Absent it constrains nothing; empty, nothing may.
    Only,
    /// A table of names and whether they may be chosen. Absent it constrains nothing; a name that it does
    /// not have may not.
    Profiles,
    /// True or false: which of them is the tighter one, and which it is when absent.
    Switch { tight: bool, absent: bool },
    /// One of these words, the tightest first, and which it is when absent. Where that is not known, absent
    /// is looser than the tightest and tighter than the loosest.
    Order(&'static [&'static str], Option<&'static str>),
    /// Whatever it says, it holds clients tighter than nothing would.
    Limit,
    /// Rules over commands.
    Rules,
    /// It changes what clients do, not what they may.
    Neutral,
    /// It may do either.
    Unknown,
}

use Meaning::{Choices, Denials, Grants, Limit, Neutral, Only, Order, Profiles, Rules, Switch};

const ACCESS: Meaning = Order(&["deny", "allow"], None);
const FILE_ACCESS: Meaning = Order(&["deny", "read", "write"], None);
/// Off, it takes something away; on is like absent.
const OFF_TIGHTENS: Meaning = Switch { tight: false, absent: true };
/// On, it gives something; off is like absent.
const ON_LOOSENS: Meaning = Switch { tight: false, absent: false };
/// On, it takes something away; off is like absent.
const ON_TIGHTENS: Meaning = Switch { tight: true, absent: false };

/// The keys; `*` stands for one name that the administrator chose, a last `**` for everything below. The
/// first that fits counts.
const KEYS: &[(&[&str], Meaning)] = &[
    // Clients read these from their own files only.
    (&["allowed_login_methods"], Neutral),
    (&["allowed_chatgpt_workspaces"], Neutral),
    (&["cli_auth_credentials_store"], Neutral),
    (&["chatgpt_base_url"], Neutral),
    // Approvals and review.
    (&["allowed_approval_policies"], Choices(&[])),
    (&["allowed_approvals_reviewers"], Choices(&["user", "auto_review"])),
    (&["auto_review", "required_on_models"], Denials),
    (&["auto_review", "ignore_rules"], Grants),
    // Sandbox and profiles.
    (&["allowed_sandbox_modes"], Choices(&["read-only", "workspace-write", "danger-full-access"])),
    (&["allowed_permission_profiles"], Profiles),
    (&["default_permissions"], Order(&[":read-only", ":workspace", ":danger-full-access"], None)),
    (&["permissions", "filesystem", "deny_read"], Denials),
    (&["permissions", "*", "description"], Neutral),
    (&["permissions", "*", "workspace_roots", "*"], ON_LOOSENS),
    (&["permissions", "*", "filesystem", "*"], FILE_ACCESS),
    (&["permissions", "*", "filesystem", "*", "*"], FILE_ACCESS),
    (&["permissions", "*", "network", "enabled"], ON_LOOSENS),
    (&["permissions", "*", "network", "mode"], Order(&["limited", "full"], None)),
    (&["permissions", "*", "network", "domains", "*"], ACCESS),
    (&["permissions", "*", "network", "unix_sockets", "*"], ACCESS),
    (&["permissions", "*", "network", "allow_upstream_proxy"], OFF_TIGHTENS),
    (&["permissions", "*", "network", "allow_local_binding"], ON_LOOSENS),
    (&["permissions", "*", "network", "dangerously_allow_non_loopback_proxy"], ON_LOOSENS),
    (&["permissions", "*", "network", "dangerously_allow_all_unix_sockets"], ON_LOOSENS),
    // Network.
    (&["experimental_network", "domains", "*"], ACCESS),
    (&["experimental_network", "allowed_domains"], Grants),
    (&["experimental_network", "denied_domains"], Denials),
    (&["experimental_network", "managed_allowed_domains_only"], ON_TIGHTENS),
    (&["experimental_network", "unix_sockets", "*"], ACCESS),
    (&["experimental_network", "allow_unix_sockets"], Grants),
    (&["experimental_network", "allow_local_binding"], ON_LOOSENS),
    (&["experimental_network", "allow_upstream_proxy"], ON_LOOSENS),
    (&["experimental_network", "dangerously_allow_non_loopback_proxy"], ON_LOOSENS),
    (&["experimental_network", "dangerously_allow_all_unix_sockets"], ON_LOOSENS),
    (&["experimental_network", "http_port"], Neutral),
    (&["experimental_network", "socks_port"], Neutral),
    (&["application", "network", "enabled"], ON_TIGHTENS),
    (&["application", "network", "domains", "*"], ACCESS),
    (&["application", "storage", "**"], Neutral),
    // Search, residency.
    (&["allowed_web_search_modes"], Choices(&["disabled", "cached", "indexed", "live"])),
    (&["enforce_residency"], Limit),
    // Commands.
    (&["rules", "prefix_rules"], Rules),
    // MCP servers, plugins, apps.
    (&["mcp_servers"], Only),
    (&["plugins", "*", "mcp_servers"], Only),
    (&["marketplaces", "restrict_to_allowed_sources"], ON_TIGHTENS),
    (&["apps", "*", "enabled"], OFF_TIGHTENS),
    // Hooks.
    (&["allow_managed_hooks_only"], ON_TIGHTENS),
    // Desktop.
    (&["allow_appshots"], OFF_TIGHTENS),
    (&["allow_remote_control"], OFF_TIGHTENS),
    (&["allow_browser_and_computer_use"], OFF_TIGHTENS),
    (&["in_app_browser", "allow_external_browser_settings_import"], OFF_TIGHTENS),
    (&["browser_use", "allow_history_access"], OFF_TIGHTENS),
    (&["browser_use", "allow_webmcp"], OFF_TIGHTENS),
    (&["browser_use", "allow_global_persistent_approval"], OFF_TIGHTENS),
    (&["browser_use", "disable_auto_review"], ON_TIGHTENS),
    (&["browser_use", "default_origin_policy", "persistent_approval"], OFF_TIGHTENS),
    (&["browser_use", "default_origin_policy", "access_approval_lifetime"], Order(&["turn", "thread"], None)),
    (&["browser_use", "default_origin_policy", "*"], ACCESS),
    (&["browser_use", "origins", "*", "persistent_approval"], OFF_TIGHTENS),
    (&["browser_use", "origins", "*", "access_approval_lifetime"], Order(&["turn", "thread"], None)),
    (&["browser_use", "origins", "*", "*"], ACCESS),
    (&["computer_use", "allow_locked_computer_use"], OFF_TIGHTENS),
    (&["computer_use", "allow_persistent_approval"], OFF_TIGHTENS),
    (&["computer_use", "default_app_access"], Order(&["deny", "allow"], Some("allow"))),
    (&["computer_use", "macos", "bundle_ids", "*"], ACCESS),
    (&["computer_use", "windows", "aumids", "*"], ACCESS),
    (&["windows", "allowed_sandbox_implementations"], Choices(&["elevated", "unelevated"])),
    (&["windows", "require_mxc"], ON_TIGHTENS),
    (&["windows", "allow_mxc"], OFF_TIGHTENS),
    // What clients do, rather than may.
    (&["allow_login_shell"], OFF_TIGHTENS),
    (&["models", "**"], Neutral),
    (&["sqlite_home"], Neutral),
    (&["log_dir"], Neutral),
    (&["check_for_update_on_startup"], Neutral),
    (&["unsafe_enforce_sqlite_journal_mode"], Neutral),
    (&["otel", "**"], Neutral),
    (&["feedback", "**"], Neutral),
];

/// What the key at a path does. What is not named may do either: pinned features, instructions, providers,
/// hooks, and keys that nobody knows.
pub(super) fn meaning_of(path: &[String]) -> Meaning {
    let fits = |pattern: &[&str]| {
        let open = pattern.last() == Some(&"**");
        let fixed = &pattern[..pattern.len() - usize::from(open)];
        (fixed.len() == path.len() || open && path.len() > fixed.len())
            && fixed.iter().zip(path).all(|(wanted, key)| *wanted == "*" || wanted == key)
    };
    KEYS.iter().find(|(pattern, _)| fits(pattern)).map_or(Meaning::Unknown, |(_, meaning)| *meaning)
}
