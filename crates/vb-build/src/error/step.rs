//! Why a step of a pipeline failed.

use super::CommandFailure;

/// The packages that have a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToolPackages {
    /// Debian's name for it.
    pub distribution: &'static str,
    /// npm's.
    pub npm: Option<&'static str>,
}

/// A step did not do what the recipe asks, or did something else.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// A file that the recipe names is not among what the step reads.
    #[error("there is no file `{name}` among what the step reads")]
    NoFile {
        /// The name in the recipe.
        name: String,
        /// A file of nearly that name.
        similar: Option<String>,
    },
    /// A name in the recipe means several files.
    #[error("`{name}` means {} files", found.len())]
    Ambiguous {
        /// The name in the recipe.
        name: String,
        /// Their paths.
        found: Vec<String>,
    },
    /// The step reads no file of the kind that it works on.
    #[error("there is no {what} in the application")]
    NothingToDo {
        /// The kind of file.
        what: &'static str,
    },
    /// The step's program is not there.
    #[error("the build root has no {}", tools.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(" and no "))]
    NoTool {
        /// The programs that can do it, and where they are had from.
        tools: Vec<(&'static str, ToolPackages)>,
    },
    /// The command wanted files that the application has and the step does not read.
    #[error("the step wants {}, which {} not among its inputs", quote(paths), if paths.len() == 1 { "is" } else { "are" })]
    Undeclared {
        /// The files, or directories.
        paths: Vec<String>,
        /// How the command ended without them, where it did.
        failure: Option<Box<CommandFailure>>,
    },
    /// The settings want a variable that only a server has.
    #[error("the settings want the variable `{name}`")]
    NoVariable {
        /// The variable.
        name: String,
        /// How the command ended without it.
        failure: Box<CommandFailure>,
    },
    /// The command wrote or changed a file that is not the step's.
    #[error("the step wrote `{path}`, which is not among its outputs")]
    Outside {
        /// The file.
        path: String,
        /// The step that wrote it before.
        writer: Option<String>,
        /// Other such files.
        others: usize,
    },
    /// The command removed a file.
    #[error("the step removed `{path}`")]
    Removed {
        /// The file.
        path: String,
    },
    /// The step did not write what it should.
    #[error("the step wrote nothing that `{pattern}` names")]
    NotWritten {
        /// What is missing.
        pattern: String,
    },
    /// Two steps wrote one file.
    #[error("`{first}` and `{second}` both have `{path}`")]
    WrittenTwice {
        /// The file.
        path: String,
        /// Who had it first.
        first: String,
        /// Who has it too.
        second: String,
    },
    /// A file does not hold what should be replaced in it.
    #[error("`{path}` does not have the marker `{marker}`")]
    NoMarker {
        /// The file.
        path: String,
        /// The marker.
        marker: String,
    },
    /// Static files did not arrive.
    #[error("{} not among what was collected", quote(files))]
    NotCollected {
        /// The files, below the static root.
        files: Vec<String>,
        /// The static root, in the application.
        root: String,
    },
    /// The static root is not in the application.
    #[error("`STATIC_ROOT` is `{path}`, which is outside of the application's directory `{application}`")]
    StaticRoot {
        /// The static root.
        path: String,
        /// The application's directory.
        application: String,
    },
    /// The report of the command cannot be read.
    #[error("the step's report cannot be read")]
    Report(#[source] serde_json::Error),
}

impl StepError {
    /// Returns how the step's command ended, where that is what failed.
    pub fn command(&self) -> Option<&CommandFailure> {
        match self {
            Self::Undeclared { failure, .. } => failure.as_deref(),
            Self::NoVariable { failure, .. } => Some(failure),
            _ => None,
        }
    }
}

fn quote(paths: &[String]) -> String {
    paths.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ")
}
