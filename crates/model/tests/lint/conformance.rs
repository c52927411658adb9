//! Every recorded case must get the verdict the client gave.

use provost_model::lint::{Problem, Severity, defaults, requirements_layers};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    layers_highest_first: Vec<String>,
    accepted: bool,
    cloud_error: Option<CloudError>,
}

#[derive(Deserialize)]
struct CloudError {
    detail: Option<String>,
}

/// Holds one fixture against the linter and lists every disagreement.
fn check(fixture: &str, lint: impl Fn(&[&str]) -> Vec<Problem>) {
    let fixture: Fixture = serde_json::from_str(fixture).expect("the fixture is JSON");
    let mut wrong = Vec::new();
    for case in &fixture.cases {
        let layers: Vec<&str> = case.layers_highest_first.iter().map(String::as_str).collect();
        let problems = lint(&layers);
        let errors: Vec<_> = problems.iter().filter(|problem| problem.severity == Severity::Error).collect();
        // Whether a file exists on a device is not for the server to know: in managed defaults,
        // where a device may have it, the linter warns instead.
        let warned = problems.iter().any(|problem| problem.code == "depends_on_device" && errors.is_empty());
        if errors.is_empty() != case.accepted && !warned {
            let said = case.cloud_error.as_ref().and_then(|error| error.detail.as_deref());
            wrong.push(format!("{}: {layers:#?}\n client: {said:?}\n linter: {errors:#?}", case.name));
        }
    }
    let count = fixture.cases.len();
    assert!(wrong.is_empty(), "{} of {count} verdicts differ:\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn agrees_with_the_client_on_the_given_cases() {
    check(include_str!("../fixtures/policy-conformance-0.169.0.json"), requirements_layers);
}

#[test]
fn agrees_with_the_client_on_further_cases() {
    check(include_str!("../fixtures/policy-conformance-extra-0.169.0.json"), requirements_layers);
}

#[test]
fn agrees_with_the_client_on_managed_defaults() {
    check(include_str!("../fixtures/defaults-conformance-0.169.0.json"), |layers| defaults(layers[0]));
}
