//! What a recipe, or the workspace for all of them, lets the distributions' checkers of packages find.

use serde::{Deserialize, Serialize};
use vb_graph::Checker;

/// The tags that are accepted, by checker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LintRecipe {
    /// Of lintian.
    pub lintian: Vec<AcceptedTag>,
    /// Of rpmlint.
    pub rpmlint: Vec<AcceptedTag>,
}

/// Something that a checker finds, and that stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcceptedTag {
    /// The checker's word for it: `embedded-library`.
    pub tag: String,
    /// Globs of the installed paths where it may be found; everywhere where there are none.
    pub paths: Vec<String>,
    /// Why it stays.
    pub reason: String,
}

impl LintRecipe {
    /// Returns the tags of one checker.
    pub fn of(&self, checker: Checker) -> &[AcceptedTag] {
        match checker {
            Checker::Lintian => &self.lintian,
            Checker::Rpmlint => &self.rpmlint,
        }
    }
}
