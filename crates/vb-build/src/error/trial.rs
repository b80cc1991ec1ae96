//! What a test of a package found otherwise than it has to be.

use std::{fmt, path::PathBuf};

use serde::Deserialize;

/// What did not turn out as it has to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TestedThing {
    /// A check of the recipe, by its place in the list.
    Check(usize),
    /// A service, by its name.
    Service(String),
    /// The package itself: its scripts, its files, the package manager's database.
    Package(String),
}

impl fmt::Display for TestedThing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Check(index) => write!(f, "check {} fails", index + 1),
            Self::Service(name) => write!(f, "the service `{name}` is not as it has to be"),
            Self::Package(what) => write!(f, "the package cannot be {what}"),
        }
    }
}

/// A test of a package failed.
#[derive(Debug, thiserror::Error)]
#[error("after `{step}`, {thing}")]
pub struct TestFailure {
    /// What was done last: `upgrade`.
    pub step: String,
    /// What did not turn out as it has to.
    pub thing: TestedThing,
    /// What it was asked, in words.
    pub asked: String,
    /// What was expected.
    pub expected: String,
    /// What came instead.
    pub found: String,
    /// The last lines of the log of each service, with its name, or of the command's own output.
    pub logs: Vec<(String, Vec<String>)>,
    /// Where everything is that the test printed.
    pub log: PathBuf,
}

impl TestFailure {
    /// Returns the recipe's field that asked for it.
    pub fn field(&self) -> Option<String> {
        match &self.thing {
            TestedThing::Check(index) => Some(format!("checks[{index}]")),
            TestedThing::Service(name) => Some(format!("services.{name}")),
            TestedThing::Package(_) => None,
        }
    }
}
