//! The packages of all repositories of a platform, and who provides what.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use vb_fetch::Fetcher;
use vb_graph::Sha256;

use super::{
    modules::Modules,
    relation::{Capability, Relation},
    repository::{Loaded, RepositoryError},
    version::{Range, Version},
};

/// One binary package of a repository.
#[derive(Clone, Debug)]
pub struct IndexPackage {
    pub(crate) name: String,
    pub(crate) architecture: String,
    pub(crate) version: Version,
    pub(crate) location: String,
    pub(crate) size: u64,
    pub(crate) sha256: Sha256,
    pub(crate) provides: Vec<Capability>,
    pub(crate) requires: Vec<Capability>,
    pub(crate) conflicts: Vec<Capability>,
    pub(crate) obsoletes: Vec<Capability>,
    /// What it would like to have beside it, the stronger wish first: recommended, suggested.
    pub(crate) wishes: [Vec<Capability>; 2],
    /// Beside what it would like to be, the stronger wish first: supplemented, enhanced.
    pub(crate) offers: [Vec<Capability>; 2],
    /// The files that `primary.xml` lists, and those of the others that something asked for.
    pub(crate) files: Vec<String>,
    /// The place of its repository in the list.
    pub(crate) repository: usize,
}

/// The packages of some repositories that can be installed on one architecture.
#[derive(Debug)]
pub struct Index {
    packages: Vec<IndexPackage>,
    architecture: String,
    repositories: Vec<Loaded>,
    modules: Modules,
    by_name: HashMap<String, Vec<usize>>,
    by_provided: HashMap<String, Vec<usize>>,
    by_file: HashMap<String, Vec<usize>>,
    /// Paths that were looked up in the whole file lists.
    looked_up: BTreeSet<String>,
}

impl Index {
    pub(crate) fn new(
        packages: Vec<IndexPackage>,
        architecture: &str,
        repositories: Vec<Loaded>,
        modules: Modules,
    ) -> Self {
        let is_installable = |package: &IndexPackage| architecture_rank(architecture, &package.architecture).is_some();
        let packages: Vec<IndexPackage> =
            packages.into_iter().filter(|package| is_installable(package) && !modules.has(package)).collect();
        let mut index = Self {
            architecture: architecture.to_owned(),
            repositories,
            modules,
            by_name: HashMap::new(),
            by_provided: HashMap::new(),
            by_file: HashMap::new(),
            looked_up: BTreeSet::new(),
            packages,
        };
        for (place, package) in index.packages.iter().enumerate() {
            note(&mut index.by_name, &package.name, place);
            package.provides.iter().for_each(|provided| note(&mut index.by_provided, &provided.name, place));
            package.files.iter().for_each(|file| note(&mut index.by_file, file, place));
        }
        index
    }

    /// Returns the date of each repository that has one.
    pub fn dates(&self) -> BTreeMap<String, String> {
        let dated = self.repositories.iter().filter_map(|loaded| Some((loaded.name.clone(), loaded.date.clone()?)));
        dated.collect()
    }

    /// Returns the packages, in the order of their repositories.
    pub fn packages(&self) -> &[IndexPackage] {
        &self.packages
    }

    pub(crate) fn modules(&self) -> &Modules {
        &self.modules
    }

    /// Returns the packages of a name.
    pub(crate) fn named(&self, name: &str) -> &[usize] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// Returns the packages that meet a relation, in the order of the index.
    pub(crate) fn providers(&self, wanted: &Capability) -> Vec<usize> {
        let provided = self.by_provided.get(&wanted.name).into_iter().flatten().copied();
        let mut found: Vec<usize> = provided.filter(|place| self.provides(*place, wanted)).collect();
        if wanted.name.starts_with('/') && wanted.range == Range::All {
            found.extend(self.by_file.get(&wanted.name).into_iter().flatten());
            found.sort_unstable();
            found.dedup();
        }
        found
    }

    fn provides(&self, place: usize, wanted: &Capability) -> bool {
        let own = self.packages[place].provides.iter().filter(|provided| provided.name == wanted.name);
        own.into_iter().any(|provided| wanted.range.meets(&provided.range))
    }

    /// Returns the packages of which one provision of a name is within all ranges.
    pub(crate) fn providers_within(&self, name: &str, ranges: &[&Range]) -> Vec<usize> {
        let is_within = |place: &usize| {
            let own = self.packages[*place].provides.iter().filter(|provided| provided.name == name);
            own.into_iter().any(|provided| ranges.iter().all(|range| range.meets(&provided.range)))
        };
        self.by_provided.get(name).into_iter().flatten().copied().filter(is_within).collect()
    }

    /// Is the package for another architecture that the machine can run too?
    pub(crate) fn is_secondary(&self, place: usize) -> bool {
        self.rank(&self.packages[place]) > 1
    }

