//! Relations between RPM packages as they are written, simple and rich.
//!
//! Simple: `name`, `name >= 1:2-3`, `/a/path`. Rich (rpm's "Boolean Dependencies"): in parentheses, with `and`, `or`,
//! `if`, `else`, `unless`, `with`, `without`. A chain of one operator is one relation; operators are not mixed without
//! parentheses.

use std::fmt;

use super::version::{Range, Version};

/// What a package needs or refuses, as one tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// One name, perhaps with a range of versions.
    Simple(Capability),
    /// All of them.
    And(Vec<Relation>),
    /// Any of them.
    Or(Vec<Relation>),
    /// One package that meets all of them.
    With(Vec<Relation>),
    /// One package that meets the first and not the second.
    Without(Box<[Relation; 2]>),
    /// The first if the second is there; else the third, if there is one.
    If(Box<[Relation; 2]>, Option<Box<Relation>>),
    /// The first unless the second is there; else the third, if there is one.
    Unless(Box<[Relation; 2]>, Option<Box<Relation>>),
}

/// A name, and the versions of it that are meant or given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Capability {
    pub(crate) name: String,
    pub(crate) range: Range,
}

impl Capability {
    /// Does rpm itself provide it? Then no package has to.
    pub(crate) fn is_of_rpm(&self) -> bool {
        self.name.starts_with("rpmlib(")
    }

    /// Returns the relation that an index's entry means: a rich one stands in its name.
    pub(crate) fn to_relation(&self) -> Result<Relation, ParseRelationError> {
        if self.name.starts_with('(') { Relation::parse(&self.name) } else { Ok(Relation::Simple(self.clone())) }
    }
}

/// A relation that is not written as rpm reads it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a relation that rpm knows")]
pub struct ParseRelationError {
    /// The relation.
    pub text: String,
}

impl Relation {
    /// Reads a relation.
    pub(crate) fn parse(text: &str) -> Result<Self, ParseRelationError> {
        let malformed = || ParseRelationError { text: text.to_owned() };
        let mut words = Words { rest: text.trim_ascii() };
        let relation = if words.rest.starts_with('(') { words.rich() } else { words.simple() };
        relation.filter(|_| words.rest.trim_ascii().is_empty()).ok_or_else(malformed)
    }

    /// Calls back for each name in the relation.
    pub(crate) fn visit(&self, visit: &mut dyn FnMut(&Capability)) {
        match self {
            Self::Simple(capability) => visit(capability),
            Self::And(all) | Self::Or(all) | Self::With(all) => all.iter().for_each(|one| one.visit(visit)),
            Self::Without(pair) => pair.iter().for_each(|one| one.visit(visit)),
            Self::If(pair, other) | Self::Unless(pair, other) => {
                pair.iter().for_each(|one| one.visit(visit));
                if let Some(other) = other {
                    other.visit(visit);
                }
            }
        }
    }
}

/// What is not read yet.
struct Words<'a> {
    rest: &'a str,
}

