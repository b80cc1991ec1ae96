//! What makes and tests an interpreter that a workspace builds itself.

use std::collections::BTreeMap;

use crate::resolved::Part;

/// Compiles an interpreter of its source, and installs it at its own prefix.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BuildInterpreter {
    /// The path where it will run: `/vrmd/python3.13`.
    pub prefix: String,
    /// Major and minor version: `3.13`.
    pub version: String,
    /// Is it optimised by a profile of its own tests, and at link time?
    pub is_optimized: bool,
    /// Environment variables of the build beside the fixed ones: `CFLAGS`, …
    pub variables: BTreeMap<String, String>,
}

impl BuildInterpreter {
    pub(crate) fn parts(&self) -> Vec<Part> {
        let variables: Vec<_> = self.variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
        vec![
            Part::text("prefix", &self.prefix),
            Part::text("python", &self.version),
            Part::text("optimized", self.is_optimized.to_string()),
            Part::list("variables", &variables),
        ]
    }
}

/// Runs tests that an interpreter has for itself, in a root that has only its run dependencies.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TestInterpreter {
    /// The path where it runs: `/vrmd/python3.13`.
    pub prefix: String,
    /// Major and minor version: `3.13`.
    pub version: String,
    /// The names of the tests: `test_ssl`.
    pub tests: Vec<String>,
}

impl TestInterpreter {
    pub(crate) fn parts(&self) -> Vec<Part> {
        vec![Part::text("prefix", &self.prefix), Part::text("python", &self.version), Part::list("tests", &self.tests)]
    }
}
