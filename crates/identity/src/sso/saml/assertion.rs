//! Reads an assertion whose signature is verified (saml-core-2.0 §2; saml-profiles-2.0 §4.1.4.2).

use jiff::{SignedDuration, Timestamp};

use super::response::{Expected, check_request};
use super::xml::{ASSERTION, Element};
use crate::sso::Refusal;

/// How far clocks may be apart.
pub(super) const SKEW: SignedDuration = SignedDuration::from_secs(60);
/// An assertion that is good for longer than this is not remembered for as long, so it is refused.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
const EMAIL_FORMAT: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress";
/// The formats of a name that stays a member's (saml-core-2.0 §8.3).
pub(super) const FORMATS: [&str; 3] = [
    "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
    EMAIL_FORMAT,
    "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
];
const MAX_CHARS: usize = 256;
const MAX_GROUPS: usize = 2000;

/// Whom an identity provider speaks of.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Assertion {
    /// It must not be seen again…
    pub(super) id: String,
    /// …until then.
    pub(super) expires_at: Timestamp,
    /// Who, for good.
    pub(super) subject: String,
    /// Their e-mail address, as the provider writes it.
    pub(super) email: Option<String>,
    /// Their name.
    pub(super) name: Option<String>,
    /// Their groups; none where the attribute is not there.
    pub(super) groups: Option<Vec<String>>,
}

/// Reads it, if it is for us, for this request, for now.
pub(super) fn read(assertion: Element<'_>, expected: &Expected<'_>) -> Result<Assertion, Refusal> {
    if !assertion.is(ASSERTION, "Assertion") || assertion.attribute("Version") != Some("2.0") {
        return Err(Refusal::forbidden("not_a_response", "its assertion is not one of SAML 2.0"));
    }
    let id = assertion.attribute("ID").unwrap_or_default();
    if id.is_empty() || id.len() > MAX_CHARS {
        return Err(Refusal::forbidden("incomplete", "its assertion has no id, or a very long one"));
    }
    if assertion.must(ASSERTION, "Issuer")?.text().as_deref() != Some(expected.idp_entity_id) {
        return Err(Refusal::forbidden("wrong_issuer", "its assertion comes from another identity provider"));
    }
    let confirmed = check_conditions(assertion, expected)?.min(check_confirmation(assertion, expected)?);
    if assertion.all(ASSERTION, "AuthnStatement").next().is_none() {
        return Err(Refusal::forbidden("incomplete", "it does not say that anybody signed in (no AuthnStatement)"));
    }
    let (subject, is_email) = read_subject(assertion)?;
    let names = expected.attributes;
    let email = first(assertion, &names.email).or_else(|| is_email.then(|| subject.clone()));
    let groups = values(assertion, &names.groups);
    if groups.as_ref().is_some_and(|groups| groups.len() > MAX_GROUPS) {
        return Err(Refusal::forbidden("too_long", "it has more than 2000 groups"));
    }
    let name = first(assertion, &names.name);
    Ok(Assertion { id: id.to_owned(), expires_at: confirmed, subject, email, name, groups })
}

/// The name that a member has for good, and whether it is an e-mail address.
fn read_subject(assertion: Element<'_>) -> Result<(String, bool), Refusal> {
    let name_id = assertion.must(ASSERTION, "Subject")?.must(ASSERTION, "NameID")?;
    let format = name_id.attribute("Format").unwrap_or(FORMATS[2]);
    if !FORMATS.contains(&format) {
        let message = "its NameID is not one that stays: have the identity provider send `persistent`, `emailAddress` \
                       or `unspecified`";
        return Err(Refusal::forbidden("name_id_format", message));
    }
    let subject = name_id.text().unwrap_or_default();
    if subject.is_empty() || subject.chars().count() > MAX_CHARS || subject.contains(char::is_control) {
        return Err(Refusal::forbidden("name_id", "its NameID is empty, too long, or not a text"));
    }
    let is_email = format == EMAIL_FORMAT || (format == FORMATS[2] && subject.contains('@'));
    Ok((subject, is_email))
}

