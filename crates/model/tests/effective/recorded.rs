//! Recorded cases: layers, and what client 0.169.0 read back of them.

use provost_model::effective::{Layer, LayerKind, effective};
use serde::Deserialize;
use serde_json::Value;

use super::read_back::differences;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    layers_highest_first: Vec<String>,
    accepted: bool,
    effective: Option<Value>,
}

fn check(fixture: &str) -> usize {
    let fixture: Fixture = serde_json::from_str(fixture).expect("the fixture is JSON");
    let mut wrong = Vec::new();
    let mut compared = 0;
    for case in fixture.cases.iter().filter(|case| case.accepted) {
        let Some(client) = &case.effective else { continue };
        let layers: Vec<_> =
            case.layers_highest_first.iter().map(|contents| Layer { kind: LayerKind::CloudPolicy, contents }).collect();
        let found = effective(&layers, None);
        assert!(found.unreadable.is_empty(), "{}", case.name);
        compared += 1;
        let different = differences(&found, client);
        if !different.is_empty() {
            wrong.push(format!("{}: {:#?}\n  {}", case.name, case.layers_highest_first, different.join("\n  ")));
        }
    }
    assert!(wrong.is_empty(), "{} of {compared} differ:\n{}", wrong.len(), wrong.join("\n\n"));
    compared
}

#[test]
fn agrees_with_what_the_client_read_back() {
    assert!(check(include_str!("../fixtures/policy-conformance-0.169.0.json")) > 50);
}
