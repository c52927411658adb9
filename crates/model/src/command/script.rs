//! Reads scripts of plain words.
//!
//! Clients parse a script with a grammar of bash and look into it only if the tree holds nothing but commands, words,
//! strings without expansions, and `&&`, `||`, `;`, `|`. What they then compare are the words as the grammar cuts them:
//! quotes are taken off, but escapes stay (`r\m` is not `rm`). This reader repeats both, so that what it says about a
//! command is what the client does, not what bash would. Whatever it is not sure of is "not plain".

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
pub(super) struct Word<'a> {
    pub(super) text: Cow<'a, str>,
    /// Whether it is one piece, without quotes and brackets.
    pub(super) bare: bool,
}

/// Walks along a script.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(super) fn at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    /// Skips what separates words: blanks, and escaped ones, which the grammar takes for blanks, too.
    pub(super) fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest().as_bytes();
            self.at += match rest {
                [b' ' | b'\t' | b'\r' | 0x0b | 0x0c, ..] => 1,
                [b'\\', b'\r', b'\n', ..] => 3,
                [b'\\', b' ' | b'\t' | b'\n' | 0x0b | 0x0c, ..] => 2,
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
    pub(super) fn word(&mut self) -> Option<Word<'a>> {
        let mut text: Option<Cow<'a, str>> = None;
        let mut pieces = 0;
        let mut bare = true;
        loop {
            let rest = self.rest();
            let piece = match rest.as_bytes() {
                [] | [b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c | b';' | b'&' | b'|', ..] => break,
                [b'\'', ..] => self.quoted(b'\'')?,
                [b'"', ..] => self.quoted(b'"')?,
                [b'$' | b'`' | b'(' | b')' | b'<' | b'>' | b'#', ..] => return None,
                [b'{', after @ ..] if is_range(after) => return None,
                [b'{' | b'}' | b'[' | b']', ..] => {
                    bare = false;
                    self.take(1)
                }
                // After another piece the grammar joins an escape only if a quote or a backslash is escaped.
                [b'\\', after, ..] if pieces > 0 && !matches!(after, b'"' | b'\'' | b'\\') => break,
                _ => match self.plain_length()? {
                    0 => break,
                    length => self.take(length),
                },
            };
            bare = bare && !matches!(rest.as_bytes(), [b'\'' | b'"', ..]);
            pieces += 1;
            text = Some(match text {
                None => Cow::Borrowed(piece),
                Some(before) => Cow::Owned(before.into_owned() + piece),
            });
        }
        let text = text?;
        if pieces > 1 && text.is_empty() { None } else { Some(Word { text, bare: bare && pieces == 1 }) }
    }

    fn take(&mut self, length: usize) -> &'a str {
        let piece = self.rest().get(..length).unwrap_or_default();
        self.at += piece.len();
        piece
    }

    /// What stands between quotes, as written.
    fn quoted(&mut self, quote: u8) -> Option<&'a str> {
        let inside = self.rest().get(1..)?;
        let mut bytes = inside.bytes().enumerate();
        while let Some((end, byte)) = bytes.next() {
            if byte == quote {
                self.at += end + 2;
                return inside.get(..end);
            }
            match byte {
                b'$' | b'`' if quote == b'"' => return None,
                b'\\' if quote == b'"' => drop(bytes.next()?),
                _ => {}
            }
        }
        None
    }

    /// How many bytes of an unquoted piece follow.
    fn plain_length(&self) -> Option<usize> {
        let bytes = self.rest().as_bytes();
        let mut length = 0;
        while let Some(byte) = bytes.get(length) {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c | b';' | b'&' | b'|' | b'\'' | b'"' | b'$' | b'`' | b'('
                | b')' | b'<' | b'>' | b'{' | b'}' | b'[' | b']' => break,
                b'\\' => match bytes.get(length + 1)? {
                    b' ' if length > 0 => length += 2,
                    b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c => break,
                    // The escaped character may take several bytes; the rest of them are plain.
                    _ => length += 2,
                },
                _ => length += 1,
            }
        }
        Some(length)
    }
}

/// Whether the first word of a command names a program, rather than beginning another kind of statement.
pub(super) fn is_program(word: &str) -> bool {
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

/// Whether what follows a brace makes it a range: `{1..3}`.
fn is_range(after: &[u8]) -> bool {
    let digits = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let first = digits(after);
    first > 0 && matches!(after.get(first..), Some([b'.', b'.', rest @ ..]) if digits(rest) > 0)
}
