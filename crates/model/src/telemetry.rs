//! Another fragment for a bundle that is rendered already.

use crate::Bundle;

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
    fn a_policy_may_name_its_own_collector() {
        let names = |text: &str| super::names_otel(text);
        assert!(names("[otel]\nenvironment = \"x\"\n") && names("otel.exporter = \"none\"\n"));
        assert!(!names("") && !names("# otel\n") && !names("[features]\notel = true\n"));
    }
}
