//! Another fragment for a bundle that is rendered already, by which clients report here.

use crate::lint::{Problem, Severity};
use crate::{Bundle, Settings};

/// How a bundle with requirements ends (`Bundle::render`).
const END: &[u8] = b"}]}}";
/// How one without them ends.
const NONE: &[u8] = b"\"requirements_toml\":null}";

impl Bundle {
    /// The bundle with one fragment of requirements more: `fragment` is its JSON. What clients find in
    /// the fragments before it, they take from there (`client-contract.md` §2.1).
    pub fn with_fragment(&self, fragment: &str) -> Option<Vec<u8>> {
        let fragment = fragment.as_bytes();
        if let Some(start) = self.bundle.strip_suffix(END) {
            return Some([start, b"},", fragment, b"]}}"].concat());
        }
        let start = self.bundle.strip_suffix(NONE)?;
        Some([start, b"\"requirements_toml\":{\"enterprise_managed\":[", fragment, b"]}}"].concat())
    }
}

/// Whether a policy says itself what clients report, and where to.
pub(crate) fn names_otel(requirements: &str) -> bool {
    // Few policies do, and most need not be read for it.
    requirements.contains("otel") && requirements.parse::<toml::Table>().is_ok_and(|table| table.contains_key("otel"))
}

/// What to say of a policy that has clients report elsewhere, where the workspace wants their reports.
pub fn lint_own_collector(requirements: &str, settings: &Settings) -> Option<Problem> {
    if !settings.telemetry || !names_otel(requirements) {
        return None;
    }
    let begins = |line: &str| line.trim_start_matches(['[', ' ', '\t', '"', '\'']).starts_with("otel");
    let line = requirements.lines().position(begins).unwrap_or_default() + 1;
    let message = "The workspace collects telemetry, but clients with this policy report to its own `[otel]` and not \
        here: nothing is known then of what they ran with. Leave `[otel]` out, or turn `telemetry` off.";
    Some(Problem {
        severity: Severity::Warning,
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: 1,
        key: Some("otel".to_owned()),
        code: "own_telemetry".to_owned(),
        message: message.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::{Bundle, Policy, PolicyId};

    #[test]
    fn a_fragment_is_added_behind_those_that_are_there() {
        let id = PolicyId::new(jiff::Timestamp::UNIX_EPOCH);
        let policy = |text, defaults| Policy::new(id, "Strict }]}}", 1, text, defaults).bundle;
        let fragment = json!({ "id": "telemetry", "name": "More", "contents": "[otel]\n" });
        let empty = json!({ "config_toml": null, "requirements_toml": { "enterprise_managed": [fragment] } });
        let with = |bundle: Bundle| -> Value {
            let bytes = bundle.with_fragment(&fragment.to_string()).expect("a place for it");
            serde_json::from_slice(&bytes).expect("JSON")
        };
        assert_eq!(with(Bundle::empty()), empty);
        for defaults in [None, Some("model = \"x\"\n")] {
            let bundle = policy("a = \"\\\"}]}}\"\n", defaults);
            let mut expected: Value = serde_json::from_slice(&bundle.bundle).expect("JSON");
            expected["requirements_toml"]["enterprise_managed"].as_array_mut().expect("a list").push(fragment.clone());
            assert_eq!(with(bundle), expected);
        }
    }

    #[test]
    fn that_a_policy_reports_elsewhere_is_said_where_reports_are_wanted() {
        let wanted = crate::Settings { telemetry: true, ..crate::Settings::default() };
        let found = super::lint_own_collector("a = 1\n[otel]\nexporter = \"none\"\n", &wanted);
        assert_eq!(found.map(|problem| (problem.line, problem.code)), Some((2, "own_telemetry".to_owned())));
        assert_eq!(super::lint_own_collector("[otel]\n", &crate::Settings::default()), None);
        assert_eq!(super::lint_own_collector("# otel\n", &wanted), None);
    }

    #[test]
    fn a_policy_may_name_its_own_collector() {
        let names = |text: &str| super::names_otel(text);
        assert!(names("[otel]\nenvironment = \"x\"\n") && names("otel.exporter = \"none\"\n"));
        assert!(!names("") && !names("# otel\n") && !names("[features]\notel = true\n"));
    }
}
