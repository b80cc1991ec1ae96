//! From a few requested packages to the exact list that satisfies all relations.
//!
//! Debian's rules: Depends and Pre-Depends with alternatives in order, virtual packages, Conflicts and Breaks, essential
//! packages always, the highest version over all suites, no Recommends. The same index and request give the same list.

use std::collections::BTreeSet;

use resolvo::{ConditionalRequirement, Problem, Solver, UnsolvableOrCancelled};
use vb_graph::LockedPackage;

use crate::{
    index::{Index, IndexPackage},
    relation::{ParseRelationError, Relation, parse_alternatives},
    solver::Provider,
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
    #[error("`{}` cannot be installed together:\n{}", request.join("`, `"), explanation.trim_ascii_end())]
    Unsatisfiable {
        /// What was asked for.
        request: Vec<String>,
        /// The chain of relations that cannot hold, one per line.
        explanation: String,
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

/// Resolves a request (`libpq5`, `python3 (>= 3.11)`, `a | b`) and the essential packages; sorted by name.
///
/// # Errors
/// See [`ResolveError`]. All unknown packages are reported together.
pub fn resolve(index: &Index, request: &[String]) -> Result<Vec<LockedPackage>, ResolveError> {
    let provider = Provider::new(index.packages());
    let mut requirements = Vec::new();
    let mut unknown = Vec::new();
    for text in request {
        let alternatives = parse_alternatives(text).map_err(|source| ResolveError::Malformed { source })?;
        match provider.requirement(&alternatives) {
            Some(requirement) => requirements.push(requirement.into()),
            None => unknown.push(describe_unknown(index, text, &alternatives)),
        }
    }
    if !unknown.is_empty() {
        return Err(ResolveError::Unknown { unknown });
    }
    let essential: BTreeSet<&str> =
        index.packages().iter().filter(|package| package.is_essential).map(|package| package.name.as_str()).collect();
    requirements.extend(essential.into_iter().map(|name| ConditionalRequirement::from(provider.any_version(name))));
    let mut solver = Solver::new(provider);
    match solver.solve(Problem::new().requirements(requirements)) {
        Ok(solvables) => {
            let chosen = solvables.into_iter().map(|solvable| lock(solver.provider().package(solvable)));
            let mut locked: Vec<LockedPackage> = chosen.collect();
            locked.sort();
            Ok(locked)
        }
        Err(UnsolvableOrCancelled::Unsolvable(conflict)) => Err(ResolveError::Unsatisfiable {
            request: request.to_vec(),
            explanation: conflict.display_user_friendly(&solver).to_string(),
        }),
        Err(UnsolvableOrCancelled::Cancelled(_)) => unreachable!("the provider never cancels"),
    }
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

fn describe_unknown(index: &Index, request: &str, alternatives: &[Relation]) -> UnknownPackage {
    let is_asked_for = |package: &&IndexPackage| alternatives.iter().any(|relation| relation.name == package.name);
    let versions: BTreeSet<String> =
        index.packages().iter().filter(is_asked_for).map(|package| package.version.clone()).collect();
    let suggestion = match alternatives {
        [relation] if versions.is_empty() => similar_name(index, &relation.name),
        _ => None,
    };
    UnknownPackage { request: request.to_owned(), versions: versions.into_iter().collect(), suggestion }
}

/// Finds the most similar package name, if it differs by a slip or two.
fn similar_name(index: &Index, name: &str) -> Option<String> {
    let limit = (name.len() / 4).clamp(1, 3);
    let names: BTreeSet<&str> = index.packages().iter().map(|package| package.name.as_str()).collect();
    let near = names.into_iter().filter(|found| found.len().abs_diff(name.len()) <= limit);
    let distances = near.map(|found| (strsim::osa_distance(found, name), found));
    distances.filter(|(distance, _)| *distance <= limit).min().map(|(_, found)| found.to_owned())
}
