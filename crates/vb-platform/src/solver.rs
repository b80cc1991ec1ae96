//! Debian's relations in the terms of the SAT solver.
//!
//! A package name is a name of the solver, each version of it a candidate. `Provides` has no counterpart there: a relation
//! to a virtual package becomes a union of the one candidates that provide it, and a conflict with a virtual package
//! excludes each of them.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    fmt,
    rc::Rc,
};

use debversion::Version;
use resolvo::{
    KnownDependencies, NameId, Requirement, SolvableId, VersionSetId,
    utils::{Pool, VersionSet},
};

use crate::{
    catalogue::{Candidate, Catalogue},
    index::IndexPackage,
    relation::{Constraint, ParseRelationError, Relation, parse_field},
    sat::Relations,
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
    type V = Ranked;
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

/// Which versions of each package are considered.
pub(crate) enum Scope<'a> {
    /// The preferred one; where the request itself sets bounds, the preferred one within them.
    Preferred(HashMap<&'a str, Vec<&'a Constraint>>),
    /// All that may be installed.
    All,
}

/// One candidate of the solver, with its place in the order of preference.
#[derive(Clone, Debug)]
pub(crate) struct Ranked {
    candidate: Candidate,
    rank: usize,
}

impl fmt::Display for Ranked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.candidate.version.fmt(f)
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

/// The index as the solver sees it.
pub(crate) struct DebianRelations<'a> {
    catalogue: &'a Catalogue<'a>,
    scope: Scope<'a>,
    pool: Pool<Choice>,
    candidates: RefCell<HashMap<String, Rc<[SolvableId]>>>,
    provisions: RefCell<HashMap<String, Rc<[Provision]>>>,
    requirement_texts: RefCell<BTreeMap<Requirement, String>>,
    conflict_texts: RefCell<BTreeMap<VersionSetId, String>>,
}

impl<'a> DebianRelations<'a> {
    pub(crate) fn new(catalogue: &'a Catalogue<'a>, scope: Scope<'a>) -> Self {
        Self {
            catalogue,
            scope,
            pool: Pool::new(),
            candidates: RefCell::default(),
            provisions: RefCell::default(),
            requirement_texts: RefCell::default(),
            conflict_texts: RefCell::default(),
        }
    }