/// For us, and now; when it ends.
fn check_conditions(assertion: Element<'_>, expected: &Expected<'_>) -> Result<Timestamp, Refusal> {
    let conditions = assertion.must(ASSERTION, "Conditions")?;
    let mut is_for_us = false;
    for condition in conditions.children() {
        // A condition that is not understood is one that is not met (saml-core-2.0 §2.5.1.1).
        match condition.local_name() {
            "AudienceRestriction" => {
                let mut audiences = condition.all(ASSERTION, "Audience");
                if !audiences.any(|audience| audience.text().as_deref() == Some(expected.entity_id)) {
                    return Err(Refusal::forbidden("wrong_audience", "it is for another service"));
                }
                is_for_us = true;
            }
            "OneTimeUse" | "ProxyRestriction" => {}
            _ => return Err(Refusal::forbidden("condition", "it has a condition that is not known here")),
        }
    }
    if !is_for_us {
        return Err(Refusal::forbidden("wrong_audience", "it does not say for which service it is"));
    }
    let until = check_window(conditions, expected.now)?;
    Ok(until.unwrap_or(expected.now + LONGEST))
}

/// To us, for this request, still; when it ends. Of several confirmations one must be met.
fn check_confirmation(assertion: Element<'_>, expected: &Expected<'_>) -> Result<Timestamp, Refusal> {
    let mut refusal = Refusal::forbidden("confirmation", "it has no bearer confirmation");
    for confirmation in assertion.must(ASSERTION, "Subject")?.all(ASSERTION, "SubjectConfirmation") {
        if confirmation.attribute("Method") != Some(BEARER) {
            continue;
        }
        match confirm(confirmation.must(ASSERTION, "SubjectConfirmationData")?, expected) {
            Ok(until) => return Ok(until),
            Err(found) => refusal = found,
        }
    }
    Err(refusal)
}

fn confirm(data: Element<'_>, expected: &Expected<'_>) -> Result<Timestamp, Refusal> {
    if data.attribute("Recipient") != Some(expected.acs_url) {
        return Err(Refusal::forbidden("wrong_recipient", "it is to be sent to another address"));
    }
    check_request(data.attribute("InResponseTo"), expected)?;
    let until = check_window(data, expected.now)?;
    let until =
        until.ok_or_else(|| Refusal::forbidden("incomplete", "its confirmation does not say until when it is good"))?;
    if until > expected.now + LONGEST {
        return Err(Refusal::forbidden(
            "too_long_lived",
            "it is good for longer than 24 hours: shorten that at the identity provider",
        ));
    }
    Ok(until)
}

/// `NotBefore` and `NotOnOrAfter`, with some tolerance; the end, with the tolerance in it.
fn check_window(element: Element<'_>, now: Timestamp) -> Result<Option<Timestamp>, Refusal> {
    if time(element, "NotBefore")?.is_some_and(|from| now + SKEW < from) {
        let message = "it is not valid yet: are the clocks of the identity provider and of this server right?";
        return Err(Refusal::forbidden("not_yet_valid", message));
    }
    let until = time(element, "NotOnOrAfter")?.and_then(|until| until.checked_add(SKEW).ok());
    if until.is_some_and(|until| now >= until) {
        return Err(Refusal::forbidden("expired", "it has expired: sign in again"));
    }
    Ok(until)
}

fn time(element: Element<'_>, name: &str) -> Result<Option<Timestamp>, Refusal> {
    let Some(text) = element.attribute(name) else { return Ok(None) };
    let time = text.parse().map_err(|_| Refusal::forbidden("malformed", format!("its {name} is not a time in UTC")))?;
    Ok(Some(time))
}

fn first(assertion: Element<'_>, names: &[String]) -> Option<String> {
    values(assertion, names)?.into_iter().find(|value| !value.is_empty())
}

/// The values of the first of these attributes that is there.
fn values(assertion: Element<'_>, names: &[String]) -> Option<Vec<String>> {
    let statements = || assertion.all(ASSERTION, "AttributeStatement");
    let attributes = || statements().flat_map(|statement| statement.all(ASSERTION, "Attribute"));
    let of = |name: &String| -> Option<Vec<String>> {
        let mut found = attributes().filter(|attribute| attribute.attribute("Name") == Some(name)).peekable();
        found.peek()?;
        let values = found.flat_map(|attribute| attribute.all(ASSERTION, "AttributeValue"));
        Some(values.filter_map(Element::text).collect())
    };
    names.iter().find_map(of)
}
