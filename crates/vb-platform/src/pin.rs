//! Which version of a package is preferred: priorities by suite and by pin (apt_preferences(5)).

use globset::{Glob, GlobMatcher};

use crate::index::SuiteState;

/// A pin: the priority of some packages of one suite.
///
/// A pin of all packages (`*`) sets the priority of what no other pin names; of pins that name packages, the first one
/// that fits counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Names of packages, with `*`, `?` and `[…]` as in file names.
    pub packages: Vec<String>,
    /// The suite.
    pub suite: String,
    /// The priority: zero or less is never, more is preferred to less.
    pub priority: i32,
}

/// A pin cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// A pattern of package names is malformed.
    #[error("`{pattern}` is no pattern of package names")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        #[source]
        source: globset::Error,
    },
    /// A pin names a suite that is not loaded.
    #[error("the pin of `{}` names suite `{suite}`, which the platform has not (it has: {})", packages.join(", "), found.join(", "))]
    Suite {
        /// The packages that are pinned.
        packages: Vec<String>,
        /// The suite.
        suite: String,
        /// The suites that there are.
        found: Vec<String>,
    },
}

/// The priorities of all packages.
#[derive(Debug)]
pub(crate) struct Priorities {
    /// What a suite's packages have that no pin names, by the suite's number.
    defaults: Vec<i32>,
    specific: Vec<SpecificPin>,
}

#[derive(Debug)]
struct SpecificPin {
    patterns: Vec<GlobMatcher>,
    suite: usize,
    priority: i32,
}

impl Priorities {
    pub(crate) fn new(suites: &[SuiteState], pins: &[Pin]) -> Result<Self, PinError> {
        let mut general: Vec<Option<i32>> = vec![None; suites.len()];
        let mut specific = Vec::new();
        for pin in pins {
            let suite = suites.iter().position(|suite| suite.name == pin.suite).ok_or_else(|| PinError::Suite {
                packages: pin.packages.clone(),
                suite: pin.suite.clone(),
                found: suites.iter().map(|suite| suite.name.clone()).collect(),
            })?;
            if pin.packages.iter().any(|pattern| pattern == "*") {
                general[suite] = general[suite].max(Some(pin.priority));
            } else {
                let patterns = pin.packages.iter().map(|pattern| matcher(pattern)).collect::<Result<_, _>>()?;
                specific.push(SpecificPin { patterns, suite, priority: pin.priority });
            }
        }
        let defaults = suites.iter().zip(general).map(|(suite, general)| general.unwrap_or(suite.priority)).collect();
        Ok(Self { defaults, specific })
    }

    /// Returns the priority of a version that some suites have.
    pub(crate) fn of(&self, name: &str, suites: &[usize]) -> i32 {
        let is_pinned = |pin: &&SpecificPin| {
            suites.contains(&pin.suite) && pin.patterns.iter().any(|pattern| pattern.is_match(name))
        };
        match self.specific.iter().find(is_pinned) {
            Some(pin) => pin.priority,
            None => suites.iter().map(|suite| self.defaults[*suite]).max().unwrap_or_default(),
        }
    }
}

fn matcher(pattern: &str) -> Result<GlobMatcher, PinError> {
    let glob = Glob::new(pattern).map_err(|source| PinError::Pattern { pattern: pattern.to_owned(), source })?;
    Ok(glob.compile_matcher())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suite(name: &str, priority: i32) -> SuiteState {
        SuiteState { name: name.to_owned(), date: String::new(), priority }
    }

    fn pin(packages: &[&str], suite: &str, priority: i32) -> Pin {
        Pin { packages: packages.iter().map(ToString::to_string).collect(), suite: suite.to_owned(), priority }
    }

    #[test]
    fn the_first_pin_that_names_a_package_counts_and_then_those_of_all() {
        let suites = [suite("stable", 500), suite("backports", 100)];
        let pins = [
            pin(&["python3*"], "backports", 990),
            pin(&["python3-p?p"], "backports", 1),
            pin(&["*"], "backports", 200),
            pin(&["*"], "backports", 50),
        ];
        let priorities = Priorities::new(&suites, &pins).unwrap();
        assert_eq!(priorities.of("python3-pip", &[1]), 990);
        assert_eq!(priorities.of("python3-pip", &[0]), 500);
        assert_eq!(priorities.of("libc6", &[1]), 200);
        assert_eq!(priorities.of("libc6", &[1, 0]), 500);
        assert_eq!(Priorities::new(&suites, &[]).unwrap().of("libc6", &[1]), 100);
    }

    #[test]
    fn a_pin_of_an_unknown_suite_or_a_malformed_pattern_is_refused() {
        let suites = [suite("stable", 500)];
        let error = Priorities::new(&suites, &[pin(&["a", "b"], "backports", 1)]).unwrap_err();
        let expect = "the pin of `a, b` names suite `backports`, which the platform has not (it has: stable)";
        assert_eq!(error.to_string(), expect);
        let error = Priorities::new(&suites, &[pin(&["a["], "stable", 1)]).unwrap_err();
        assert_eq!(error.to_string(), "`a[` is no pattern of package names");
    }
}
