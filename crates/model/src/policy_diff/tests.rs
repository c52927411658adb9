//! What changes of policies mean.

use proptest::prelude::*;

use super::{ChangeKind, Effect, PolicyDiff, PolicyTexts, diff};

fn of(before: &str, after: &str) -> PolicyDiff {
    let texts = |contents| PolicyTexts { contents, defaults: None };
    diff(texts(before), texts(after))
}

/// Each change in a line.
fn lines(before: &str, after: &str) -> Vec<String> {
    let word = |effect: Effect| serde_json::to_string(&effect).expect("a word").replace('"', "");
    let changes = of(before, after).changes.into_iter();
    changes.map(|change| format!("{}: {} ({})", change.key, change.summary, word(change.effect))).collect()
}

/// Lines of policies that may stand together, one or none of each row.
const ROWS: &[&[&str]] = &[
    &["allowed_sandbox_modes = [\"read-only\"]", "allowed_sandbox_modes = [\"workspace-write\", \"read-only\"]"],
    &["allowed_approval_policies = [\"on-failure\"]", "allowed_approval_policies = [\"on-request\", \"never\"]"],
    &["allowed_web_search_modes = []", "allowed_web_search_modes = [\"disabled\"]", "allowed_web_search_modes = 3"],
    &["allow_appshots = true", "allow_appshots = false", "allow_appshots = \"no\""],
    &["allow_managed_hooks_only = true", "allow_managed_hooks_only = false"],
    &["enforce_residency = \"us\"", "enforce_residency = \"eu\""],
    &["default_permissions = \":workspace\"", "default_permissions = \":read-only\"", "default_permissions = \"x\""],
    &["allowed_permission_profiles = {}", "allowed_permission_profiles = { a = true, b = false }"],
    &["permissions.filesystem.deny_read = [\"/a\", \"/a\"]", "permissions.filesystem.deny_read = [\"/b\", \"/a\"]"],
    &[
        "permissions.p.filesystem = { \"/x\" = \"read\" }",
        "permissions.p.filesystem = { \"/x\" = { \"y\" = \"deny\" } }",
    ],
    &["experimental_network.allowed_domains = [\"a.example\"]", "network_proxy.domains = { \"a.example\" = \"deny\" }"],
    &["mcp_servers = {}", "mcp_servers.a.identity.command = \"x\"", "mcp_servers.a.identity.url = \"y\""],
    &["features.hooks = true", "features.hooks = false", "features = {}"],
    &["hooks.Stop = [{ hooks = [] }]", "hooks.Stop = []"],
    &[
        "rules.prefix_rules = [{ pattern = [{ token = \"git\" }], decision = \"prompt\" }]",
        "rules.prefix_rules = [{ pattern = [{ any_of = [\"git\"] }], decision = \"forbidden\" }, { pattern = 1 }]",
        "rules.prefix_rules = [7, { pattern = [{ any_of = [\"b\", \"a\"] }] }]",
    ],
    &["otel.exporter.otlp-http = { endpoint = \"e\", headers = { a = \"hidden\" } }", "otel.environment = \"x\""],
    &["\"\" = nan", "\"\" = 1979-05-27"],
];

fn policies() -> impl Strategy<Value = String> {
    let rows: Vec<_> = ROWS.iter().map(|row| prop::option::of(prop::sample::select(*row))).collect();
    rows.prop_map(|lines| lines.into_iter().flatten().map(|line| format!("{line}\n")).collect())
}

proptest! {
    #[test]
    fn nothing_differs_from_itself(policy in policies(), text in ".*") {
        prop_assert_eq!(of(&policy, &policy), PolicyDiff::default());
        prop_assert_eq!(of(&text, &text), PolicyDiff::default());
        // Nor does what is only worded otherwise.
        prop_assert_eq!(of(&policy, &format!("# said otherwise\n{policy}\n")).changes, []);
    }

    #[test]
    fn the_way_back_is_the_mirror(before in policies(), after in policies()) {
        let (there, back) = (of(&before, &after), of(&after, &before));
        let sorted = |mut changes: Vec<(String, ChangeKind, Effect, String, String)>| { changes.sort(); changes };
        let forth = there.changes.into_iter();
        let forth = forth.map(|c| (c.key, c.change, c.effect, c.before.to_string(), c.after.to_string()));
        let back = back.changes.into_iter().map(|c| {
            (c.key, c.change.mirrored(), c.effect.mirrored(), c.after.to_string(), c.before.to_string())
        });
        prop_assert_eq!(sorted(forth.collect()), sorted(back.collect()));
    }

    #[test]
    fn any_two_texts_can_be_compared(before in ".*", after in ".*", policy in policies()) {
        for (before, after) in [(&before, &after), (&policy, &after)] {
            prop_assert_eq!(of(before, after).changes.is_empty() && of(before, after).text.is_empty(), before == after);
        }
    }
}

