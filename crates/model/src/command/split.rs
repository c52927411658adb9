//! Looks into shells.

use std::borrow::Cow;

use super::script;

/// Shells whose scripts clients look into: these spellings and no others, so that a file called `bash` in a repository
/// gains nothing.
const SHELLS: &[&str] = &[
    "bash",
    "/bin/bash",
    "/usr/bin/bash",
    "/usr/local/bin/bash",
    "/opt/homebrew/bin/bash",
    "sh",
    "/bin/sh",
    "/usr/bin/sh",
    "zsh",
    "/bin/zsh",
    "/usr/bin/zsh",
    "/usr/local/bin/zsh",
    "/opt/homebrew/bin/zsh",
];

/// The simple commands that the rules are held against.
///
/// `bash -lc SCRIPT` (or `-c`, or `sh`, `zsh`) becomes the commands of the script if they are plain words joined by
/// `&&`, `||`, `;`, `|` or new lines, and else stays what it is.
pub fn split<S: AsRef<str>>(argv: &[S]) -> Vec<Vec<Cow<'_, str>>> {
    if let [shell, flag, script] = argv
        && matches!(flag.as_ref(), "-lc" | "-c")
        && SHELLS.contains(&shell.as_ref())
    {
        match script::commands(script.as_ref()) {
            Some(commands) if !commands.is_empty() => return commands,
            _ => {}
        }
    }
    vec![argv.iter().map(|word| Cow::Borrowed(word.as_ref())).collect()]
}

/// The argv of a line as a client's shell tool runs it.
pub fn of_line(line: &str) -> [String; 3] {
    ["bash".to_owned(), "-lc".to_owned(), line.to_owned()]
}
