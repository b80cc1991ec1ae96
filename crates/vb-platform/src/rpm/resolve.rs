//! From a few requested packages to the exact list that satisfies all relations.
//!
//! The rules and choices of dnf: Requires, Conflicts and Obsoletes, simple and rich; the latest version over all
//! repositories; the machine's own architecture before others that it can run; no weak dependencies. The same index and
//! request give the same list.

use std::collections::BTreeSet;

use resolvo::ConditionalRequirement;
use vb_fetch::Fetcher;
use vb_graph::LockedPackage;

use super::{
    formula::{Clause, requested},
    index::{Index, IndexPackage},
    preference::preferred,
    relation::{Capability, ParseRelationError, Relation},
    repository::RepositoryError,
    solver::RpmRelations,
    version::Range,
};
use crate::{resolve::UnknownPackage, sat::solve};

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
    /// The whole file lists, which a path asks for, cannot be had.
    #[error("cannot look up which packages have a file")]
    Files {
        /// Why not.
        #[source]
        source: RepositoryError,
    },
    /// Requested packages are in no repository, or not at such a version.
    #[error("{}", unknown.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Unknown {
        /// All of them.
        unknown: Vec<UnknownPackage>,
    },
    /// A package would have to come from a module, whose streams a lock cannot enable.
    #[error("package `{package}` belongs to a module (`{}`), and vb takes no packages of modules", streams.join("`, `"))]
    Modular {
        /// The package.
        package: String,
        /// The streams that have it: `nodejs:18`.
        streams: Vec<String>,
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

/// Resolves a request: names (`bash`, `glibc.i686`), relations (`python3 >= 3.9`, `libpq.so.5()(64bit)`, `(a or b)`) and
/// paths; sorted by name. File lists are fetched where a path is needed that `primary.xml` does not have.
///
/// # Errors
/// See [`ResolveError`]. All unknown packages are reported together.
pub fn resolve(index: &mut Index, fetcher: &Fetcher, request: &[String]) -> Result<Vec<LockedPackage>, ResolveError> {
    let relations: Vec<Relation> = request
        .iter()
        .map(|text| Relation::parse(text))
        .collect::<Result<_, _>>()
        .map_err(|source| ResolveError::Malformed { source })?;
    index.complete(fetcher, &relations).map_err(|source| ResolveError::Files { source })?;
    let wanted = find(index, request, &relations)?;
    let clauses: Vec<Clause> = wanted.iter().flatten().cloned().collect();
    let asked: BTreeSet<usize> = clauses.iter().flat_map(|clause| clause.choices.iter().copied()).collect();
    let needs = RpmRelations::new(index, asked, preferred(index, &clauses));
    let requirement = |clause: &Clause| needs.requirement(&clause.choices).map(ConditionalRequirement::from);
    let requirements: Vec<ConditionalRequirement> = clauses.iter().filter_map(requirement).collect();
    match solve(needs, requirements) {
        (solver, Ok(solvables)) => {
            let chosen: Vec<&IndexPackage> =
                solvables.into_iter().map(|solvable| solver.provider().0.package(solvable)).collect();
            check_modules(index, &chosen)?;
            let mut locked: Vec<LockedPackage> = chosen.into_iter().map(lock).collect();
            locked.sort();
            Ok(locked)
        }
        (solver, Err(conflict)) => Err(ResolveError::Unsatisfiable {
            request: request.to_vec(),
            explanation: conflict.display_user_friendly(&solver).to_string(),
        }),
    }
}

/// Turns each requested relation into clauses that have choices.
fn find(index: &Index, request: &[String], relations: &[Relation]) -> Result<Vec<Vec<Clause>>, ResolveError> {
    let mut found = Vec::new();
    let mut unknown = Vec::new();
    for (text, relation) in request.iter().zip(relations) {
        let clauses = match relation {
            Relation::Simple(capability) => vec![Clause { conditions: vec![], choices: named(index, capability) }],
            rich => requested(index, rich),
        };
        if clauses.iter().any(|clause| clause.choices.is_empty() && clause.conditions.is_empty()) {
            check_is_no_module(index, relation)?;
            unknown.push(describe_unknown(index, text, relation));
        }
        found.push(clauses);
    }
    if unknown.is_empty() { Ok(found) } else { Err(ResolveError::Unknown { unknown }) }
}

/// Returns what a requested name means, as `dnf install` reads it: packages of the name and what obsoletes them; else
/// packages of the name and architecture; else what provides it.
fn named(index: &Index, capability: &Capability) -> Vec<usize> {
    if capability.range == Range::All {
        let mut named = index.named(&capability.name).to_vec();
        if !named.is_empty() {
            named.extend(index.obsoleters(&named));
            named.sort_unstable();
            named.dedup();
            return named;
        }
        if let Some((name, architecture)) = capability.name.rsplit_once('.') {
            let is_meant = |place: &&usize| index.packages()[**place].architecture == architecture;
            let of_architecture: Vec<usize> = index.named(name).iter().filter(is_meant).copied().collect();
            if !of_architecture.is_empty() {
                return of_architecture;
            }
        }
    }
    index.providers(capability)
}

fn check_is_no_module(index: &Index, relation: &Relation) -> Result<(), ResolveError> {
    let mut modular = None;
    relation.visit(&mut |capability| {
        let streams = index.modules().streams_of(&capability.name);
        if modular.is_none() && !streams.is_empty() && index.named(&capability.name).is_empty() {
            let streams = streams.into_iter().map(str::to_owned).collect();
            modular = Some(ResolveError::Modular { package: capability.name.clone(), streams });
        }
    });
    modular.map_or(Ok(()), Err)
}

/// Refuses a package that a machine would take from a module's default stream.
fn check_modules(index: &Index, chosen: &[&IndexPackage]) -> Result<(), ResolveError> {
    let stream =
        |package: &&IndexPackage| Some((package.name.clone(), index.modules().default_stream_of(&package.name)?));
    match chosen.iter().find_map(stream) {
        Some((package, stream)) => Err(ResolveError::Modular { package, streams: vec![stream.to_owned()] }),
        None => Ok(()),
    }
}

fn lock(package: &IndexPackage) -> LockedPackage {
    LockedPackage {
        name: package.name.clone(),
        version: package.version.to_string(),
        architecture: package.architecture.clone(),
        path: package.location.clone(),
        size: package.size,
        sha256: package.sha256,
    }
}

fn describe_unknown(index: &Index, request: &str, relation: &Relation) -> UnknownPackage {
    let Relation::Simple(capability) = relation else {
        return UnknownPackage { request: request.to_owned(), versions: vec![], suggestion: None };
    };
    let any = Capability { name: capability.name.clone(), range: Range::All };
    let versions: BTreeSet<String> =
        index.providers(&any).into_iter().map(|place| index.packages()[place].version.to_string()).collect();
    let names = || index.packages().iter().map(|package| package.name.as_str());
    let suggestion = if versions.is_empty() { crate::resolve::similar(names(), &capability.name) } else { None };
    UnknownPackage { request: request.to_owned(), versions: versions.into_iter().collect(), suggestion }
}
