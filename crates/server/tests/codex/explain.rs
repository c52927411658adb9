//! What we say about policies and commands is what the real client does.

#[path = "../../../model/tests/effective/read_back.rs"]
mod read_back;

use provost_model::command::{Action, Outcome, PrefixRule, RuleSet, RuleSource, of_line};
use provost_model::effective::{Layer, LayerKind, effective};
use provost_testkit::codex::{Device, Version};
use provost_testkit::upstream::Reply;
use serde_json::{Value, json};

use super::{Site, TURN, write_auth};

/// Layers as they are stacked: the policy from the server, and the system's file.
const LAYERS: &[(&str, &str)] = &[
    ("allowed_approval_policies = [\"on-failure\"]", "allowed_approval_policies = [\"never\"]\nallow_appshots = false"),
    (
        "[features]\nmemories = false\n[experimental_network.domains]\n\"a.com\" = \"allow\"",
        "[features]\nmemories = true\nfast_mode = false\n[network_proxy]\nenabled = true\n[network_proxy.domains]\n\"a.com\" = \"deny\"\n\"b.com\" = \"deny\"",
    ),
    (
        "allowed_web_search_modes = []\n[experimental_network]\nallowed_domains = [\"a.com\"]",
        "[experimental_network]\nallowed_domains = [\"b.com\"]\ndenied_domains = [\"c.com\"]",
    ),
    (
        "remote_sandbox_config = [{ hostname_patterns = [\"*\"], allowed_sandbox_modes = [\"read-only\"] }]",
        "allowed_sandbox_modes = [\"read-only\", \"workspace-write\"]\nremote_sandbox_config = [{ hostname_patterns = [\"*\"], allowed_sandbox_modes = [\"read-only\", \"danger-full-access\"] }]",
    ),
    (
        "[allowed_permission_profiles]\n\":read-only\" = true\n\":workspace\" = true",
        "default_permissions = \":read-only\"\n[allowed_permission_profiles]\n\":read-only\" = true\n\":danger-full-access\" = true\n\":workspace\" = false",
    ),
    (
        "[[hooks.Stop]]\nhooks = [{ type = \"command\", command = \"a\" }]\n[computer_use]\nallow_persistent_approval = false",
        "[[hooks.Stop]]\nhooks = [{ type = \"command\", command = \"b\" }]\n[computer_use]\nallow_persistent_approval = true\ndefault_app_access = \"deny\"",
    ),
    (
        "[otel]\nenvironment = \"prod\"\n[models.new_thread]\nmodel = \"a\"",
        "[otel]\nenvironment = \"test\"\nlog_user_prompt = false\n[models.new_thread]\nmodel = \"b\"\nmodel_reasoning_effort = \"low\"\nservice_tier = \"fast\"",
    ),
];

#[tokio::test]
async fn the_client_reads_back_what_we_merge() {
    let site = Site::open().await;
    let ada = site.hire("ada").await;
    let tokens = site.tokens(&ada).await;
    let mut wrong = Vec::new();
    for (index, (policy, system)) in LAYERS.iter().enumerate() {
        let id = site.server.policy(&format!("Policy {index}"), policy).await;
        site.rule(&[], Some(&id)).await;
        let laptop = site.laptop(Version::V0_169).with_private_etc(&[("codex/requirements.toml", system)]);
        write_auth(&laptop, &tokens, &site.server.workspace_id);
        let mut app = laptop.app_server().await;
        let read = app.config_requirements().await;
        app.stop().await;
        let layers = [
            Layer { kind: LayerKind::CloudPolicy, contents: policy },
            Layer { kind: LayerKind::SystemRequirements, contents: system },
        ];
        let found = effective(&layers, None);
        wrong.extend(
            read_back::differences(&found, &read).into_iter().map(|line| format!("{policy}\n{system}\n{line}")),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Words that rules and commands are made of: few, so that they meet.
const WORDS: &[&str] = &["a", "b", "/bin/a", "./a", "a b", "-c", "é", "x/../b", "bash"];

/// A small generator: the same rules and commands on every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn word(&mut self) -> String {
        WORDS[self.below(WORDS.len())].to_owned()
    }
}

#[tokio::test]
async fn the_client_matches_commands_as_we_do() {
    let site = Site::open().await;
    let laptop = site.laptop(Version::V0_169);
    let mut dice = Dice(7);
    let mut pairs = 0;
    for round in 0..8 {
        let rules: Vec<_> = (0..12)
            .map(|index| {
                let length = 1 + dice.below(3);
                let pattern = (0..length).map(|_| (0..=dice.below(2)).map(|_| dice.word()).collect()).collect();
                let decision = [Action::Allow, Action::Prompt, Action::Forbidden][dice.below(3)];
                let source = RuleSource { layer: 0, index };
                PrefixRule { pattern, decision, justification: Some(format!("rule {index}")), source }
            })
            .collect();
        let written: String = rules.iter().map(starlark).collect();
        let written = written + "host_executable(name=\"b\", paths=[\"/usr/bin/b\"])\n";
        let file = laptop.project().join(format!("{round}.rules"));
        std::fs::write(&file, written).unwrap();
        let set = RuleSet::new(rules.clone()).with_host_executable("b", vec!["/usr/bin/b".to_owned()]);
        for _ in 0..8 {
            let length = 1 + dice.below(4);
            let command: Vec<String> = (0..length).map(|_| dice.word()).collect();
            let said = check(&laptop, &file.display().to_string(), &command).await;
            pairs += rules.len();
            // Of a command that is no script, the client's check and its runs say the same.
            let decision = set.decide(&command);
            let ours: Vec<_> =
                decision.parts[0].matched.iter().map(|rule| rule.justification.clone().unwrap()).collect();
            let mut theirs: Vec<_> = said["matchedRules"].as_array().unwrap().iter().map(reason).collect();
            // It counts a rule once for each of its alternatives that is written twice.
            theirs.dedup();
            assert_eq!(ours, theirs, "{command:?} {said:#}");
            let word = match decision.outcome {
                Outcome::NoMatch => Value::Null,
                outcome => json!(outcome),
            };
            assert_eq!(word, said["decision"], "{command:?} {said:#}");
        }
    }
    assert!(pairs >= 200);
}

fn reason(matched: &Value) -> String {
    matched["prefixRuleMatch"]["justification"].as_str().unwrap().to_owned()
}

fn starlark(rule: &PrefixRule) -> String {
    let (pattern, decision) = (json!(rule.pattern), json!(rule.decision));
    format!("prefix_rule(pattern={pattern}, decision={decision}, justification={})\n", json!(rule.justification))
}

async fn check(laptop: &Device, file: &str, command: &[String]) -> Value {
    let mut arguments = vec!["execpolicy", "check", "--resolve-host-executables", "--rules", file, "--"];
    arguments.extend(command.iter().map(String::as_str));
    let output = laptop.run(&arguments).await;
    serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output}"))
}

