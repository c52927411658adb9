//! Skills: `SKILL.md` with a name and a description in front.

use std::collections::BTreeMap;

use provost_model::lint::{Problem, Severity};

use super::{FileProblem, found};

/// The longest name, in characters.
const MAX_NAME_CHARS: usize = 64;

/// The longest description, in characters.
const MAX_DESCRIPTION_CHARS: usize = 1_024;

/// How much of the list of skills clients show the model at least, in characters (inventory.md, F-60).
const MAX_LIST_CHARS: usize = 8_000;

/// A skill that clients load.
#[derive(Debug, Clone)]
pub(super) struct Skill {
    pub(super) file: String,
    pub(super) name: String,
    chars: usize,
}

pub(super) fn read(path: &str, folder: &str, text: &str, skills: &mut Vec<Skill>) -> Vec<Problem> {
    let error = |line, key: Option<&str>, code, message: &str| {
        found(Severity::Error, (line, 1), key.map(str::to_owned), code, message)
    };
    let Some(fields) = front_matter(text) else {
        let message = "A skill begins with `---`, `name: …`, `description: …` and `---`, each on its own line.";
        return vec![error(1, None, "no_front_matter", message)];
    };
    let mut problems = Vec::new();
    let (name_line, name) = fields.get("name").cloned().unwrap_or((1, folder.to_owned()));
    if name.is_empty() || name.chars().count() > MAX_NAME_CHARS {
        problems.push(error(name_line, Some("name"), "bad_length", "The name has 1 to 64 characters."));
    }
    let description = fields.get("description").map(|(line, text)| (*line, text.as_str()));
    match description {
        None | Some((_, "")) => {
            let message = "Say in `description` when the skill is to be used: the model chooses by it.";
            problems.push(error(
                description.map_or(1, |(line, _)| line),
                Some("description"),
                "missing_field",
                message,
            ));
        }
        Some((line, text)) if text.chars().count() > MAX_DESCRIPTION_CHARS => {
            let message = "The description has at most 1,024 characters.";
            problems.push(error(line, Some("description"), "bad_length", message));
        }
        Some(_) => {}
    }
    if problems.is_empty() {
        let chars = name.chars().count() + description.map_or(0, |(_, text)| text.chars().count());
        skills.push(Skill { file: path.to_owned(), name, chars });
    }
    problems
}

/// What is only wrong with all of a repository's skills.
pub(super) fn together(skills: &[Skill]) -> Vec<FileProblem> {
    let mut problems = Vec::new();
    let mut warn = |skill: &Skill, code: &str, message: String| {
        let problem = found(Severity::Warning, (1, 1), None, code, message);
        problems.push(FileProblem { file: skill.file.clone(), problem });
    };
    let mut first: BTreeMap<&str, &Skill> = BTreeMap::new();
    for skill in skills {
        match first.get(skill.name.as_str()) {
            Some(other) => warn(skill, "duplicate_name", format!("{} has the same name.", other.file)),
            None => drop(first.insert(&skill.name, skill)),
        }
    }
    let chars: usize = skills.iter().map(|skill| skill.chars).sum();
    if let Some(last) = skills.last().filter(|_| chars > MAX_LIST_CHARS) {
        let message = format!(
            "The names and descriptions of all skills take {chars} characters: clients may show the model only the \
             first {MAX_LIST_CHARS}. Shorten the descriptions."
        );
        warn(last, "list_too_long", message);
    }
    problems
}

/// The fields in front of the text, with their lines: plain and quoted scalars, and blocks (`>` and `|`).
fn front_matter(text: &str) -> Option<BTreeMap<String, (u32, String)>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.lines().zip(1_u32..).peekable();
    lines.next().filter(|(line, _)| line.trim_end() == "---")?;
    let mut fields = BTreeMap::new();
    while let Some((line, number)) = lines.next() {
        if line.trim_end() == "---" {
            return Some(fields);
        }
        let Some((key, value)) = line.split_once(':').filter(|(key, _)| !key.starts_with([' ', '\t', '#', '-'])) else {
            continue;
        };
        let value = value.trim();
        let mut whole = if value.starts_with(['>', '|']) { String::new() } else { unquoted(value).to_owned() };
        // What is indented below goes on with the value.
        while let Some((more, _)) = lines.next_if(|(line, _)| line.starts_with([' ', '\t'])) {
            let gap = if whole.is_empty() { "" } else { " " };
            whole = format!("{whole}{gap}{}", more.trim());
        }
        fields.insert(key.trim().to_owned(), (number, whole));
    }
    None
}

fn unquoted(value: &str) -> &str {
    let inside = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    inside('"').or_else(|| inside('\'')).unwrap_or(value)
}
