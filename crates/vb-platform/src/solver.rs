//! Debian's relations in the terms of the SAT solver.
//!
//! A package name is a name of the solver, each version of it a candidate. `Provides` has no counterpart there: a relation
//! to a virtual package becomes a union of the one candidates that provide it, and a conflict with a virtual package
//! excludes each of them.

use std::{cell::RefCell, cmp::Reverse, collections::HashMap, fmt, rc::Rc};

use debversion::Version;
use resolvo::{
    Candidates, Condition, ConditionId, Dependencies, DependencyProvider, HintDependenciesAvailable, Interner,
    KnownDependencies, NameId, Requirement, SolvableId, SolverCache, StringId, VersionSetId, VersionSetUnionId,
    utils::{Pool, VersionSet},
};

use crate::{
    index::IndexPackage,
    relation::{Constraint, ParseRelationError, Relation, parse_field, parse_version},
};

/// Which candidates of one name a relation allows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Choice {
    /// Those within the bound; with the qualifier `any`, only those with `Multi-Arch: allowed`.
    Within { constraint: Option<Constraint>, is_any_architecture: bool },
    /// Those outside the bound of a conflict; without a bound, none.
    Outside(Option<Constraint>),
    /// The one candidate that provides something.
    One { index: usize, version: String },
    /// All but the one candidate that provides something.
    AllBut { index: usize, version: String },
}

impl VersionSet for Choice {
    type V = Candidate;
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Within { constraint: None, .. } => f.write_str("(any version)"),
            Self::Within { constraint: Some(constraint), .. } => write!(f, "({constraint})"),
            Self::Outside(None) => f.write_str("(must be absent)"),
            Self::Outside(Some(constraint)) => write!(f, "(must not be {constraint})"),
            Self::One { version, .. } => write!(f, "(= {version})"),
            Self::AllBut { version, .. } => write!(f, "(must not be {version})"),
        }
    }
}

/// One version of a package: its place in the index, and the version parsed.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    index: usize,
    version: Version,
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.version.fmt(f)
    }
}

/// A package that provides a name, and at which version, if it says so.
struct Provision {
    index: usize,
    version: Option<Version>,
}

impl Provision {
    /// A bound is met only by a version that is provided.
    fn meets(&self, relation: &Relation) -> bool {
        match (&relation.constraint, &self.version) {
            (None, _) => true,
            (Some(constraint), Some(version)) => constraint.allows(version),
            (Some(_), None) => false,
        }
    }
}

/// The index as the solver sees it. Only what the solver asks for is parsed: that is a hundredth of a distribution.
pub(crate) struct Provider<'a> {
    packages: &'a [IndexPackage],
    pool: Pool<Choice>,
    by_name: HashMap<&'a str, Vec<usize>>,
    by_provided: HashMap<&'a str, Vec<usize>>,
    candidates: RefCell<HashMap<String, Rc<[SolvableId]>>>,
    provisions: RefCell<HashMap<String, Rc<[Provision]>>>,
}

