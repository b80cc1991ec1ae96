//! Selections: which entries of a tree an action reads, so that a change of any other entry does not concern it.
//!
//! Must not be here: matching, which needs a tree. A selection itself is no part of a key; the digest of what it selects
//! is.

use serde::{Deserialize, Serialize};

/// One way to name entries of a tree. Paths are relative and separated by `/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Pattern {
    /// Entries whose path is this one or ends in it: `css/style.css` is also `static/css/style.css`.
    Name(String),
    /// Entries whose path matches a glob. `*` and `?` stop at `/`, `**` does not. A glob whose last component has neither
    /// a wildcard nor a dot may be a directory's, and is then everything below it.
    Glob(String),
}

impl Pattern {
    /// Returns the pattern of every entry.
    pub fn everything() -> Self {
        Self::Glob("**".to_owned())
    }

    /// Can it be the pattern of a directory, and so of everything below that?
    pub fn may_name_directory(&self) -> bool {
        match self {
            Self::Name(_) => false,
            Self::Glob(glob) => !glob.rsplit('/').next().unwrap_or_default().contains(['*', '?', '[', '{', '.']),
        }
    }

    /// Returns the pattern as text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Name(text) | Self::Glob(text) => text,
        }
    }
}

/// The part of a tree that an action reads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Selection {
    /// Where the tree is put before the patterns are matched; empty for the top.
    pub directory: String,
    /// What is selected: every entry that one of these names …
    pub patterns: Vec<Pattern>,
    /// … and none of these does.
    pub excludes: Vec<Pattern>,
}
