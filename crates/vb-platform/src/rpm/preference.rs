//! Which packages dnf would choose where several would do.
//!
//! A solver is free where a relation has several answers, and dnf's has habits (libsolv, `policy.c` and
//! `resolve_dependencies`): of one name the latest, what fits the architecture best, not what another candidate obsoletes;
//! first everything that leaves no choice, and only then the choices, by what is recommended and else by name. They are
//! followed here without ever going back. Where that runs into a contradiction it ends, and what was chosen until then
//! remains a wish: whether it can be granted is for the solver to say.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{
    formula::{Clause, Needs},
    index::Index,
};

/// Returns the packages that dnf would choose for a request, whose clauses are in the request's order.
pub(crate) fn preferred(index: &Index, request: &[Clause]) -> BTreeSet<usize> {
    let mut draft = Draft::new(index, request);
    // A contradiction ends the draft; what is in it remains.
    let _ = draft.decide_all(request.len());
    draft.decided.into_iter().filter(|(_, is_chosen)| *is_chosen).map(|(place, _)| place).collect()
}

/// Orders packages that would do, and leaves out those that dnf would not look at.
pub(crate) fn best(index: &Index, candidates: &[usize]) -> Vec<usize> {
    let family = |place: &usize| index.is_secondary(*place);
    let has_primary = candidates.iter().any(|place| !family(place) && !is_noarch(index, *place));
    let mut by_name: BTreeMap<&str, usize> = BTreeMap::new();
    for &place in candidates.iter().filter(|place| !has_primary || !family(place)) {
        let package = &index.packages()[place];
        let best = by_name.entry(&package.name).or_insert(place);
        let other = &index.packages()[*best];
        let is_better = package.version > other.version
            || (package.version == other.version && index.rank(package) < index.rank(other));
        if is_better {
            *best = place;
        }
    }
    let found: Vec<usize> = by_name.into_values().collect();
    let is_obsoleted = |place: &usize| {
        let by = |other: &usize| obsoletes(index, *other, *place) && !obsoletes(index, *place, *other);
        found.iter().any(|other| other != place && by(other))
    };
    let current: Vec<usize> = found.iter().filter(|place| !is_obsoleted(place)).copied().collect();
    if current.is_empty() { found } else { current }
}

fn obsoletes(index: &Index, one: usize, other: usize) -> bool {
    index.packages()[one].obsoletes.iter().any(|obsolete| index.obsoleted(one, obsolete).contains(&other))
}

fn is_noarch(index: &Index, place: usize) -> bool {
    index.packages()[place].architecture == "noarch"
}

/// The packages do not go together.
struct Contradiction;

/// A clause, and the package whose it is; the request's belong to nobody.
struct Rule {
    owner: Option<usize>,
    clause: Clause,
}

struct Draft<'a> {
    index: &'a Index,
    /// The request's clauses in their order, then those of the packages, the last package first.
    rules: Vec<Rule>,
    /// The rules that a package is in.
    occurrences: BTreeMap<usize, Vec<usize>>,
    decided: BTreeMap<usize, bool>,
}

impl<'a> Draft<'a> {
    fn new(index: &'a Index, request: &[Clause]) -> Self {
        let mut rules: Vec<Rule> = request.iter().map(|clause| Rule { owner: None, clause: clause.clone() }).collect();
        for (place, mut clauses) in reachable(index, request).into_iter().rev() {
            clauses.sort();
            clauses.dedup();
            rules.extend(clauses.into_iter().map(|clause| Rule { owner: Some(place), clause }));
        }
        let mut occurrences: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (number, rule) in rules.iter().enumerate() {
            let conditions = rule.clause.conditions.iter().flatten();
            for place in rule.clause.choices.iter().chain(conditions).chain(&rule.owner) {
                occurrences.entry(*place).or_default().push(number);
            }
        }
        Self { index, rules, occurrences, decided: BTreeMap::new() }
    }

    fn decide_all(&mut self, requested: usize) -> Result<(), Contradiction> {
        self.propagate((0..self.rules.len()).collect())?;
        for number in 0..requested {
            if let Some(candidates) = self.open(number) {
                self.choose(&candidates)?;
            }
        }
        let first_choice = self.decide_without_choice()?;
        self.decide_from(first_choice)
    }

    /// Decides what has one good answer; returns the first rule that has several.
    fn decide_without_choice(&mut self) -> Result<usize, Contradiction> {
        let mut first_choice = None;
        let (mut number, mut unchanged) = (0, 0);
        while unchanged < self.rules.len() {
            unchanged += 1;
            if let Some(candidates) = self.open(number) {
                match best(self.index, &candidates)[..] {
                    [one] => {
                        self.set(one, true)?;
                        unchanged = 0;
                    }
                    _ => _ = first_choice.get_or_insert(number),
                }
            }
            number = (number + 1) % self.rules.len();
        }
        Ok(first_choice.unwrap_or(0))
    }

    /// Decides everything that is open, in one circle after the other.
    fn decide_from(&mut self, mut number: usize) -> Result<(), Contradiction> {
        let mut unchanged = 0;
        while unchanged < self.rules.len() {
            unchanged += 1;
            if let Some(candidates) = self.open(number) {
                self.choose(&candidates)?;
                unchanged = 0;
            }
            number = (number + 1) % self.rules.len();
        }
        Ok(())
    }

