//! Configurations against requirements: what client 0.169.0 answered to `config/read` and `thread/start`.

use provost_model::effective::{Effective, Key, Layer, LayerKind, effective};
use serde_json::{Value, json};

fn of(layers: &[(LayerKind, &str)]) -> Effective {
    let layers: Vec<_> = layers.iter().map(|(kind, contents)| Layer { kind: *kind, contents }).collect();
    effective(&layers, None)
}

fn key<'k>(keys: &'k [Key], name: &str) -> &'k Key {
    keys.iter().find(|key| key.key == name).unwrap_or_else(|| panic!("{name} in {keys:#?}"))
}

/// Requirement, the developer's configuration, the key, and what the session ran with.
const RECORDED: &[(&str, &str, &str, &str)] = &[
    (
        r#"allowed_approval_policies=["untrusted","never"]"#,
        r#"approval_policy="on-request""#,
        "approval_policy",
        r#""untrusted""#,
    ),
    (r#"allowed_approval_policies=["never"]"#, "", "approval_policy", r#""never""#),
    (
        r#"allowed_approval_policies=["on-request"]"#,
        r#"approval_policy="on-failure""#,
        "approval_policy",
        r#""on-request""#,
    ),
    (
        "allowed_approval_policies=[{granular={sandbox_approval=true,rules=true,mcp_elicitations=false}}]",
        r#"approval_policy="never""#,
        "approval_policy",
        r#"{"granular":{"sandbox_approval":true,"rules":true,"skill_approval":false,"request_permissions":false,"mcp_elicitations":false}}"#,
    ),
    (
        r#"allowed_approval_policies=["on-request"]"#,
        "approval_policy={granular={sandbox_approval=true,rules=true,mcp_elicitations=false}}",
        "approval_policy",
        r#""on-request""#,
    ),
    (
        r#"allowed_sandbox_modes=["read-only","workspace-write"]"#,
        r#"sandbox_mode="danger-full-access""#,
        "sandbox_mode",
        r#""read-only""#,
    ),
    (
        r#"allowed_sandbox_modes=["workspace-write","read-only"]"#,
        r#"sandbox_mode="danger-full-access""#,
        "sandbox_mode",
        r#""read-only""#,
    ),
    (r#"allowed_sandbox_modes=["danger-full-access","read-only"]"#, "", "sandbox_mode", r#""read-only""#),
    (
        r#"permissions.filesystem.deny_read=["/secret"]"#,
        r#"sandbox_mode="danger-full-access""#,
        "sandbox_mode",
        r#""read-only""#,
    ),
    (
        r#"allowed_permission_profiles={":read-only"=true,":workspace"=true}"#,
        r#"sandbox_mode="read-only""#,
        "sandbox_mode",
        r#"":workspace""#,
    ),
    (
        "default_permissions=\":read-only\"\nallowed_permission_profiles={\":read-only\"=true}",
        r#"default_permissions=":workspace""#,
        "default_permissions",
        r#"":read-only""#,
    ),
    (r#"allowed_web_search_modes=["cached"]"#, r#"web_search="live""#, "web_search", r#""cached""#),
    (r#"allowed_web_search_modes=["live","cached"]"#, r#"web_search="indexed""#, "web_search", r#""cached""#),
    (r#"allowed_web_search_modes=["live","indexed"]"#, r#"web_search="cached""#, "web_search", r#""indexed""#),
    (r#"allowed_web_search_modes=["live"]"#, "", "web_search", r#""live""#),
    ("allowed_web_search_modes=[]", "", "web_search", r#""disabled""#),
    (r#"allowed_approvals_reviewers=["auto_review"]"#, "", "approvals_reviewer", r#""auto_review""#),
    (
        r#"allowed_approvals_reviewers=["user"]"#,
        r#"approvals_reviewer="guardian_subagent""#,
        "approvals_reviewer",
        r#""user""#,
    ),
    ("check_for_update_on_startup=false", "check_for_update_on_startup=true", "check_for_update_on_startup", "false"),
    ("allow_login_shell=false", "allow_login_shell=true", "allow_login_shell", "false"),
    (r#"log_dir="/a""#, r#"log_dir="/b""#, "log_dir", r#""/a""#),
    ("features.memories=false", "features.memories=true", "features.memories", "false"),
];

#[test]
fn a_configuration_that_requirements_forbid_becomes_what_the_client_falls_back_to() {
    for (requirement, config, name, becomes) in RECORDED {
        let found = of(&[(LayerKind::CloudPolicy, requirement), (LayerKind::UserConfig, config)]);
        let verdict = key(&found.config, name).permitted.as_ref().expect("a requirement is about it");
        let expected: Value = serde_json::from_str(becomes).expect("JSON");
        assert_eq!(verdict.becomes, expected, "{requirement} | {config}");
        assert_eq!(verdict.allowed, key(&found.config, name).value == expected, "{requirement} | {config}");
    }
}

#[test]
fn what_no_requirement_is_about_stands_without_a_verdict() {
    let found = of(&[
        (LayerKind::CloudPolicy, "[models.new_thread]\nmodel = \"a\""),
        (LayerKind::UserConfig, "model = \"b\"\nsandbox_mode = \"danger-full-access\""),
    ]);
    assert!(found.config.iter().all(|key| key.permitted.is_none()), "{:#?}", found.config);
    assert_eq!(key(&found.requirements, "models.new_thread.model").value, "a");
}

#[test]
fn configurations_are_merged_in_the_order_of_the_client() {
    let found = of(&[
        (
            LayerKind::SystemConfig,
            "model = \"system\"\nweb_search = \"live\"\n[features]\nmemories = false\n[shell_environment_policy]\nexclude = [\"A\"]",
        ),
        (
            LayerKind::CloudDefaults,
            "model = \"cloud\"\napproval_policy = \"never\"\n[features]\nmemories = true\napps = false",
        ),
        (LayerKind::UserConfig, "sandbox_mode = \"read-only\"\n[shell_environment_policy]\nexclude = [\"B\"]"),
        (LayerKind::TeamConfig, "model = \"team\"\n[features]\nfast_mode = false"),
    ]);
    let says = |name: &str| {
        let key = key(&found.config, name);
        let overrode: Vec<_> = key.overrode.iter().map(|other| (other.layer, other.value.clone())).collect();
        (key.value.clone(), key.layer, overrode)
    };
    assert_eq!(says("model"), (json!("team"), Some(3), vec![(1, json!("cloud")), (0, json!("system"))]));
    assert_eq!(says("features.memories"), (json!(true), Some(1), vec![(0, json!(false))]));
    assert_eq!(says("features.fast_mode"), (json!(false), Some(3), vec![]));
    assert_eq!(says("shell_environment_policy.exclude"), (json!(["B"]), Some(2), vec![(0, json!(["A"]))]));
    assert_eq!(says("web_search"), (json!("live"), Some(0), vec![]));
}

#[test]
fn policies_from_the_server_are_stronger_than_the_systems_file() {
    let found = of(&[
        (
            LayerKind::SystemRequirements,
            "allowed_approval_policies = [\"never\"]\nallowed_login_methods = [\"chatgpt\"]\n[apps.a]\nenabled = false\n\
             [rules]\nprefix_rules = [{ pattern = [{ token = \"b\" }], decision = \"prompt\" }]\n\
             [network_proxy.domains]\n\"a.com\" = \"deny\"\n\"b.com\" = \"deny\"",
        ),
        (
            LayerKind::CloudPolicy,
            "allowed_approval_policies = [\"on-request\"]\nallowed_login_methods = [\"api\"]\ntypo = 1\n[apps.a]\nenabled = true\n\
             [rules]\nprefix_rules = [{ pattern = [{ token = \"a\" }], decision = \"forbidden\" }]\n\
             [permissions.network.domains]\n\"a.com\" = \"allow\"",
        ),
    ]);
    let says = |name: &str| {
        let key = key(&found.requirements, name);
        (key.value.clone(), key.layer, key.overrode.iter().map(|other| other.layer).collect::<Vec<_>>())
    };
    assert_eq!(says("allowed_approval_policies"), (json!(["on-request"]), Some(1), vec![0]));
    assert_eq!(says("allowed_login_methods"), (json!(["chatgpt"]), Some(0), vec![]));
    assert_eq!(
        says("apps.a.enabled"),
        (json!(false), Some(0), vec![1]),
        "an app that one layer switches off stays off"
    );
    assert_eq!(says("rules.prefix_rules[0]").1, Some(1));
    assert_eq!(says("rules.prefix_rules[1]").1, Some(0));
    assert_eq!(says("experimental_network.domains.\"a.com\""), (json!("allow"), Some(1), vec![0]));
    assert_eq!(says("experimental_network.domains.\"b.com\""), (json!("deny"), Some(0), vec![]));
    let ignored: Vec<_> = found.ignored.iter().map(|ignored| (ignored.layer, ignored.key.as_str())).collect();
    assert_eq!(ignored, [(1, "allowed_login_methods"), (1, "typo")]);
}

#[test]
fn the_name_of_the_host_chooses_sandbox_modes_within_its_layer() {
    let policy = "allowed_sandbox_modes = [\"read-only\"]\n\
        remote_sandbox_config = [{ hostname_patterns = [\"build-??.EXAMPLE.com\", \"*.ci\"], allowed_sandbox_modes = [\"read-only\", \"workspace-write\"] }]";
    let system = "allowed_sandbox_modes = [\"read-only\", \"danger-full-access\"]";
    let layers = [
        Layer { kind: LayerKind::CloudPolicy, contents: policy },
        Layer { kind: LayerKind::SystemRequirements, contents: system },
    ];
    let modes = |host: Option<&str>| key(&effective(&layers, host).requirements, "allowed_sandbox_modes").value.clone();
    assert_eq!(modes(None), json!(["read-only"]));
    assert_eq!(modes(Some("laptop")), json!(["read-only"]));
    assert_eq!(modes(Some("build-7.example.com")), json!(["read-only"]));
    for host in ["Build-07.example.com", "a.b.ci"] {
        assert_eq!(modes(Some(host)), json!(["read-only", "workspace-write"]), "{host}");
    }
}

#[test]
fn a_layer_that_is_no_toml_is_said() {
    let found = of(&[(LayerKind::CloudPolicy, "allow_appshots = false"), (LayerKind::SystemRequirements, "\nx = [")]);
    assert_eq!(found.requirements.len(), 1);
    assert_eq!((found.unreadable[0].0, found.unreadable[0].1.line), (1, 2));
    let deep = format!("x = {}1{}", "[".repeat(79), "]".repeat(79));
    assert_eq!(of(&[(LayerKind::CloudPolicy, &deep)]).ignored.len(), 1);
}
