//! How two packages differ.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use vb_graph::Format;

use crate::facts::{FileFacts, PackageFacts};

/// What became of one thing between two packages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "lowercase")]
pub enum Change<T> {
    /// Only the second package has it.
    Added {
        /// What it has.
        new: T,
    },
    /// Only the first package has it.
    Removed {
        /// What it had.
        old: T,
    },
    /// Both have it, and it differs.
    Changed {
        /// What the first has.
        old: T,
        /// What the second has.
        new: T,
    },
}

/// Which of two packages is meant, and how large it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// What kind of file it is.
    pub format: Format,
    /// Its name.
    pub name: String,
    /// Its whole version.
    pub version: String,
    /// Its architecture.
    pub architecture: String,
    /// The size of the package in bytes.
    pub packed_size: u64,
    /// The size of all files in it, in bytes.
    pub installed_size: u64,
}

/// How one package differs from another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PackageDiff {
    /// The first package.
    pub old: Identity,
    /// The second package.
    pub new: Identity,
    /// What differs of the fields, by their name.
    pub fields: BTreeMap<String, Change<String>>,
    /// What differs of the relations, by the kind of relation and the name that they are about.
    pub relations: BTreeMap<String, BTreeMap<String, Change<String>>>,
    /// Which Python distributions came, went, or have another version.
    pub distributions: BTreeMap<String, Change<String>>,
    /// Which scripts differ, by their name.
    pub scripts: BTreeMap<String, Change<String>>,
    /// Which files became configuration files, or are none any more.
    pub conffiles: BTreeMap<String, Change<()>>,
    /// What differs of the changelog.
    pub changelog: Option<Change<String>>,
    /// Which paths differ in more than their time.
    pub files: BTreeMap<String, Change<FileFacts>>,
    /// Which paths differ in their time alone, in seconds since 1970.
    pub times: BTreeMap<String, Change<u64>>,
    /// How many paths are the same in both.
    pub same_files: usize,
}

impl PackageDiff {
    /// Compares two packages.
    pub fn of(old: &PackageFacts, new: &PackageFacts) -> Self {
        let files = changes(&old.files, &new.files, FileFacts::is_same);
        let time = |(path, file): (&String, &FileFacts)| {
            let other = new.files.get(path).filter(|_| !files.contains_key(path))?;
            let change = Change::Changed { old: file.time, new: other.time };
            (file.time != other.time).then(|| (path.clone(), change))
        };
        let times: BTreeMap<String, Change<u64>> = old.files.iter().filter_map(time).collect();
        let gone_or_changed = files.values().filter(|change| !matches!(change, Change::Added { .. })).count();
        Self {
            old: Identity::of(old),
            new: Identity::of(new),
            fields: changes(&old.fields, &new.fields, String::eq),
            relations: relations(old, new),
            distributions: changes(&old.distributions, &new.distributions, String::eq),
            scripts: changes(&old.scripts, &new.scripts, String::eq),
            conffiles: changes(&as_map(&old.conffiles), &as_map(&new.conffiles), |(), ()| true),
            changelog: change_of(old.changelog.as_ref(), new.changelog.as_ref(), String::eq),
            same_files: old.files.len() - gone_or_changed - times.len(),
            times,
            files,
        }
    }

    /// Is there nothing that differs but the sizes and the versions?
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
            && self.relations.is_empty()
            && self.distributions.is_empty()
            && self.scripts.is_empty()
            && self.conffiles.is_empty()
            && self.changelog.is_none()
            && self.files.is_empty()
            && self.times.is_empty()
    }

    /// Is nothing different at all?
    pub fn is_same(&self) -> bool {
        self.is_empty() && self.old == self.new
    }
}

impl Identity {
    fn of(facts: &PackageFacts) -> Self {
        Self {
            format: facts.format,
            name: facts.name.clone(),
            version: facts.version.clone(),
            architecture: facts.architecture.clone(),
            packed_size: facts.packed_size,
            installed_size: facts.installed_size,
        }
    }
}

fn changes<T: Clone>(
    old: &BTreeMap<String, T>,
    new: &BTreeMap<String, T>,
    is_same: impl Fn(&T, &T) -> bool,
) -> BTreeMap<String, Change<T>> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let change = |name: &String| change_of(old.get(name), new.get(name), &is_same);
    names.into_iter().filter_map(|name| Some((name.clone(), change(name)?))).collect()
}

fn change_of<T: Clone>(old: Option<&T>, new: Option<&T>, is_same: impl Fn(&T, &T) -> bool) -> Option<Change<T>> {
    match (old, new) {
        (Some(old), Some(new)) if is_same(old, new) => None,
        (Some(old), Some(new)) => Some(Change::Changed { old: old.clone(), new: new.clone() }),
        (Some(old), None) => Some(Change::Removed { old: old.clone() }),
        (None, new) => new.map(|new| Change::Added { new: new.clone() }),
    }
}

