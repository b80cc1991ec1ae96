//! Why nothing can be measured.

use std::{io, path::PathBuf};

/// The measurement ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    /// There is no release build.
    #[error("there is no `{}`: run `cargo build --release -p vb` first", path.display())]
    NoProgram { path: PathBuf },
    /// The current directory is no workspace.
    #[error("the current directory has no `{}`", path.display())]
    NoRecipe { path: PathBuf },
    /// A command failed.
    #[error("`{command}` failed: {message}")]
    Command { command: String, message: String },
    /// An event of vb is no JSON.
    #[error("cannot read an event of vb")]
    Event(#[source] serde_json::Error),
    /// A lock cannot be read.
    #[error("cannot read the lock")]
    Lock(#[from] toml::de::Error),
    /// A lock does not name what is measured, or the store does not have it.
    #[error("`{name}` is not there")]
    Missing { name: String },
    /// A part of vb that is measured without its command line failed.
    #[error("what is measured failed")]
    Library(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Another installer failed.
    #[error(transparent)]
    Installer(#[from] vb_testkit::installers::InstallerError),
    /// A package to measure with cannot be made.
    #[error("cannot make a package")]
    Rpm(#[source] Box<rpm::Error>),
    /// The system refused.
    #[error("cannot measure")]
    Io(#[from] io::Error),
}

impl BenchError {
    pub(crate) fn from_library(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Library(Box::new(error))
    }
}