impl<'a> Provider<'a> {
    pub(crate) fn new(packages: &'a [IndexPackage]) -> Self {
        let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut by_provided: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, package) in packages.iter().enumerate() {
            by_name.entry(&package.name).or_default().push(index);
            for provided in package.provides.split(',').filter(|_| !package.provides.is_empty()) {
                let end = provided.find(['(', ':']).unwrap_or(provided.len());
                let indexes = by_provided.entry(provided[..end].trim_ascii()).or_default();
                // One package may provide several versions of a name; it is looked through once.
                if indexes.last() != Some(&index) {
                    indexes.push(index);
                }
            }
        }
        let (candidates, provisions) = (RefCell::default(), RefCell::default());
        Self { packages, pool: Pool::new(), by_name, by_provided, candidates, provisions }
    }

    pub(crate) fn package(&self, solvable: SolvableId) -> &'a IndexPackage {
        &self.packages[self.pool.resolve_solvable(solvable).record.index]
    }

    /// Returns all versions of a package.
    fn candidates(&self, name: &str) -> Rc<[SolvableId]> {
        if let Some(found) = self.candidates.borrow().get(name) {
            return Rc::clone(found);
        }
        let id = self.pool.intern_package_name(name);
        let indexes = self.by_name.get(name).into_iter().flatten().copied();
        // dpkg refuses to install a version that it cannot parse, so such a package is no candidate.
        let parsed = indexes.filter_map(|index| Some((index, parse_version(&self.packages[index].version)?)));
        let found: Rc<[SolvableId]> =
            parsed.map(|(index, version)| self.pool.intern_solvable(id, Candidate { index, version })).collect();
        self.candidates.borrow_mut().insert(name.to_owned(), Rc::clone(&found));
        found
    }

    /// Returns what provides a name, the preferred first.
    fn provisions(&self, name: &str) -> Rc<[Provision]> {
        if let Some(found) = self.provisions.borrow().get(name) {
            return Rc::clone(found);
        }
        let mut found = Vec::new();
        for &index in self.by_provided.get(name).into_iter().flatten() {
            let relations = parse_field(&self.packages[index].provides).unwrap_or_default().into_iter().flatten();
            for relation in relations.filter(|relation| relation.name == name) {
                let version = relation.constraint.map(|constraint| constraint.version);
                found.push(Provision { index, version });
            }
        }
        found.sort_by_cached_key(|provision| preference(self.packages, provision.index));
        let found: Rc<[Provision]> = found.into();
        self.provisions.borrow_mut().insert(name.to_owned(), Rc::clone(&found));
        found
    }

    /// Returns the requirement of a package that has some candidate.
    pub(crate) fn any_version(&self, name: &str) -> Requirement {
        self.choice(name, Choice::Within { constraint: None, is_any_architecture: false }).into()
    }

    /// Returns the requirement that one of the alternatives is met, in their order; nothing, if none can be.
    pub(crate) fn requirement(&self, alternatives: &[Relation]) -> Option<Requirement> {
        let mut choices = Vec::new();
        for relation in alternatives {
            let is_any_architecture = relation.qualifier.as_deref() == Some("any");
            let choice = Choice::Within { constraint: relation.constraint.clone(), is_any_architecture };
            if self.has_candidate(&relation.name, &choice) {
                choices.push(self.choice(&relation.name, choice));
            }
            for provision in self.provisions(&relation.name).iter().filter(|provision| provision.meets(relation)) {
                let package = &self.packages[provision.index];
                if package.name != relation.name && (!is_any_architecture || package.multi_arch == "allowed") {
                    choices.push(self.choice(
                        &package.name,
                        Choice::One { index: provision.index, version: package.version.clone() },
                    ));
                }
            }
        }
        let (first, rest) = choices.split_first()?;
        Some(match rest {
            [] => (*first).into(),
            _ => self.pool.intern_version_set_union(*first, rest.iter().copied()).into(),
        })
    }

    fn choice(&self, name: &str, choice: Choice) -> VersionSetId {
        let name = self.pool.intern_package_name(name);
        self.pool.intern_version_set(name, choice)
    }

    fn has_candidate(&self, name: &str, choice: &Choice) -> bool {
        self.candidates(name).iter().any(|solvable| self.allows(choice, *solvable))
    }

    fn allows(&self, choice: &Choice, solvable: SolvableId) -> bool {
        let candidate = &self.pool.resolve_solvable(solvable).record;
        match choice {
            Choice::Within { constraint, is_any_architecture } => {
                constraint.as_ref().is_none_or(|constraint| constraint.allows(&candidate.version))
                    && (!is_any_architecture || self.packages[candidate.index].multi_arch == "allowed")
            }
            Choice::Outside(constraint) => {
                constraint.as_ref().is_some_and(|constraint| !constraint.allows(&candidate.version))
            }
            Choice::One { index, .. } => candidate.index == *index,
            Choice::AllBut { index, .. } => candidate.index != *index,
        }
    }

    fn dependencies(&self, package: &IndexPackage) -> Result<KnownDependencies, Unmet> {
        let mut known = KnownDependencies::default();
        for field in [&package.pre_depends, &package.depends] {
            for alternatives in parse_field(field)? {
                let requirement = self.requirement(&alternatives).ok_or(Unmet::Nothing(alternatives))?;
                known.requirements.push(requirement.into());
            }
        }
        for field in [&package.conflicts, &package.breaks] {
            for relation in parse_field(field)?.into_iter().flatten() {
                self.exclude(package, &relation, &mut known.constrains);
            }
        }
        Ok(known)
    }

    /// Excludes what a conflict names, but never the package itself through what it provides (Policy, section 7.4).
    fn exclude(&self, package: &IndexPackage, relation: &Relation, constrains: &mut Vec<VersionSetId>) {
        if relation.name != package.name && self.by_name.contains_key(relation.name.as_str()) {
            constrains.push(self.choice(&relation.name, Choice::Outside(relation.constraint.clone())));
        }
        for provision in self.provisions(&relation.name).iter().filter(|provision| provision.meets(relation)) {
            let provider = &self.packages[provision.index];
            if provider.name != package.name {
                let choice = Choice::AllBut { index: provision.index, version: provider.version.clone() };
                constrains.push(self.choice(&provider.name, choice));
            }
        }
    }
}

