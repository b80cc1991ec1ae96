//! What makes and tests an interpreter that a workspace builds itself.

use std::collections::BTreeMap;

use crate::{
    resolved::Part,
    scripts::{BUILD_INTERPRETER, script},
};

/// By how many bytes a prefix in compiled code may become longer: that many zeros follow it there.
pub const RELOCATION_ROOM: usize = 128;

/// Compiles an interpreter of its source, and installs it at its own prefix.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BuildInterpreter {
    /// The path where it will run: `/vrmd/python3.13`.
    pub prefix: String,
    /// Major and minor version: `3.13`.
    pub version: String,
    /// Environment variables of the build beside the fixed ones: `CFLAGS`, …
    pub variables: BTreeMap<String, String>,
}

impl BuildInterpreter {
    pub(crate) fn parts(&self) -> Vec<Part> {
        let variables: Vec<_> = self.variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
        vec![
            Part::text("prefix", &self.prefix),
            Part::text("python", &self.version),
            Part::list("variables", &variables),
            script("build interpreter", BUILD_INTERPRETER),
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

/// Moves an interpreter to another prefix: the paths in its files are written anew, and its bytecode is made again.
///
/// The inputs are `interpreter`, what was compiled, and `root`, in which that is at its own prefix.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RelocateInterpreter {
    /// The path that it was built for: `/vrmd/python3.13`.
    pub from: String,
    /// The path where it will run: `/vrmd/whois/python`.
    pub to: String,
    /// Major and minor version: `3.13`.
    pub version: String,
}

impl RelocateInterpreter {
    pub(crate) fn parts(&self) -> Vec<Part> {
        vec![Part::text("from", &self.from), Part::text("to", &self.to), Part::text("python", &self.version)]
    }
}
