//! Relations as clauses over packages: what a solver can decide.
//!
//! A relation becomes a formula whose atoms are sets of packages ("one of them is installed"), and the formula a
//! conjunction of [`Clause`]s.

use std::collections::BTreeSet;

use super::{
    index::Index,
    relation::{ParseRelationError, Relation},
    version::Range,
};

/// If one package of each condition is installed, one of the choices must be.
///
/// Without conditions it is a requirement, without choices a prohibition.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Clause {
    /// Sets of packages, by place in the index.
    pub(crate) conditions: Vec<Vec<usize>>,
    /// Packages, by place in the index.
    pub(crate) choices: Vec<usize>,
}

impl Clause {
    fn or(&self, other: &Self) -> Self {
        let mut both = self.clone();
        both.conditions.extend(other.conditions.iter().cloned());
        both.choices.extend(&other.choices);
        both.choices.sort_unstable();
        both.choices.dedup();
        both
    }

    /// Leaves out what is decided by the package itself being there; nothing remains of a clause that then holds.
    fn given(mut self, itself: usize) -> Option<Self> {
        let holds = self.choices.contains(&itself) || self.conditions.iter().any(Vec::is_empty);
        self.conditions.retain(|condition| !condition.contains(&itself));
        (!holds).then_some(self)
    }
}

/// What one package needs: its requirements, and what it must not be together with.
#[derive(Debug)]
pub(crate) struct Needs {
    /// The clauses that hold where the package is installed, each with the relation that it is from.
    pub(crate) clauses: Vec<(Clause, String)>,
}

impl Needs {
    /// Works out what a package of the index needs, where some are asked for by themselves.
    pub(crate) fn of(index: &Index, asked: &BTreeSet<usize>, place: usize) -> Result<Self, ParseRelationError> {
        let package = &index.packages()[place];
        let mut clauses = Vec::new();
        for entry in package.requires.iter().filter(|entry| !entry.is_of_rpm()) {
            let relation = entry.to_relation()?;
            let found = Formula::of(index, &relation).clauses(true);
            clauses.extend(found.into_iter().filter_map(|clause| Some((clause.given(place)?, relation.to_string()))));
        }
        for entry in &package.conflicts {
            let relation = entry.to_relation()?;
            for mut clause in Formula::of(index, &relation).clauses(false) {
                // A package is never refused by itself, whatever it provides.
                clause.conditions.iter_mut().for_each(|condition| condition.retain(|other| *other != place));
                clauses.extend(clause.given(place).map(|clause| (clause, format!("conflict with {relation}"))));
            }
        }
        for obsolete in &package.obsoletes {
            let condition = index.obsoleted(place, obsolete);
            let clause = Clause { conditions: vec![condition], choices: vec![] };
            clauses.extend(clause.given(place).map(|clause| (clause, format!("obsoletes {obsolete}"))));
        }
        let is_asked = || {
            let is_alike = |other: &usize| {
                let other = &index.packages()[*other];
                (&other.name, &other.architecture) == (&package.name, &package.architecture)
            };
            asked.iter().any(is_alike)
        };
        if let Some(choices) = index.own_architecture(place).filter(|_| !is_asked()) {
            let text = format!("{} = {} of the machine's own architecture", package.name, package.version);
            clauses.push((Clause { conditions: vec![], choices }, text));
        }
        Ok(Self { clauses })
    }
}

/// A relation over sets of packages.
enum Formula {
    True,
    Atom(Vec<usize>),
    Not(Box<Formula>),
    And(Vec<Formula>),
    Or(Vec<Formula>),
}