    /// Returns the packages of the machine's own architecture that go with one of another, or nothing if there are none
    /// of its name: such a package is installed beside them, in the same version, or by itself.
    pub(crate) fn own_architecture(&self, place: usize) -> Option<Vec<usize>> {
        let package = &self.packages[place];
        let own: Vec<usize> = self
            .named(&package.name)
            .iter()
            .copied()
            .filter(|other| self.packages[*other].architecture == self.architecture)
            .collect();
        let is_same = |other: &usize| self.packages[*other].version == package.version;
        (self.is_secondary(place) && !own.is_empty()).then(|| own.into_iter().filter(is_same).collect())
    }

    /// Returns the packages that a package obsoletes: by their names, never by what they provide.
    pub(crate) fn obsoleted(&self, place: usize, obsolete: &Capability) -> Vec<usize> {
        let name = &self.packages[place].name;
        let is_meant = |other: &&usize| {
            let other = &self.packages[**other];
            other.name != *name && obsolete.range.contains(&other.version)
        };
        self.named(&obsolete.name).iter().filter(is_meant).copied().collect()
    }

    /// Returns the packages that obsolete one of these.
    pub(crate) fn obsoleters(&self, of: &[usize]) -> Vec<usize> {
        let names: BTreeSet<&str> = of.iter().map(|place| self.packages[*place].name.as_str()).collect();
        let obsoletes = |place: usize| {
            let entries = self.packages[place].obsoletes.iter().filter(|entry| names.contains(entry.name.as_str()));
            entries.into_iter().any(|entry| self.obsoleted(place, entry).iter().any(|other| of.contains(other)))
        };
        (0..self.packages.len()).filter(|place| obsoletes(*place)).collect()
    }

    /// Returns how well a package fits the architecture: the smaller, the better.
    pub(crate) fn rank(&self, package: &IndexPackage) -> u8 {
        architecture_rank(&self.architecture, &package.architecture).unwrap_or(u8::MAX)
    }

    /// Looks up, in the whole file lists, the paths that the requested relations lead to and that `primary.xml` cannot
    /// answer.
    pub(crate) fn complete(&mut self, fetcher: &Fetcher, request: &[Relation]) -> Result<(), RepositoryError> {
        loop {
            let wanted = self.unanswered(request);
            if wanted.is_empty() {
                return Ok(());
            }
            for repository in 0..self.repositories.len() {
                let found = self.repositories[repository].find_files(fetcher, &wanted)?;
                self.add_files(repository, &found);
            }
            self.looked_up.extend(wanted);
        }
    }

    fn add_files(&mut self, repository: usize, found: &[(Sha256, String)]) {
        let mut by_package: BTreeMap<Sha256, Vec<&String>> = BTreeMap::new();
        for (package, file) in found {
            by_package.entry(*package).or_default().push(file);
        }
        for (place, package) in self.packages.iter_mut().enumerate() {
            if package.repository != repository {
                continue;
            }
            for file in by_package.get(&package.sha256).into_iter().flatten() {
                if !package.files.contains(file) {
                    package.files.push((*file).clone());
                    note(&mut self.by_file, file, place);
                }
            }
        }
    }

    /// Returns the paths that are needed somewhere below a request and were not looked up in the whole file lists.
    fn unanswered(&self, request: &[Relation]) -> BTreeSet<String> {
        let mut wanted = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut queue: Vec<usize> = Vec::new();
        let mut visit = |relation: &Relation, queue: &mut Vec<usize>| {
            relation.visit(&mut |capability| {
                let is_elsewhere = capability.name.starts_with('/') && !is_in_primary(&capability.name);
                if is_elsewhere && !self.looked_up.contains(&capability.name) {
                    wanted.insert(capability.name.clone());
                }
                queue.extend(self.providers(capability));
                queue.extend(self.named(&capability.name));
            });
        };
        request.iter().for_each(|relation| visit(relation, &mut queue));
        while let Some(place) = queue.pop() {
            if seen.insert(place) {
                let package = &self.packages[place];
                for capability in package.requires.iter().chain(&package.conflicts) {
                    // What cannot be read makes its package impossible to install; the solver says so.
                    if let Ok(relation) = capability.to_relation() {
                        visit(&relation, &mut queue);
                    }
                }
            }
        }
        wanted
    }
}

fn note(places: &mut HashMap<String, Vec<usize>>, name: &str, place: usize) {
    match places.get_mut(name) {
        // One package may provide several versions of a name.
        Some(known) if known.last() == Some(&place) => {}
        Some(known) => known.push(place),
        None => drop(places.insert(name.to_owned(), vec![place])),
    }
}

/// Does `primary.xml` list all files at such a path? (createrepo: `bin/` anywhere, `/etc`, and sendmail.)
fn is_in_primary(path: &str) -> bool {
    path.contains("bin/") || path.starts_with("/etc/") || path == "/usr/lib/sendmail"
}

/// Returns how well packages of an architecture fit another, in rpm's words, or nothing if they cannot be installed.
fn architecture_rank(own: &str, other: &str) -> Option<u8> {
    let compatible: &[&str] = match own {
        "x86_64" => &["x86_64", "noarch", "i686", "i586", "i486", "i386"],
        _ => &[own, "noarch"],
    };
    compatible.iter().position(|name| *name == other).and_then(|rank| u8::try_from(rank).ok())
}
