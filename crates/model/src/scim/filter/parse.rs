use super::check::{check_comparison, check_schema, element_attribute};
use super::{Filter, Literal, MAX_BYTES, MAX_DEPTH, Node, Operator};
use crate::scim::attribute_path::{AttributePath, is_path_byte};
use crate::scim::error::shown;
use crate::scim::schema::Attribute;
use crate::scim::{ScimError, ScimType};

impl Filter {
    /// Reads a filter, the whole grammar of RFC 7644 §3.4.2.2. Beside it, `emails[type eq "work"].value eq "x"`
    /// is taken, which Entra sends.
    ///
    /// # Errors
    ///
    /// `invalidFilter` that says where, for what does not follow the grammar, compares what cannot be
    /// compared, names a schema that is not known, or is longer than 4 KiB or deeper than 32.
    pub fn parse(text: &str) -> Result<Self, ScimError> {
        if text.len() > MAX_BYTES {
            return Err(ScimError::filter(format!("the filter is longer than {MAX_BYTES} bytes")));
        }
        let mut parser = Parser { text, at: 0, within: Within::Resource };
        let root = parser.any_of(0)?;
        parser.skip_space();
        if parser.at < text.len() {
            return Err(parser.wrong("expected `and`, `or` or the end"));
        }
        Ok(Self { root })
    }
}

/// The filter in a value path, without its brackets.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::scim) struct ValueFilter(pub(in crate::scim) Node);

impl ValueFilter {
    /// Reads the filter that begins at a byte of a path, up to the bracket that closes it; also where that
    /// bracket is.
    pub(in crate::scim) fn parse(text: &str, at: usize, attribute: &AttributePath) -> Result<(Self, usize), ScimError> {
        let within = Within::Element(element_attribute(attribute));
        let mut parser = Parser { text, at, within };
        let node = parser.any_of(1)?;
        parser.skip_space();
        match parser.peek() {
            Some(b']') => Ok((Self(node), parser.at)),
            None => Err(ScimError::path("the path ends before the `]` of its filter")),
            Some(_) => Err(parser.wrong("expected `and`, `or` or `]`")),
        }
    }
}

/// Where the names of a filter are looked for.
#[derive(Clone, Copy)]
enum Within {
    Resource,
    /// In the elements of a list, whose attribute may be unknown.
    Element(Option<&'static Attribute>),
}

struct Parser<'a> {
    text: &'a str,
    /// In bytes.
    at: usize,
    within: Within,
}