fn as_map(names: &BTreeSet<String>) -> BTreeMap<String, ()> {
    names.iter().map(|name| (name.clone(), ())).collect()
}

fn relations(old: &PackageFacts, new: &PackageFacts) -> BTreeMap<String, BTreeMap<String, Change<String>>> {
    let kinds: BTreeSet<&String> = old.relations.keys().chain(new.relations.keys()).collect();
    let of_kind = |facts: &PackageFacts, kind: &String| by_name(facts.relations.get(kind).map_or(&[], Vec::as_slice));
    let differ = |kind: &String| changes(&of_kind(old, kind), &of_kind(new, kind), String::eq);
    let differing = kinds.into_iter().map(|kind| (kind.clone(), differ(kind)));
    differing.filter(|(_, changes)| !changes.is_empty()).collect()
}

/// Sorts relations by the name that they are about. Two about one name, a lower and an upper bound, are one.
fn by_name(relations: &[String]) -> BTreeMap<String, String> {
    let mut named: BTreeMap<String, String> = BTreeMap::new();
    for relation in relations {
        let name = if relation.contains(['|']) || relation.starts_with('(') { relation } else { first_word(relation) };
        named
            .entry(name.to_owned())
            .and_modify(|known| known.extend([", ", relation]))
            .or_insert_with(|| relation.clone());
    }
    named
}

fn first_word(relation: &str) -> &str {
    relation.split_whitespace().next().unwrap_or(relation)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_came_went_and_changed_is_told_and_nothing_else() {
        let found = changes(
            &map(&[("a", "1"), ("b", "1"), ("c", "1")]),
            &map(&[("b", "2"), ("c", "1"), ("d", "1")]),
            String::eq,
        );
        let expect = [
            ("a".to_owned(), Change::Removed { old: "1".to_owned() }),
            ("b".to_owned(), Change::Changed { old: "1".to_owned(), new: "2".to_owned() }),
            ("d".to_owned(), Change::Added { new: "1".to_owned() }),
        ];
        assert_eq!(found, expect.into());
    }

    fn facts(time: u64, mode: u32, changelog: &str) -> PackageFacts {
        let kind = crate::facts::PathKind::File { size: 1, digest: Some("aa".to_owned()) };
        let file = FileFacts { kind, mode, owner: "root".to_owned(), group: "root".to_owned(), time };
        PackageFacts {
            format: Format::Deb,
            name: "vrmd-whois".to_owned(),
            version: "1.0".to_owned(),
            architecture: "all".to_owned(),
            packed_size: 1,
            installed_size: 1,
            compression: None,
            fields: BTreeMap::new(),
            relations: BTreeMap::new(),
            scripts: BTreeMap::new(),
            conffiles: BTreeSet::new(),
            distributions: BTreeMap::new(),
            files: [("/a".to_owned(), file)].into(),
            changelog: Some(changelog.to_owned()),
        }
    }

    #[test]
    fn times_and_changelogs_are_compared_and_a_time_counts_where_nothing_else_differs() {
        let old = facts(1, 0o644, "one");
        assert!(PackageDiff::of(&old, &old).is_same());
        let later = PackageDiff::of(&old, &facts(2, 0o644, "one"));
        assert_eq!(later.times, [("/a".to_owned(), Change::Changed { old: 1, new: 2 })].into());
        assert_eq!((later.is_same(), later.files.len(), later.same_files), (false, 0, 0));
        let other = PackageDiff::of(&old, &facts(2, 0o600, "two"));
        assert_eq!((other.times.len(), other.files.len()), (0, 1));
        assert_eq!(other.changelog, Some(Change::Changed { old: "one".to_owned(), new: "two".to_owned() }));
        let larger = PackageDiff::of(&old, &PackageFacts { packed_size: 2, ..old.clone() });
        assert!(larger.is_empty() && !larger.is_same());
    }

    #[test]
    fn relations_are_known_by_the_name_that_they_are_about() {
        let relations = ["python3 (>= 3.11)", "python3 (<< 3.12)", "libpq5 >= 15", "runit | systemd", "(a or b)"];
        let expect = [
            ("(a or b)", "(a or b)"),
            ("libpq5", "libpq5 >= 15"),
            ("python3", "python3 (>= 3.11), python3 (<< 3.12)"),
            ("runit | systemd", "runit | systemd"),
        ];
        assert_eq!(by_name(&relations.map(str::to_owned)), map(&expect));
    }
}