    pub(crate) fn package(&self, solvable: SolvableId) -> &'a IndexPackage {
        self.catalogue.package(self.candidate(solvable).index)
    }

    /// Returns a requirement as it is written in the first package, or request, that has it.
    pub(crate) fn requirement_text(&self, requirement: Requirement) -> String {
        self.requirement_texts.borrow().get(&requirement).cloned().unwrap_or_default()
    }

    /// Returns a conflict as it is written in the first package that has it.
    pub(crate) fn conflict_text(&self, conflict: VersionSetId) -> String {
        self.conflict_texts.borrow().get(&conflict).cloned().unwrap_or_default()
    }

    fn candidate(&self, solvable: SolvableId) -> &Candidate {
        &self.pool.resolve_solvable(solvable).record.candidate
    }

    /// Returns the versions of a package that are considered, the preferred first.
    fn candidates(&self, name: &str) -> Rc<[SolvableId]> {
        if let Some(found) = self.candidates.borrow().get(name) {
            return Rc::clone(found);
        }
        let all = self.catalogue.candidates(name);
        let considered = match &self.scope {
            Scope::All => all.to_vec(),
            Scope::Preferred(wanted) => {
                let bounds = wanted.get(name).map(Vec::as_slice).unwrap_or_default();
                let is_within = |candidate: &&Candidate| bounds.iter().all(|bound| bound.allows(&candidate.version));
                all.iter().find(is_within).or_else(|| all.first()).cloned().into_iter().collect()
            }
        };
        let id = self.pool.intern_package_name(name);
        let ranked = considered.into_iter().enumerate().map(|(rank, candidate)| Ranked { candidate, rank });
        let found: Rc<[SolvableId]> = ranked.map(|ranked| self.pool.intern_solvable(id, ranked)).collect();
        self.candidates.borrow_mut().insert(name.to_owned(), Rc::clone(&found));
        found
    }

    /// Returns what provides a name, the preferred first.
    fn provisions(&self, name: &str) -> Rc<[Provision]> {
        if let Some(found) = self.provisions.borrow().get(name) {
            return Rc::clone(found);
        }
        let mut found = Vec::new();
        for index in self.catalogue.providers(name).into_iter().filter(|index| self.is_considered(*index)) {
            let relations = parse_field(&self.catalogue.package(index).provides).unwrap_or_default();
            for relation in relations.into_iter().flatten().filter(|relation| relation.name == name) {
                let version = relation.constraint.map(|constraint| constraint.version);
                found.push(Provision { index, version });
            }
        }
        let found: Rc<[Provision]> = found.into();
        self.provisions.borrow_mut().insert(name.to_owned(), Rc::clone(&found));
        found
    }

    fn is_considered(&self, index: usize) -> bool {
        let candidates = self.candidates(&self.catalogue.package(index).name);
        candidates.iter().any(|solvable| self.candidate(*solvable).index == index)
    }

    /// Returns the requirement of a package that has some candidate.
    pub(crate) fn any_version(&self, name: &str) -> Requirement {
        let choice = Choice::Within { constraint: None, is_any_architecture: false };
        let requirement = self.choice(name, choice).into();
        self.requirement_texts.borrow_mut().entry(requirement).or_insert_with(|| name.to_owned());
        requirement
    }

    /// Returns the requirement that a part of a request is met. A package that is asked for by its name is meant
    /// itself, and not what provides it, unless there is no such package.
    pub(crate) fn request(&self, alternatives: &[Relation]) -> Option<Requirement> {
        if let [relation] = alternatives
            && let Some(choice) = self.own_choice(relation)
        {
            let requirement = choice.into();
            self.requirement_texts.borrow_mut().entry(requirement).or_insert_with(|| written(alternatives));
            return Some(requirement);
        }
        self.requirement(alternatives)
    }

    /// Returns the requirement that one of the alternatives is met, in their order; nothing, if none can be.
    pub(crate) fn requirement(&self, alternatives: &[Relation]) -> Option<Requirement> {
        let mut choices = Vec::new();
        for relation in alternatives {
            self.add_choices(relation, &mut choices);
        }
        let (first, rest) = choices.split_first()?;
        let requirement = match rest {
            [] => (*first).into(),
            _ => self.pool.intern_version_set_union(*first, rest.iter().copied()).into(),
        };
        self.requirement_texts.borrow_mut().entry(requirement).or_insert_with(|| written(alternatives));
        Some(requirement)
    }

    /// Adds what meets a relation: the package itself, then what provides it.
    fn add_choices(&self, relation: &Relation, choices: &mut Vec<VersionSetId>) {
        choices.extend(self.own_choice(relation));
        if !self.is_of_architecture(relation) {
            return;
        }
        for provision in self.provisions(&relation.name).iter().filter(|provision| provision.meets(relation)) {
            let package = self.catalogue.package(provision.index);
            let is_allowed = relation.qualifier.as_deref() != Some("any") || package.multi_arch == "allowed";
            if package.name != relation.name && is_allowed {
                let choice = Choice::One { index: provision.index, version: package.version.clone() };
                choices.push(self.choice(&package.name, choice));
            }
        }
    }

    /// Returns the choice of the package that a relation names, if some version of it will do.
    fn own_choice(&self, relation: &Relation) -> Option<VersionSetId> {
        let is_any_architecture = relation.qualifier.as_deref() == Some("any");
        let choice = Choice::Within { constraint: relation.constraint.clone(), is_any_architecture };
        let is_met = self.candidates(&relation.name).iter().any(|solvable| self.allows(&choice, *solvable));
        (self.is_of_architecture(relation) && is_met).then(|| self.choice(&relation.name, choice))
    }

    /// Does a relation name no architecture, any, or that of the index?
    fn is_of_architecture(&self, relation: &Relation) -> bool {
        match relation.qualifier.as_deref() {
            None | Some("native" | "any") => true,
            Some(architecture) => architecture == self.catalogue.architecture(),
        }
    }

    fn choice(&self, name: &str, choice: Choice) -> VersionSetId {
        let name = self.pool.intern_package_name(name);
        self.pool.intern_version_set(name, choice)
    }

    fn dependencies(&self, package: &IndexPackage) -> Result<KnownDependencies, Unmet> {
        let mut known = KnownDependencies::default();
        for field in [&package.pre_depends, &package.depends] {
            for alternatives in parse_field(field)? {
                let requirement = self.requirement(&alternatives).ok_or(Unmet::Nothing(alternatives))?;
                known.requirements.push(requirement.into());
            }
        }
        for (field, verb) in [(&package.conflicts, "conflicts with"), (&package.breaks, "breaks")] {
            for relation in parse_field(field)?.into_iter().flatten() {
                self.exclude(package, &relation, verb, &mut known.constrains);
            }
        }
        Ok(known)
    }

    /// Excludes what a conflict names, but never the package itself through what it provides (Policy, section 7.4).
    fn exclude(&self, package: &IndexPackage, relation: &Relation, verb: &str, constrains: &mut Vec<VersionSetId>) {
        let mut add = |name: &str, choice: Choice, text: String| {
            let conflict = self.choice(name, choice);
            self.conflict_texts.borrow_mut().entry(conflict).or_insert(text);
            constrains.push(conflict);
        };
        if relation.name != package.name && self.catalogue.has_package(&relation.name) {
            add(&relation.name, Choice::Outside(relation.constraint.clone()), format!("{verb} `{relation}`"));
        }
        for provision in self.provisions(&relation.name).iter().filter(|provision| provision.meets(relation)) {
            let provider = self.catalogue.package(provision.index);
            if provider.name != package.name && provider.name != relation.name {
                let choice = Choice::AllBut { index: provision.index, version: provider.version.clone() };
                let text = format!("{verb} `{relation}`, which `{} {}` provides", provider.name, provider.version);
                add(&provider.name, choice, text);
            }
        }
    }
}

