use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// The longest address that mail systems carry (RFC 5321 §4.5.3.1.3, less the angle brackets).
const MAX_BYTES: usize = 254;

/// An e-mail address, as its owner writes it, with the key under which it is unique.
///
/// Two addresses that differ only in case or Unicode form name the same person.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(Arc<str>);

/// A text that is not an e-mail address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an e-mail address: write it as name@example.com")]
pub struct InvalidEmail;

impl Email {
    /// The address as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its domain, as it is compared.
    pub fn domain(&self) -> String {
        let key = self.key();
        key.rsplit_once('@').map(|(_, domain)| domain.to_owned()).unwrap_or_default()
    }

    /// What is compared: Unicode form NFKC, lower case.
    pub fn key(&self) -> String {
        name_key(&self.0)
    }
}

/// The form in which names and addresses are compared for uniqueness: NFKC, lower case, trimmed,
/// runs of white space made one space.
pub fn name_key(name: &str) -> String {
    // Most are ASCII, of which NFKC leaves everything as it is.
    let folded: String = match name.is_ascii() {
        true => name.to_ascii_lowercase(),
        false => folded(name),
    };
    let mut words = folded.split_whitespace();
    let first = words.next().unwrap_or_default();
    if first.len() == folded.len() {
        return folded;
    }
    words.fold(first.to_owned(), |key, word| key + " " + word)
}

fn folded(name: &str) -> String {
    name.nfkc().flat_map(char::to_lowercase).nfkc().collect()
}

impl TryFrom<String> for Email {
    type Error = InvalidEmail;

    fn try_from(text: String) -> Result<Self, InvalidEmail> {
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@').ok_or(InvalidEmail)?;
        let clean = |c: char| !c.is_whitespace() && !c.is_control() && !is_invisible(c) && c != '@';
        let plausible = !local.is_empty()
            && !domain.is_empty()
            && !domain.starts_with('.')
            && !domain.ends_with('.')
            && !domain.contains("..")
            && text.len() <= MAX_BYTES
            && local.chars().all(clean)
            && domain.chars().all(|c| clean(c) && (c.is_alphanumeric() || c == '.' || c == '-'));
        if plausible {
            Ok(Self(if text.is_ascii() { text.into() } else { text.nfc().collect::<String>().into() }))
        } else {
            Err(InvalidEmail)
        }
    }
}

/// Zero-width and direction-changing characters: an address that holds one is made to deceive.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

impl From<Email> for String {
    fn from(email: Email) -> String {
        email.0.to_string()
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email(text: &str) -> Result<Email, InvalidEmail> {
        Email::try_from(text.to_owned())
    }

    #[test]
    fn case_and_unicode_form_name_the_same_person() {
        let key = email("Zo\u{eb}@Example.com").expect("valid").key();
        for same in ["zoe\u{308}@example.COM", " ZO\u{cb}@example.com ", "zo\u{eb}@\u{ff45}xample.com"] {
            assert_eq!(email(same).expect("valid").key(), key, "{same}");
        }
    }

    #[test]
    fn refuses_what_is_no_address() {
        for bad in ["", "a", "@", "a@", "@b", "a b@c.d", "a@b..c", "a@.b", "a@b@c.d", "a\u{202e}@b.c", "a@b\nc"] {
            assert_eq!(email(bad), Err(InvalidEmail), "{bad:?}");
        }
    }
}
