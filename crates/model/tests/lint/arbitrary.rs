//! Whatever the text: no panic, positions within the text, no more problems than promised.

use proptest::prelude::*;
use provost_model::lint::{MAX_BYTES, MAX_PROBLEMS, Problem, Severity, defaults, requirements, requirements_layers};

const VALID: &str = r#"allowed_approval_policies = ["on-request", { granular = { sandbox_approval = true, rules = true, mcp_elicitations = false } }]
allowed_sandbox_modes = ["read-only", "workspace-write"]
default_permissions = "office"

[allowed_permission_profiles]
":read-only" = true
office = true

[permissions.office]
extends = ":workspace"

[permissions.office.filesystem]
"/srv/**" = "read"
":workspace_roots" = { "**/*.env" = "deny" }

[permissions.filesystem]
deny_read = ["~/.ssh", "/**/*.[pk]em"]

[rules]
prefix_rules = [{ pattern = [{ token = "git" }, { any_of = ["push", "commit"] }], decision = "prompt" }]

[experimental_network]
enabled = true

[experimental_network.domains]
"**.example.com" = "allow"

[mcp_servers.docs]
identity = { url = { match = "regex", expression = "https://(a|b){1,2}\\.example\\.com/[a-z]*" } }

[[hooks.Stop]]
hooks = [{ type = "command", command = "true", timeout = 3 }]

[otel.exporter.otlp-http]
endpoint = "https://collector.example.com"
protocol = "json"
headers = { token = "secret" }
"#;

fn holds(text: &str, problems: &[Problem]) {
    assert!(problems.len() <= MAX_PROBLEMS + 1);
    let lines: Vec<&str> = text.split('\n').collect();
    for problem in problems {
        let line = lines.get(problem.line as usize - 1).expect("the line exists");
        let width = line.chars().count() as u32;
        assert!((1..=width + 1).contains(&problem.column), "{problem:?} stands beyond its line of {width}");
        assert!(!problem.message.is_empty() && !problem.code.is_empty());
    }
    assert!(problems.is_sorted_by_key(|problem| (problem.line, problem.column)));
}

fn lint_all(text: &str) {
    holds(text, &requirements(text));
    holds(text, &defaults(text));
}

#[test]
fn the_seed_of_the_mutations_is_valid() {
    let problems = requirements(VALID);
    assert!(problems.iter().all(|problem| problem.severity == Severity::Warning), "{problems:#?}");
}

#[test]
fn survives_the_deepest_text_the_parser_lets_through() {
    let key = ["a"; 79].join(".");
    let text = format!("x = {}1{}", format!("{{{key}=").repeat(79), "}".repeat(79));
    lint_all(&text);
    lint_all(&format!("[{key}]\n{key}.{}", text));
    for open in ["[", "{a=", "[[", "x=[{a="] {
        lint_all(&open.repeat(100_000));
    }
    lint_all(&format!("{}=1", ["a"; 100_000].join(".")));
    let groups =
        format!("mcp_servers.a.identity.url = {{ match = \"regex\", expression = '{}' }}", "(".repeat(500_000));
    lint_all(&groups);
}

#[test]
fn caps_text_and_problems() {
    let problems = requirements(&"#".repeat(MAX_BYTES + 1));
    assert_eq!(problems[0].code, "too_large");
    let many: String = (0..40_000).map(|n| format!("unknown_{n} = 1\n")).collect();
    let problems = requirements(&many);
    assert_eq!(problems.len(), MAX_PROBLEMS + 1);
    assert_eq!(problems.last().map(|problem| problem.code.as_str()), Some("too_many_problems"));
    // One error among the many warnings must not be lost.
    let problems = requirements(&format!("{many}allow_appshots = 1\n"));
    assert!(problems.iter().any(|problem| problem.severity == Severity::Error));
}

/// Texts near the size limit that punish anything slower than linear; a minute would show, a second does not.
#[test]
fn large_texts_take_little_time() {
    let start = std::time::Instant::now();
    let many = |line: fn(usize) -> String| (0..20_000).map(line).collect::<String>();
    lint_all(&format!("[features]\n{}", many(|n| format!("browser_use{n} = 1\n"))));
    lint_all(&format!("[allowed_permission_profiles]\n{}", many(|n| format!("p{n} = true\n"))));
    let chain = many(|n| format!("[permissions.p{n}]\nextends = \"p{}\"\n", n + 1));
    lint_all(&format!("default_permissions = \"p0\"\n{chain}"));
    lint_all(&format!("permissions.filesystem.deny_read = [\"{}\"]", "[".repeat(1_000_000)));
    lint_all(&format!(
        "[mcp_servers.a.identity]\nurl = {{ match = \"regex\", expression = '{}' }}",
        "\\b{1".repeat(200_000)
    ));
    lint_all(&format!("allowed_sandbox_modes = [{}]", "\"readonly\",".repeat(80_000)));
    let wide = many(|n| format!("key{n} = 1\n"));
    requirements_layers(&[&wide, &wide]).clear();
    assert!(start.elapsed().as_secs() < 60, "took {:?}", start.elapsed());
}

#[test]
fn secrets_stay_out_of_messages() {
    let text = r#"
[experimental_network]
enabled = true
header_injections = [{ host = "a.com", methods = ["GET"], path_prefixes = ["/"], headers = { a = ["hunter2"], b = "hunter2" } }]
[otel]
exporter = "hunter2"
trace_exporter = { otlp-http = { endpoint = "https://x", protocol = "json", headers = "hunter2" } }
[model_providers.c]
name = "C"
experimental_bearer_token = ["hunter2"]
http_headers = "hunter2"
[browser_use.extension]
request_headers = [{ name = "a", value = ["hunter2"] }, "hunter2"]
"#;
    let problems = requirements(text);
    assert!(problems.len() >= 6, "{problems:#?}");
    for problem in problems {
        assert!(!problem.message.contains("hunter2"), "{problem:#?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_text(text in "\\PC{0,200}") {
        lint_all(&text);
    }

    #[test]
    fn any_toml_like_text(text in "([a-z_]{1,12}|[\\[\\]{}=.,#\"'\n\r\t \\\\]|true|[0-9]|é|\u{feff}){0,120}") {
        lint_all(&text);
    }

    #[test]
    fn any_mutation(at in 0..VALID.len(), length in 0..40usize, insert in "[\\[\\]{}=.,#\"'\n a1\\\\*()-]{0,3}") {
        let start = VALID.floor_char_boundary(at);
        let end = VALID.ceil_char_boundary((at + length).min(VALID.len()));
        lint_all(&format!("{}{insert}{}", &VALID[..start], &VALID[end..]));
    }

    #[test]
    fn any_two_layers(at in 0..VALID.len(), other in 0..VALID.len()) {
        let (strong, weak) = (&VALID[..VALID.floor_char_boundary(at)], &VALID[VALID.floor_char_boundary(other)..]);
        prop_assert!(requirements_layers(&[strong, weak]).len() <= MAX_PROBLEMS + 1);
    }
}
