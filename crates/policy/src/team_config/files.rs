//! Gets at the files of a repository, and at nothing else.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use provost_model::lint::{Problem, Severity};

use super::{FileProblem, MAX_FILE_BYTES, MAX_FILES, Repository, found};

/// The longest path, in bytes.
const MAX_PATH_BYTES: usize = 512;

/// What a file is to clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// `.codex/config.toml`.
    Config,
    /// `.codex/hooks.json`.
    Hooks,
    /// `.codex/rules/NAME.rules`.
    Rules,
    /// `SKILL.md` in a folder of this name.
    Skill(String),
}

/// What a file is, by its path; none for one that Team Config does not know, such as `AGENTS.md`.
pub(super) fn kind(path: &str) -> Option<Kind> {
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        [".codex", "config.toml"] => Some(Kind::Config),
        [".codex", "hooks.json"] => Some(Kind::Hooks),
        [".codex", "rules", name] if name.ends_with(".rules") => Some(Kind::Rules),
        [".codex" | ".agents", "skills", folder, "SKILL.md"] => Some(Kind::Skill((*folder).to_owned())),
        _ => None,
    }
}

/// A file's text.
pub(super) fn text(bytes: Vec<u8>) -> Result<String, Problem> {
    let refuse = |place, code, message: &str| Err(found(Severity::Error, place, None, code, message));
    if bytes.len() > MAX_FILE_BYTES {
        return refuse((1, 1), "too_large", "The file is longer than 1 MiB and was not read.");
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let before = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
            return refuse((line_at(before), 1), "not_utf8", "The file is not UTF-8 text.");
        }
    };
    match text.bytes().position(|byte| byte == 0) {
        Some(at) => {
            let line = line_at(text.as_bytes().get(..at).unwrap_or_default());
            refuse((line, 1), "not_text", "The file holds a NUL character. Remove it.")
        }
        None => Ok(text),
    }
}

/// The line that follows these bytes, from 1.
pub(super) fn line_at(before: &[u8]) -> u32 {
    u32::try_from(before.iter().filter(|byte| **byte == b'\n').count()).unwrap_or(u32::MAX).saturating_add(1)
}

/// A name that somebody gave to a file of a repository.
///
/// # Errors
/// If it leads, or could lead, out of the repository.
pub fn named(path: &str) -> Result<String, &'static str> {
    let path = path.strip_prefix("./").unwrap_or(path);
    if path.is_empty() || path.len() > MAX_PATH_BYTES {
        return Err("a path has 1 to 512 bytes");
    }
    if path.starts_with('/') || path.contains(['\\', ':']) {
        return Err("a path begins at the root of the repository, with `/` between its parts");
    }
    if path.chars().any(char::is_control) {
        return Err("a path holds no control characters");
    }
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err("a path names each folder, without `..`, `.` or doubled slashes");
    }
    Ok(path.to_owned())
}

/// Reads the Team Config of a repository on this machine: `.codex` and `.agents/skills`. Links are never followed, and
/// what is no plain file is not opened.
pub fn of_folder(root: &Path) -> Repository {
    let mut reader = Reader { root, files: BTreeMap::new(), problems: Vec::new(), seen: 0 };
    if reader.is_folder(".codex") {
        for name in reader.names(".codex") {
            let path = format!(".codex/{name}");
            match name.as_str() {
                "rules" => reader.each_rules_file(&path),
                "skills" => reader.each_skill(&path),
                _ => reader.file(&path),
            }
        }
    }
    if reader.is_folder(".agents") && reader.is_folder(".agents/skills") {
        reader.each_skill(".agents/skills");
    }
    Repository { name: root.display().to_string(), files: reader.files, problems: reader.problems }
}

struct Reader<'a> {
    root: &'a Path,
    files: BTreeMap<String, Vec<u8>>,
    problems: Vec<FileProblem>,
    seen: usize,
}

impl Reader<'_> {
    fn each_rules_file(&mut self, folder: &str) {
        if self.is_folder(folder) {
            for name in self.names(folder) {
                self.file(&format!("{folder}/{name}"));
            }
        }
    }

    fn each_skill(&mut self, folder: &str) {
        if self.is_folder(folder) {
            for name in self.names(folder) {
                let skill = format!("{folder}/{name}");
                if self.is_folder(&skill) {
                    self.file(&format!("{skill}/SKILL.md"));
                }
            }
        }
    }

    /// Whether this is a folder of the repository's own; says so if it is a link.
    fn is_folder(&mut self, path: &str) -> bool {
        match self.root.join(path).symlink_metadata() {
            Ok(about) if about.is_symlink() => {
                self.refuse(path, "symlink", "This is a symbolic link, which is not followed. Put the folder here.");
                false
            }
            Ok(about) => about.is_dir(),
            Err(_) => false,
        }
    }

    /// The names in a folder, in order.
    fn names(&mut self, folder: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.root.join(folder)) else {
            self.refuse(folder, "unreadable", "The folder cannot be read.");
            return Vec::new();
        };
        let mut names = Vec::new();
        for entry in entries.flatten() {
            self.seen += 1;
            if self.seen > MAX_FILES {
                self.refuse(folder, "too_many", "There are more than 500 files; the rest was not read.");
                break;
            }
            match entry.file_name().into_string() {
                Ok(name) if named(&name).is_ok() => names.push(name),
                _ => self.refuse(folder, "bad_name", "A file in this folder has a name that no client can rely on."),
            }
        }
        names.sort();
        names
    }

    fn file(&mut self, path: &str) {
        let full = self.root.join(path);
        let Ok(about) = full.symlink_metadata() else { return };
        if about.is_symlink() {
            return self.refuse(path, "symlink", "This is a symbolic link, which is not followed. Put the file here.");
        }
        if kind(path).is_none() {
            return;
        }
        if !about.is_file() {
            return self.refuse(path, "not_a_file", "This is no plain file.");
        }
        let mut bytes = Vec::new();
        let room = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX).saturating_add(1);
        match std::fs::File::open(&full).and_then(|file| file.take(room).read_to_end(&mut bytes)) {
            Ok(_) => drop(self.files.insert(path.to_owned(), bytes)),
            Err(_) => self.refuse(path, "unreadable", "The file cannot be read."),
        }
    }

    fn refuse(&mut self, path: &str, code: &str, message: &str) {
        let problem = found(Severity::Error, (1, 1), None, code, message);
        self.problems.push(FileProblem { file: path.to_owned(), problem });
    }
}
