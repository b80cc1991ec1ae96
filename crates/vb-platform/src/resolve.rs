//! From a few requested packages to the exact list that satisfies all relations.
//!
//! Debian's rules: Depends and Pre-Depends with alternatives in order, virtual packages, Conflicts and Breaks, essential
//! packages always, no Recommends. The same index, pins and request give the same list.
//!
//! Of each package only the preferred version is considered first, as apt does: the one with the highest priority, and
//! of these the highest. Where that has no answer, and apt would give up, all versions are considered.

use std::collections::{BTreeSet, HashMap};

use resolvo::ConditionalRequirement;
use vb_graph::LockedPackage;

use crate::{
    catalogue::Catalogue,
    explain::explain,
    index::{Index, IndexPackage},
    pin::{Pin, PinError},
    relation::{Constraint, ParseRelationError, Relation, parse_alternatives},
    sat::solve,
    solver::{DebianRelations, Scope},
};

/// No list of packages satisfies a request.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// A requested package is not written as one.
    #[error("a requested package is malformed")]
    Malformed {
        /// What is wrong with it.
        #[source]
        source: ParseRelationError,
    },
    /// Requested packages are in no suite, or not at such a version.
    #[error("{}", unknown.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Unknown {
        /// All of them.
        unknown: Vec<UnknownPackage>,
    },
    /// The request contradicts itself somewhere along its dependencies.
    #[error("`{}` cannot be installed together:\n{}", request.join("`, `"), explanation.join("\n"))]
    Unsatisfiable {
        /// What was asked for.
        request: Vec<String>,
        /// The relations that cannot hold together, from the request on.
        explanation: Vec<String>,
    },
}

/// A requested package that the suites do not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownPackage {
    /// The request as it was written.
    pub request: String,
    /// The versions that there are, if it is only the version that is unknown.
    pub versions: Vec<String>,
    /// A package with a similar name.
    pub suggestion: Option<String>,
}

impl std::fmt::Display for UnknownPackage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.versions.is_empty() {
            write!(f, "no package is named `{}`", self.request)?;
        } else {
            write!(f, "no package satisfies `{}` (there is: {})", self.request, self.versions.join(", "))?;
        }
        match &self.suggestion {
            Some(suggestion) => write!(f, ", did you mean `{suggestion}`?"),
            None => Ok(()),
        }
    }
}

/// Resolves requests over one index.
pub struct Resolver<'a> {
    catalogue: Catalogue<'a>,
}

impl std::fmt::Debug for Resolver<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

impl<'a> Resolver<'a> {
    /// Prepares an index, with pins in the order in which they count.
    ///
    /// # Errors
    /// See [`PinError`].
    pub fn new(index: &'a Index, pins: &[Pin]) -> Result<Self, PinError> {
        Ok(Self { catalogue: Catalogue::new(index, pins)? })
    }

    /// Resolves a request (`libpq5`, `python3 (>= 3.11)`, `a | b`) and the essential packages; sorted by name.
    ///
    /// # Errors
    /// See [`ResolveError`]. All unknown packages are reported together.
    pub fn resolve(&self, request: &[String]) -> Result<Vec<LockedPackage>, ResolveError> {
        let parsed = request.iter().map(|text| parse_alternatives(text)).collect::<Result<Vec<_>, _>>();
        let parsed = parsed.map_err(|source| ResolveError::Malformed { source })?;
        let preferred = Scope::Preferred(wanted(&parsed));
        let found = self.resolve_within(preferred, &parsed).or_else(|_| self.resolve_within(Scope::All, &parsed));
        found.map_err(|failure| match failure {
            Failure::Unknown(unknown) => {
                let describe = |number: usize| self.describe_unknown(&request[number], &parsed[number]);
                ResolveError::Unknown { unknown: unknown.into_iter().map(describe).collect() }
            }
            Failure::Unsatisfiable(explanation) => {
                ResolveError::Unsatisfiable { request: request.to_vec(), explanation }
            }
        })
    }

    fn resolve_within(&self, scope: Scope<'_>, request: &[Vec<Relation>]) -> Result<Vec<LockedPackage>, Failure> {
        let relations = DebianRelations::new(&self.catalogue, scope);
        let mut requirements: Vec<ConditionalRequirement> = Vec::new();
        let mut unknown = Vec::new();
        for (number, alternatives) in request.iter().enumerate() {
            match relations.request(alternatives) {
                Some(requirement) => requirements.push(requirement.into()),
                None => unknown.push(number),
            }
        }
        if !unknown.is_empty() {
            return Err(Failure::Unknown(unknown));
        }
        let essential = self.catalogue.essential().into_iter().map(|name| relations.any_version(name));
        requirements.extend(essential.map(ConditionalRequirement::from));
        match solve(relations, requirements) {
            (solver, Ok(solvables)) => {
                let chosen = solvables.into_iter().map(|solvable| lock(solver.provider().0.package(solvable)));
                let mut locked: Vec<LockedPackage> = chosen.collect();
                locked.sort();
                Ok(locked)
            }
            (solver, Err(conflict)) => {
                Err(Failure::Unsatisfiable(explain(&conflict.graph(&solver), &solver.provider().0)))
            }
        }
    }

    fn describe_unknown(&self, request: &str, alternatives: &[Relation]) -> UnknownPackage {
        let candidates = alternatives.iter().flat_map(|relation| self.catalogue.candidates(&relation.name).to_vec());
        let versions = candidates.map(|candidate| self.catalogue.package(candidate.index).version.clone());
        let versions: BTreeSet<String> = versions.collect();
        let suggestion = match alternatives {
            [relation] if versions.is_empty() => similar(self.catalogue.names().into_iter(), &relation.name),
            _ => None,
        };
        UnknownPackage { request: request.to_owned(), versions: versions.into_iter().collect(), suggestion }
    }
}

/// Why there is no answer among the versions that are considered.
enum Failure {
    /// Nothing meets these parts of the request.
    Unknown(Vec<usize>),
    /// The relations that cannot hold together.
    Unsatisfiable(Vec<String>),
}

/// Returns the bounds that a request itself sets: they choose the version, as `name=version` does for apt.
fn wanted(request: &[Vec<Relation>]) -> HashMap<&str, Vec<&Constraint>> {
    let mut wanted: HashMap<&str, Vec<&Constraint>> = HashMap::new();
    for Relation { name, constraint, .. } in request.iter().flatten() {
        wanted.entry(name).or_default().extend(constraint);
    }
    wanted
}

fn lock(package: &IndexPackage) -> LockedPackage {
    LockedPackage {
        name: package.name.clone(),
        version: package.version.clone(),
        architecture: package.architecture.clone(),
        path: package.filename.clone(),
        size: package.size,
        sha256: package.sha256,
    }
}

/// Finds the most similar of some names, if it differs by a slip or two.
pub(crate) fn similar<'a>(names: impl Iterator<Item = &'a str>, name: &str) -> Option<String> {
    let limit = (name.len() / 4).clamp(1, 3);
    let near = names.filter(|found| found.len().abs_diff(name.len()) <= limit);
    let distances = near.map(|found| (strsim::osa_distance(found, name), found));
    distances.filter(|(distance, _)| *distance <= limit).min().map(|(_, found)| found.to_owned())
}
