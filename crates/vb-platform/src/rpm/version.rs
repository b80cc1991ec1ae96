//! Versions of RPM packages: epoch, version and release, in rpm's order.
//!
//! The order of one part is rpm's own (`rpmvercmp`): `~` sorts before the end, `^` after it. What a relation with less
//! than all parts means is libsolv's rule, because dnf is what a server resolves with: a missing release stands for any
//! release where the relation allows equality.

use std::{cmp::Ordering, fmt};

use rpm_version::Evr;

/// Epoch, version and, except in a relation that names none, a release.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    epoch: u32,
    version: String,
    release: Option<String>,
}

impl Version {
    /// Makes a version of the attributes that an index gives; an epoch that is no number is none.
    pub(crate) fn new(epoch: &str, version: &str, release: Option<&str>) -> Self {
        let release = release.filter(|release| !release.is_empty()).map(str::to_owned);
        Self { epoch: epoch.parse().unwrap_or(0), version: version.to_owned(), release }
    }

    /// Reads `epoch:version-release`, where epoch and release may be absent.
    pub(crate) fn parse(text: &str) -> Self {
        let (epoch, rest) = text.split_once(':').unwrap_or(("0", text));
        match rest.rsplit_once('-') {
            Some((version, release)) => Self::new(epoch, version, Some(release)),
            None => Self::new(epoch, rest, None),
        }
    }

    /// Compares all parts; a missing release sorts first.
    fn compare(&self, other: &Self) -> Ordering {
        let release = |version: &Self| version.release.clone().unwrap_or_default();
        self.compare_version(other).then_with(|| compare_part(&release(self), &release(other)))
    }

    fn compare_version(&self, other: &Self) -> Ordering {
        self.epoch.cmp(&other.epoch).then_with(|| compare_part(&self.version, &other.version))
    }
}

fn compare_part(one: &str, other: &str) -> Ordering {
    Evr::new("", one, "").cmp(&Evr::new("", other, ""))
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.compare(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.compare(other)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.epoch != 0 {
            write!(f, "{}:", self.epoch)?;
        }
        f.write_str(&self.version)?;
        match &self.release {
            Some(release) => write!(f, "-{release}"),
            None => Ok(()),
        }
    }
}

/// Which versions a relation means: some of those before, at and after a version; or all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Range {
    /// Any version.
    All,
    /// Those on one or two sides of a version.
    Bound {
        /// Are smaller versions meant?
        is_less: bool,
        /// Is the version itself?
        is_equal: bool,
        /// Are greater versions meant?
        is_greater: bool,
        /// The version.
        version: Version,
    },
}

impl Range {
    /// Returns the range of an operator (`<`, `<=`, `=`, `>=`, `>`, or an index's `LT`, `LE`, `EQ`, `GE`, `GT`).
    pub(crate) fn new(operator: &str, version: Version) -> Option<Self> {
        let (is_less, is_equal, is_greater) = match operator {
            "<" | "LT" => (true, false, false),
            "<=" | "=<" | "LE" => (true, true, false),
            "=" | "==" | "EQ" => (false, true, false),
            ">=" | "=>" | "GE" => (false, true, true),
            ">" | "GT" => (false, false, true),
            _ => return None,
        };
        Some(Self::Bound { is_less, is_equal, is_greater, version })
    }

    /// Is a version within the range?
    pub(crate) fn contains(&self, version: &Version) -> bool {
        self.meets(&Self::Bound { is_less: false, is_equal: true, is_greater: false, version: version.clone() })
    }

    /// Does something provided at some versions meet a relation with this range? An unversioned one meets all.
    pub(crate) fn meets(&self, provided: &Self) -> bool {
        let Self::Bound { is_less, is_equal, is_greater, version } = self else { return true };
        let Self::Bound { is_less: has_less, is_equal: has_equal, is_greater: has_greater, version: has } = provided
        else {
            return true;
        };
        if (*is_less && *has_less) || (*is_greater && *has_greater) {
            return true;
        }
        match has.compare_version(version) {
            Ordering::Less => *is_less || *has_greater,
            Ordering::Greater => *is_greater || *has_less,
            Ordering::Equal => match (&has.release, &version.release) {
                (None, Some(_)) => *has_equal,
                (Some(_), None) => *is_equal,
                (None, None) => *is_equal && *has_equal,
                (Some(has), Some(wanted)) => match compare_part(has, wanted) {
                    Ordering::Less => *is_less || *has_greater,
                    Ordering::Greater => *is_greater || *has_less,
                    Ordering::Equal => *is_equal && *has_equal,
                },
            },
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Bound { is_less, is_equal, is_greater, version } = self else { return Ok(()) };
        f.write_str(" ")?;
        let signs = [(*is_less, "<"), (*is_greater, ">"), (*is_equal, "=")];
        signs.iter().filter(|(is_meant, _)| *is_meant).try_for_each(|(_, sign)| f.write_str(sign))?;
        write!(f, " {version}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_the_order_of_rpm() {
        let ascending = [
            "1.a-1",
            "1.0~rc1-1",
            "1.0~rc2-1",
            "1.0-1",
            "1.0-1.el9",
            "1.0-1.el9_2",
            "1.0-2",
            "1.0^20200101-1",
            "1.0.1-1",
            "1.1-1",
            "1.10-1",
            "2-1",
            "1:0.1-1",
        ];
        for (index, text) in ascending.iter().enumerate() {
            for (other_index, other) in ascending.iter().enumerate() {
                let order = Version::parse(text).cmp(&Version::parse(other));
                assert_eq!(order, index.cmp(&other_index), "{text} {other}");
            }
        }
        assert_eq!(Version::parse("01.0-1"), Version::parse("1.00-1"));
    }

    #[test]
    fn a_relation_without_a_release_means_any_release_where_it_allows_equality() {
        let check = |operator: &str, wanted: &str, provided: &str, expect: bool| {
            let range = Range::new(operator, Version::parse(wanted)).unwrap();
            let has = Range::new("=", Version::parse(provided)).unwrap();
            assert_eq!(range.meets(&has), expect, "{operator} {wanted} of {provided}");
        };
        check("=", "1.0", "1.0-5", true);
        check(">", "1.0", "1.0-5", false);
        check(">=", "1.0", "1.0-5", true);
        check("<", "1.0", "1.0-5", false);
        check("<=", "1.0", "1.0-5", true);
        check("=", "1.0-4", "1.0-5", false);
        check(">", "1.0-4", "1.0-5", true);
        check("<", "1:0.5", "1.0-5", true);
        check(">=", "1:0.5", "1.0-5", false);
        check(">=", "1.0", "1.0~rc1-1", false);
        check(">", "1.0", "1.0^git1-1", true);
    }

    #[test]
    fn what_is_provided_without_a_version_meets_every_relation() {
        let range = Range::new(">=", Version::parse("7")).unwrap();
        assert!(range.meets(&Range::All));
        assert!(Range::All.meets(&range));
        let up = Range::new(">=", Version::parse("1")).unwrap();
        assert!(range.meets(&up));
        assert!(!Range::new("<", Version::parse("1")).unwrap().meets(&up));
    }
}