#[test]
fn lists_of_choices_are_tighter_with_fewer_and_open_without() {
    let (one, two) =
        ("allowed_sandbox_modes = [\"read-only\"]", "allowed_sandbox_modes = [\"read-only\", \"workspace-write\"]");
    assert_eq!(lines(one, two), ["allowed_sandbox_modes: \"workspace-write\" may be chosen (loosened)"]);
    assert_eq!(lines(two, one), ["allowed_sandbox_modes: \"workspace-write\" may no longer be chosen (tightened)"]);
    assert_eq!(lines("", one), ["allowed_sandbox_modes: only [\"read-only\"] may be chosen (tightened)"]);
    assert_eq!(lines(one, ""), ["allowed_sandbox_modes: everything may be chosen (loosened)"]);
    let all = "allowed_approvals_reviewers = [\"user\", \"guardian_subagent\"]";
    assert_eq!(of("", all).changes[0].effect, Effect::Neutral, "both that there are");
    let search = |list: &str| format!("allowed_web_search_modes = {list}");
    assert_eq!(of(&search("[]"), &search("[\"disabled\"]")).changes[0].effect, Effect::Neutral, "it always is");
    assert_eq!(of("", &search("[]")).changes[0].effect, Effect::Tightened);
}

#[test]
fn switches_are_judged_by_which_side_is_tight() {
    for (before, after, effect) in [
        ("", "allow_appshots = false", Effect::Tightened),
        ("", "allow_appshots = true", Effect::Neutral),
        ("allow_appshots = false", "allow_appshots = true", Effect::Loosened),
        ("", "allow_managed_hooks_only = true", Effect::Tightened),
        ("allow_managed_hooks_only = true", "", Effect::Loosened),
        ("", "experimental_network.managed_allowed_domains_only = true", Effect::Tightened),
        ("", "network_proxy.allow_local_binding = true", Effect::Loosened),
        ("", "permissions.network.dangerously_allow_all_unix_sockets = true", Effect::Loosened),
        ("", "enforce_residency = \"us\"", Effect::Tightened),
        ("", "computer_use.default_app_access = \"allow\"", Effect::Neutral),
        ("computer_use.default_app_access = \"deny\"", "", Effect::Loosened),
        ("", "features.hooks = true", Effect::Unknown),
        ("", "models.new_thread.model = \"m\"", Effect::Neutral),
        ("", "not_a_key = 1", Effect::Unknown),
    ] {
        let found = of(before, after);
        assert_eq!(found.changes.iter().map(|change| change.effect).collect::<Vec<_>>(), [effect], "{after}");
    }
}

#[test]
fn domains_files_and_servers() {
    let domains = "[experimental_network.domains]\n\"*.a.example\" = \"allow\"\n\"b.example\" = \"allow\"\n";
    let listed = "[network_proxy]\nallowed_domains = [\"b.example\", \"*.a.example\"]\n";
    assert_eq!(lines(domains, listed), [""; 0], "the older form says the same");
    let denied = "[experimental_network.domains]\n\"b.example\" = \"deny\"\n\"c.example\" = \"deny\"\n";
    assert_eq!(
        lines(domains, denied),
        [
            "experimental_network.domains.\"*.a.example\": no longer set, was \"allow\" (tightened)",
            "experimental_network.domains.\"b.example\": \"deny\", was \"allow\" (tightened)",
            "experimental_network.domains.\"c.example\": set to \"deny\" (tightened)",
        ]
    );
    let files = |list: &str| format!("permissions.filesystem.deny_read = {list}");
    assert_eq!(
        lines(&files("[\"~/.ssh\", \"~/.aws\"]"), &files("[\"~/.ssh\", \"/x\"]")),
        [
            "permissions.filesystem.deny_read: \"/x\" is denied (tightened)",
            "permissions.filesystem.deny_read: \"~/.aws\" is no longer denied (loosened)",
        ]
    );
    assert_eq!(of("", &files("[\"~/.ssh\"]")).changes[0].effect, Effect::Tightened);
    assert_eq!(lines("", "mcp_servers = {}"), ["mcp_servers: only these may run: none (tightened)"]);
    let server = "mcp_servers.docs.identity.command = \"docs\"";
    assert_eq!(lines("mcp_servers = {}", server), ["mcp_servers.docs: `docs` may run (loosened)"]);
    assert_eq!(lines(server, ""), ["mcp_servers: any may run (loosened)"]);
    assert_eq!(of(server, "mcp_servers.docs.identity.command = \"x\"").changes[0].effect, Effect::Unknown);
}

