//! The packages of a recipe beside the main one, as it has them, with the contracts' defaults.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::IgnoredAny};

use crate::service::{ConfigFileRecipe, DirectoryRecipe, ServiceRecipe, UserRecipe};

/// A package that has a part of what the recipe installs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubPackage {
    /// Patterns of the paths that it has and the main package has not; relative ones are below the environment.
    pub files: Vec<String>,
    /// One line that says what it is.
    pub summary: Option<String>,
    /// The paragraphs below the summary.
    pub description: Option<String>,
    /// The archive section, where it is not the recipe's.
    pub section: Option<String>,
    /// Distribution packages that it depends on.
    pub run_deps: Vec<String>,
    /// Packages of the same recipe that it needs, by their names there, in exactly its own version.
    pub needs: Option<Vec<String>>,
    /// Does the main package need it?
    pub needed: bool,
    /// What runs where it is installed, by name.
    pub services: BTreeMap<String, ServiceRecipe>,
    /// The users that are made, by name.
    pub users: BTreeMap<String, UserRecipe>,
    /// Files that an upgrade does not overwrite.
    pub config_files: Vec<ConfigFileRecipe>,
    /// Directories that are made.
    pub dirs: Vec<DirectoryRecipe>,
}

impl SubPackage {
    /// Returns the packages of the same recipe that it needs: the main one, if nothing is said and that does not need it.
    pub fn needs(&self, main: &str) -> Vec<String> {
        match &self.needs {
            Some(needs) => needs.clone(),
            None if self.needed => vec![],
            None => vec![main.to_owned()],
        }
    }
}

/// A part of an override that counts only as it is merged; its value is in [`Resolved`](crate::Resolved).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Merged;

impl Serialize for Merged {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(true)
    }
}

impl<'de> Deserialize<'de> for Merged {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}
