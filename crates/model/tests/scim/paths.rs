//! Paths of changes (RFC 7644 §3.5.2, figure 7).

use provost_model::scim::Path;

use super::{ENTERPRISE, said};

#[test]
fn the_examples_of_the_rfc_and_of_the_dialects() {
    let (department, manager) = (format!("{ENTERPRISE}:department"), format!("{ENTERPRISE}:manager.value"));
    for path in [
        "members",
        "name.familyName",
        "addresses[type eq \"work\"]",
        "members[value eq \"2819c223-7f76-453a-919d-413861904646\"]",
        "members[value eq \"2819c223-7f76-453a-919d-413861904646\"].displayName",
        "emails[type eq \"work\" and value ew \"example.com\"]",
        "emails[type eq \"work\" and (value ew \"]\" or primary eq true)].value",
        "members.$ref",
        ENTERPRISE,
        &department,
        &manager,
    ] {
        let parsed = Path::parse(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(parsed.to_string(), path);
        assert_eq!(Path::parse(&format!("  {path} ")).unwrap(), parsed);
    }
}

#[test]
fn what_cannot_be_read_is_refused() {
    let long = "a".repeat(5000);
    for path in [
        "",
        " ",
        "..",
        ".a",
        "a.",
        "a.b.c",
        "a b",
        "a,b",
        "1a",
        "\u{e4}",
        "[type eq \"x\"]",
        "a.b[type eq \"x\"]",
        "emails[type eq \"x\"",
        "emails[type eq \"x\"]x",
        "emails[type eq \"x\"].",
        "emails[type eq \"x\"].a.b",
        "emails[type eq \"x\"].urn:a:b",
        "emails]",
        "a:b",
        "urn::b",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User[a pr]",
        &long,
    ] {
        assert_eq!(said(&Path::parse(path).expect_err(path)), "400 invalidPath", "{path:.80}");
    }
    for path in ["emails[", "emails[]", "emails[type xx \"work\"].value", "members[value eq ]", "emails[a[b pr]]"] {
        assert_eq!(said(&Path::parse(path).expect_err(path)), "400 invalidFilter", "{path}");
    }
}
