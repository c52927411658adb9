//! SCIM changes: a path in the first line, a value in JSON after it. What comes out reads the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use provost_model::scim::{GroupPatch, PatchRequest, Path, User, patch_user};
use serde_json::{Value, json};

fn map(value: Value) -> serde_json::Map<String, Value> {
    value.as_object().cloned().expect("it is an object")
}

fuzz_target!(|text: &str| {
    let (path, value) = text.split_once('\n').unwrap_or((text, "\"x\""));
    if let Ok(path) = Path::parse(path) {
        assert_eq!(Path::parse(&path.to_string()).as_ref(), Ok(&path));
    }
    let value: Value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    let before = User::parse(map(json!({
        "userName": "mia", "name": { "givenName": "Mia" },
        "emails": [{ "value": "a@x.org", "type": "work", "primary": true }, { "value": "b@x.org", "type": "home" }],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "department": "R&D" },
    })));
    let before = before.expect("it is a user");
    for op in ["add", "remove", "replace"] {
        for path in [Some(path), None] {
            let operation = json!({ "op": op, "path": path, "value": value });
            let body = json!({ "schemas": [PatchRequest::SCHEMA], "Operations": [operation] });
            let Ok(request) = PatchRequest::parse(map(body)) else { continue };
            if let Ok(after) = patch_user(&before, &request) {
                assert_eq!(User::parse(after.attributes.clone()).as_ref(), Ok(&after));
            }
            drop(GroupPatch::parse(&request));
        }
    }
});
