//! Shares: which files each package has, where a recipe makes several of one staged tree.
//!
//! Must not be here: matching, which needs a tree.

use std::collections::BTreeMap;

use crate::{resolved::Part, selection::Pattern};

/// Which part of a staged tree a package has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Share {
    /// The package's name in its recipe; nothing for the main package, which has all that no other one claims.
    pub part: Option<String>,
    /// What each of the other packages claims, by its name in the recipe.
    pub claims: BTreeMap<String, Claim>,
}

/// What a package beside the main one has of the staged tree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Claim {
    /// Patterns of paths, without a slash at their beginning; each has to match something.
    pub patterns: Vec<Pattern>,
    /// Absolute paths of its configuration files, which may be there or be made.
    pub config_files: Vec<String>,
}

impl Share {
    /// Returns the share of the main package.
    pub fn of_main(claims: BTreeMap<String, Claim>) -> Self {
        Self { part: None, claims }
    }

    /// Returns the share of another package of the same recipe.
    #[must_use]
    pub fn of_part(&self, part: &str) -> Self {
        Self { part: Some(part.to_owned()), claims: self.claims.clone() }
    }

    pub(crate) fn parts(&self) -> Vec<Part> {
        let claim = |(name, claim): (&String, &Claim)| {
            let patterns: Vec<String> = claim.patterns.iter().map(|pattern| pattern.as_str().to_owned()).collect();
            [
                Part::list(&format!("claim of {name}"), &patterns),
                Part::list(&format!("configuration of {name}"), &claim.config_files),
            ]
        };
        let part = Part::list("part", self.part.as_slice());
        std::iter::once(part).chain(self.claims.iter().flat_map(claim)).collect()
    }
}

/// Cuts what one of several packages has out of a stage. The input is `stage`; the output is like one, with what the package
/// looks at of other packages' files beside it, and nothing that it does not depend on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ShareOut {
    /// What the package has.
    pub share: Share,
    /// The packages beside the main one, by their names in the recipe.
    pub packages: BTreeMap<String, String>,
    /// Absolute paths of commands that the package runs, which may be another one's.
    pub commands: Vec<String>,
    /// Absolute paths of files that the package has copies of, which may be another one's.
    pub originals: Vec<String>,
}

impl ShareOut {
    pub(crate) fn parts(&self) -> Vec<Part> {
        let mut parts = self.share.parts();
        parts.extend(self.packages.iter().map(|(part, package)| Part::text(&format!("package of {part}"), package)));
        parts.push(Part::list("commands", &self.commands));
        parts.push(Part::list("originals", &self.originals));
        parts
    }
}
