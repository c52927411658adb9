//! What older clients make of a policy.

use provost_model::ClientVersion;
use provost_model::lint::{MAX_PROBLEMS, Severity, VersionVerdict, for_versions};

fn verdict(contents: &str, version: &str) -> VersionVerdict {
    let version: ClientVersion = version.parse().expect("a version");
    for_versions(contents, &[version]).pop().expect("one verdict per version")
}

fn refusals(verdict: &VersionVerdict) -> Vec<&str> {
    let errors = verdict.problems.iter().filter(|problem| problem.severity == Severity::Error);
    errors.filter_map(|problem| problem.key.as_deref()).collect()
}

const PROFILES: &str = r#"default_permissions = ":read-only"
allowed_permission_profiles = { ":read-only" = true }
"#;

#[test]
fn permission_profiles_do_nothing_before_0_138() {
    for version in ["0.98.0", "0.130.0"] {
        assert_eq!(verdict(PROFILES, version).ignores, ["default_permissions", "allowed_permission_profiles"]);
        assert!(refusals(&verdict(PROFILES, version)).is_empty(), "a warning is no error");
    }
    assert!(verdict(PROFILES, "0.138.0").ignores.is_empty());
    assert!(verdict(PROFILES, "0.169.0").problems.is_empty());
}

#[test]
fn between_two_recorded_versions_the_worse_counts() {
    let between = verdict(PROFILES, "0.137.0");
    assert_eq!(between.ignores.len(), 2);
    assert_eq!(between.recorded.iter().map(ToString::to_string).collect::<Vec<_>>(), ["0.130.0", "0.138.0"]);
    assert_eq!(verdict(PROFILES, "0.1.0").recorded[0].to_string(), "0.98.0");
    assert!(
        verdict(PROFILES, "9.0.0").problems.is_empty(),
        "a client that is newer than the record is taken for the last"
    );
}

#[test]
fn what_an_older_client_chokes_on_is_an_error_with_its_place() {
    let granular = "allowed_approval_policies = [{ granular = { sandbox_approval = true, rules = true, mcp_elicitations = true } }]";
    assert_eq!(refusals(&verdict(granular, "0.98.0")), ["allowed_approval_policies.granular"]);
    assert!(verdict(granular, "0.98.0").problems[0].message.contains("goes on without any policy"));
    assert!(refusals(&verdict(granular, "0.116.0")).is_empty());
    let indexed = "# a line\nallowed_web_search_modes = [\"cached\", \"indexed\"]";
    let refused = verdict(indexed, "0.116.0");
    assert_eq!(refusals(&refused), ["allowed_web_search_modes = \"indexed\""]);
    assert_eq!((refused.problems[0].line, refused.problems[0].column), (2, 39));
    assert!(refused.problems[0].message.contains("refuses to start"));
}

#[test]
fn tables_of_one_shape_share_their_answers() {
    let tool = |event: &str| {
        format!("hooks.{event} = [{{ hooks = [{{ type = \"mcp_tool\", server = \"a\", tool = \"b\" }}] }}]")
    };
    for event in ["PreToolUse", "Stop"] {
        assert!(!refusals(&verdict(&tool(event), "0.130.0")).is_empty(), "{event}");
        assert!(refusals(&verdict(&tool(event), "0.169.0")).is_empty(), "{event}");
    }
    assert_eq!(
        verdict(&tool("SessionEnd"), "0.130.0").ignores,
        ["hooks.SessionEnd"],
        "an unknown event hides its hooks"
    );
}

#[test]
fn features_are_known_by_name() {
    let pins = "[features]\nin_app_browser = false\nno_such_feature = true";
    assert_eq!(verdict(pins, "0.116.0").ignores, ["features.in_app_browser"]);
    assert!(verdict(pins, "0.169.0").ignores.is_empty());
}

#[test]
fn a_date_without_quotes_is_no_string_before_0_153() {
    let date = "mcp_servers.a.identity.url = 1979-05-27";
    assert_eq!(refusals(&verdict(date, "0.145.0")), ["mcp_servers.a.identity.url"]);
    assert!(refusals(&verdict(date, "0.153.0")).is_empty());
}

#[test]
fn hostile_texts_take_little_time_and_memory() {
    let start = std::time::Instant::now();
    let versions: Vec<ClientVersion> =
        (90..130).map(|minor| format!("0.{minor}.1").parse().expect("a version")).collect();
    let many: String = (0..40_000).map(|n| format!("[permissions.p{n}]\nextends = \"x\"\n")).collect();
    let deep = format!("x = {}1{}", "{a=".repeat(79), "}".repeat(79));
    let features: String = (0..40_000).map(|n| format!("browser_use{n} = true\n")).collect();
    for text in
        [many, deep, format!("[features]\n{features}"), "[".repeat(1 << 20), "\u{0}".to_owned(), "#".repeat(2 << 20)]
    {
        for verdict in for_versions(&text, &versions) {
            assert!(verdict.problems.len() <= MAX_PROBLEMS + 1 && verdict.ignores.len() <= MAX_PROBLEMS);
        }
    }
    assert!(start.elapsed().as_secs() < 60, "took {:?}", start.elapsed());
}
