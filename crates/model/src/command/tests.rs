use super::*;

fn rules(text: &str) -> RuleSet {
    RuleSet::new(PrefixRule::of_policy(text, 0).expect("rules that clients take"))
}

const RULES: &str = r#"
[rules]
prefix_rules = [
    { pattern = [{ token = "git" }, { any_of = ["push", "commit"] }], decision = "prompt", justification = "shared" },
    { pattern = [{ token = "rm" }], decision = "forbidden" },
    { pattern = [{ any_of = ["curl", "wget"] }], decision = "prompt-user" },
    { pattern = [{ token = "/opt/tool" }], decision = "prompt" },
]
"#;

fn parts(script: &str) -> Option<Vec<Vec<String>>> {
    let argv = ["bash", "-lc", script];
    let parts = split(&argv);
    let whole = parts.len() == 1 && parts[0].len() == 3 && parts[0][2] == script;
    let owned = parts.iter().map(|part| part.iter().map(|word| word.to_string()).collect());
    if whole { None } else { Some(owned.collect()) }
}

#[test]
fn the_strictest_rule_of_all_parts_wins() {
    let rules = rules(RULES);
    let line = |line: &str| {
        let argv = of_line(line);
        assert_eq!(rules.outcome(&argv), rules.decide(&argv).outcome, "{line}");
        rules.decide(&argv).outcome
    };
    assert_eq!(line("git status"), Outcome::NoMatch);
    assert_eq!(line("git push origin main"), Outcome::Prompt);
    assert_eq!(line("git push; rm -r x"), Outcome::Forbidden);
    assert_eq!(line("curl x | sh"), Outcome::Prompt);
    assert_eq!(line("/usr/bin/rm x"), Outcome::Forbidden);
    assert_eq!(line("./bin/../rm x"), Outcome::Forbidden);
    assert_eq!(line("/opt/tool"), Outcome::Prompt);
    assert_eq!(line("tool"), Outcome::NoMatch);
    assert_eq!(line("echo $(rm x)"), Outcome::NoMatch, "what is not plain is matched as a whole: gate the shell, too");
    let argv = of_line("ls && git commit -m 'x y'");
    let decision = rules.decide(&argv);
    let deciding = decision.deciding().expect("a rule decides");
    assert_eq!((deciding.source.index, deciding.justification.as_deref()), (0, Some("shared")));
    assert_eq!(decision.parts[1].argv, ["git", "commit", "-m", "x y"]);
}

#[test]
fn a_part_without_a_rule_is_not_allowed_by_the_rule_of_another() {
    let allow = |program: &str, decision| PrefixRule {
        pattern: vec![vec![program.to_owned()]],
        decision,
        justification: None,
        source: RuleSource::default(),
    };
    let rules = RuleSet::new([allow("ls", Action::Allow), allow("rm", Action::Forbidden)]);
    assert_eq!(rules.outcome(&of_line("ls")), Outcome::Allow);
    assert_eq!(rules.outcome(&of_line("ls && ls")), Outcome::Allow);
    assert_eq!(rules.outcome(&of_line("ls && cat x")), Outcome::NoMatch);
    assert_eq!(rules.decide(&of_line("ls && cat x")).deciding(), None);
    assert_eq!(rules.outcome(&of_line("ls && rm x")), Outcome::Forbidden);
    let only = RuleSet::new([allow("node", Action::Prompt)]).with_host_executable("node", vec!["/opt/node".to_owned()]);
    assert_eq!(only.outcome(&["/opt/x/../node"]), Outcome::Prompt);
    assert_eq!(only.outcome(&["node"]), Outcome::Prompt);
    assert_eq!(only.outcome(&["/usr/bin/node"]), Outcome::NoMatch);
}

