//! What a lock has in place of what it had: one line for each distribution and package that is not the same.

use std::collections::{BTreeMap, BTreeSet};

use vb_graph::Sha256;
use vb_recipe::{CommitLock, DistributionLock, PlatformLock};

/// The versions of one package, each with the file that it is; two roots may have two.
type Versions<'a> = BTreeSet<(&'a str, &'a Sha256)>;

/// Compares what is locked for a platform, Python's distributions first and what builds them among these: `~` moved, `+`
/// came, `-` went; sorted by name. Nothing when nothing differs.
pub(super) fn difference(old: &PlatformLock, new: &PlatformLock) -> Vec<String> {
    let mut lines = lines(&by_name(distributions(old)), &by_name(distributions(new)));
    lines.extend(self::lines(&by_name(packages(old)), &by_name(packages(new))));
    lines
}

/// Compares the commits of a recipe's sources that are in git. Those that came have nothing to be compared with.
pub(super) fn moved_commits(
    recipe: &str,
    old: &BTreeMap<String, CommitLock>,
    new: &BTreeMap<String, CommitLock>,
) -> Vec<String> {
    let moved = new.iter().filter_map(|(field, new)| {
        let old = old.get(field).filter(|old| old.commit != new.commit)?;
        Some(format!("  ~ {field} {} → {}", old.commit, new.commit))
    });
    let moved: Vec<String> = moved.collect();
    if moved.is_empty() { moved } else { [vec![format!("{recipe}:")], moved].concat() }
}

fn distributions(lock: &PlatformLock) -> impl Iterator<Item = (&str, &str, &Sha256)> {
    let built = lock.distributions.iter().chain(&lock.application).flat_map(DistributionLock::files);
    built.chain(&lock.tools).map(|locked| (locked.name.as_str(), locked.version.as_str(), &locked.file.sha256))
}

fn packages(lock: &PlatformLock) -> impl Iterator<Item = (&str, &str, &Sha256)> {
    let packages = lock.packages.iter().map(|locked| &locked.package);
    packages.map(|package| (package.name.as_str(), package.version.as_str(), &package.sha256))
}

fn lines(old: &BTreeMap<&str, Versions<'_>>, new: &BTreeMap<&str, Versions<'_>>) -> Vec<String> {
    let names: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
    names.into_iter().filter_map(|name| line(name, old.get(name), new.get(name))).collect()
}

fn by_name<'a>(files: impl Iterator<Item = (&'a str, &'a str, &'a Sha256)>) -> BTreeMap<&'a str, Versions<'a>> {
    let mut found: BTreeMap<&str, Versions<'_>> = BTreeMap::new();
    for (name, version, sha256) in files {
        found.entry(name).or_default().insert((version, sha256));
    }
    found
}

fn line(name: &str, old: Option<&Versions<'_>>, new: Option<&Versions<'_>>) -> Option<String> {
    match (old, new) {
        (Some(old), Some(new)) if old == new => None,
        (Some(old), Some(new)) if versions(old) == versions(new) => {
            Some(format!("  ~ {name} {}, another file", versions(new)))
        }
        (Some(old), Some(new)) => Some(format!("  ~ {name} {} → {}", versions(old), versions(new))),
        (None, Some(new)) => Some(format!("  + {name} {}", versions(new))),
        (Some(old), None) => Some(format!("  - {name} {}", versions(old))),
        (None, None) => None,
    }
}

fn versions(versions: &Versions<'_>) -> String {
    versions.iter().map(|(version, _)| *version).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use vb_graph::{LockedDistribution, LockedFile, LockedPackage};
    use vb_recipe::{LockRequest, PackageLock, RootKind};

    use super::*;

    fn locked(packages: &[(&str, &str, u8)]) -> PlatformLock {
        let lock = |(name, version, file): &(&str, &str, u8)| PackageLock {
            package: LockedPackage {
                name: (*name).to_owned(),
                version: (*version).to_owned(),
                architecture: "amd64".to_owned(),
                path: format!("pool/{name}_{version}_amd64.deb"),
                size: 1,
                sha256: Sha256::from_bytes([*file; 32]),
            },
            roots: BTreeSet::from([RootKind::Run]),
        };
        PlatformLock {
            request: LockRequest::default(),
            archive: BTreeMap::new(),
            packages: packages.iter().map(lock).collect(),
            distributions: vec![],
            application: vec![],
            tools: vec![],
            npm: vec![],
        }
    }

    fn check(old: &[(&str, &str, u8)], new: &[(&str, &str, u8)], expect: &[&str]) {
        assert_eq!(difference(&locked(old), &locked(new)), expect);
    }

    #[test]
    fn each_package_that_moved_came_or_went_has_a_line() {
        check(
            &[("bash", "5.2-1", 1), ("dash", "0.5-1", 2), ("gone", "1", 3)],
            &[("bash", "5.2-2", 4), ("dash", "0.5-1", 2), ("new", "2", 5)],
            &["  ~ bash 5.2-1 → 5.2-2", "  - gone 1", "  + new 2"],
        );
    }

    #[test]
    fn of_equal_locks_there_is_nothing_to_say() {
        check(&[("bash", "5.2-1", 1)], &[("bash", "5.2-1", 1)], &[]);
    }

    #[test]
    fn a_version_with_other_bytes_and_several_versions_are_told() {
        check(&[("bash", "5.2-1", 1)], &[("bash", "5.2-1", 2)], &["  ~ bash 5.2-1, another file"]);
        check(&[("a", "1", 1), ("a", "2", 2)], &[("a", "2", 2)], &["  ~ a 1 and 2 → 2"]);
    }

    #[test]
    fn distributions_are_told_with_what_builds_them() {
        let file = |name: &str, version: &str| LockedDistribution {
            name: name.to_owned(),
            version: version.to_owned(),
            file: LockedFile { file: format!("{name}-{version}.whl"), size: None, sha256: Sha256::from_bytes([1; 32]) },
        };
        let lock = |setuptools: &str| {
            let build = vec![DistributionLock::new(file("setuptools", setuptools))];
            let distributions = vec![DistributionLock { build, ..DistributionLock::new(file("psycopg2", "2.9")) }];
            PlatformLock { distributions, ..locked(&[]) }
        };
        assert_eq!(difference(&lock("80"), &lock("81")), ["  ~ setuptools 80 → 81"]);
    }
}
