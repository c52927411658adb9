//! Recovery codes: for who has lost their second factor. Each works once.

use provost_model::{MemberId, TokenHash};
use provost_web::hash_secret;

/// How many there are.
pub(crate) const COUNT: usize = 10;
/// Without letters that look alike (Crockford's base32).
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 80 bits: out of reach also for who has the hashes.
const CHARS: usize = 16;

/// New codes, in groups of four to copy them by hand.
pub(crate) fn generate() -> Vec<String> {
    (0..COUNT).map(|_| one()).collect()
}

fn one() -> String {
    let mut bytes = [0; CHARS];
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system gives random bytes");
    let letters: Vec<char> = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect();
    letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

/// What is kept of a code: with whose it is, so that it opens nobody else's account. None if it is no code.
pub(crate) fn hash(member: MemberId, typed: &str) -> Option<TokenHash> {
    let typed: String = typed.chars().filter(|c| !c.is_whitespace() && *c != '-').take(CHARS + 1).collect();
    let read = |c: char| match c.to_ascii_lowercase() {
        'o' => '0',
        'i' | 'l' => '1',
        other => other,
    };
    let code: String = typed.chars().map(read).collect();
    let is_code = code.len() == CHARS && code.bytes().all(|byte| ALPHABET.contains(&byte));
    is_code.then(|| hash_secret(&format!("recovery:{member}:{code}")))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_copied() {
        let member = MemberId::new(Timestamp::UNIX_EPOCH);
        let code = one();
        assert_eq!(code.len(), 19);
        let expected = hash(member, &code);
        assert!(expected.is_some());
        for way in [code.to_uppercase(), code.replace('-', " "), code.replace('-', ""), format!(" {code}\n")] {
            assert_eq!(hash(member, &way), expected, "{way}");
        }
        assert_eq!(hash(member, &code.replace('0', "o").replace('1', "L")), expected);
        assert_ne!(hash(MemberId::new(Timestamp::UNIX_EPOCH), &code), expected, "it is this member's alone");
        for wrong in ["", "123456", &code[1..], &format!("{code}0"), "uuuu-uuuu-uuuu-uuuu"] {
            assert_eq!(hash(member, wrong), None, "{wrong}");
        }
    }
}
