//! A unified diff of two texts.

use similar::TextDiff;

/// More lines than this, in both texts together, are not compared one by one: that takes their product.
const MAX_LINES: usize = 20_000;
/// So much of a diff is shown, in bytes.
const MAX_BYTES: usize = 256 << 10;

/// The diff of two texts of a file; empty if they are equal.
pub(super) fn unified(file: &str, before: &str, after: &str) -> String {
    if before == after {
        return String::new();
    }
    let header = (format!("a/{file}"), format!("b/{file}"));
    let (old, new) = without_common_ends(before, after);
    if old.lines().count() + new.lines().count() > MAX_LINES {
        return format!("--- {}\n+++ {}\n(too many lines differ to be shown)\n", header.0, header.1);
    }
    let lines = TextDiff::from_lines(before, after);
    let mut text = lines.unified_diff().context_radius(3).header(&header.0, &header.1).to_string();
    if text.len() > MAX_BYTES {
        let at = (0..=MAX_BYTES).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        text.truncate(at);
        text.push_str("\n(cut here)\n");
    }
    text
}

/// What is left without the lines that both begin and end with: the part whose comparison costs.
fn without_common_ends<'a>(before: &'a str, after: &'a str) -> (&'a str, &'a str) {
    let same = |pairs: &mut dyn Iterator<Item = (&'a str, &'a str)>| -> usize {
        pairs.take_while(|(old, new)| old == new).map(|(line, _)| line.len()).sum()
    };
    let start = same(&mut before.split_inclusive('\n').zip(after.split_inclusive('\n')));
    let (before, after) = (&before[start..], &after[start..]);
    let end = same(&mut before.split_inclusive('\n').rev().zip(after.split_inclusive('\n').rev()));
    (&before[..before.len() - end], &after[..after.len() - end])
}