#[test]
fn command_rules_are_told_apart_by_what_they_match() {
    let rule = |pattern: &str, decision: &str| format!("{{ pattern = [{pattern}], decision = \"{decision}\" }}");
    let rules = |rules: &[String]| format!("[rules]\nprefix_rules = [{}]\n", rules.join(", "));
    let push = "{ token = \"git\" }, { any_of = [\"push\", \"fetch\"] }";
    let push_otherwise = "{ any_of = [\"git\"] }, { any_of = [\"fetch\", \"push\"] }";
    let (prompt, forbid) = (rules(&[rule(push, "prompt")]), rules(&[rule(push_otherwise, "forbidden")]));
    assert_eq!(
        lines("", &prompt),
        ["rules.prefix_rules[\"git (fetch|push)\"]: `git (fetch|push)` is now: prompt (tightened)"]
    );
    assert_eq!(
        lines(&prompt, &forbid),
        ["rules.prefix_rules[\"git (fetch|push)\"]: `git (fetch|push)` is now: forbidden, was: prompt (tightened)"]
    );
    // The strictest of two with one pattern decides.
    let both = rules(&[rule(push, "forbidden"), rule(push, "prompt")]);
    assert_eq!(of(&forbid, &both).changes[0].effect, Effect::Neutral);
    assert_eq!(of(&both, &prompt).changes[0].effect, Effect::Loosened);
    assert_eq!(of(&both, "").changes[0].effect, Effect::Loosened);
}

#[test]
fn defaults_bind_nobody() {
    let before = PolicyTexts { contents: "", defaults: Some("model = \"a\"\n") };
    let after = PolicyTexts { contents: "", defaults: Some("sandbox_mode = \"danger-full-access\"\n") };
    let found = diff(before, after);
    let keys: Vec<_> = found.changes.iter().map(|change| (change.key.as_str(), change.effect)).collect();
    assert_eq!(keys, [("defaults:model", Effect::Neutral), ("defaults:sandbox_mode", Effect::Neutral)]);
    insta::assert_snapshot!(found.text, @r#"
    --- a/config.toml
    +++ b/config.toml
    @@ -1 +1 @@
    -model = "a"
    +sandbox_mode = "danger-full-access"
    "#);
}

#[test]
fn secrets_are_never_shown() {
    let policy = |secret: &str, other: &str| {
        format!(
            "[otel.exporter.otlp-http]\nendpoint = \"https://o:{secret}@otel.example\"\nheaders = {{ x = \"{secret}\", y = '{other}' }}\n\
         [[experimental_network.header_injections]]\nhost = \"a.example\"\nmethods = [\"GET\"]\npath_prefixes = [\"/\"]\n\
         headers = {{ Authorization = \"\"\"\n{secret}\"\"\" }}\n[model_providers.p]\nexperimental_bearer_token = \"{secret}\"\n"
        )
    };
    let found = of(&policy("hunter1", "same"), &policy("hunter2", "same"));
    let text = serde_json::to_string(&found).expect("JSON");
    assert!(!text.contains("hunter") && !text.contains("same"), "{text}");
    assert!(text.contains("a.example") && text.contains("Authorization"), "{text}");
    assert_eq!(found.text.matches("[redacted, another value]").count(), 4, "{}", found.text);
    let gone = of(&policy("hunter1", "same"), "");
    assert!(!serde_json::to_string(&gone).expect("JSON").contains("hunter"));
}

#[test]
fn what_is_huge_or_deep_is_compared_within_bounds() {
    let rules = |decision: &str| -> String {
        let rule =
            |n| format!("[[rules.prefix_rules]]\npattern = [{{ token = \"t{n}\" }}]\ndecision = \"{decision}\"\n");
        (0..2_000).map(rule).collect()
    };
    let found = of(&rules("prompt"), &rules("forbidden"));
    assert_eq!((found.changes.len(), found.left_off), (1_000, 1_000));
    assert!(found.text.len() < 300_000);
    let deep = |word: &str| {
        let keys = vec!["k"; 79].join(".");
        format!("{}{keys} = \"{word}\"{}", format!("{keys} = {{ ").repeat(40), " }".repeat(40))
    };
    let found = of(&deep("a"), &deep("b"));
    assert_eq!(found.changes.len(), 1, "{}", found.text);
}
