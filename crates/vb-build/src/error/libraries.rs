//! Why the libraries of compiled code were not found.

use std::io;

/// A shared library that is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingLibrary {
    /// Its soname.
    pub soname: String,
    /// A file that needs it.
    pub file: String,
    /// How many other files need it.
    pub others: usize,
    /// The Python distribution that has the file, where one has.
    pub distribution: Option<String>,
}

/// Compiled code needs libraries that it would not have on a server, or that cannot be depended on.
#[derive(Debug, thiserror::Error)]
pub enum LibrariesError {
    /// Libraries are neither in the package nor in what it depends on.
    #[error(
        "{} neither in the package nor in what it depends on",
        if missing.len() == 1 { "a shared library is".to_owned() } else { format!("{} shared libraries are", missing.len()) }
    )]
    Missing {
        /// Each of them.
        missing: Vec<MissingLibrary>,
        /// The packages of the build's other roots that have them.
        owners: Vec<(String, String)>,
    },
    /// The package manager of the root does not know which packages have the libraries.
    #[error("no package of the root says that it has {}", if unknown.len() == 1 { "a library" } else { "some libraries" })]
    Unknown {
        /// Each of them.
        unknown: Vec<MissingLibrary>,
    },
    /// The platform is for a machine that vb does not know.
    #[error("`{name}` is no architecture that compiled code could be for")]
    Architecture {
        /// The architecture.
        name: String,
    },
    /// The root cannot be read.
    #[error("cannot read the libraries of the root")]
    Root(#[source] io::Error),
    /// The report cannot be read.
    #[error("the report about libraries cannot be read")]
    Report(#[source] serde_json::Error),
}
