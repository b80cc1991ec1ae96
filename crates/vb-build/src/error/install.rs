//! Why `debian/install` cannot be followed.

use std::str::Utf8Error;

use vb_graph::InvalidName;

/// A line of `debian/install` means nothing that can be done.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The file is no text.
    #[error("`debian/install` is not UTF-8")]
    Text(#[source] Utf8Error),
    /// There is one word where two are needed.
    #[error("the line `{line}` of `debian/install` names no directory")]
    NoDirectory {
        /// The line.
        line: String,
    },
    /// A path is neither in the application nor in `debian/`.
    #[error("`debian/install` names `{path}`, which is not in the source")]
    Absent {
        /// The path.
        path: String,
    },
    /// There is a file at the target, or on the way to it.
    #[error("`debian/install` puts a file at `{path}`, which is taken")]
    Taken {
        /// The target.
        path: String,
    },
    /// The target is no clean path.
    #[error("`debian/install` puts a file at `{path}`")]
    Name {
        /// The target.
        path: String,
        /// What is wrong with it.
        #[source]
        source: InvalidName,
    },
}
