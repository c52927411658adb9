/// The longest pattern, in bytes.
pub const MAX_PATTERN_BYTES: usize = 500;
/// The longest text that is held against a pattern, in bytes: what is longer does not fit.
const MAX_TEXT_BYTES: usize = 2_000;

/// What the subject of a workload's token, or another claim of it, must fit: a text in which `*`
/// stands for any run of characters but `:`, and `**` for any run at all. It must fit from the
/// first character to the last, letter by letter; there is no escaping and no folding of case.
///
/// `:` is what the subjects of CI systems are divided by, so that a `*` for a branch never reaches
/// into the part that says whose repository it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<Piece>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Byte(u8),
    WithinPart,
    Anything,
}

impl Pattern {
    /// Reads a pattern. The error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Err("is empty");
        }
        if text.len() > MAX_PATTERN_BYTES {
            return Err("is longer than 500 bytes");
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err("holds a space or a control character");
        }
        let mut pieces = Vec::with_capacity(text.len());
        let mut bytes = text.bytes().peekable();
        while let Some(byte) = bytes.next() {
            pieces.push(match byte {
                b'*' if bytes.next_if_eq(&b'*').is_some() => Piece::Anything,
                b'*' => Piece::WithinPart,
                byte => Piece::Byte(byte),
            });
        }
        Ok(Self(pieces))
    }

    /// Whether it begins with a wildcard: then it does not say whose tokens it takes.
    pub fn begins_with_wildcard(&self) -> bool {
        !matches!(self.0.first(), Some(Piece::Byte(_)))
    }

    /// Whether a text fits, whole. Takes time in proportion to both lengths, whatever is in them.
    pub fn fits(&self, text: &str) -> bool {
        if text.len() > MAX_TEXT_BYTES {
            return false;
        }
        // After each piece: at which places of the text what comes before it can end.
        let text = text.as_bytes();
        let mut ends = vec![false; text.len() + 1];
        ends[0] = true;
        for piece in &self.0 {
            let mut next = vec![false; text.len() + 1];
            match piece {
                Piece::Byte(byte) => {
                    for at in 0..text.len() {
                        next[at + 1] = ends[at] && text[at] == *byte;
                    }
                }
                Piece::WithinPart | Piece::Anything => {
                    for at in 0..=text.len() {
                        let goes_on = at > 0 && next[at - 1] && (*piece == Piece::Anything || text[at - 1] != b':');
                        next[at] = ends[at] || goes_on;
                    }
                }
            }
            ends = next;
        }
        ends[text.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, text: &str) -> bool {
        Pattern::parse(pattern).expect("a pattern").fits(text)
    }

    #[test]
    fn a_star_stays_within_its_part() {
        for (pattern, text) in [
            ("repo:acme/app:ref:refs/heads/main", "repo:acme/app:ref:refs/heads/main"),
            ("repo:acme/app:ref:refs/heads/*", "repo:acme/app:ref:refs/heads/feature/x"),
            ("repo:acme/*:ref:refs/heads/main", "repo:acme/app:ref:refs/heads/main"),
            ("repo:acme/app:**", "repo:acme/app:environment:prod"),
            ("repo:acme/app:ref:refs/heads/*", "repo:acme/app:ref:refs/heads/"),
            ("a**b*c", "a:x:b-c"),
            ("ünï*", "ünïcode"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("repo:acme/app:ref:refs/heads/main", "repo:acme/app-evil:ref:refs/heads/main"),
            ("repo:acme/app:ref:refs/heads/main", "repo:acme/app:ref:refs/heads/main2"),
            ("repo:acme/app:ref:refs/heads/main", "xrepo:acme/app:ref:refs/heads/main"),
            ("repo:acme/app:ref:refs/heads/main", "repo:acme/app:ref:refs/heads/main\n"),
            ("repo:acme/app:ref:refs/heads/main", "repo:Acme/app:ref:refs/heads/main"),
            // The second letter a is Cyrillic.
            ("repo:acme/app:ref:refs/heads/main", "repo:acme/\u{430}pp:ref:refs/heads/main"),
            ("repo:acme/*:ref:refs/heads/main", "repo:acme/app:environment:x:ref:refs/heads/main"),
            ("repo:acme/*:ref:refs/heads/main", "repo:acme-evil/app:ref:refs/heads/main"),
            ("repo:acme/app:*", "repo:acme/app:ref:refs/heads/main"),
            ("a", ""),
            ("a", "aa"),
        ] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn takes_no_time_for_long_ones() {
        let pattern = "a*".repeat(MAX_PATTERN_BYTES / 2);
        assert!(!fits(&pattern, &format!("{}b:", "a".repeat(MAX_TEXT_BYTES - 2))));
        assert!(!fits("**", &"a".repeat(MAX_TEXT_BYTES + 1)));
    }

    #[test]
    fn what_is_no_pattern() {
        for wrong in ["", "a b", "a\tb", "a\u{0}", "a\u{a0}b", &"a".repeat(501)] {
            assert!(Pattern::parse(wrong).is_err(), "{wrong}");
        }
        for wide in ["*", "**", "*:a"] {
            assert!(Pattern::parse(wide).expect("a pattern").begins_with_wildcard());
        }
    }
}
