//! Reads the one command of a script that is fed a here-document.

use std::borrow::Cow;

use super::script::{Scanner, is_program};

/// The words of the command, if the script is one command of bare words and its here-document, and nothing else.
///
/// A document that could run something (`$(…)` or a backtick under an unquoted mark) hides a second command.
pub(super) fn command(script: &str) -> Option<Vec<Cow<'_, str>>> {
    let mut scanner = Scanner::new(script.trim_start_matches([' ', '\t', '\n']));
    let mut words = Vec::new();
    loop {
        scanner.skip_blanks();
        if scanner.rest().starts_with('<') {
            break;
        }
        let word = scanner.word()?;
        if !word.bare || (words.is_empty() && !is_program(&word.text)) {
            return None;
        }
        words.push(word.text);
    }
    if words.is_empty() {
        return None;
    }
    let (line, body) = scanner.rest().split_once('\n')?;
    let mark = line.strip_prefix("<<")?;
    let (mark, indented) = match mark.strip_prefix('-') {
        Some(mark) => (mark.trim(), true),
        None => (mark.trim(), false),
    };
    let quoted = ['\'', '"'].iter().find_map(|quote| mark.strip_prefix(*quote)?.strip_suffix(*quote));
    let name = quoted.unwrap_or(mark);
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return None;
    }
    let mut lines = body.split('\n');
    let ends = |line: &str| if indented { line.trim_start_matches('\t') == name } else { line == name };
    for line in lines.by_ref() {
        if ends(line) {
            return lines.all(|after| after.trim().is_empty()).then_some(words);
        }
        if quoted.is_none() && (line.contains("$(") || line.contains('`')) {
            return None;
        }
    }
    None
}