impl<'a> Words<'a> {
    /// Takes the next word; parentheses that open inside of it belong to it, as in `libx.so.1()(64bit)`.
    fn word(&mut self) -> Option<&'a str> {
        self.rest = self.rest.trim_ascii_start();
        let mut depth = 0_usize;
        let mut end = self.rest.len();
        for (at, byte) in self.rest.bytes().enumerate() {
            match byte {
                b'(' => depth += 1,
                b')' if depth == 0 => {
                    end = at;
                    break;
                }
                b')' => depth -= 1,
                _ if byte.is_ascii_whitespace() => {
                    end = at;
                    break;
                }
                _ => {}
            }
        }
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(word).filter(|word| !word.is_empty() && depth == 0)
    }

    /// Takes the next word if it is one of these.
    fn one_of(&mut self, wanted: &[&'static str]) -> Option<&'static str> {
        let before = self.rest;
        let word = self.word();
        let found = wanted.iter().copied().find(|wanted| word == Some(wanted));
        if found.is_none() {
            self.rest = before;
        }
        found
    }

    fn simple(&mut self) -> Option<Relation> {
        let name = self.word()?.to_owned();
        let Some(operator) = self.one_of(&["<", "<=", "=<", "=", "==", ">=", "=>", ">"]) else {
            return Some(Relation::Simple(Capability { name, range: Range::All }));
        };
        let range = Range::new(operator, Version::parse(self.word()?))?;
        Some(Relation::Simple(Capability { name, range }))
    }

    fn operand(&mut self) -> Option<Relation> {
        if self.rest.trim_ascii_start().starts_with('(') { self.rich() } else { self.simple() }
    }

    /// Reads what is in one pair of parentheses.
    fn rich(&mut self) -> Option<Relation> {
        self.rest = self.rest.trim_ascii_start().strip_prefix('(')?;
        let first = self.operand()?;
        let operator = self.one_of(&["and", "or", "with", "without", "if", "unless"]);
        let relation = match operator {
            None => first,
            Some("and") => Relation::And(self.chain(first, "and")?),
            Some("or") => Relation::Or(self.chain(first, "or")?),
            Some("with") => Relation::With(self.chain(first, "with")?),
            Some("without") => Relation::Without(Box::new([first, self.operand()?])),
            Some(operator) => {
                let pair = Box::new([first, self.operand()?]);
                let other = match self.one_of(&["else"]) {
                    Some(_) => Some(Box::new(self.operand()?)),
                    None => None,
                };
                if operator == "if" { Relation::If(pair, other) } else { Relation::Unless(pair, other) }
            }
        };
        self.rest = self.rest.trim_ascii_start().strip_prefix(')')?;
        Some(relation)
    }

    fn chain(&mut self, first: Relation, operator: &'static str) -> Option<Vec<Relation>> {
        let mut all = vec![first, self.operand()?];
        while self.one_of(&[operator]).is_some() {
            all.push(self.operand()?);
        }
        Some(all)
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.name, self.range)
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chain = |all: &[Self], operator: &str| {
            all.iter().map(ToString::to_string).collect::<Vec<_>>().join(&format!(" {operator} "))
        };
        match self {
            Self::Simple(capability) => capability.fmt(f),
            Self::And(all) => write!(f, "({})", chain(all, "and")),
            Self::Or(all) => write!(f, "({})", chain(all, "or")),
            Self::With(all) => write!(f, "({})", chain(all, "with")),
            Self::Without(pair) => write!(f, "({})", chain(&pair[..], "without")),
            Self::If(pair, None) => write!(f, "({})", chain(&pair[..], "if")),
            Self::If(pair, Some(other)) => write!(f, "({} else {other})", chain(&pair[..], "if")),
            Self::Unless(pair, None) => write!(f, "({})", chain(&pair[..], "unless")),
            Self::Unless(pair, Some(other)) => write!(f, "({} else {other})", chain(&pair[..], "unless")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relations_read_as_they_are_written() {
        for text in [
            "bash",
            "libc.so.6(GLIBC_2.14)(64bit)",
            "python(abi) = 3.9",
            "/usr/bin/python3",
            "glibc >= 2.34-1.el9",
            "(a or b)",
            "(a and b and c)",
            "(a >= 1 with a < 2)",
            "(a without b)",
            "(a if b)",
            "(a if b else c)",
            "(a unless b)",
            "(a unless b else (c or d))",
            "((a or b) and (c if (d and e)))",
            "(libx.so.1()(64bit) or libx.so.2()(64bit))",
        ] {
            assert_eq!(Relation::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Relation::parse("(a)").unwrap(), Relation::parse("a").unwrap());
        assert_eq!(Relation::parse("( a  or (b) )").unwrap(), Relation::parse("(a or b)").unwrap());
    }

    #[test]
    fn what_rpm_does_not_read_is_an_error() {
        for text in ["", "(a or)", "(a or b", "a >=", "a b", "(a and b or c)", "(a xor b)", "(a if b else)", "a)", "()"]
        {
            assert_eq!(Relation::parse(text), Err(ParseRelationError { text: text.to_owned() }), "{text}");
        }
    }
}
