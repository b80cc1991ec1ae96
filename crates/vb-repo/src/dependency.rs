//! What a package needs in exactly one version: such packages are made together, and only a repository that has both can
//! give either.
//!
//! Must not be here: solving. A relation that several versions fulfil is for apt and dnf to look at.

use crate::{
    record::{Format, Record},
    yum::{EpochVersionRelease, exact_requirements},
};

/// A package in the one version that is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExactDependency {
    pub(crate) name: String,
    /// As the relation has it: of an RPM's, the release may be missing.
    version: String,
}

impl ExactDependency {
    /// Returns those of a package, in the order in which it names them. Relations with alternatives are none.
    pub(crate) fn of(record: &Record) -> Vec<Self> {
        match record.format {
            Format::Deb => ["Pre-Depends", "Depends"].iter().flat_map(|name| of_field(&record.text, name)).collect(),
            Format::Rpm => {
                exact_requirements(&record.text).into_iter().map(|(name, version)| Self { name, version }).collect()
            }
        }
    }

    /// Is a package that has the name the one that is meant?
    pub(crate) fn is_met_by(&self, record: &Record) -> bool {
        let found = &record.key.version;
        if record.format == Format::Deb {
            return *found == self.version;
        }
        let [wanted, found] = [&self.version, found].map(|version| EpochVersionRelease::parse(version));
        let is_same_release = wanted.release.is_empty() || wanted.release == found.release;
        wanted.epoch == found.epoch && wanted.version == found.version && is_same_release
    }
}

/// Reads `name (= version)` and `name:any (= version)` of a field of a `Packages` paragraph (Debian Policy 7.1).
fn of_field(paragraph: &str, field: &str) -> Vec<ExactDependency> {
    let mut lines = paragraph.lines().skip_while(|line| line.split_once(':').is_none_or(|(name, _)| name != field));
    let first = lines.next().and_then(|line| line.split_once(':')).map_or("", |(_, value)| value);
    let value = std::iter::once(first).chain(lines.take_while(|line| line.starts_with([' ', '\t'])));
    value.collect::<String>().split(',').filter_map(exact).collect()
}

fn exact(relation: &str) -> Option<ExactDependency> {
    let (name, rest) = relation.trim().split_once('(')?;
    let (version, after) = rest.strip_prefix('=')?.split_once(')')?;
    let name = name.trim().split(':').next()?;
    let is_one = !after.contains('|') && !name.contains('|');
    is_one.then(|| ExactDependency { name: name.to_owned(), version: version.trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_relations_to_one_version_of_one_package_are_exact() {
        let text = "Package: a\nPre-Depends: z (= 1:2-3)\nDepends: libc6 (>= 2.36), vrmd-p (= 3.13.5-1),\n \
                    b:any (= 1), c | d (= 1), e (= 2) | f, g (<< 4), h\nSuggests: i (= 1)\n";
        let found = |field| -> Vec<(String, String)> {
            of_field(text, field).into_iter().map(|exact| (exact.name, exact.version)).collect()
        };
        let pair = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        assert_eq!(found("Pre-Depends"), [pair("z", "1:2-3")]);
        assert_eq!(found("Depends"), [pair("vrmd-p", "3.13.5-1"), pair("b", "1")]);
        assert_eq!(found("Breaks"), []);
    }
}
