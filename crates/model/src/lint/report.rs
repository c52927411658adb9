//! Collects problems while the text is read, and turns byte offsets into lines and columns at the end.

use std::fmt::Display;

use super::document::Place;
use super::suggest::nearest;
use super::{MAX_PROBLEMS, Problem, Severity};

/// The problems found so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    errors: Vec<Finding>,
    warnings: Vec<Finding>,
    /// Findings beyond the cap, counted but not kept: a text of a million mistakes must not cost a gigabyte.
    dropped: usize,
    /// How many words were looked up in [`Report::guess`].
    guesses: usize,
}

#[derive(Debug)]
struct Finding {
    place: Place,
    key: Option<String>,
    code: &'static str,
    message: String,
}

impl Report {
    /// The client refuses the policy because of this.
    pub(super) fn error(&mut self, place: Place, key: &dyn Display, code: &'static str, message: impl Into<String>) {
        Self::keep(&mut self.errors, &mut self.dropped, place, key, code, message.into());
    }

    /// The client accepts this, but its author should know.
    pub(super) fn warn(&mut self, place: Place, key: &dyn Display, code: &'static str, message: impl Into<String>) {
        Self::keep(&mut self.warnings, &mut self.dropped, place, key, code, message.into());
    }

    fn keep(
        list: &mut Vec<Finding>,
        dropped: &mut usize,
        place: Place,
        key: &dyn Display,
        code: &'static str,
        message: String,
    ) {
        if list.len() >= MAX_PROBLEMS {
            *dropped += 1;
            return;
        }
        let key = Some(key.to_string()).filter(|key| !key.is_empty());
        let finding = Finding { place, key, code, message };
        // The merged policy repeats what a layer alone already showed.
        let said = |other: &Finding| other.place == place && other.code == code && other.key == finding.key;
        if !list.iter().any(said) {
            list.push(finding);
        }
    }

    /// The known word that was probably meant. Looking for it is the most expensive part of a finding, so only as many
    /// are looked for as can be shown.
    pub(super) fn guess<'k>(&mut self, word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
        self.guesses += 1;
        if self.guesses > MAX_PROBLEMS { None } else { nearest(word, known) }
    }

    /// How badly a trial went: used to pick the most likely alternative of a value with several shapes.
    pub(super) fn weight(&self) -> usize {
        self.errors.len() * 16 + self.warnings.len()
    }

    /// How many errors were found so far.
    pub(super) fn errors(&self) -> usize {
        self.errors.len()
    }

    /// Takes over everything another report found.
    pub(super) fn absorb(&mut self, other: Report) {
        self.dropped += other.dropped;
        self.errors.extend(other.errors);
        self.warnings.extend(other.warnings);
    }

    /// The problems in reading order, no more than [`MAX_PROBLEMS`] and a closing remark.
    pub(crate) fn finish(self, texts: &[&str]) -> Vec<Problem> {
        let found = self.errors.len() + self.warnings.len() + self.dropped;
        let errors = self.errors.into_iter().map(|finding| (Severity::Error, finding));
        let warnings = self.warnings.into_iter().map(|finding| (Severity::Warning, finding));
        let mut kept: Vec<_> = errors.chain(warnings).take(MAX_PROBLEMS).collect();
        let left_out = found - kept.len();
        kept.sort_by_key(|(_, finding)| finding.place);
        let mut lines = Lines::default();
        let mut problems: Vec<Problem> = kept
            .into_iter()
            .map(|(severity, finding)| {
                let (line, column) = lines.position(texts, finding.place);
                let Finding { key, code, message, .. } = finding;
                Problem { severity, line, column, key, code: code.to_owned(), message }
            })
            .collect();
        if left_out > 0
            && let Some(last) = problems.last()
        {
            let message = format!("{left_out} more problems are not shown. Fix these first.");
            let (line, column) = (last.line, last.column);
            let code = "too_many_problems".to_owned();
            problems.push(Problem { severity: Severity::Warning, line, column, key: None, code, message });
        }
        problems
    }
}

/// Finds line and column of ascending places without starting over for each.
#[derive(Debug, Default)]
struct Lines {
    layer: usize,
    offset: usize,
    line: u32,
    column: u32,
}

impl Lines {
    fn position(&mut self, texts: &[&str], place: Place) -> (u32, u32) {
        if place.layer != self.layer {
            *self = Self { layer: place.layer, ..Self::default() };
        }
        let text = texts.get(place.layer).copied().unwrap_or_default();
        let end = text.floor_char_boundary(place.offset);
        for character in text.get(self.offset..end).unwrap_or_default().chars() {
            if character == '\n' {
                self.line += 1;
                self.column = 0;
            } else if character != '\u{feff}' || self.line + self.column > 0 {
                // A byte order mark at the very start takes no column: no editor shows it.
                self.column += 1;
            }
        }
        self.offset = end.max(self.offset);
        (self.line + 1, self.column + 1)
    }
}
