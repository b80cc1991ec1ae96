//! RPM's relations in the terms of the SAT solver.
//!
//! A package name is a name of the solver, each version of it a candidate; packages of another architecture that can be
//! installed beside are names of their own (`glibc.i686`). A set of packages is a union of choices, one for each name.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    rc::Rc,
};

use resolvo::{
    Condition, ConditionId, ConditionalRequirement, KnownDependencies, LogicalOperator, NameId, Requirement,
    SolvableId, VersionSetId,
    utils::{Pool, VersionSet},
};

use super::{
    formula::{Clause, Needs},
    index::{Index, IndexPackage},
    preference::best,
};
use crate::sat::Relations;

/// Which candidates of one name are meant, by place in the index.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Choice {
    places: Vec<usize>,
    is_excluding: bool,
    text: String,
}

impl VersionSet for Choice {
    type V = Candidate;
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// One version of a package: its place in the index, and the version as it is shown.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    place: usize,
    version: String,
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.version)
    }
}

/// The index as the solver sees it. Only what the solver asks for is looked up: that is a small part of a distribution.
pub(crate) struct RpmRelations<'a> {
    index: &'a Index,
    asked: BTreeSet<usize>,
    preferred: BTreeSet<usize>,
    pool: Pool<Choice>,
    candidates: RefCell<HashMap<NameId, Rc<[SolvableId]>>>,
}

impl<'a> RpmRelations<'a> {
    /// Takes what is asked for by itself, and what would be chosen where there is a choice.
    pub(crate) fn new(index: &'a Index, asked: BTreeSet<usize>, preferred: BTreeSet<usize>) -> Self {
        Self { index, asked, preferred, pool: Pool::new(), candidates: RefCell::default() }
    }

