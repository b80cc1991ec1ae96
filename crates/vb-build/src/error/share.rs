//! Why a staged tree cannot be shared out among several packages.

use vb_package::InvalidTree;
use vb_store::PatternError;

/// The staged tree cannot be shared out as the recipe says.
#[derive(Debug, thiserror::Error)]
pub enum ShareError {
    /// A pattern is no glob.
    #[error("`{part}` cannot have its files")]
    Pattern {
        /// The package, by its name in the recipe.
        part: String,
        /// The pattern's place in its list.
        index: usize,
        /// Why.
        #[source]
        source: PatternError,
    },
    /// A pattern matches nothing.
    #[error("`{pattern}` of `{part}` matches no file")]
    NoMatch {
        /// The package, by its name in the recipe.
        part: String,
        /// The pattern's place in its list.
        index: usize,
        /// The pattern.
        pattern: String,
    },
    /// Two packages claim one file.
    #[error("`{first}` and `{second}` both have `/{path}`")]
    Twice {
        /// One package, by its name in the recipe.
        first: String,
        /// The other one.
        second: String,
        /// The file.
        path: String,
    },
    /// The entries make no tree.
    #[error(transparent)]
    Tree(#[from] InvalidTree),
}

impl ShareError {
    /// Returns the field of the recipe that asks for what cannot be.
    pub fn field(&self) -> Option<String> {
        match self {
            Self::Pattern { part, index, .. } | Self::NoMatch { part, index, .. } => {
                Some(format!("packages.{part}.files[{index}]"))
            }
            Self::Twice { second, .. } => Some(format!("packages.{second}.files")),
            Self::Tree(_) => None,
        }
    }
}
