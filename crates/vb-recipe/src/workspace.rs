//! The workspace: what all its recipes have in common, and where its files are.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use vb_graph::Format;

use crate::{lint::LintRecipe, version::Version};

/// The workspace file's place below the workspace's root.
pub const WORKSPACE_FILE: &str = "recipes/workspace.ncl";

/// The directory of platform files, below the workspace's root.
pub const PLATFORMS_DIR: &str = "recipes/platforms";

/// The conventions of all recipes, from `recipes/workspace.ncl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workspace {
    /// The directory below which each environment lives: `/vrmd`.
    pub prefix: String,
    /// What each package's name begins with: `vrmd-`.
    pub package_prefix: String,
    /// Name and address of who looks after the packages.
    pub maintainer: String,
    /// Where to read more about packages whose recipes do not say.
    pub homepage: Option<String>,
    /// The archive section of packages whose recipes do not say.
    pub section: String,
    /// The archive priority of packages whose recipes do not say.
    pub priority: String,
    /// Where sources are kept; a recipe's come over these.
    pub vcs: BTreeMap<String, String>,
    /// Is a bill of materials written beside each package?
    pub sbom: bool,
    /// Where the version of a recipe's package comes from that does not say.
    pub version: Version,
    /// Which tags in git are versions: patterns with `{version}`, and with `{name}` for the application's name.
    pub tags: Vec<String>,
    /// The platforms of a recipe that names none.
    pub platforms: Vec<String>,
    /// The package formats that are made, where those of each platform are not meant.
    pub formats: Option<Vec<Format>>,
    /// Patterns of what is left out of every source, where a recipe does not say otherwise.
    pub excludes: Vec<String>,
    /// Environment variables of every build.
    pub variables: BTreeMap<String, String>,
    /// Base locations of a platform's archives, in place of those that the machine's apt has.
    pub archives: BTreeMap<String, Vec<String>>,
    /// Python package indexes, in place of those that the machine's pip has.
    pub python_indexes: Option<Vec<String>>,
    /// The npm registry, in place of what the machine is configured with.
    pub npm_registry: Option<String>,
    /// Directories and pages of Python files, in place of those that the machine's pip has.
    pub find_links: Option<Vec<String>>,
    /// Python indexes that are bound to names; of two that have a name, the first counts.
    pub indexes: Vec<PythonIndex>,
    /// What a distribution's checker may find in the packages of all recipes.
    pub lint: LintRecipe,
    /// Where packages are published to.
    pub repository: Option<PackageRepository>,
}

/// A Python index that is bound to names: they come from there and from nowhere else, and nothing else does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PythonIndex {
    /// How locks and messages call it.
    pub name: String,
    /// What comes from it: names of distributions, with `*` for any characters.
    pub packages: Vec<String>,
    /// Its address, without a password.
    pub url: Option<String>,
    /// A directory of files, relative to the workspace's root.
    pub directory: Option<String>,
}

/// Where packages are published to, and what the repository is like if it has to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageRepository {
    /// A directory, relative to the workspace's root, or the location of an object store.
    pub path: String,
    /// Who signs; the paths of keys are relative to the workspace's root.
    pub keys: Vec<RepositoryKey>,
    /// The channels, in the order in which packages go through them.
    pub channels: Vec<String>,
    /// Whose repository it is, as clients are told.
    pub origin: Option<String>,
    /// Where apt's indexes are.
    pub layout: RepositoryLayout,
    /// The address that serves it.
    pub url: Option<String>,
    /// For how many days an index is good.
    pub valid_days: Option<u32>,
    /// Are there `Contents` indexes?
    pub contents: bool,
}

impl PackageRepository {
    /// Returns where it is, in a workspace of this root: an absolute path, or the location of an object store.
    pub fn location(&self, root: &Path) -> String {
        if self.path.contains("://") { self.path.clone() } else { root.join(&self.path).display().to_string() }
    }
}

/// A key that signs a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RepositoryKey {
    /// A file with the secret key.
    File(String),
    /// A key of the machine's gpg.
    Gpg(String),
    /// A program that signs its standard input.
    Command(Vec<String>),
}

/// Where apt's indexes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RepositoryLayout {
    /// Below `dists/`, a directory for each component and architecture.
    Dists,
    /// All in one directory.
    Flat,
}

/// Finds the root of the workspace that a path is in: the nearest directory above it that holds
/// `recipes/workspace.ncl`.
pub fn find_root(start: &Path) -> Option<PathBuf> {
    start.ancestors().find(|dir| dir.join(WORKSPACE_FILE).is_file()).map(Path::to_owned)
}

/// Returns where a recipe's lock is: beside it, with the extension `lock`.
pub fn lock_path(recipe: &Path) -> PathBuf {
    recipe.with_extension("lock")
}
