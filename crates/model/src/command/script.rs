//! Reads scripts of plain words.
//!
//! Clients look into a script only if it holds nothing but commands of words that every shell takes as written: no
//! expansion, no pattern, no escape outside of quotes, no redirection, no comment, and `&&`, `||`, `;`, `|` and new
//! lines between the commands. What else a shell would make of a script, the rules never see. This reader says the same
//! as client 0.169.0 (`tests/codex/explain.rs` asks it); whatever it is not sure of is "not plain".

use std::borrow::Cow;

/// Words that begin something else than a command, or that the grammar reads as another kind of statement.
const NOT_COMMANDS: &[&str] = &[
    "!", "if", "then", "else", "elif", "fi", "for", "in", "select", "while", "until", "do", "done", "case", "esac",
    "function", "declare", "typeset", "export", "readonly", "local", "unset", "unsetenv",
];

/// The commands of a script in their order; none if it is not plain. A script without a command has none.
pub(super) fn commands(script: &str) -> Option<Vec<Vec<Cow<'_, str>>>> {
    let mut scanner = Scanner::new(script);
    let mut commands = Vec::new();
    let mut joined = false;
    loop {
        scanner.skip_lines();
        if scanner.at_end() {
            return (!joined).then_some(commands);
        }
        commands.push(scanner.command()?);
        joined = match scanner.separator()? {
            Separator::End => false,
            Separator::Join => true,
        };
    }
}

/// What stands between two commands.
enum Separator {
    /// `;`, a new line, or the end of the script: nothing need follow.
    End,
    /// `&&`, `||` or `|`: another command must follow.
    Join,
}

/// One word.
struct Word<'a> {
    text: Cow<'a, str>,
    /// Whether it is without quotes.
    bare: bool,
}

/// Walks along a script.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    /// Skips what separates words: blanks, and new lines that are escaped.
    fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest().as_bytes();
            self.at += match rest {
                [b' ' | b'\t' | b'\r' | 0x0b | 0x0c, ..] => 1,
                [b'\\', b'\r', b'\n', ..] => 3,
                [b'\\', b'\n', ..] => 2,
                _ => return,
            };
        }
    }

    fn skip_lines(&mut self) {
        self.skip_blanks();
        while self.peek() == Some(b'\n') {
            self.at += 1;
            self.skip_blanks();
        }
    }

    /// One simple command.
    fn command(&mut self) -> Option<Vec<Cow<'a, str>>> {
        let program = self.word()?;
        if !program.bare || !is_program(&program.text) {
            return None;
        }
        let mut words = vec![program.text];
        loop {
            self.skip_blanks();
            if matches!(self.peek(), None | Some(b'\n' | b';' | b'&' | b'|')) {
                return Some(words);
            }
            let word = self.word()?;
            if word.bare && matches!(&*word.text, "==" | "=~") {
                return None;
            }
            words.push(word.text);
        }
    }

    fn separator(&mut self) -> Option<Separator> {
        let rest = self.rest().as_bytes();
        let (length, separator) = match rest {
            [] => (0, Separator::End),
            [b';', b';' | b'&', ..] | [b'|', b'&', ..] => return None,
            [b'\n' | b';', ..] => (1, Separator::End),
            [b'&', b'&', ..] | [b'|', b'|', ..] => (2, Separator::Join),
            [b'|', ..] => (1, Separator::Join),
            _ => return None,
        };
        self.at += length;
        Some(separator)
    }

    /// One word: pieces without a blank between them.
    fn word(&mut self) -> Option<Word<'a>> {
        // `=program` is a path in zsh.
        if self.peek() == Some(b'=') {
            return None;
        }
        let mut text: Option<Cow<'a, str>> = None;
        let (mut pieces, mut bare) = (0, true);
        loop {
            let piece = match self.peek() {
                Some(quote @ (b'\'' | b'"')) => {
                    bare = false;
                    self.quoted(quote)?
                }
                _ => match self.plain_length()? {
                    0 => break,
                    length => self.take(length),
                },
            };
            pieces += 1;
            text = Some(match text {
                None => Cow::Borrowed(piece),
                Some(before) => Cow::Owned(before.into_owned() + piece),
            });
        }
        let text = text?;
        if pieces > 1 && text.is_empty() { None } else { Some(Word { text, bare }) }
    }

    fn take(&mut self, length: usize) -> &'a str {
        let piece = self.rest().get(..length).unwrap_or_default();
        self.at += piece.len();
        piece
    }

    /// What stands between quotes, as written; none if the shell would make something else of it.
    fn quoted(&mut self, quote: u8) -> Option<&'a str> {
        let inside = self.rest().get(1..)?;
        let bytes = inside.as_bytes();
        let end = bytes.iter().position(|byte| *byte == quote)?;
        let plain = |(place, byte): (usize, &u8)| match byte {
            b'$' | b'`' => false,
            b'\\' => !matches!(bytes.get(place + 1), None | Some(b'"' | b'\\' | b'$' | b'`' | b'\n')),
            _ => true,
        };
        if quote == b'"' && !bytes.iter().take(end).enumerate().all(plain) {
            return None;
        }
        self.at += end + 2;
        inside.get(..end)
    }

    /// How many bytes of an unquoted piece follow; none if the shell would make something else of it.
    fn plain_length(&self) -> Option<usize> {
        let bytes = self.rest().as_bytes();
        for (length, byte) in bytes.iter().enumerate() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c | b';' | b'&' | b'|' | b'\'' | b'"' => return Some(length),
                b'\\' => {
                    let escaped = bytes.get(length + 1..).unwrap_or_default();
                    return matches!(escaped, [b'\n', ..] | [b'\r', b'\n', ..]).then_some(length);
                }
                b'$' | b'`' | b'(' | b')' | b'<' | b'>' | b'{' | b'}' | b'[' | b']' | b'*' | b'?' | b'~' | b'^'
                | b'#' => {
                    return None;
                }
                _ => {}
            }
        }
        Some(bytes.len())
    }
}

/// Whether the first word of a command names a program, rather than beginning another kind of statement.
fn is_program(word: &str) -> bool {
    let number = word.bytes().next().is_some_and(|byte| byte.is_ascii_digit() || byte == b'-')
        && word.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
    !number && !is_assignment(word) && !word.starts_with('!') && !NOT_COMMANDS.contains(&word)
}

/// `NAME=…` or `NAME+=…`.
fn is_assignment(word: &str) -> bool {
    let Some((name, _)) = word.split_once('=') else { return false };
    let name = name.strip_suffix('+').unwrap_or(name);
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    first && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