    pub(crate) fn package(&self, solvable: SolvableId) -> &'a IndexPackage {
        &self.index.packages()[self.place(solvable)]
    }

    fn place(&self, solvable: SolvableId) -> usize {
        self.pool.resolve_solvable(solvable).record.place
    }

    /// Returns the requirement of a clause without conditions, or nothing if it has no choice.
    pub(crate) fn requirement(&self, choices: &[usize]) -> Option<Requirement> {
        let sets: Vec<VersionSetId> = self.ordered(choices).iter().map(|places| self.choice(places, false)).collect();
        let (first, rest) = sets.split_first()?;
        Some(match rest {
            [] => (*first).into(),
            _ => self.pool.intern_version_set_union(*first, rest.iter().copied()).into(),
        })
    }

    /// Groups packages by name, the name that is tried first first.
    fn ordered(&self, choices: &[usize]) -> Vec<Vec<usize>> {
        let best = best(self.index, choices);
        let mut groups: BTreeMap<(bool, bool, String), Vec<usize>> = BTreeMap::new();
        for group in self.by_name(choices) {
            let has = |wanted: &dyn Fn(usize) -> bool| group.iter().any(|place| wanted(*place));
            let is_preferred = has(&|place| self.preferred.contains(&place));
            let is_best = has(&|place| best.contains(&place));
            groups.insert((!is_preferred, !is_best, self.solver_name(group[0])), group);
        }
        groups.into_values().collect()
    }

    fn by_name(&self, places: &[usize]) -> Vec<Vec<usize>> {
        let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for place in places {
            groups.entry(self.solver_name(*place)).or_default().push(*place);
        }
        groups.into_values().collect()
    }

    fn solver_name(&self, place: usize) -> String {
        let package = &self.index.packages()[place];
        if self.index.is_secondary(place) {
            format!("{}.{}", package.name, package.architecture)
        } else {
            package.name.clone()
        }
    }

    /// Makes a choice among packages of one name.
    fn choice(&self, places: &[usize], is_excluding: bool) -> VersionSetId {
        let name = self.solver_name(places[0]);
        let all = self.places_of(&name, places[0]).len();
        let versions: Vec<String> =
            places.iter().map(|place| self.index.packages()[*place].version.to_string()).collect();
        let text = match (is_excluding, versions.len() == all) {
            (false, true) => "(any version)".to_owned(),
            (false, false) => format!("(= {})", versions.join(" or ")),
            (true, true) => "(must be absent)".to_owned(),
            (true, false) => format!("(must not be {})", versions.join(" or ")),
        };
        let name = self.intern(&name, places[0]);
        self.pool.intern_version_set(name, Choice { places: places.to_vec(), is_excluding, text })
    }

    /// Returns all packages that the solver calls by a name, of which one is given.
    fn places_of(&self, name: &str, one: usize) -> Vec<usize> {
        let named = self.index.named(&self.index.packages()[one].name).iter().copied();
        named.filter(|place| self.solver_name(*place) == name).collect()
    }

    fn intern(&self, name: &str, one: usize) -> NameId {
        let id = self.pool.intern_package_name(name);
        if !self.candidates.borrow().contains_key(&id) {
            let solvable = |place: usize| {
                let version = self.index.packages()[place].version.to_string();
                self.pool.intern_solvable(id, Candidate { place, version })
            };
            let found: Rc<[SolvableId]> = self.places_of(name, one).into_iter().map(solvable).collect();
            self.candidates.borrow_mut().insert(id, found);
        }
        id
    }

    fn dependencies(&self, place: usize) -> Result<KnownDependencies, String> {
        let needs = Needs::of(self.index, &self.asked, place).map_err(|error| error.to_string())?;
        let mut known = KnownDependencies::default();
        for (clause, text) in &needs.clauses {
            self.add(clause, &mut known)
                .ok_or_else(|| format!("it requires `{text}`, which no repository has{}", self.modules(text)))?;
        }
        Ok(known)
    }

    /// Says which modules have a package that is required.
    fn modules(&self, text: &str) -> String {
        let name = text.split(' ').next().unwrap_or_default();
        match &self.index.modules().streams_of(name)[..] {
            [] => String::new(),
            streams => format!(" outside of modules (there is `{}`)", streams.join("`, `")),
        }
    }

    /// Adds a clause; nothing, if it can never hold.
    fn add(&self, clause: &Clause, known: &mut KnownDependencies) -> Option<()> {
        let requirement = self.requirement(&clause.choices);
        match (&clause.conditions[..], requirement) {
            ([], requirement) => known.requirements.push(requirement?.into()),
            ([condition], None) => {
                known.constrains.extend(self.by_name(condition).iter().map(|places| self.choice(places, true)));
            }
            (conditions, requirement) => {
                let requirement = requirement.unwrap_or_else(|| self.impossible(conditions[0][0]));
                let mut conditions = conditions.iter().map(|condition| self.condition(condition));
                let first = conditions.next()?;
                let all = conditions.fold(first, |one, other| self.binary(LogicalOperator::And, one, other));
                known.requirements.push(ConditionalRequirement { condition: Some(all), requirement });
            }
        }
        Some(())
    }

    /// Returns a requirement that no candidate of a name meets.
    fn impossible(&self, one: usize) -> Requirement {
        let name = self.intern(&self.solver_name(one), one);
        let text = "(none)".to_owned();
        self.pool.intern_version_set(name, Choice { places: vec![], is_excluding: false, text }).into()
    }

    fn condition(&self, places: &[usize]) -> ConditionId {
        let groups = self.by_name(places);
        let mut sets =
            groups.iter().map(|group| self.pool.intern_condition(Condition::Requirement(self.choice(group, false))));
        let first = sets.next().expect("a condition that nothing meets is left out with its clause");
        sets.fold(first, |one, other| self.binary(LogicalOperator::Or, one, other))
    }

    fn binary(&self, operator: LogicalOperator, one: ConditionId, other: ConditionId) -> ConditionId {
        self.pool.intern_condition(Condition::Binary(operator, one, other))
    }
}

impl Relations for RpmRelations<'_> {
    type Choice = Choice;

    fn pool(&self) -> &Pool<Choice> {
        &self.pool
    }

    fn candidates_of(&self, name: NameId) -> Vec<SolvableId> {
        self.candidates.borrow().get(&name).map_or_else(Vec::new, |found| found.to_vec())
    }

    fn allows(&self, choice: &Choice, solvable: SolvableId) -> bool {
        choice.places.contains(&self.place(solvable)) != choice.is_excluding
    }

    fn sort(&self, solvables: &mut [SolvableId]) {
        solvables.sort_by_cached_key(|solvable| {
            let package = self.package(*solvable);
            let place = self.place(*solvable);
            let is_other = !self.preferred.contains(&place);
            (is_other, std::cmp::Reverse(package.version.clone()), self.index.rank(package), place)
        });
    }

    fn dependencies_of(&self, solvable: SolvableId) -> Result<KnownDependencies, String> {
        self.dependencies(self.place(solvable))
    }
}
