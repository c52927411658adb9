//! SCIM filters: what is read prints in a form that reads the same, and matches or does not without a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use provost_model::scim::{Filter, ResourceKind};
use serde_json::{Map, Value, json};

fn user() -> Map<String, Value> {
    let user = json!({
        "id": "7", "userName": "mia@acme.example", "active": true, "name": { "givenName": "Mia" },
        "meta": { "lastModified": "2026-01-01T00:00:00Z" },
        "emails": [{ "value": "mia@acme.example", "type": "work", "primary": true }, { "value": "m@x.org" }],
    });
    user.as_object().cloned().expect("it is an object")
}

fuzz_target!(|text: &str| {
    let Ok(filter) = Filter::parse(text) else { return };
    assert_eq!(Filter::parse(&filter.to_string()).as_ref(), Ok(&filter));
    for kind in ResourceKind::ALL {
        filter.matches(kind, &user());
    }
    if let Some((_, text)) = filter.equals() {
        assert!(text.len() <= 4096);
    }
});
