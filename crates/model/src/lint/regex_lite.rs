//! The syntax of the regular expressions in policies: a small dialect without Unicode classes or nested sets.
//!
//! Clients compile these expressions when they start and refuse the policy if one fails, so this parser accepts what
//! theirs accepts. It matches nothing itself.

use std::collections::HashSet;
use std::iter::Peekable;
use std::str::Chars;

/// How deep groups may nest.
const MAX_DEPTH: usize = 50;

/// Roughly how many states a compiled expression may have before clients call it too large.
const MAX_STATES: u64 = 327_680;

type Verdict<T = ()> = Result<T, &'static str>;

/// Why clients would refuse an expression.
pub(super) fn check(pattern: &str) -> Verdict {
    let mut parser = Parser { rest: pattern.chars().peekable(), names: HashSet::new(), depth: 0 };
    let states = parser.alternatives()?;
    match parser.rest.next() {
        Some(_) => Err("there is a `)` without a `(`"),
        None if states > MAX_STATES => Err("it is too large; lower the counts in braces"),
        None => Ok(()),
    }
}

struct Parser<'p> {
    rest: Peekable<Chars<'p>>,
    names: HashSet<String>,
    depth: usize,
}

impl Parser<'_> {
    fn eat(&mut self, wanted: char) -> bool {
        self.rest.next_if_eq(&wanted).is_some()
    }

    /// Everything up to a closing parenthesis or the end; yields its size in states.
    fn alternatives(&mut self) -> Verdict<u64> {
        let mut total: u64 = 0;
        let mut last: Option<u64> = None;
        while let Some(c) = self.rest.peek().copied() {
            match c {
                ')' => break,
                '|' => {
                    self.rest.next();
                    total = total.saturating_add(last.take().unwrap_or(0)).saturating_add(1);
                }
                '*' | '+' | '?' => {
                    self.rest.next();
                    self.eat('?');
                    let states = last.as_mut().ok_or("there is nothing before the `*`, `+` or `?` to repeat")?;
                    *states = states.saturating_add(1);
                }
                '{' => {
                    self.rest.next();
                    let most = self.count(last.is_some())?;
                    let states = last.as_mut().ok_or("there is nothing before the `{` to repeat")?;
                    *states = states.saturating_mul(most);
                }
                _ => {
                    total = total.saturating_add(last.take().unwrap_or(0));
                    last = self.single()?;
                }
            }
        }
        Ok(total.saturating_add(last.unwrap_or(0)))
    }

    /// One character, class, assertion or group; flags such as `(?i)` yield nothing that could be repeated.
    fn single(&mut self) -> Verdict<Option<u64>> {
        match self.rest.next() {
            Some('(') => self.group(),
            Some('[') => self.class().map(|()| Some(1)),
            Some('\\') => self.escape(false).map(|_| Some(1)),
            _ => Ok(Some(1)),
        }
    }

    fn group(&mut self) -> Verdict<Option<u64>> {
        if self.eat('?') {
            match self.rest.peek().copied() {
                None => return Err("a group is not closed"),
                Some('=' | '!') => return Err("look-around is not supported"),
                Some('<') => {
                    self.rest.next();
                    if matches!(self.rest.peek(), Some('=' | '!')) {
                        return Err("look-around is not supported");
                    }
                    self.name()?;
                }
                Some('P') => {
                    self.rest.next();
                    if !self.eat('<') {
                        return Err("there is an unknown flag");
                    }
                    self.name()?;
                }
                Some(_) => {
                    if !self.flags()? {
                        return Ok(None);
                    }
                }
            }
        }
        self.depth += 1;
        if self.depth >= MAX_DEPTH {
            return Err("its groups nest too deep");
        }
        let states = self.alternatives()?;
        if !self.eat(')') {
            return Err("a group is not closed");
        }
        self.depth -= 1;
        Ok(Some(states.saturating_add(2)))
    }

    fn name(&mut self) -> Verdict {
        let mut name = String::new();
        loop {
            match self.rest.next() {
                None => return Err("the name of a group is not closed"),
                Some('>') => break,
                Some(c) => name.push(c),
            }
        }
        let start = |c: char| c == '_' || c.is_ascii_alphabetic();
        let inner = |c: char| start(c) || c.is_ascii_digit() || matches!(c, '.' | '[' | ']');
        if !name.starts_with(start) || !name.chars().all(inner) {
            return Err("the name of a group must start with a letter");
        }
        if self.names.insert(name) { Ok(()) } else { Err("two groups have the same name") }
    }

    /// `i`, `-s` and so on; whether a group follows.
    fn flags(&mut self) -> Verdict<bool> {
        let mut seen = Vec::new();
        let mut negated = false;
        let mut dangling = false;
        loop {
            let Some(c) = self.rest.next() else { return Err("the flags of a group are not closed") };
            match c {
                ':' | ')' if dangling => return Err("the flags end in a `-`"),
                ':' => return Ok(true),
                ')' => return Ok(false),
                '-' if negated => return Err("the flags have two `-`"),
                '-' => (negated, dangling) = (true, true),
                'i' | 'm' | 's' | 'U' | 'u' | 'R' | 'x' if seen.contains(&c) => return Err("a flag is given twice"),
                'i' | 'm' | 's' | 'U' | 'u' | 'R' | 'x' => {
                    seen.push(c);
                    dangling = false;
                }
                _ => return Err("there is an unknown flag"),
            }
        }
    }

    /// The inside of `{…}`; yields the larger count.
    fn count(&mut self, repeats_something: bool) -> Verdict<u64> {
        if !repeats_something {
            return Err("there is nothing before the `{` to repeat");
        }
        let least = self.decimal()?;
        let mut most = least;
        if self.eat(',') && self.rest.peek().is_some_and(|c| *c != '}') {
            most = self.decimal()?;
        }
        if !self.eat('}') {
            return Err("the count in braces is not closed");
        }
        self.eat('?');
        if most < least { Err("the counts in braces run backwards") } else { Ok(most.max(1)) }
    }

    fn decimal(&mut self) -> Verdict<u64> {
        while self.rest.next_if(|c| c.is_whitespace()).is_some() {}
        let mut digits = String::new();
        while let Some(digit) = self.rest.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        while self.rest.next_if(|c| c.is_whitespace()).is_some() {}
        digits.parse::<u32>().map(u64::from).map_err(|_| "a count in braces is no number")
    }

    /// What follows a backslash; whether it stands for a single character.
    fn escape(&mut self, in_class: bool) -> Verdict<bool> {
        let Some(c) = self.rest.next() else { return Err("it ends in a backslash") };
        match c {
            '0'..='9' => Err("references to groups are not supported"),
            'p' | 'P' => Err("Unicode classes such as `\\p{L}` are not supported"),
            'x' => self.hexadecimal(2),
            'u' => self.hexadecimal(4),
            'U' => self.hexadecimal(8),
            'd' | 'D' | 's' | 'S' | 'w' | 'W' => Ok(false),
            'a' | 'f' | 't' | 'n' | 'r' | 'v' => Ok(true),
            'A' | 'z' | 'b' | 'B' | '<' | '>' if in_class => Err("an assertion cannot stand in square brackets"),
            'A' | 'z' | 'B' | '<' | '>' => Ok(false),
            'b' => self.boundary(),
            _ if c.is_ascii() && !c.is_ascii_alphanumeric() => Ok(true),
            _ => Err("there is an unknown character after a backslash"),
        }
    }

    /// `\b` may be followed by the kind of boundary in braces.
    fn boundary(&mut self) -> Verdict<bool> {
        let mut ahead = self.rest.clone();
        if ahead.next_if_eq(&'{').is_none() {
            return Ok(false);
        }
        // No kind of boundary has a longer name.
        let word: String = ahead.by_ref().take(12).take_while(|c| *c != '}').collect();
        match word.as_str() {
            "start" | "end" | "start-half" | "end-half" => {
                self.rest = ahead;
                Ok(false)
            }
            _ if word.starts_with(|c: char| c.is_ascii_digit()) => Ok(false),
            _ => Err("there is an unknown kind of word boundary"),
        }
    }

    fn hexadecimal(&mut self, digits: usize) -> Verdict<bool> {
        const FAULT: &str = "there is a wrong hexadecimal number after a backslash";
        let mut text = String::new();
        if self.eat('{') {
            loop {
                match self.rest.next() {
                    Some('}') => break,
                    Some(c) => text.push(c),
                    None => return Err(FAULT),
                }
            }
        } else {
            text.extend(self.rest.by_ref().take(digits));
            if text.chars().count() < digits {
                return Err(FAULT);
            }
        }
        let hexadecimal = !text.is_empty() && text.chars().all(|c| c.is_ascii_hexdigit());
        let code = u32::from_str_radix(&text, 16).ok().filter(|_| hexadecimal);
        code.and_then(char::from_u32).map(|_| true).ok_or(FAULT)
    }

    /// The inside of `[…]`.
    fn class(&mut self) -> Verdict {
        const UNCLOSED: &str = "a square bracket is not closed";
        self.eat('^');
        let mut first = true;
        while first || self.rest.peek() != Some(&']') {
            let Some(c) = self.rest.next() else { return Err(UNCLOSED) };
            let single = match c {
                '[' => {
                    self.named_class()?;
                    false
                }
                '\\' => self.escape(true)?,
                '&' | '~' if self.rest.peek() == Some(&c) => return Err("sets cannot be combined in square brackets"),
                '-' if !first && self.rest.peek() == Some(&'-') => {
                    return Err("sets cannot be combined in square brackets");
                }
                _ => true,
            };
            let low = c;
            first = false;
            self.range(low, c == '\\', single)?;
        }
        self.rest.next();
        Ok(())
    }

    /// The upper end of a range such as `a-z`, if one follows.
    fn range(&mut self, low: char, escaped: bool, single: bool) -> Verdict {
        let mut ahead = self.rest.clone();
        if ahead.next() != Some('-') || matches!(ahead.peek(), None | Some(']' | '-')) {
            return Ok(());
        }
        self.rest = ahead;
        let Some(high) = self.rest.next() else { return Err("a square bracket is not closed") };
        let high_single = match high {
            '[' => {
                self.named_class()?;
                false
            }
            '\\' => self.escape(true)?,
            _ => true,
        };
        if !single || !high_single {
            return Err("a range in square brackets needs single characters");
        }
        if !escaped && high != '\\' && low > high { Err("a range in square brackets runs backwards") } else { Ok(()) }
    }

    /// `[:alpha:]` and its like, the only brackets allowed within brackets.
    fn named_class(&mut self) -> Verdict {
        const NAMES: [&str; 14] = [
            "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper",
            "word", "xdigit",
        ];
        let rest: String = self.rest.clone().take(12).collect();
        let named = rest.strip_prefix(':').map(|rest| rest.strip_prefix('^').unwrap_or(rest));
        let name = named.and_then(|rest| rest.split_once(":]")).map(|(name, _)| name);
        match name.filter(|name| NAMES.contains(name)) {
            Some(_) => {
                while self.rest.next_if(|c| *c != ']').is_some() {}
                self.rest.next();
                Ok(())
            }
            None => Err("square brackets cannot nest"),
        }
    }
}
