//! The one way in which both families' relations reach the SAT solver.
//!
//! Must not be here: what a relation means; that is each family's [`Relations`].

use std::fmt;

use resolvo::{
    Candidates, Condition, ConditionId, ConditionalRequirement, Dependencies, DependencyProvider,
    HintDependenciesAvailable, Interner, KnownDependencies, NameId, Problem, SolvableId, Solver, SolverCache, StringId,
    UnsolvableOrCancelled, VersionSetId, VersionSetUnionId,
    conflict::Conflict,
    utils::{Pool, VersionSet},
};

/// What the packages of an index need, in names, candidates and choices of a pool.
pub(crate) trait Relations {
    /// Which candidates of one name are meant.
    type Choice: VersionSet<V: fmt::Display> + fmt::Display;

    /// Returns the pool that has every name, candidate and choice that was handed out.
    fn pool(&self) -> &Pool<Self::Choice>;

    /// Returns the candidates of a name.
    fn candidates_of(&self, name: NameId) -> Vec<SolvableId>;

    /// Is a candidate among those that a choice means?
    fn allows(&self, choice: &Self::Choice, solvable: SolvableId) -> bool;

    /// Sorts candidates, the one that is tried first first.
    fn sort(&self, solvables: &mut [SolvableId]);

    /// Returns what a candidate needs and excludes, or why it can never be installed.
    fn dependencies_of(&self, solvable: SolvableId) -> Result<KnownDependencies, String>;
}

/// Relations as the solver's library wants them.
pub(crate) struct Provider<R>(pub(crate) R);

/// Solves for requirements: the candidates, or the conflict with the solver that can explain it.
pub(crate) fn solve<R: Relations>(
    relations: R,
    requirements: Vec<ConditionalRequirement>,
) -> (Solver<Provider<R>>, Result<Vec<SolvableId>, Conflict>) {
    let mut solver = Solver::new(Provider(relations));
    let found = match solver.solve(Problem::new().requirements(requirements)) {
        Ok(solvables) => Ok(solvables),
        Err(UnsolvableOrCancelled::Unsolvable(conflict)) => Err(conflict),
        Err(UnsolvableOrCancelled::Cancelled(_)) => unreachable!("the provider never cancels"),
    };
    (solver, found)
}

impl<R: Relations> Interner for Provider<R> {
    type NameId = NameId;
    type SolvableId = SolvableId;

    fn display_solvable(&self, solvable: SolvableId) -> impl fmt::Display + '_ {
        &self.0.pool().resolve_solvable(solvable).record
    }

    fn display_name(&self, name: NameId) -> impl fmt::Display + '_ {
        self.0.pool().resolve_package_name(name)
    }

    fn display_version_set(&self, version_set: VersionSetId) -> impl fmt::Display + '_ {
        self.0.pool().resolve_version_set(version_set)
    }

    fn display_string(&self, string: StringId) -> impl fmt::Display + '_ {
        self.0.pool().resolve_string(string)
    }

    fn version_set_name(&self, version_set: VersionSetId) -> NameId {
        self.0.pool().resolve_version_set_package_name(version_set)
    }

    fn solvable_name(&self, solvable: SolvableId) -> NameId {
        self.0.pool().resolve_solvable(solvable).name
    }

    fn version_sets_in_union(&self, union: VersionSetUnionId) -> impl Iterator<Item = VersionSetId> {
        self.0.pool().resolve_version_set_union(union)
    }

    fn resolve_condition(&self, condition: ConditionId) -> Condition {
        self.0.pool().resolve_condition(condition).clone()
    }
}

impl<R: Relations> DependencyProvider for Provider<R> {
    async fn filter_candidates(
        &self,
        candidates: &[SolvableId],
        version_set: VersionSetId,
        inverse: bool,
    ) -> Vec<SolvableId> {
        let choice = self.0.pool().resolve_version_set(version_set);
        candidates.iter().copied().filter(|solvable| self.0.allows(choice, *solvable) != inverse).collect()
    }

    async fn get_candidates(&self, name: NameId) -> Option<Candidates> {
        Some(Candidates {
            candidates: self.0.candidates_of(name),
            hint_dependencies_available: HintDependenciesAvailable::All,
            ..Candidates::default()
        })
    }

    async fn sort_candidates(&self, _: &SolverCache<Self>, solvables: &mut [SolvableId]) {
        self.0.sort(solvables);
    }

    async fn get_dependencies(&self, solvable: SolvableId) -> Dependencies {
        match self.0.dependencies_of(solvable) {
            Ok(known) => Dependencies::Known(known),
            Err(reason) => Dependencies::Unknown(self.0.pool().intern_string(reason)),
        }
    }
}