impl Parser<'_> {
    fn any_of(&mut self, depth: usize) -> Result<Node, ScimError> {
        let first = self.all_of(depth)?;
        let mut nodes = Vec::new();
        flatten_or(first, &mut nodes);
        while self.word("or") {
            let next = self.all_of(depth)?;
            flatten_or(next, &mut nodes);
        }
        Ok(one_or(nodes, Node::Or))
    }

    fn all_of(&mut self, depth: usize) -> Result<Node, ScimError> {
        let first = self.one(depth)?;
        let mut nodes = Vec::new();
        flatten_and(first, &mut nodes);
        while self.word("and") {
            let next = self.one(depth)?;
            flatten_and(next, &mut nodes);
        }
        Ok(one_or(nodes, Node::And))
    }

    fn one(&mut self, depth: usize) -> Result<Node, ScimError> {
        if depth > MAX_DEPTH {
            return Err(self.wrong(&format!("filters are at most {MAX_DEPTH} deep")));
        }
        self.skip_space();
        let start = self.at;
        if self.word("not") {
            if self.peek() == Some(b'(') {
                return Ok(Node::Not(Box::new(self.parenthesized(depth)?)));
            }
            self.at = start;
        }
        if self.peek() == Some(b'(') { self.parenthesized(depth) } else { self.comparison(depth) }
    }

    fn parenthesized(&mut self, depth: usize) -> Result<Node, ScimError> {
        self.at += 1;
        let node = self.any_of(depth + 1)?;
        self.expect(b')', "expected `and`, `or` or `)`")?;
        Ok(node)
    }

    fn comparison(&mut self, depth: usize) -> Result<Node, ScimError> {
        let start = self.at;
        let path = self.path()?;
        if self.peek() == Some(b'[') {
            return self.element(path, depth);
        }
        if let Within::Element(_) = self.within
            && (path.schema().is_some() || path.sub().is_some())
        {
            return Err(self.wrong_at(start, "expected the name of a sub-attribute"));
        }
        let Some((operator, literal)) = self.operation()? else { return Ok(Node::Present(path)) };
        self.check(start, &path, operator, &literal)?;
        Ok(Node::Compare { path, operator, literal })
    }

    /// `emails[type eq "work"]`, and Entra's `emails[type eq "work"].value eq "x"`.
    fn element(&mut self, path: AttributePath, depth: usize) -> Result<Node, ScimError> {
        if let Within::Element(_) = self.within {
            return Err(self.wrong("expected an operator: brackets do not stand in brackets"));
        }
        if path.sub().is_some() || path.name().is_empty() {
            return Err(self.wrong("expected an operator: brackets follow a list"));
        }
        self.at += 1;
        self.within = Within::Element(element_attribute(&path));
        let mut filter = self.any_of(depth + 1)?;
        self.expect(b']', "expected `and`, `or` or `]`")?;
        if self.peek() == Some(b'.') {
            self.at += 1;
            let mut nodes = Vec::new();
            flatten_and(filter, &mut nodes);
            nodes.push(self.comparison(depth + 1)?);
            filter = Node::And(nodes);
        }
        self.within = Within::Resource;
        Ok(Node::Element { path, filter: Box::new(filter) })
    }

    fn check(
        &self,
        start: usize,
        path: &AttributePath,
        operator: Operator,
        literal: &Literal,
    ) -> Result<(), ScimError> {
        let checked = match self.within {
            Within::Resource => check_comparison(path, operator, literal),
            Within::Element(Some(attribute)) => {
                attribute.sub(path.name()).map_or(Ok(()), |sub| super::check::check(sub, operator, literal))
            }
            Within::Element(None) => Ok(()),
        };
        checked.map_err(|what| self.wrong_at(start, what))
    }

    fn path(&mut self) -> Result<AttributePath, ScimError> {
        let start = self.at;
        let length = self.text.as_bytes()[start..].iter().take_while(|byte| is_path_byte(**byte)).count();
        if length == 0 {
            return Err(self.wrong("expected the name of an attribute"));
        }
        self.at += length;
        let path = AttributePath::parse(&self.text[start..self.at]).map_err(|what| self.wrong_at(start, what))?;
        check_schema(&path).map_err(|what| self.wrong_at(start, what))?;
        Ok(path)
    }

    /// What follows the name; none is `pr`.
    fn operation(&mut self) -> Result<Option<(Operator, Literal)>, ScimError> {
        if self.word("pr") {
            return Ok(None);
        }
        let Some(operator) = Operator::ALL.into_iter().find(|operator| self.word(operator.as_str())) else {
            return Err(self.wrong("expected one of eq, ne, co, sw, ew, gt, ge, lt, le, pr"));
        };
        self.skip_space();
        let start = self.at;
        let literal = self.literal()?;
        let problem = match literal {
            Literal::Text(_) => None,
            _ if operator.is_substring() => Some("co, sw and ew look for a text in double quotes"),
            Literal::Boolean(_) | Literal::Null if operator.is_ordering() => Some("true, false and null have no order"),
            _ => None,
        };
        problem.map_or(Ok(Some((operator, literal))), |what| Err(self.wrong_at(start, what)))
    }

    fn literal(&mut self) -> Result<Literal, ScimError> {
        let start = self.at;
        let rest = &self.text[start..];
        let length = match rest.as_bytes().first() {
            Some(b'"') => quoted(rest).ok_or_else(|| self.wrong("the text that begins here does not end"))?,
            _ => rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.')).count(),
        };
        self.at += length;
        let word = &rest[..length];
        if length == 4 && word.eq_ignore_ascii_case("true") {
            return Ok(Literal::Boolean(true));
        }
        if length == 5 && word.eq_ignore_ascii_case("false") {
            return Ok(Literal::Boolean(false));
        }
        let value = serde_json::from_str(word).ok().and_then(Literal::from_json);
        value.ok_or_else(|| {
            self.wrong_at(start, "expected a text in double quotes as in JSON, a number, true, false or null")
        })
    }

    /// Whether this word comes next, whatever its letter case; it is then behind.
    fn word(&mut self, word: &str) -> bool {
        self.skip_space();
        let rest = &self.text.as_bytes()[self.at..];
        let is_next = rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
            && rest.get(word.len()).is_none_or(|next| !is_path_byte(*next));
        if is_next {
            self.at += word.len();
            self.skip_space();
        }
        is_next
    }

    fn expect(&mut self, byte: u8, what: &str) -> Result<(), ScimError> {
        self.skip_space();
        if self.peek() != Some(byte) {
            return Err(self.wrong(what));
        }
        self.at += 1;
        Ok(())
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn wrong(&self, what: &str) -> ScimError {
        self.wrong_at(self.at, what)
    }

    fn wrong_at(&self, at: usize, what: &str) -> ScimError {
        let before = self.text.get(..at).map_or(at, |before| before.chars().count());
        let found = match self.text.get(at..).filter(|rest| !rest.is_empty()) {
            Some(rest) => format!("`{}`", shown(rest)),
            None => "the end".to_owned(),
        };
        ScimError::new(ScimType::InvalidFilter, format!("character {}, at {found}: {what}", before + 1))
    }
}

/// How long the JSON text at the beginning is, with its quotes.
fn quoted(text: &str) -> Option<usize> {
    let mut bytes = text.bytes().enumerate().skip(1);
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return Some(at + 1),
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
    None
}

fn flatten_and(node: Node, into: &mut Vec<Node>) {
    match node {
        Node::And(nodes) => into.extend(nodes),
        node => into.push(node),
    }
}

fn flatten_or(node: Node, into: &mut Vec<Node>) {
    match node {
        Node::Or(nodes) => into.extend(nodes),
        node => into.push(node),
    }
}

fn one_or(mut nodes: Vec<Node>, many: fn(Vec<Node>) -> Node) -> Node {
    match nodes.len() {
        1 => nodes.remove(0),
        _ => many(nodes),
    }
}