fn written(alternatives: &[Relation]) -> String {
    alternatives.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ")
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
                write!(f, "depends on `{}`, which no suite has", written(alternatives))
            }
        }
    }
}

impl Relations for DebianRelations<'_> {
    type Choice = Choice;

    fn pool(&self) -> &Pool<Choice> {
        &self.pool
    }

    fn candidates_of(&self, name: NameId) -> Vec<SolvableId> {
        self.candidates(self.pool.resolve_package_name(name)).to_vec()
    }

    fn allows(&self, choice: &Choice, solvable: SolvableId) -> bool {
        let candidate = self.candidate(solvable);
        match choice {
            Choice::Within { constraint, is_any_architecture } => {
                constraint.as_ref().is_none_or(|constraint| constraint.allows(&candidate.version))
                    && (!is_any_architecture || self.catalogue.package(candidate.index).multi_arch == "allowed")
            }
            Choice::Outside(constraint) => {
                constraint.as_ref().is_some_and(|constraint| !constraint.allows(&candidate.version))
            }
            Choice::One { index, .. } => candidate.index == *index,
            Choice::AllBut { index, .. } => candidate.index != *index,
        }
    }

    fn sort(&self, solvables: &mut [SolvableId]) {
        solvables.sort_by_key(|solvable| self.pool.resolve_solvable(*solvable).record.rank);
    }

    fn dependencies_of(&self, solvable: SolvableId) -> Result<KnownDependencies, String> {
        self.dependencies(self.package(solvable)).map_err(|unmet| unmet.to_string())
    }
}