/// Lines for the shell tool. `zap` is forbidden; whether the client sees it in a line is what it does with scripts.
const LINES: &[&str] = &[
    // seen
    "zap x",
    "true && zap",
    "true; zap",
    "true | zap",
    "true || zap y",
    "true\nzap",
    "true &&\n zap",
    "zap \\\n x",
    " zap;\n",
    "echo \"a b\" && zap",
    "/usr/bin/zap x",
    "./zap",
    "bin/zap",
    "zap '' 'a*' \"b*\" 'c'\"d\"e -g'*.rs'",
    "zap \"a\\b\" 'a\\b'",
    "zap 1 -2 3.5 a=b a==b é a! a% a@b a,b a:b --x=y",
    "zap 'a\nb'",
    // not seen
    "echo 'zap'",
    "echo \"$HOME\" && zap",
    "echo $(zap)",
    "(zap)",
    "zap > out",
    "zap 2>&1",
    "zap &",
    "true & zap",
    "A=b zap",
    "\"zap\" x",
    "z\"ap\" x",
    "za\\p x",
    "zap {a,b}",
    "zap {}",
    "zap x[1]",
    "zap *.rs",
    "zap ?x",
    "zap ~",
    "zap a~b",
    "zap HEAD^",
    "zap a#b",
    "zap # comment",
    "zap =b",
    "zap a == b",
    "zap a\\ b",
    "zap \"a\\\"b\"",
    "zap \"a\\\\b\"",
    "zap \"\\$HOME\"",
    "zap \"\"''",
    "true;; zap",
    "zap <<'E'\nbody\nE",
    "zap <<E > out\nbody\nE",
    "zap <<<x",
    "[ -n x ] && zap",
    "if true; then zap; fi",
    "! zap",
    "export A=b; zap",
    "time zap",
    "command zap",
    "zap.exe",
    "bash -c zap",
];

#[tokio::test]
async fn the_client_looks_into_the_scripts_that_we_look_into() {
    const POLICY: &str = "[rules]\nprefix_rules = [{ pattern = [{ token = \"zap\" }], decision = \"forbidden\", justification = \"no zap\" }]";
    let site = Site::open().await;
    let ada = site.hire("ada").await;
    site.rule_everybody(POLICY).await;
    let laptop = site.signed_in_laptop(Version::V0_169, &ada).await;
    for line in LINES {
        site.upstream.push(Reply::shell(line));
    }
    site.upstream.push(Reply::text("Done."));
    let output = laptop.exec("do it", &[&TURN[..], &["-s", "read-only"]].concat()).await;
    let turns = site.upstream.turns();
    assert_eq!(turns.len(), LINES.len() + 1, "{output}");
    let rules = RuleSet::new(PrefixRule::of_policy(POLICY, 0).unwrap());
    let mut wrong = Vec::new();
    for (line, turn) in LINES.iter().zip(&turns[1..]) {
        let told = turn.tool_output().unwrap();
        let refused = told.contains("rejected: no zap");
        let ours = rules.outcome(&of_line(line)) == Outcome::Forbidden;
        if ours != refused {
            wrong.push(format!("{line:?}: we say {ours}, the client {refused}: {told}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