impl Formula {
    fn of(index: &Index, relation: &Relation) -> Self {
        let of = |relation: &Relation| Self::of(index, relation);
        let not = |relation: &Relation| Self::Not(Box::new(of(relation)));
        match relation {
            Relation::Simple(capability) if capability.is_of_rpm() => Self::True,
            Relation::Simple(_) | Relation::With(_) | Relation::Without(_) => Self::Atom(matching(index, relation)),
            Relation::And(all) => Self::And(all.iter().map(of).collect()),
            Relation::Or(all) => Self::Or(all.iter().map(of).collect()),
            Relation::If(pair, other) => {
                let [then, condition] = &**pair;
                let first = Self::Or(vec![of(then), not(condition)]);
                match other {
                    None => first,
                    Some(other) => Self::And(vec![first, Self::Or(vec![of(other), of(condition)])]),
                }
            }
            Relation::Unless(pair, other) => {
                let [then, condition] = &**pair;
                let first = Self::And(vec![of(then), not(condition)]);
                match other {
                    None => first,
                    Some(other) => Self::Or(vec![first, Self::And(vec![of(other), of(condition)])]),
                }
            }
        }
    }

    /// Returns the clauses of the formula, or of its negation.
    fn clauses(&self, is_meant: bool) -> Vec<Clause> {
        match (self, is_meant) {
            (Self::True, true) => vec![],
            (Self::True, false) => vec![Clause::default()],
            (Self::Atom(choices), true) => vec![Clause { conditions: vec![], choices: choices.clone() }],
            (Self::Atom(condition), false) => vec![Clause { conditions: vec![condition.clone()], choices: vec![] }],
            (Self::Not(formula), _) => formula.clauses(!is_meant),
            (Self::And(all), true) | (Self::Or(all), false) => {
                all.iter().flat_map(|formula| formula.clauses(is_meant)).collect()
            }
            (Self::Or(all), true) | (Self::And(all), false) => {
                let start = vec![Clause::default()];
                all.iter().fold(start, |so_far, formula| {
                    let next = formula.clauses(is_meant);
                    so_far.iter().flat_map(|one| next.iter().map(|other| one.or(other))).collect()
                })
            }
        }
    }
}

/// Returns the packages that meet a relation, each by itself.
pub(crate) fn matching(index: &Index, relation: &Relation) -> Vec<usize> {
    let of = |relation: &Relation| matching(index, relation);
    let both = |one: Vec<usize>, other: Vec<usize>| one.into_iter().filter(|place| other.contains(place)).collect();
    let mut found = match relation {
        Relation::Simple(capability) => index.providers(capability),
        Relation::With(all) if is_of_one_name(all) => within(index, all),
        Relation::With(all) | Relation::And(all) => all.iter().map(of).reduce(both).unwrap_or_default(),
        Relation::Or(all) => all.iter().flat_map(of).collect(),
        Relation::Without(pair) => {
            let [wanted, unwanted] = &**pair;
            let unwanted = of(unwanted);
            of(wanted).into_iter().filter(|place| !unwanted.contains(place)).collect()
        }
        Relation::If(pair, _) | Relation::Unless(pair, _) => of(&pair[0]),
    };
    found.sort_unstable();
    found.dedup();
    found
}

/// Do all relations name the same? Then dnf wants one provision that is within all of their ranges.
fn is_of_one_name(all: &[Relation]) -> bool {
    let name = |relation: &Relation| match relation {
        Relation::Simple(capability) => Some(capability.name.clone()),
        _ => None,
    };
    name(&all[0]).is_some_and(|first| all.iter().all(|relation| name(relation).as_ref() == Some(&first)))
}

fn within(index: &Index, all: &[Relation]) -> Vec<usize> {
    let simple = all.iter().filter_map(|relation| match relation {
        Relation::Simple(capability) => Some(capability),
        _ => None,
    });
    let (names, ranges): (Vec<&str>, Vec<&Range>) =
        simple.map(|capability| (capability.name.as_str(), &capability.range)).unzip();
    names.first().map_or_else(Vec::new, |name| index.providers_within(name, &ranges))
}

/// Returns the clauses of a request.
pub(crate) fn requested(index: &Index, relation: &Relation) -> Vec<Clause> {
    Formula::of(index, relation).clauses(true)
}