#[test]
fn plain_scripts_are_split() {
    let words = |script: &str| parts(script).unwrap_or_else(|| panic!("{script} is plain"));
    assert_eq!(words("a && b || c; d | e\nf"), [["a"], ["b"], ["c"], ["d"], ["e"], ["f"]]);
    assert_eq!(words(" ls;\n\n"), [["ls"]]);
    assert_eq!(words("a &&\n b"), [["a"], ["b"]]);
    assert_eq!(words("rg \"a b\" -g'*.rs' \"\""), [["rg", "a b", "-g*.rs", ""]]);
    assert_eq!(words(r#"echo "/usr"'/'"local"/bin"#), [["echo", "/usr/local/bin"]]);
    assert_eq!(words("git push \\\n origin"), [["git", "push", "origin"]]);
    assert_eq!(words("make A=b"), [["make", "A=b"]]);
    assert_eq!(words(r#"a "b\c" 'd\e'"#), [["a", r"b\c", r"d\e"]]);
}

#[test]
fn what_is_not_plain_stays_whole() {
    for script in [
        "",
        " ",
        "a &",
        "a & b",
        "a |& b",
        "(a)",
        "{ a; }",
        "a > x",
        "a 2>&1",
        "a < x",
        "a $B",
        "a \"$B\"",
        "a `b`",
        "a $(b)",
        "A=b c",
        "if a; then b; fi",
        "for x in y; do z; done",
        "! a",
        "export A=b",
        "a && ",
        "&& a",
        "a ;; b",
        "a | | b",
        "a # b",
        "# a",
        "\"git\" push",
        "g\"it\" push",
        "[ -f x ]",
        "a 'b",
        "a \"b",
        "a \\",
        "a {1..3}",
        "a b*",
        "a ?",
        "a ~",
        "a b^",
        "a b#c",
        "a =b",
        "a {b,c}",
        "a [b]",
        "a ==",
        r"r\m x",
        r#"a "b\"c""#,
        "cat <<E\nx\nE",
        "a $'b'",
        "a <<<b",
        "cat <<E\n$(rm x)\nE",
        "cat <<E > y\nE",
        "cat <<E | rm\nE",
        "cat <<E\nx",
        "f() { a; }",
        "cat <<E\nE\nrm x",
        "a\n&& b",
    ] {
        assert_eq!(parts(script), None, "{script}");
    }
    for argv in [["/tmp/bash", "-lc", "a && b"], ["bash", "-x", "a && b"], ["fish", "-c", "a && b"]] {
        assert_eq!(split(&argv).len(), 1);
    }
    assert_eq!(split(&["sh", "-c", "a && b"]).len(), 2);
    assert_eq!(split(&["bash", "-lc", "a && b", "x"]).len(), 1);
}

#[test]
fn rules_that_clients_refuse_are_refused() {
    for text in [
        "rules = {}",
        "[rules]\nprefix_rules = [{ pattern = [], decision = \"prompt\" }]",
        "[rules]\nprefix_rules = [{ pattern = [{ token = \"a\" }] }]",
        "[rules]\nprefix_rules = [{ pattern = [{ token = \"a\" }], decision = \"allow\" }]",
        "[rules]\nprefix_rules = [{ pattern = [{ token = \"a\", any_of = [\"b\"] }], decision = \"prompt\" }]",
        "[rules]\nprefix_rules = [{ pattern = [{ any_of = [] }], decision = \"prompt\" }]",
        "[rules]\nprefix_rules = [{ pattern = [{ token = \" \" }], decision = \"prompt\" }]",
        "x = [",
    ] {
        assert!(PrefixRule::of_policy(text, 0).is_err(), "{text}");
    }
    assert_eq!(PrefixRule::of_policy("[features]\napps = true", 0), Ok(Vec::new()));
    let deep = format!("x = {}1{}", "[".repeat(79), "]".repeat(79));
    assert_eq!(PrefixRule::of_policy(&deep, 0), Ok(Vec::new()));
}

proptest::proptest! {
    /// Whatever the script: no panic, and the quick answer is the long one.
    #[test]
    fn any_script_is_decided(script in "[a-c\"'\\\\ \n;&|$<>é{}#=/.*]{0,40}") {
        let rules = rules("rules.prefix_rules = [{ pattern = [{ token = \"a\" }], decision = \"forbidden\" }]");
        let argv = of_line(&script);
        let decision = rules.decide(&argv);
        assert_eq!(decision.outcome, rules.outcome(&argv));
        assert!(decision.parts.iter().all(|part| !part.argv.is_empty()));
        assert_eq!(decision.deciding().is_some(), decision.outcome == Outcome::Forbidden);
    }
}
