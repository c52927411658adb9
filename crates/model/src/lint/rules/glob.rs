//! The patterns of `deny_read`, as clients match them against the paths of a profile.

use regex_lite::Regex;

/// A compiled pattern; it matches whole paths, and `*` and `?` stop at a slash.
pub(super) fn compile(glob: &str) -> Option<Regex> {
    Regex::new(&format!("^(?:{})$", expression(glob)?)).ok()
}

fn expression(glob: &str) -> Option<String> {
    let mut out = String::from("(?s)");
    let mut rest = glob;
    let mut depth = 0usize;
    while let Some(c) = rest.chars().next() {
        let at_start = rest.len() == glob.len();
        if rest == "/**" {
            out.push_str("/.*");
            break;
        }
        if let Some(after) = rest.strip_prefix("/**/") {
            out.push_str("(?:/|/.*/)");
            rest = after;
            continue;
        }
        if let Some(after) = rest.strip_prefix("**/").filter(|_| at_start) {
            out.push_str("(?:/?|.*/)");
            rest = after;
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match c {
            '?' => out.push_str("[^/]"),
            '*' => {
                rest = rest.trim_start_matches('*');
                out.push_str("[^/]*");
            }
            '[' => match class(rest) {
                Some((class, after)) => {
                    out.push_str(&class);
                    rest = after;
                }
                None => out.push_str("\\["),
            },
            '{' => {
                depth += 1;
                out.push_str("(?:");
            }
            '}' => {
                depth = depth.checked_sub(1)?;
                out.push(')');
            }
            ',' if depth > 0 => out.push('|'),
            '\\' => {
                let escaped = rest.chars().next()?;
                rest = &rest[escaped.len_utf8()..];
                out.push_str(&regex_lite::escape(escaped.encode_utf8(&mut [0; 4])));
            }
            c => out.push_str(&regex_lite::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    (depth == 0).then_some(out)
}

/// A class behind its opening bracket, and what follows it; none if nothing closes it.
fn class(rest: &str) -> Option<(String, &str)> {
    let (negated, members) = match rest.strip_prefix(['!', '^']) {
        Some(members) => (true, members),
        None => (false, rest),
    };
    let first = members.chars().next()?;
    let end = first.len_utf8() + members[first.len_utf8()..].find(']')?;
    let mut class = String::from(if negated { "[^" } else { "[" });
    let inner = &members[..end];
    for (index, c) in inner.char_indices() {
        let range = c == '-' && index > 0 && index + 1 < inner.len();
        match c {
            '-' if range => class.push('-'),
            c if c.is_ascii_punctuation() => class.extend(['\\', c]),
            c => class.push(c),
        }
    }
    class.push(']');
    Some((class, &members[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::compile;

    #[test]
    fn matches_as_clients_do() {
        let matches = |glob: &str, path: &str| compile(glob).is_some_and(|regex| regex.is_match(path));
        for (glob, path) in [
            ("/srv/*", "/srv/.a"),
            ("/srv*", "/srv"),
            ("/**", "/srv"),
            ("/**/*.env", "/srv/x.env"),
            ("/srv/**/x", "/srv/x"),
            ("/**/b/**", "/srv/a/b/c"),
            ("/srv/{a,b}.?", "/srv/a.c"),
            ("/srv/[!a].c", "/srv/b.c"),
        ] {
            assert!(matches(glob, path), "{glob} {path}");
        }
        for (glob, path) in
            [("/srv/*", "/srv/a/b"), ("/**/a", "/srv/a/b"), ("/srv/**", "/srv"), ("/srv/[!a].c", "/srv/a.c")]
        {
            assert!(!matches(glob, path), "{glob} {path}");
        }
    }
}
