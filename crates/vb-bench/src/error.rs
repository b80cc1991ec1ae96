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
    /// The system refused.
    #[error("cannot measure")]
    Io(#[from] io::Error),
}