/// Why a package can never be installed.
enum Unmet {
    Malformed(ParseRelationError),
    Nothing(Vec<Relation>),
}

impl From<ParseRelationError> for Unmet {
    fn from(error: ParseRelationError) -> Self {
        Self::Malformed(error)
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => error.fmt(f),
            Self::Nothing(alternatives) => {
                let written: Vec<String> = alternatives.iter().map(ToString::to_string).collect();
                write!(f, "it depends on `{}`, which no suite has", written.join(" | "))
            }
        }
    }
}

/// Orders providers as apt does: by priority, then by name, the latest version first.
fn preference(packages: &[IndexPackage], index: usize) -> (usize, &str, Reverse<Option<Version>>, usize) {
    let package = &packages[index];
    let priorities = ["required", "important", "standard", "optional"];
    let priority = priorities.iter().position(|name| *name == package.priority).unwrap_or(priorities.len());
    (priority, &package.name, Reverse(parse_version(&package.version)), index)
}

impl Interner for Provider<'_> {
    type NameId = NameId;
    type SolvableId = SolvableId;

    fn display_solvable(&self, solvable: SolvableId) -> impl fmt::Display + '_ {
        &self.pool.resolve_solvable(solvable).record
    }

    fn display_name(&self, name: NameId) -> impl fmt::Display + '_ {
        self.pool.resolve_package_name(name)
    }

    fn display_version_set(&self, version_set: VersionSetId) -> impl fmt::Display + '_ {
        self.pool.resolve_version_set(version_set)
    }

    fn display_string(&self, string: StringId) -> impl fmt::Display + '_ {
        self.pool.resolve_string(string)
    }

    fn version_set_name(&self, version_set: VersionSetId) -> NameId {
        self.pool.resolve_version_set_package_name(version_set)
    }

    fn solvable_name(&self, solvable: SolvableId) -> NameId {
        self.pool.resolve_solvable(solvable).name
    }

    fn version_sets_in_union(&self, union: VersionSetUnionId) -> impl Iterator<Item = VersionSetId> {
        self.pool.resolve_version_set_union(union)
    }

    fn resolve_condition(&self, condition: ConditionId) -> Condition {
        self.pool.resolve_condition(condition).clone()
    }
}

impl DependencyProvider for Provider<'_> {
    async fn filter_candidates(
        &self,
        candidates: &[SolvableId],
        version_set: VersionSetId,
        inverse: bool,
    ) -> Vec<SolvableId> {
        let choice = self.pool.resolve_version_set(version_set);
        candidates.iter().copied().filter(|solvable| self.allows(choice, *solvable) != inverse).collect()
    }

    async fn get_candidates(&self, name: NameId) -> Option<Candidates> {
        let candidates = self.candidates(self.pool.resolve_package_name(name));
        Some(Candidates {
            candidates: candidates.to_vec(),
            hint_dependencies_available: HintDependenciesAvailable::All,
            ..Candidates::default()
        })
    }

    async fn sort_candidates(&self, _: &SolverCache<Self>, solvables: &mut [SolvableId]) {
        let record = |solvable: &SolvableId| &self.pool.resolve_solvable(*solvable).record;
        solvables.sort_by(|one, other| {
            let (one, other) = (record(one), record(other));
            other.version.cmp(&one.version).then(one.index.cmp(&other.index))
        });
    }

    async fn get_dependencies(&self, solvable: SolvableId) -> Dependencies {
        match self.dependencies(self.package(solvable)) {
            Ok(known) => Dependencies::Known(known),
            Err(unmet) => Dependencies::Unknown(self.pool.intern_string(unmet.to_string())),
        }
    }
}