    fn choose(&mut self, candidates: &[usize]) -> Result<(), Contradiction> {
        let best = best(self.index, candidates);
        let wished = self.wished(&best);
        match wished.first().or(best.first()) {
            Some(choice) => self.set(*choice, true),
            None => Err(Contradiction),
        }
    }

    /// Returns those candidates that what is chosen would like best.
    fn wished(&self, candidates: &[usize]) -> Vec<usize> {
        let mut left = candidates.to_vec();
        for strength in 0..2 {
            let liked: Vec<usize> = left.iter().copied().filter(|place| self.is_wished(*place, strength)).collect();
            if !liked.is_empty() {
                left = liked;
            }
        }
        left
    }

    fn is_wished(&self, place: usize, strength: usize) -> bool {
        let chosen = || self.decided.iter().filter(|(_, is_chosen)| **is_chosen).map(|(other, _)| *other);
        let packages = self.index.packages();
        let by_other = |other: usize| {
            packages[other].wishes[strength].iter().any(|wish| self.index.providers(wish).contains(&place))
        };
        let by_itself = || {
            let mut offers = packages[place].offers[strength].iter();
            offers.any(|offer| self.index.providers(offer).iter().any(|other| self.decided.get(other) == Some(&true)))
        };
        chosen().any(by_other) || by_itself()
    }

    /// Returns the undecided choices of a rule that is in force and not met.
    fn open(&self, number: usize) -> Option<Vec<usize>> {
        let Rule { owner, clause } = &self.rules[number];
        let is_chosen = |place: &usize| self.decided.get(place) == Some(&true);
        let is_in_force = owner.iter().all(is_chosen)
            && clause.conditions.iter().all(|condition| condition.iter().any(is_chosen))
            && !clause.choices.iter().any(is_chosen);
        let undecided = || clause.choices.iter().filter(|place| !self.decided.contains_key(place)).copied().collect();
        is_in_force.then(undecided)
    }

    fn set(&mut self, place: usize, is_chosen: bool) -> Result<(), Contradiction> {
        let mut queue = VecDeque::new();
        self.note(place, is_chosen, &mut queue)?;
        self.propagate(queue)
    }

    fn note(&mut self, place: usize, is_chosen: bool, queue: &mut VecDeque<usize>) -> Result<(), Contradiction> {
        match self.decided.insert(place, is_chosen) {
            Some(before) if before != is_chosen => return Err(Contradiction),
            Some(_) => return Ok(()),
            None => queue.extend(self.occurrences.get(&place).into_iter().flatten()),
        }
        if is_chosen {
            for other in self.others_of_name(place) {
                self.note(other, false, queue)?;
            }
        }
        Ok(())
    }

    /// Returns the packages of the same name, of which only one can be installed.
    fn others_of_name(&self, place: usize) -> Vec<usize> {
        let named = self.index.named(&self.index.packages()[place].name).iter().copied();
        let is_secondary = self.index.is_secondary(place);
        named.filter(|other| *other != place && self.index.is_secondary(*other) == is_secondary).collect()
    }

    /// Draws the conclusions that leave no choice from some rules, and from those that these change.
    fn propagate(&mut self, mut queue: VecDeque<usize>) -> Result<(), Contradiction> {
        while let Some(number) = queue.pop_front() {
            let Rule { owner, clause } = &self.rules[number];
            let is_chosen = |place: &usize| self.decided.get(place) == Some(&true);
            let undecided = |places: &[usize]| -> Vec<usize> {
                places.iter().filter(|place| !self.decided.contains_key(place)).copied().collect()
            };
            if clause.choices.iter().any(is_chosen)
                || owner.is_some_and(|owner| self.decided.get(&owner) == Some(&false))
            {
                continue;
            }
            let is_owned = owner.iter().all(is_chosen);
            let choices = undecided(&clause.choices);
            let unmet: Vec<&Vec<usize>> =
                clause.conditions.iter().filter(|condition| !condition.iter().any(is_chosen)).collect();
            let conclusions: Vec<(usize, bool)> = match (&choices[..], &unmet[..]) {
                ([], []) => match owner {
                    Some(owner) if !is_owned => vec![(*owner, false)],
                    _ => return Err(Contradiction),
                },
                ([one], []) if is_owned => vec![(*one, true)],
                ([], [condition]) if is_owned => undecided(condition).into_iter().map(|place| (place, false)).collect(),
                _ => vec![],
            };
            for (place, is_chosen) in conclusions {
                self.note(place, is_chosen, &mut queue)?;
            }
        }
        Ok(())
    }
}

/// Returns every package that some clause below a request names as a choice, with its own clauses.
fn reachable(index: &Index, request: &[Clause]) -> BTreeMap<usize, Vec<Clause>> {
    let mut found = BTreeMap::new();
    let mut queue: Vec<usize> = request.iter().flat_map(|clause| &clause.choices).copied().collect();
    let asked: BTreeSet<usize> = queue.iter().copied().collect();
    while let Some(place) = queue.pop() {
        if found.contains_key(&place) {
            continue;
        }
        // A package whose relations cannot be read can never be installed.
        let clauses: Vec<Clause> = Needs::of(index, &asked, place).map_or_else(
            |_| vec![Clause::default()],
            |needs| needs.clauses.into_iter().map(|(clause, _)| clause).collect(),
        );
        queue.extend(clauses.iter().flat_map(|clause| &clause.choices));
        found.insert(place, clauses);
    }
    found
}
