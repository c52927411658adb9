use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use provost_model::TokenHash;

/// A bearer secret that was just made: shown once, kept as a hash.
pub struct Secret {
    /// What the bearer is given.
    pub text: String,
    /// What is kept.
    pub hash: TokenHash,
}

impl Secret {
    /// A new one: the prefix, then 256 random bits.
    pub fn new(prefix: &str) -> Self {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes).expect("the operating system gives random bytes");
        let text = format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes));
        let hash = hash_secret(&text);
        Self { text, hash }
    }

    /// A new one of a kind that people keep in files, where it gets lost: the prefix, 256 random
    /// bits in base62, and a checksum, so that a scanner knows it when it sees one.
    pub fn checked(kind: SecretKind) -> Self {
        let mut text = kind.prefix().to_owned();
        let mut bytes = [0; 64];
        while text.len() < kind.prefix().len() + RANDOM_CHARS {
            aws_lc_rs::rand::fill(&mut bytes).expect("the operating system gives random bytes");
            // 248 is the last multiple of 62 in a byte: what is past it would favour some letters.
            let fair = bytes.iter().filter(|byte| **byte < 248).map(|byte| char::from(BASE62[usize::from(byte % 62)]));
            text.extend(fair.take(kind.prefix().len() + RANDOM_CHARS - text.len()));
        }
        text.push_str(&checksum(&text));
        let hash = hash_secret(&text);
        Self { text, hash }
    }

    /// Its last four characters, by which people tell it from others.
    pub fn last4(&self) -> &str {
        last4(&self.text)
    }
}

/// The last four characters of a secret.
pub fn last4(text: &str) -> &str {
    text.get(text.len().saturating_sub(4)..).unwrap_or_default()
}

/// The kinds of secrets that carry a checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretKind {
    /// An API key, `pk-…`.
    ApiKey,
    /// An access token, `at-…`: the prefix by which Codex knows one (`client-contract.md` §1.4).
    AccessToken,
    /// The secret in the address of a device enrolment, `de-…`.
    DeviceEnrolment,
}

impl SecretKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::ApiKey, Self::AccessToken, Self::DeviceEnrolment];

    /// What every secret of the kind begins with.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::ApiKey => "pk-",
            Self::AccessToken => "at-",
            Self::DeviceEnrolment => "de-",
        }
    }
}

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62^43 is a little more than 2^256.
const RANDOM_CHARS: usize = 43;
const CHECKSUM_CHARS: usize = 6;
/// How many characters of a secret with a checksum come after its prefix.
const BODY_CHARS: usize = RANDOM_CHARS + CHECKSUM_CHARS;
/// How many characters of one of before come after its prefix: 32 bytes in base64url, no checksum.
const FORMER_BODY_CHARS: usize = 43;

/// CRC-32 (ISO-HDLC, as in zip and PNG) of what comes before it, in base62, six characters.
fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut letters = [b'0'; CHECKSUM_CHARS];
    for letter in letters.iter_mut().rev() {
        *letter = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    letters.iter().copied().map(char::from).collect()
}

/// Whether a bearer cannot be one of ours: it has the shape of a secret with a checksum, and the
/// checksum is wrong. A typo, which needs no looking up.
pub(crate) fn is_mistyped(text: &str) -> bool {
    let mut bodies = SecretKind::ALL.into_iter().filter_map(|kind| text.strip_prefix(kind.prefix()));
    let is_shaped = |body: &str| body.len() == BODY_CHARS && body.bytes().all(|byte| byte.is_ascii_alphanumeric());
    bodies.any(is_shaped) && checksum(&text[..text.len() - CHECKSUM_CHARS]) != text[text.len() - CHECKSUM_CHARS..]
}

/// Something in a text that looks like a secret of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting<'a> {
    /// Which kind.
    pub kind: SecretKind,
    /// The secret. Never show it.
    pub secret: &'a str,
    /// Whether its checksum says that it is one; without, it may be one of before there were any.
    pub is_checked: bool,
}

/// Finds what looks like our secrets in a text, whatever stands around them.
pub fn find_secrets(text: &str) -> Vec<Sighting<'_>> {
    let mut found = Vec::new();
    for kind in SecretKind::ALL {
        for (at, prefix) in text.match_indices(kind.prefix()) {
            let body = text.as_bytes()[at + prefix.len()..].iter();
            let run =
                body.take(BODY_CHARS).take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')).count();
            // The run is ASCII, so these cut no character in two.
            let whole = (run == BODY_CHARS).then(|| &text[at..at + prefix.len() + BODY_CHARS]);
            let former = (run >= FORMER_BODY_CHARS).then(|| &text[at..at + prefix.len() + FORMER_BODY_CHARS]);
            match (whole, former) {
                (Some(secret), _) if !is_mistyped(secret) && is_alphanumeric(secret, prefix) => {
                    found.push(Sighting { kind, secret, is_checked: true });
                }
                (_, Some(secret)) => found.push(Sighting { kind, secret, is_checked: false }),
                _ => {}
            }
        }
    }
    found
}

fn is_alphanumeric(secret: &str, prefix: &str) -> bool {
    secret[prefix.len()..].bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// What is kept of a bearer secret, and looked up when one arrives.
pub fn hash_secret(text: &str) -> TokenHash {
    digest(&SHA256, text.as_bytes()).as_ref().try_into().expect("SHA-256 is 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_what_the_documents_say() {
        // `docs/identity/keys.md` gives this one to try a scanner on.
        let example = "pk-0000000000000000000000000000000000000000000";
        assert_eq!(format!("{example}{}", checksum(example)), EXAMPLE);
        assert!(!is_mistyped(EXAMPLE));
    }

    const EXAMPLE: &str = "pk-000000000000000000000000000000000000000000013RV57";

    #[test]
    fn a_secret_is_found_and_a_typo_is_not_one() {
        for kind in SecretKind::ALL {
            let secret = Secret::checked(kind).text;
            assert_eq!(secret.len(), 52);
            assert!(!is_mistyped(&secret));
            for around in ["", "x", "=", "\"", "-", "%3D", "ü", "pk-", "at-"] {
                let text = format!("{around}{secret}{around}");
                let found = find_secrets(&text);
                assert!(found.contains(&Sighting { kind, secret: &secret, is_checked: true }), "{text}: {found:?}");
            }
            for at in 3..secret.len() {
                let letter = if &secret[at..=at] == "a" { "b" } else { "a" };
                let typo = format!("{}{letter}{}", &secret[..at], &secret[at + 1..]);
                assert!(is_mistyped(&typo), "{typo}");
                assert!(find_secrets(&typo).iter().all(|sighting| !sighting.is_checked), "{typo}");
            }
        }
        let former = Secret::new("pk-").text;
        assert!(!is_mistyped(&former));
        let found = find_secrets(&former);
        assert_eq!(found, [Sighting { kind: SecretKind::ApiKey, secret: &former, is_checked: false }]);
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        for text in ["", "pk-", "at-", "de-", "pk-short", "at-ünicode", "pk-00000000000000000000000000000000000000000ü"]
        {
            assert_eq!(find_secrets(text), [], "{text}");
        }
    }
}
