//! What a refreshed lock has in place of what it had: one line for each distribution package that is not the same.

use std::collections::{BTreeMap, BTreeSet};

use vb_graph::Sha256;
use vb_recipe::PackageLock;

/// The versions of one package, each with the file that it is; two roots may have two.
type Versions<'a> = BTreeSet<(&'a str, &'a Sha256)>;

/// Compares two lists of locked packages: `~` moved, `+` came, `-` went; sorted by name.
pub(super) fn difference(old: &[PackageLock], new: &[PackageLock]) -> Vec<String> {
    let (old, new) = (by_name(old), by_name(new));
    let names: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
    let lines: Vec<String> = names.into_iter().filter_map(|name| line(name, old.get(name), new.get(name))).collect();
    if lines.is_empty() { vec!["  nothing has moved".to_owned()] } else { lines }
}

fn by_name(packages: &[PackageLock]) -> BTreeMap<&str, Versions<'_>> {
    let mut found: BTreeMap<&str, Versions<'_>> = BTreeMap::new();
    for PackageLock { package, .. } in packages {
        found.entry(&package.name).or_default().insert((&package.version, &package.sha256));
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
    use vb_graph::LockedPackage;
    use vb_recipe::RootKind;

    use super::*;

    fn locked(packages: &[(&str, &str, u8)]) -> Vec<PackageLock> {
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
        packages.iter().map(lock).collect()
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
    fn equal_lists_say_so() {
        check(&[("bash", "5.2-1", 1)], &[("bash", "5.2-1", 1)], &["  nothing has moved"]);
    }

    #[test]
    fn a_version_with_other_bytes_and_several_versions_are_told() {
        check(&[("bash", "5.2-1", 1)], &[("bash", "5.2-1", 2)], &["  ~ bash 5.2-1, another file"]);
        check(&[("a", "1", 1), ("a", "2", 2)], &[("a", "2", 2)], &["  ~ a 1 and 2 → 2"]);
    }
}
