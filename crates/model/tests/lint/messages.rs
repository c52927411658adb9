//! What administrators read: whole lists of problems for instructive texts.

use provost_model::lint::{Problem, defaults, explain, requirements};

fn render(problems: Vec<Problem>) -> String {
    let lines = problems.into_iter().map(|Problem { severity, line, column, key, code, message }| {
        let key = key.unwrap_or_else(|| "-".to_owned());
        format!("{line}:{column} {severity:?} {code} {key}\n    {message}")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The guide's first example: the client refuses it.
#[test]
fn the_guides_first_example() {
    let text = r#"allowed_web_search_modes = ["disabled", "cached"]
allowed_sandbox_modes = ["workspace-write"]
allowed_approval_policies = ["on-request"]"#;
    insta::assert_snapshot!(render(requirements(text)), @r#"
    2:25 Error must_include_read_only allowed_sandbox_modes
        The list must include "read-only", the mode every client can fall back to. Write `allowed_sandbox_modes = ["read-only", "workspace-write"]`.
    "#);
}

#[test]
fn broken_toml() {
    let text = r#"allow_appshots = false
allowed_sandbox_modes = ["read-only"
allow_remote_control = false"#;
    insta::assert_snapshot!(render(requirements(text)), @r#"
    3:1 Error toml_syntax -
        This is not valid TOML: missing comma between array elements, expected `,`.
    "#);
}

#[test]
fn a_key_set_twice() {
    let text = r#"allow_appshots = false
allow_appshots = true"#;
    insta::assert_snapshot!(render(requirements(text)), @r#"
    2:1 Error toml_syntax -
        This key or table already exists above. Merge the two and delete one.
    "#);
}

#[test]
fn typing_mistakes() {
    let text = r#"allowed_sandbox_mode = ["read-only"]
allowed_approval_policies = ["on_request"]
[features]
browser_usee = false"#;
    insta::assert_snapshot!(render(requirements(text)), @r#"
    1:1 Warning unknown_key allowed_sandbox_mode
        Clients do not know `allowed_sandbox_mode` and ignore it. Did you mean `allowed_sandbox_modes`?
    2:30 Error unknown_value allowed_approval_policies[0]
        "on_request" is not a value of `allowed_approval_policies[0]`. Use "untrusted", "on-request", "granular" or "never". Did you mean "on-request"?
    4:1 Warning unknown_feature features.browser_usee
        Clients do not know this feature and ignore it. Did you mean `browser_use`?
    "#);
}

#[test]
fn wrong_types() {
    let text = r#"allow_appshots = "false"
allowed_web_search_modes = "cached"
guardian_policy_config = 2026-01-01
experimental_network.http_port = 70000"#;
    insta::assert_snapshot!(render(requirements(text)), @r#"
    1:18 Error wrong_type allow_appshots
        `allow_appshots` must be true or false, but this is a string. Remove the quotes: `false`.
    2:28 Error wrong_type allowed_web_search_modes
        `allowed_web_search_modes` must be a list of "disabled", "cached", "indexed" or "live", but this is a string. Put it in brackets: `allowed_web_search_modes = ["cached"]`.
    3:26 Warning unquoted_date guardian_policy_config
        `guardian_policy_config` is a string. Put the date in double quotes.
    4:34 Error out_of_range experimental_network.http_port
        `experimental_network.http_port` must be from 0 to 65535.
    "#);
}

#[test]
fn a_top_level_key_below_a_table() {
    let text = r#"[features]
memories = false
allowed_approval_policies = ["never"]

[models]
enforce_residency = "us""#;
    insta::assert_snapshot!(render(requirements(text)), @r#"
    3:29 Error wrong_type features.allowed_approval_policies
        `features.allowed_approval_policies` must be true or false, but this is a list. `allowed_approval_policies` is a top-level key: move the line above the first table header, for here it belongs to `[features]`.
    6:1 Warning unknown_key models.enforce_residency
        Clients do not know `models.enforce_residency` and ignore it. `enforce_residency` is a top-level key: move the line above the first table header, for here it belongs to `[models]`.
    "#);
}

#[test]
fn command_rules() {
    let text = r#"[rules]
prefix_rules = [
  { pattern = [{ token = "rm" }], decision = "allow" },
  { pattern = [{ token = "git push" }] },
  { pattern = ["curl"], decision = "prompt" },
  { pattern = [], decision = "prompt", justification = " " },
  { pattern = [{ token = "a", any_of = ["b"] }, {}], decision = "deny" },
]"#;
    insta::assert_snapshot!(render(requirements(text)), @r#"
    3:46 Error forbidden_value rules.prefix_rules[0].decision
        A policy cannot allow commands, only restrict them. Use "prompt", "prompt-user" or "forbidden".
    4:3 Error missing_field rules.prefix_rules[1].decision
        This rule lacks a decision. Add `decision = "prompt"`, "prompt-user" or "forbidden".
    4:26 Warning token_with_space rules.prefix_rules[1].pattern[0].token
        A token is one word of the command, and no word contains a space unless it is quoted there. Write one `{ token = "…" }` per word.
    5:16 Error wrong_type rules.prefix_rules[2].pattern[0]
        `rules.prefix_rules[2].pattern[0]` must be a table: `{ token = "rm" }` or `{ any_of = ["push", "commit"] }`.
    6:15 Error empty_list rules.prefix_rules[3].pattern
        The pattern must not be empty. Name at least the program: `pattern = [{ token = "rm" }]`.
    6:56 Error blank_text rules.prefix_rules[3].justification
        The justification must not be blank. Say why the rule exists, or remove the key.
    7:40 Error exclusive_fields rules.prefix_rules[4].pattern[0].any_of
        A word of the pattern is either `token` or `any_of`. Remove one of the two.
    7:49 Error missing_field rules.prefix_rules[4].pattern[1]
        A word of the pattern needs `token = "…"` or `any_of = ["…"]`.
    7:65 Error unknown_value rules.prefix_rules[4].decision
        "deny" is not a value of `rules.prefix_rules[4].decision`. Use "prompt", "prompt-user" or "forbidden".
    "#);
}

#[test]
fn permission_profiles() {
    let text = r#"default_permissions = "office"
[allowed_permission_profiles]
office = true
":read-onyl" = true
[permissions.office]
extends = ":danger-full-access"
[permissions.office.filesystem]
"secrets" = "deny"
"/srv/*.txt" = "read"
[permissions.":mine"]"#;
    insta::assert_snapshot!(render(requirements(text)), @r#"
    4:1 Error undefined_profile allowed_permission_profiles.":read-onyl"
        There is no profile ":read-onyl": it is neither built in (":read-only", ":workspace", ":danger-full-access") nor defined below `[permissions]`. Did you mean `":read-only"`?
    6:11 Error bad_base_profile permissions.office.extends
        A profile can only build on ":read-only", ":workspace" or another profile of the policy.
    8:1 Error relative_path permissions.office.filesystem.secrets
        Paths of a profile must be absolute, start with `~/`, or be a special name such as ":workspace_roots".
    9:1 Error glob_needs_deny permissions.office.filesystem."/srv/*.txt"
        Patterns can only be denied. For access, name an exact path or end it in `/**` for all below it.
    10:14 Error reserved_name permissions.":mine"
        Names that start with a colon belong to the built-in profiles. Choose a name without it.
    "#);
}

#[test]
fn profiles_without_a_default() {
    let text = r#"[allowed_permission_profiles]
":read-only" = true"#;
    insta::assert_snapshot!(render(requirements(text)), @r#"
    1:2 Error missing_default_permissions default_permissions
        Clients need to know which profile to start with, unless both ":workspace" and ":read-only" are allowed. Add `default_permissions`.
    "#);
}

#[test]
fn network_rules() {
    let text = r#"[experimental_network]
managed_allowed_domains_only = true
allowed_domains = []
[experimental_network.domains]
"*" = "deny"
"https://example.com" = "deny"
[permissions.network]
enabled = true"#;
    insta::assert_snapshot!(render(requirements(text)), @r#"
    1:2 Warning network_not_enabled experimental_network.enabled
        The rules apply only where network rules are switched on. Add `enabled = true`.
    2:32 Warning nothing_allowed experimental_network.managed_allowed_domains_only
        Only hosts the policy allows may be reached, and it allows none: commands have no network at all. Allow hosts in `domains`, or remove this line.
    3:1 Error exclusive_fields experimental_network.allowed_domains
        `allowed_domains` is the older form of `domains`, and clients refuse both together. Move its values into `domains`.
    5:1 Error rule_for_every_host experimental_network.domains."*"
        A policy must not have a rule for every host. To deny everything else, set `managed_allowed_domains_only = true` and allow what is needed.
    6:1 Warning odd_host experimental_network.domains."https://example.com"
        This is no host name, so the rule matches nothing: leave out the scheme, such as `https://`.
    7:14 Error two_network_surfaces permissions.network
        `[permissions.network]` and `[experimental_network]` are the same setting, and clients refuse both together. Move everything into one of them.
    "#);
}

#[test]
fn mcp_identities() {
    let text = r#"[mcp_servers.docs]
url = "https://docs.example.com"
[mcp_servers.both.identity]
command = "x"
url = "https://x"
[mcp_servers.pattern.identity]
url = { match = "regex", expression = "https://(a|b" }"#;
    insta::assert_snapshot!(render(requirements(text)), @r#"
    1:14 Error missing_field mcp_servers.docs.identity
        `mcp_servers.docs` lacks the required key `identity`: The command or URL the server must have; a server of this name that differs is disabled.
    2:1 Warning unknown_key mcp_servers.docs.url
        Clients do not know `mcp_servers.docs.url` and ignore it.
    5:1 Warning ambiguous_identity mcp_servers.both.identity.url
        An identity is either a command or a URL; clients look only at one of the two. Remove the other.
    7:39 Error bad_regex mcp_servers.pattern.identity.url.expression
        This is no regular expression the client can read: found open group without closing ')'.
    "#);
}

#[test]
fn keys_that_do_nothing_here() {
    let text = r#"allowed_login_methods = ["chatgpt"]
chatgpt_base_url = "https://codex.example.com"
model_catalog_json = "/etc/codex/models.json"
[config_server]
base_url = "https://policy.example.com""#;
    insta::assert_snapshot!(render(requirements(text)), @r#"
    1:25 Warning ignored_in_cloud_policy allowed_login_methods
        `allowed_login_methods` has no effect here. Clients read it only from their own system file or from MDM and ignore it in a policy from the server. Remove it here and set it on the devices.
    2:20 Warning ignored_in_cloud_policy chatgpt_base_url
        `chatgpt_base_url` has no effect here. Clients read it only from their own system file or from MDM and ignore it in a policy from the server. Remove it here and set it on the devices.
    3:22 Error depends_on_device model_catalog_json
        Clients refuse to start on every device where this file is missing or is no model catalog, which cannot be known here. Remove the line; list the models at the upstream instead.
    4:2 Error forbidden_key config_server
        A policy from the server must not say where policies come from, and clients refuse it. Remove this table; it belongs into the devices' own `/etc/codex/requirements.toml`.
    "#);
}

#[test]
fn values_of_old() {
    let text = r#"allowed_approval_policies = ["on-failure"]
allowed_approvals_reviewers = ["guardian_subagent"]
allowed_sandbox_modes = ["read-only", "external-sandbox"]
[features]
undo = true
[models.new_thread]
model = "gpt-5""#;
    insta::assert_snapshot!(render(requirements(text)), @r#"
    1:30 Warning outdated_value allowed_approval_policies[0]
        Clients read "on-failure" as "on-request". Write "on-request".
    2:32 Warning outdated_value allowed_approvals_reviewers[0]
        "guardian_subagent" is the old name of "auto_review".
    3:39 Warning outdated_value allowed_sandbox_modes[1]
        Clients accept "external-sandbox" here and then drop it: it allows nothing. Remove it.
    5:1 Warning removed_feature features.undo
        `undo` no longer does anything in current clients. Remove the line.
    6:9 Warning only_a_default models.new_thread
        These are defaults: a developer may still choose another model. To restrict models, use the model access rules of the server.
    "#);
}

#[test]
fn hooks_that_do_not_run() {
    let text = r#"[hooks]
managed_dir = "hooks"
[[hooks.PreToolUse]]
hooks = [{ type = "prompt", prompt = "Is this safe?" }, { type = "command" }]
[[hooks.BeforeTool]]
hooks = []"#;
    insta::assert_snapshot!(render(requirements(text)), @r#"
    1:2 Warning hooks_not_pinned hooks
        A developer can switch hooks off. Add `hooks = true` to `[features]` to keep these running.
    2:15 Warning relative_path hooks.managed_dir
        The directory must be absolute, or clients do not find the hooks.
    4:19 Warning skipped_handler hooks.PreToolUse[0].hooks[0].type
        Clients read handlers of this type and never run them. Use "command" or "mcp_tool".
    4:57 Error missing_field hooks.PreToolUse[0].hooks[1].command
        `hooks.PreToolUse[0].hooks[1]` lacks the required key `command`: The command line to run.
    5:9 Warning unknown_key hooks.BeforeTool
        Clients do not know `hooks.BeforeTool` and ignore it.
    "#);
}

#[test]
fn providers() {
    let text = r#"model_provider = "corp"
[model_providers.corporate]
base_url = "https://gateway.example.com/v1"
wire_api = "chat"
[model_providers.corporate.gateway_oauth]
authorization_url = "http://login.example.com/authorize"
token_url = "https://login.example.com/token"
client_id = "codex"
[model_providers.openai]
base_url = "https://gateway.example.com/v1""#;
    insta::assert_snapshot!(render(requirements(text)), @r#"
    1:18 Error undefined_provider model_provider
        There is no model provider corp. Define it in `[model_providers.corp]`.
    2:18 Error missing_field model_providers.corporate.name
        A provider needs a name. Add `name = "…"`, which developers see.
    4:12 Error forbidden_value model_providers.corporate.wire_api
        Clients no longer speak the chat API. Write `wire_api = "responses"`.
    6:21 Error bad_url model_providers.corporate.gateway_oauth.authorization_url
        This address does not work for gateway sign-in: use HTTPS (or HTTP on this machine), without user, password or fragment.
    10:1 Error built_in_provider model_providers.openai
        The built-in provider `openai` cannot be changed. Define one of your own, such as `openai-custom`.
    "#);
}

#[test]
fn columns_count_characters() {
    let text = r#"guardian_policy_config = "größer 🙂"; allow_appshots = true
"#;
    insta::assert_snapshot!(render(requirements(text)), @r#"
    1:36 Error toml_syntax -
        This is not valid TOML: unexpected key or value, expected newline, `#`.
    "#);
}

#[test]
fn managed_defaults() {
    let text = r#"model = "gpt-5"
sandbox_mode = "read_only"
approval_policy = "untrusted"
profile = "work"
allowed_sandbox_modes = ["read-only"]
[mcp_servers.docs]
command = "docs"
url = "https://docs.example.com""#;
    insta::assert_snapshot!(render(defaults(text)), @r#"
    2:16 Error unknown_value sandbox_mode
        "read_only" is not a value of `sandbox_mode`. Use "read-only", "workspace-write" or "danger-full-access". Did you mean "read-only"?
    3:19 Error forbidden_value approval_policy
        Clients refuse "untrusted" as a default. Write "on-request", or remove the line.
    4:1 Error forbidden_key profile
        Clients refuse `profile`. Remove the line and write the profile's settings directly.
    5:1 Warning policy_key allowed_sandbox_modes
        `allowed_sandbox_modes` is a key of policies and does nothing in defaults. Move it to the policy.
    8:1 Error exclusive_fields mcp_servers.docs.url
        A server that runs as a command cannot have `url`. Remove it.
    "#);
}

#[test]
fn keys_explain_themselves() {
    assert!(explain("allowed_sandbox_modes").is_some_and(|docs| docs.contains("read-only")));
    assert!(explain("rules.prefix_rules[0].decision").is_some());
    assert!(explain("permissions.office.filesystem").is_some());
    assert_eq!(explain("no_such_key"), None);
}
