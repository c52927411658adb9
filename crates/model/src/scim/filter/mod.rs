//! Filters: `userName eq "mia" and emails[type eq "work" and value co "@x"]` (RFC 7644 §3.4.2.2).

mod check;
mod display;
mod equals;
mod literal;
mod matches;
mod mentions;
mod parse;

use super::AttributePath;
pub(super) use literal::{Literal, fold};
pub(super) use matches::{element_matches, is_empty};
pub(super) use parse::ValueFilter;

/// The longest filter, in bytes.
pub(super) const MAX_BYTES: usize = 4096;

/// How deep parentheses and brackets may stand in one another.
pub(super) const MAX_DEPTH: usize = 32;

/// Which resources are asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    root: Node,
}

/// A part of a filter. As deep as [`MAX_DEPTH`] at most, so recursion over it is safe.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// All of two or more, none of which is an `And`.
    And(Vec<Self>),
    /// One of two or more, none of which is an `Or`.
    Or(Vec<Self>),
    Not(Box<Self>),
    Compare {
        path: AttributePath,
        operator: Operator,
        literal: Literal,
    },
    Present(AttributePath),
    /// One element of a list matches as a whole; within, paths are names of sub-attributes.
    Element {
        path: AttributePath,
        filter: Box<Self>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Contains,
    StartsWith,
    EndsWith,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Operator {
    const ALL: [Self; 9] = [
        Self::Equal,
        Self::NotEqual,
        Self::Contains,
        Self::StartsWith,
        Self::EndsWith,
        Self::Greater,
        Self::GreaterOrEqual,
        Self::Less,
        Self::LessOrEqual,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "eq",
            Self::NotEqual => "ne",
            Self::Contains => "co",
            Self::StartsWith => "sw",
            Self::EndsWith => "ew",
            Self::Greater => "gt",
            Self::GreaterOrEqual => "ge",
            Self::Less => "lt",
            Self::LessOrEqual => "le",
        }
    }

    /// Whether it looks into a text.
    fn is_substring(self) -> bool {
        matches!(self, Self::Contains | Self::StartsWith | Self::EndsWith)
    }

    fn is_ordering(self) -> bool {
        matches!(self, Self::Greater | Self::GreaterOrEqual | Self::Less | Self::LessOrEqual)
    }
}
