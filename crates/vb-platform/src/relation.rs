//! Relations between packages: `Depends`, `Provides`, `Conflicts` and their kin (Debian Policy, section 7.1).

use std::{cmp::Ordering, fmt};

use debversion::Version;

/// A relation field, or a request in the same form, cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a package relation")]
pub struct ParseRelationError {
    /// The relation as it was written.
    pub text: String,
}

/// How a version must compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Operator {
    Earlier,
    EarlierOrEqual,
    Equal,
    LaterOrEqual,
    Later,
}

impl Operator {
    /// The longest forms come first; `<` and `>` are the obsolete forms of `<=` and `>=`.
    const FORMS: [(&'static str, Self); 7] = [
        ("<<", Self::Earlier),
        ("<=", Self::EarlierOrEqual),
        (">=", Self::LaterOrEqual),
        (">>", Self::Later),
        ("=", Self::Equal),
        ("<", Self::EarlierOrEqual),
        (">", Self::LaterOrEqual),
    ];

    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Earlier => ordering.is_lt(),
            Self::EarlierOrEqual => ordering.is_le(),
            Self::Equal => ordering.is_eq(),
            Self::LaterOrEqual => ordering.is_ge(),
            Self::Later => ordering.is_gt(),
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Earlier => "<<",
            Self::EarlierOrEqual => "<=",
            Self::Equal => "=",
            Self::LaterOrEqual => ">=",
            Self::Later => ">>",
        })
    }
}

/// A bound on a version. Equal when operator and version are; versions compare as dpkg does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Constraint {
    pub(crate) operator: Operator,
    pub(crate) version: Version,
}

impl Constraint {
    pub(crate) fn allows(&self, version: &Version) -> bool {
        self.operator.holds(version.cmp(&self.version))
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.operator, self.version)
    }
}

/// One package name with what is asked of it: `python3:any (>= 3.11)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Relation {
    pub(crate) name: String,
    /// What follows the colon: `any`, or an architecture.
    pub(crate) qualifier: Option<String>,
    pub(crate) constraint: Option<Constraint>,
}

impl Relation {
    pub(crate) fn parse(text: &str) -> Result<Self, ParseRelationError> {
        let error = || ParseRelationError { text: text.trim_ascii().to_owned() };
        let (name, constraint) = match text.split_once('(') {
            None => (text, None),
            Some((name, rest)) => {
                let bound = rest.trim_ascii().strip_suffix(')').ok_or_else(error)?;
                (name, Some(parse_constraint(bound).ok_or_else(error)?))
            }
        };
        let (name, qualifier) = match name.trim_ascii().split_once(':') {
            Some((name, qualifier)) => (name, Some(qualifier)),
            None => (name.trim_ascii(), None),
        };
        if !is_name(name) || qualifier.is_some_and(|qualifier| !is_name(qualifier)) {
            return Err(error());
        }
        Ok(Self { name: name.to_owned(), qualifier: qualifier.map(str::to_owned), constraint })
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(qualifier) = &self.qualifier {
            write!(f, ":{qualifier}")?;
        }
        match &self.constraint {
            Some(constraint) => write!(f, " ({constraint})"),
            None => Ok(()),
        }
    }
}

fn parse_constraint(text: &str) -> Option<Constraint> {
    let text = text.trim_ascii();
    let (form, operator) = Operator::FORMS.into_iter().find(|(form, _)| text.starts_with(form))?;
    Some(Constraint { operator, version: parse_version(&text[form.len()..])? })
}

/// Reads a version; tolerates what old archives hold beyond Policy's alphabet.
pub(crate) fn parse_version(text: &str) -> Option<Version> {
    let text = text.trim_ascii();
    text.parse().or_else(|_| Version::parse_lenient(text)).ok()
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-._".contains(&byte))
}

/// Reads a field: groups that must all hold, each a list of alternatives in the order of preference.
pub(crate) fn parse_field(text: &str) -> Result<Vec<Vec<Relation>>, ParseRelationError> {
    text.split(',').filter(|group| !group.trim_ascii().is_empty()).map(parse_alternatives).collect()
}

/// Reads one group: `default-mta | mail-transport-agent`.
pub(crate) fn parse_alternatives(text: &str) -> Result<Vec<Relation>, ParseRelationError> {
    text.split('|').map(Relation::parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_reads_back_as_it_was_written() {
        let text = "a, b (>= 1:2.0-1~x) | c:any (<< 3), lib+x.y-z (= 1)";
        let groups = parse_field(text).unwrap();
        let written: Vec<String> =
            groups.iter().map(|group| group.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ")).collect();
        assert_eq!(written.join(", "), text);
        assert!(parse_field(" ").unwrap().is_empty());
    }

    #[test]
    fn versions_compare_as_dpkg_does() {
        for (constraint, version, expect) in [
            (">= 1.0", "1.0", true),
            (">> 1.0", "1.0", false),
            ("<< 1.0", "1.0~rc1", true),
            ("<= 1.0", "1:0.1", false),
            ("= 1.0", "1.0-0", true),
            ("< 1.0", "1.0", true),
            (">= 9", "10", true),
        ] {
            let constraint = parse_constraint(constraint).unwrap();
            assert_eq!(constraint.allows(&parse_version(version).unwrap()), expect, "{constraint} {version}");
        }
    }

    #[test]
    fn text_that_is_no_relation_is_refused_and_named() {
        for text in ["a (>= 1", "a (1)", "a b", "(>= 1)", "a:", "-a", "a (>=)"] {
            assert_eq!(Relation::parse(text).unwrap_err().text, text);
        }
    }
}
