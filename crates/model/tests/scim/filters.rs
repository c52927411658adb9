//! Filters (RFC 7644 §3.4.2.2).

use provost_model::scim::{Filter, ResourceKind};
use serde_json::{Map, Value, json};

use super::{babs, map, said};

fn seen() -> Map<String, Value> {
    let mut user = babs().attributes;
    user.insert("id".into(), json!("2819c223"));
    user.insert("meta".into(), json!({ "lastModified": "2011-05-13T04:42:34Z", "resourceType": "User" }));
    user.insert("ims".into(), json!([{ "type": "xmpp", "value": "babs@foo.com" }]));
    user.insert("nickName".into(), json!("\u{c4}rmel"));
    user
}

fn matches(filter: &str) -> bool {
    Filter::parse(filter).unwrap_or_else(|error| panic!("{filter}: {error}")).matches(ResourceKind::User, &seen())
}

#[test]
fn the_examples_of_the_rfc() {
    for (filter, expected) in [
        (r#"userName eq "bjensen""#, false),
        (r#"name.familyName co "O'Malley""#, false),
        (r#"userName sw "J""#, false),
        (r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "B""#, true),
        ("title pr", true),
        (r#"meta.lastModified gt "2011-05-13T04:42:34Z""#, false),
        (r#"meta.lastModified ge "2011-05-13T04:42:34Z""#, true),
        (r#"meta.lastModified lt "2011-05-13T04:42:34Z""#, false),
        (r#"meta.lastModified le "2011-05-13T04:42:34Z""#, true),
        (r#"title pr and userType eq "Employee""#, true),
        (r#"title pr or userType eq "Intern""#, true),
        (r#"schemas eq "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User""#, true),
        (r#"userType eq "Employee" and (emails co "example.com" or emails.value co "example.org")"#, true),
        (r#"userType ne "Employee" and not (emails co "example.com" or emails.value co "example.org")"#, false),
        (r#"userType eq "Employee" and (emails.type eq "work")"#, true),
        (r#"userType eq "Employee" and emails[type eq "work" and value co "@example.com"]"#, true),
        (r#"emails[type eq "work" and value co "@example.com"] or ims[type eq "xmpp" and value co "@foo.com"]"#, true),
    ] {
        assert_eq!(matches(filter), expected, "{filter}");
    }
}

#[test]
fn everything_else_that_the_grammar_has() {
    for (filter, expected) in [
        ("USERNAME EQ \"BJENSEN@example.com\"", true),
        ("externalId eq \"bjensen\"", false),
        ("externalId eq \"Bjensen\"", true),
        ("nickName eq \"a\\u0308RMEL\"", true),
        ("nickName sw \"\u{e4}\"", true),
        ("active eq true", true),
        ("active eq \"True\"", true),
        ("active ne false", true),
        ("not (active eq true)", false),
        ("NOT(active eq false)and(title pr)", true),
        ("title ew \"GUIDE\"", true),
        ("title gt \"tour\" and title lt \"u\"", true),
        ("displayName pr", false),
        ("displayName eq null", true),
        ("displayName ne null", false),
        ("displayName ne \"x\"", true),
        ("displayName eq \"x\"", false),
        ("title eq null", false),
        ("title ne null", true),
        ("unheardOf pr", false),
        ("unheardOf eq 7.5e1", false),
        ("meta.lastModified eq \"2011-05-13T06:42:34+02:00\"", true),
        ("meta.lastModified gt \"2011-05-13T04:42:33.999999999Z\"", true),
        ("emails eq \"BABS@jensen.org\"", true),
        ("emails[type eq \"home\" and primary eq true]", false),
        ("emails[type eq \"work\" and primary eq \"True\"]", true),
        ("emails[not (type eq \"work\") and value pr]", true),
        ("emails[type eq \"work\"].value eq \"bjensen@example.com\"", true),
        ("emails[type eq \"home\"].value eq \"bjensen@example.com\"", false),
        ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber eq \"701984\"", true),
        ("urn:IETF:params:scim:schemas:extension:enterprise:2.0:user:manager.value eq \"26118915\"", true),
        ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager eq \"26118915\"", true),
        ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User pr", true),
        ("title pr and active eq false or userName pr", true),
        ("title pr and (active eq false or userName pr)", true),
        ("displayName pr and (active eq true or userName pr)", false),
        ("title eq \"Tour\\u0020Guide\"", true),
        ("title co \"\\\"\"", false),
    ] {
        assert_eq!(matches(filter), expected, "{filter}");
    }
}

#[test]
fn groups_are_asked_for_by_their_members() {
    let group = map(json!({ "displayName": "Ops", "members": [{ "value": "a" }, { "value": "b" }] }));
    for (filter, expected) in [
        ("members.value eq \"b\"", true),
        ("members eq \"b\"", true),
        ("members[value eq \"b\"]", true),
        ("members.value eq \"B\"", false),
        ("displayName eq \"OPS\"", true),
        ("userName pr", false),
    ] {
        assert_eq!(Filter::parse(filter).unwrap().matches(ResourceKind::Group, &group), expected, "{filter}");
    }
}

#[test]
fn what_cannot_be_read_is_refused_with_where() {
    let deep = "(".repeat(2000) + "title pr" + &")".repeat(2000);
    let not = "not (".repeat(40) + "title pr" + &")".repeat(40);
    let long = format!("title eq \"{}\"", "x".repeat(5000));
    for filter in [
        "",
        "   ",
        "userName",
        "userName eq",
        "eq \"x\"",
        "userName eq x",
        "userName eq 'x'",
        "userName eq \"x",
        "userName eq \"x\\",
        "userName eq \"\\x\"",
        "userName eq \"\\ud800\"",
        "userName eq {\"a\":1}",
        "userName eq [1]",
        "userName eq 01",
        "userName eq \"x\"\"y\"",
        "userName xx \"x\"",
        "userName eq \"x\" and",
        "userName eq \"x\" or or userName pr",
        "and userName pr",
        "not userName pr",
        "not (userName pr",
        "(userName pr",
        "userName pr)",
        "()",
        "userName pr userName pr",
        "emails[type eq \"work\"",
        "emails[]",
        "emails[type]",
        "emails[type eq \"work\"].",
        "emails[type eq \"work\"].value",
        "emails[value[type pr]]",
        "emails[emails.value pr]",
        "emails.value[type pr]",
        "1userName pr",
        "user name pr",
        "userName gt true",
        "userName lt null",
        "active co \"x\"",
        "active co true",
        "active gt \"x\"",
        "active eq \"perhaps\"",
        "name eq \"x\"",
        "meta.created gt \"yesterday\"",
        "urn:nobody:knows:userName pr",
        "a:b pr",
        "too.many.dots pr",
        "\u{0}",
        "userName\u{a0}pr",
        "\u{1f600}[\u{1f600}",
        &deep,
        &not,
        &long,
    ] {
        let error = Filter::parse(filter).expect_err(filter);
        assert_eq!(said(&error), "400 invalidFilter", "{filter:.80}");
        assert!(error.detail.len() < 400, "{error}");
        assert!(error.detail.starts_with("character ") || filter.len() > 4096, "{filter:.80}: {error}");
    }
    let error = Filter::parse("title pr and \u{e4} eq 1").unwrap_err();
    assert_eq!(error.detail, "character 14, at `\u{e4} eq 1`: expected the name of an attribute");
}

#[test]
fn an_equality_that_must_hold_is_found() {
    for (filter, expected) in [
        ("userName eq \"Mia\"", Some(("username", "Mia"))),
        ("active eq true and userName eq \"Mia\"", Some(("username", "Mia"))),
        ("displayName eq \"x\" and (title pr and id eq \"7\")", Some(("id", "7"))),
        ("urn:ietf:params:scim:schemas:core:2.0:User:externalId eq \"x\"", Some(("externalid", "x"))),
        ("emails eq \"x\"", Some(("emails.value", "x"))),
        ("emails.value eq \"x\" and title pr", Some(("emails.value", "x"))),
        ("emails[type eq \"work\" and value eq \"x\"]", Some(("emails.value", "x"))),
        ("emails[type eq \"work\"].value eq \"x\"", Some(("emails.value", "x"))),
        ("members[value eq \"x\"]", Some(("members.value", "x"))),
        ("members.value eq \"x\"", Some(("members.value", "x"))),
        ("userName eq \"a\" or userName eq \"b\"", None),
        ("not (userName eq \"a\")", None),
        ("userName ne \"a\"", None),
        ("name.displayName eq \"a\"", None),
        ("emails[value eq \"a\" or type eq \"b\"]", None),
        ("emails.type eq \"work\"", None),
        ("ims[value eq \"x\"]", None),
        ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:displayName eq \"x\"", None),
    ] {
        assert_eq!(Filter::parse(filter).unwrap().equals(), expected, "{filter}");
    }
}
