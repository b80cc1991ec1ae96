//! The versions of each package, ordered by preference, and what provides what.
//!
//! Built once for an index and used by all requests. Versions and relations are parsed only where a request leads to
//! them: that is a hundredth of a distribution.

use std::{
    cell::RefCell,
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
    rc::Rc,
};

use debversion::Version;

use crate::{
    index::{Index, IndexPackage},
    pin::{Pin, PinError, Priorities},
    relation::parse_version,
};

/// One version of a package, from the first suite that has it.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) index: usize,
    pub(crate) version: Version,
    priority: i32,
}

/// The packages of an index by what they are called and what they provide.
pub(crate) struct Catalogue<'a> {
    index: &'a Index,
    priorities: Priorities,
    by_name: HashMap<&'a str, Vec<usize>>,
    by_provided: HashMap<&'a str, Vec<usize>>,
    candidates: RefCell<HashMap<String, Rc<[Candidate]>>>,
}

impl<'a> Catalogue<'a> {
    pub(crate) fn new(index: &'a Index, pins: &[Pin]) -> Result<Self, PinError> {
        let priorities = Priorities::new(&index.suites, pins)?;
        let mut by_name: HashMap<&str, Vec<usize>> = HashMap::with_capacity(index.packages.len());
        let mut by_provided: HashMap<&str, Vec<usize>> = HashMap::new();
        for (number, package) in index.packages.iter().enumerate() {
            by_name.entry(&package.name).or_default().push(number);
            for provided in package.provides.split(',').filter(|_| !package.provides.is_empty()) {
                let end = provided.find(['(', ':']).unwrap_or(provided.len());
                let numbers = by_provided.entry(provided[..end].trim_ascii()).or_default();
                // One package may provide several versions of a name; it is looked through once.
                if numbers.last() != Some(&number) {
                    numbers.push(number);
                }
            }
        }
        Ok(Self { index, priorities, by_name, by_provided, candidates: RefCell::default() })
    }

    pub(crate) fn package(&self, number: usize) -> &'a IndexPackage {
        &self.index.packages[number]
    }

    /// Returns the architecture that all packages are for.
    pub(crate) fn architecture(&self) -> &'a str {
        &self.index.architecture
    }

    pub(crate) fn names(&self) -> BTreeSet<&'a str> {
        self.index.packages.iter().map(|package| package.name.as_str()).collect()
    }

    pub(crate) fn has_package(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// Returns the versions of a package that may be installed, the preferred first: by priority, then the highest.
    pub(crate) fn candidates(&self, name: &str) -> Rc<[Candidate]> {
        if let Some(found) = self.candidates.borrow().get(name) {
            return Rc::clone(found);
        }
        let found: Rc<[Candidate]> = self.find_candidates(name).into();
        self.candidates.borrow_mut().insert(name.to_owned(), Rc::clone(&found));
        found
    }

    fn find_candidates(&self, name: &str) -> Vec<Candidate> {
        let mut groups: Vec<(usize, Version, Vec<usize>)> = Vec::new();
        for &index in self.by_name.get(name).into_iter().flatten() {
            let package = self.package(index);
            let known = groups.iter_mut().find(|(first, ..)| is_same(self.package(*first), package));
            match (known, parse_version(&package.version)) {
                (Some((.., suites)), _) => suites.push(package.suite),
                (None, Some(version)) => groups.push((index, version, vec![package.suite])),
                // dpkg refuses to install a version that it cannot parse, so such a package is no candidate.
                (None, None) => {}
            }
        }
        let prioritized = groups.into_iter().map(|(index, version, suites)| {
            let priority = self.priorities.of(name, &suites);
            Candidate { index, version, priority }
        });
        let mut candidates: Vec<Candidate> = prioritized.filter(|candidate| candidate.priority > 0).collect();
        candidates.sort_by(|one, other| {
            let by_preference = other.priority.cmp(&one.priority).then_with(|| other.version.cmp(&one.version));
            by_preference.then(one.index.cmp(&other.index))
        });
        candidates
    }

    /// Returns the packages that provide a name, the preferred first.
    pub(crate) fn providers(&self, name: &str) -> Vec<usize> {
        let mut found = self.by_provided.get(name).cloned().unwrap_or_default();
        found.sort_by_cached_key(|index| self.preference(*index));
        found
    }

    /// Orders providers as apt does: the essential, then by priority, then by name, the latest version first.
    fn preference(&self, index: usize) -> (bool, usize, &'a str, Reverse<Option<Version>>, usize) {
        let package = self.package(index);
        let priorities = ["required", "important", "standard", "optional"];
        let priority = priorities.iter().position(|name| *name == package.priority).unwrap_or(priorities.len());
        (!package.is_essential, priority, &package.name, Reverse(parse_version(&package.version)), index)
    }

    /// Returns the packages that every system must have.
    pub(crate) fn essential(&self) -> BTreeSet<&'a str> {
        let names = self.index.packages.iter().filter(|package| package.is_essential).map(|one| one.name.as_str());
        let is_essential = |candidate: &Candidate| self.package(candidate.index).is_essential;
        names.filter(|name| self.candidates(name).first().is_some_and(is_essential)).collect()
    }
}

/// Are they one package, that two suites have?
fn is_same(one: &IndexPackage, other: &IndexPackage) -> bool {
    one.version == other.version && one.architecture == other.architecture
}
