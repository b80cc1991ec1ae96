//! The recipe as it is evaluated: what the user wrote, with the contracts' defaults.
//!
//! Must not be here: positions (they ride beside, in [`Evaluated`](crate::Evaluated)) and checks of meaning.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vb_graph::Format;

use crate::{
    lint::LintRecipe,
    lock::CommitLock,
    packages::{Merged, SubPackage},
    pipeline::PipelineStep,
    python::Python,
    service::{ConfigFileRecipe, DirectoryRecipe, Scripts, ServiceRecipe, UserRecipe},
    trial::CheckRecipe,
    version::Version,
    workspace::Workspace,
};

/// One application, as its recipe describes it.
///
/// A field that is `None` is the workspace's to decide; the methods give the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The application's name, without the package prefix.
    pub name: String,
    /// Where the package's version comes from.
    pub version: Option<Version>,
    /// Which tags in git are versions of the application.
    pub tags: Option<Vec<String>>,
    /// One line that says what the application is.
    pub summary: Option<String>,
    /// The paragraphs below the summary.
    pub description: Option<String>,
    /// Where to read more.
    pub homepage: Option<String>,
    /// The licence, as packages name it.
    pub license: Option<String>,
    /// The archive section (Debian Policy 2.4).
    pub section: Option<String>,
    /// The archive priority (Debian Policy 2.5).
    pub priority: Option<String>,
    /// Where the source is kept, by the kind of repository (Debian Policy 5.6.26).
    pub vcs: BTreeMap<String, String>,
    /// Is a bill of materials written beside each package?
    pub sbom: Option<bool>,
    /// Is the code that is compiled here stripped?
    pub strip: bool,
    /// Name and address of who looks after the package.
    pub maintainer: Option<String>,
    /// Where the application's source is.
    pub source: Source,
    /// Other sources that are put into the application's directory.
    pub sub_apps: Vec<SubApp>,
    /// What makes the application's assets, in order.
    pub pipeline: Vec<PipelineStep>,
    /// The npm packages that the pipeline uses.
    pub npm: Option<Npm>,
    /// What a recipe of an interpreter makes of its source; nothing in the recipe of an application.
    pub interpreter: Option<OwnInterpreter>,
    /// The interpreter.
    pub python: Python,
    /// The requirements file, relative to the source.
    pub requirements: String,
    /// The extras of the project that the requirements file is of.
    pub extras: Vec<String>,
    /// The dependency groups that are installed, too.
    pub groups: Vec<String>,
    /// Is the application built to a wheel and installed?
    pub setup_install: bool,
    /// Distribution packages that are there while wheels are built.
    pub build_deps: Vec<String>,
    /// Distribution packages that the package depends on.
    pub run_deps: Vec<String>,
    /// Distribution packages that are there for the tests of the package alone.
    pub test_deps: Vec<String>,
    /// Are the packages that have the shared libraries of compiled code depended on by themselves?
    pub run_deps_auto: bool,
    /// Sonames of shared libraries that may be missing.
    pub missing_libraries: Vec<String>,
    /// Python distributions that are always built from source.
    pub no_binary: Vec<String>,
    /// Python distributions that are never built from source.
    pub only_binary: Vec<String>,
    /// What of the distributions is left out.
    pub prune: Vec<String>,
    /// How the imports of the application are checked.
    pub import_check: ImportCheckRecipe,
    /// Environment variables of the build, beside the workspace's.
    pub variables: BTreeMap<String, String>,
    /// The names of the platforms that the application is built for.
    pub platforms: Option<Vec<String>>,
    /// The package formats that are made.
    pub formats: Option<Vec<Format>>,
    /// Patterns of entries that are left out of the source, in `.gitignore` syntax.
    pub excludes: Option<Vec<String>>,
    /// What runs where the package is installed, by name.
    pub services: BTreeMap<String, ServiceRecipe>,
    /// The users that are made, by name.
    pub users: BTreeMap<String, UserRecipe>,
    /// Files that an upgrade does not overwrite.
    pub config_files: Vec<ConfigFileRecipe>,
    /// Directories that are made.
    pub dirs: Vec<DirectoryRecipe>,
    /// What hand-written scripts do to those that are made.
    pub scripts: Scripts,
    /// The packages beside the main one, by name.
    pub packages: BTreeMap<String, SubPackage>,
    /// What a test asks of the installed package.
    pub checks: Vec<CheckRecipe>,
    /// Files that are on the machine of a test before the package is, by their path.
    pub test_files: BTreeMap<String, String>,
    /// What a distribution's checker may find in the packages.
    pub lint: LintRecipe,
    /// What is otherwise for one platform, by the platform's name.
    pub overrides: BTreeMap<String, Override>,
    /// What the recipe says for the platforms that it has an override for: [`Recipe::overrides`] merged over it.
    #[serde(default)]
    pub resolved: BTreeMap<String, Resolved>,
}

/// The fields that an override may have: those of [`Override`] and [`Resolved`], and of the contract `Override`.
pub(crate) const OVERRIDABLE: [&str; 14] = [
    "python",
    "build_deps",
    "run_deps",
    "test_deps",
    "no_binary",
    "only_binary",
    "variables",
    "services",
    "users",
    "config_files",
    "dirs",
    "packages",
    "extras",
    "groups",
];

/// What a recipe says for one platform, of what an override may change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolved {
    /// See [`Recipe::python`].
    pub python: Python,
    /// See [`Recipe::build_deps`].
    pub build_deps: Vec<String>,
    /// See [`Recipe::run_deps`].
    pub run_deps: Vec<String>,
    /// See [`Recipe::test_deps`].
    pub test_deps: Vec<String>,
    /// See [`Recipe::no_binary`].
    pub no_binary: Vec<String>,
    /// See [`Recipe::only_binary`].
    pub only_binary: Vec<String>,
    /// See [`Recipe::variables`].
    pub variables: BTreeMap<String, String>,
    /// See [`Recipe::services`].
    pub services: BTreeMap<String, ServiceRecipe>,
    /// See [`Recipe::users`].
    pub users: BTreeMap<String, UserRecipe>,
    /// See [`Recipe::config_files`].
    pub config_files: Vec<ConfigFileRecipe>,
    /// See [`Recipe::dirs`].
    pub dirs: Vec<DirectoryRecipe>,
    /// See [`Recipe::packages`].
    pub packages: BTreeMap<String, SubPackage>,
    /// See [`Recipe::extras`].
    pub extras: Vec<String>,
    /// See [`Recipe::groups`].
    pub groups: Vec<String>,
}

/// Where an application's source is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// A directory, relative to the recipe's.
    Path(String),
    /// A commit of a git repository; while recipes are loaded, its checkout takes its place.
    Git(GitSource),
    /// What upstream gave to a source package of the platform's distribution.
    Distribution {
        /// The name of the source package: `python3.13`.
        package: String,
        /// The suite that has it: `trixie`.
        suite: String,
    },
}

/// A directory in a commit of a git repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GitSource {
    /// Where the repository is: a URL, `user@host:path`, or a directory relative to the recipe's.
    pub url: String,
    /// The branch whose commit is locked.
    #[serde(default)]
    pub branch: Option<String>,
    /// The tag whose commit is locked.
    #[serde(default)]
    pub tag: Option<String>,
    /// The commit itself, in 40 hexadecimal digits.
    #[serde(default)]
    pub commit: Option<String>,
    /// The directory in the repository; its root where there is none.
    #[serde(default)]
    pub subdir: Option<String>,
}

impl GitSource {
    /// Returns the branch, tag or commit as messages have it.
    pub fn reference(&self) -> String {
        match (&self.branch, &self.tag, &self.commit) {
            (Some(branch), ..) => format!("branch `{branch}`"),
            (_, Some(tag), _) => format!("tag `{tag}`"),
            (.., commit) => format!("commit {}", commit.as_deref().unwrap_or_default()),
        }
    }

    /// Locks a commit for its branch or tag.
    pub fn locked(&self, commit: String) -> CommitLock {
        CommitLock { branch: self.branch.clone(), tag: self.tag.clone(), commit }
    }

    /// Returns the commit that is meant: the recipe's own, or that which was locked for the same branch or tag.
    pub fn commit<'a>(&'a self, locked: Option<&'a CommitLock>) -> Option<&'a str> {
        let fitting = locked.filter(|locked| (&locked.branch, &locked.tag) == (&self.branch, &self.tag));
        self.commit.as_deref().or_else(|| Some(fitting?.commit.as_str()))
    }
}

impl Recipe {
    /// Returns the sources that are in git, each with the path of its field.
    pub fn git_sources(&self) -> Vec<(String, &GitSource)> {
        let own = std::iter::once(("source".to_owned(), &self.source));
        let parts = self.sub_apps.iter().enumerate();
        own.chain(parts.map(|(index, part)| (SubApp::source_field(index), &part.source)))
            .filter_map(|(field, source)| match source {
                Source::Git(git) => Some((field, git)),
                Source::Path(_) | Source::Distribution { .. } => None,
            })
            .collect()
    }

    /// Puts checkouts, by the paths of their fields, in the place of sources that are in git.
    pub(crate) fn check_out(&mut self, checkouts: &BTreeMap<String, String>) {
        let parts = self.sub_apps.iter_mut().enumerate();
        let parts = parts.map(|(index, part)| (SubApp::source_field(index), &mut part.source));
        for (field, source) in std::iter::once(("source".to_owned(), &mut self.source)).chain(parts) {
            if let (Source::Git(_), Some(checkout)) = (&*source, checkouts.get(&field)) {
                *source = Source::Path(checkout.clone());
            }
        }
    }
}

/// What a recipe of an interpreter makes of its source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnInterpreter {
    /// Major and minor version: `3.13`.
    pub version: String,
    /// Which of its own tests have to pass.
    pub tests: Vec<String>,
}

/// A source that is put into an application's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubApp {
    /// What it is called.
    pub name: String,
    /// Where it is.
    pub source: Source,
    /// The directory that it becomes, relative to the application's.
    pub dir: String,
}

impl SubApp {
    /// Returns the path of the field `source` of the one at an index.
    pub(crate) fn source_field(index: usize) -> String {
        format!("sub_apps[{index}].source")
    }
}

/// How the imports of an application are checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportCheckRecipe {
    /// What is not imported.
    pub skip: Vec<SkippedImport>,
    /// How long one import may take, in seconds.
    pub seconds: u32,
}

/// A module that is not imported, with what is below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SkippedImport {
    /// The module.
    pub module: String,
    /// Why not.
    pub reason: String,
}

/// The npm packages of a recipe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Npm {
    /// The `package-lock.json`, relative to the source.
    pub lock: String,
    /// The names of the packages whose install scripts run.
    pub allow_scripts: Vec<String>,
}

/// What a recipe says otherwise for one platform, as it is written; a function is applied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// See [`Recipe::python`].
    pub python: Option<Python>,
    /// See [`Recipe::build_deps`].
    pub build_deps: Option<Vec<String>>,
    /// See [`Recipe::run_deps`].
    pub run_deps: Option<Vec<String>>,
    /// See [`Recipe::test_deps`].
    pub test_deps: Option<Vec<String>>,
    /// See [`Recipe::no_binary`].
    pub no_binary: Option<Vec<String>>,
    /// See [`Recipe::only_binary`].
    pub only_binary: Option<Vec<String>>,
    /// See [`Recipe::variables`].
    pub variables: Option<BTreeMap<String, String>>,
    /// See [`Recipe::services`].
    pub services: Option<Merged>,
    /// See [`Recipe::users`].
    pub users: Option<Merged>,
    /// See [`Recipe::config_files`].
    pub config_files: Option<Merged>,
    /// See [`Recipe::dirs`].
    pub dirs: Option<Merged>,
    /// See [`Recipe::packages`].
    pub packages: Option<Merged>,
    /// See [`Recipe::extras`].
    pub extras: Option<Vec<String>>,
    /// See [`Recipe::groups`].
    pub groups: Option<Vec<String>>,
}

/// What a recipe says for one platform, its overrides merged and the workspace's defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlatformRecipe {
    /// See [`Recipe::python`].
    pub python: Python,
    /// See [`Recipe::build_deps`].
    pub build_deps: Vec<String>,
    /// See [`Recipe::run_deps`].
    pub run_deps: Vec<String>,
    /// See [`Recipe::test_deps`].
    pub test_deps: Vec<String>,
    /// See [`Recipe::no_binary`].
    pub no_binary: Vec<String>,
    /// See [`Recipe::only_binary`].
    pub only_binary: Vec<String>,
    /// All variables of the build: the workspace's, the recipe's over them, the override's over these.
    pub variables: BTreeMap<String, String>,
    /// See [`Recipe::services`].
    pub services: BTreeMap<String, ServiceRecipe>,
    /// See [`Recipe::users`].
    pub users: BTreeMap<String, UserRecipe>,
    /// See [`Recipe::config_files`].
    pub config_files: Vec<ConfigFileRecipe>,
    /// See [`Recipe::dirs`].
    pub dirs: Vec<DirectoryRecipe>,
    /// See [`Recipe::packages`].
    pub packages: BTreeMap<String, SubPackage>,
    /// See [`Recipe::extras`].
    pub extras: Vec<String>,
    /// See [`Recipe::groups`].
    pub groups: Vec<String>,
}

impl Recipe {
    /// Returns what the recipe says for one platform, over the workspace's variables.
    pub fn for_platform(&self, workspace: &Workspace, platform: &str) -> PlatformRecipe {
        let resolved = self.resolved.get(platform).cloned().unwrap_or_else(|| self.for_all());
        let mut variables = workspace.variables.clone();
        variables.extend(resolved.variables);
        if self.strip {
            strip_linked(&mut variables);
        }
        PlatformRecipe {
            python: resolved.python,
            build_deps: resolved.build_deps,
            run_deps: resolved.run_deps,
            test_deps: resolved.test_deps,
            no_binary: resolved.no_binary,
            only_binary: resolved.only_binary,
            variables,
            services: resolved.services,
            users: resolved.users,
            config_files: resolved.config_files,
            dirs: resolved.dirs,
            packages: resolved.packages,
            extras: resolved.extras,
            groups: resolved.groups,
        }
    }

    /// Returns what the recipe says for all platforms, and for each that has an override, with the path of the record
    /// that says so, to be put before the name of a field.
    pub(crate) fn views(&self) -> Vec<(String, Resolved)> {
        let of_platforms = self.resolved.iter().map(|(name, resolved)| (format!("resolved.{name}."), resolved.clone()));
        std::iter::once((String::new(), self.for_all())).chain(of_platforms).collect()
    }

    fn for_all(&self) -> Resolved {
        Resolved {
            python: self.python.clone(),
            build_deps: self.build_deps.clone(),
            run_deps: self.run_deps.clone(),
            test_deps: self.test_deps.clone(),
            no_binary: self.no_binary.clone(),
            only_binary: self.only_binary.clone(),
            variables: self.variables.clone(),
            services: self.services.clone(),
            users: self.users.clone(),
            config_files: self.config_files.clone(),
            dirs: self.dirs.clone(),
            packages: self.packages.clone(),
            extras: self.extras.clone(),
            groups: self.groups.clone(),
        }
    }

    /// Returns the path of a field as it is for one platform, to find where it is written.
    pub fn field_for(&self, platform: &str, field: &str) -> String {
        let first = field.split(['.', '[']).next().unwrap_or_default();
        let is_resolved = self.resolved.contains_key(platform) && OVERRIDABLE.contains(&first);
        if is_resolved { format!("resolved.{platform}.{field}") } else { field.to_owned() }
    }

    /// Returns the names of the platforms that the application is built for.
    pub fn platforms<'a>(&'a self, workspace: &'a Workspace) -> &'a [String] {
        self.platforms.as_ref().unwrap_or(&workspace.platforms)
    }

    /// Returns the package formats that are made, where recipe or workspace say so.
    pub fn formats<'a>(&'a self, workspace: &'a Workspace) -> Option<&'a [Format]> {
        self.formats.as_deref().or(workspace.formats.as_deref())
    }

    /// Returns where the package's version comes from.
    pub fn version<'a>(&'a self, workspace: &'a Workspace) -> &'a Version {
        self.version.as_ref().unwrap_or(&workspace.version)
    }

    /// Returns the patterns of tags that are versions of the application.
    pub fn tags<'a>(&'a self, workspace: &'a Workspace) -> &'a [String] {
        self.tags.as_ref().unwrap_or(&workspace.tags)
    }

    /// Returns the patterns of what is left out of the source.
    pub fn excludes<'a>(&'a self, workspace: &'a Workspace) -> &'a [String] {
        self.excludes.as_ref().unwrap_or(&workspace.excludes)
    }

    /// Returns name and address of who looks after the package.
    pub fn maintainer<'a>(&'a self, workspace: &'a Workspace) -> &'a str {
        self.maintainer.as_ref().unwrap_or(&workspace.maintainer)
    }

    /// Returns where to read more.
    pub fn homepage<'a>(&'a self, workspace: &'a Workspace) -> Option<&'a String> {
        self.homepage.as_ref().or(workspace.homepage.as_ref())
    }

    /// Returns where the source is kept, by the kind of repository as it stands in the name of a field: `Git`.
    pub fn vcs(&self, workspace: &Workspace) -> BTreeMap<String, String> {
        let capital =
            |(kind, place): (&String, &String)| (format!("{}{}", kind[..1].to_uppercase(), &kind[1..]), place.clone());
        workspace.vcs.iter().chain(&self.vcs).map(capital).collect()
    }

    /// Returns the package's name: prefix and name, lower case, underscores dropped.
    pub fn package_name(&self, workspace: &Workspace) -> String {
        package_name(&self.name, workspace)
    }

    /// Returns the names of all packages that the recipe makes for a platform, the main one first.
    pub fn package_names(&self, workspace: &Workspace, platform: &str) -> Vec<String> {
        let parts = self.for_platform(workspace, platform).packages.into_keys();
        std::iter::once(self.name.clone()).chain(parts).map(|name| package_name(&name, workspace)).collect()
    }
}

impl PlatformRecipe {
    /// Returns the distribution packages that any of the packages depends on.
    pub fn all_run_deps(&self) -> Vec<String> {
        let mut all = self.run_deps.clone();
        for dependency in self.packages.values().flat_map(|package| &package.run_deps) {
            if !all.contains(dependency) {
                all.push(dependency.clone());
            }
        }
        all
    }
}

/// Returns the name of the package that a recipe calls by a name.
pub(crate) fn package_name(name: &str, workspace: &Workspace) -> String {
    format!("{}{}", workspace.package_prefix, name.replace('_', "").to_lowercase())
}

/// Makes linkers leave out symbols. Only what is linked here is stripped; no finished file is touched.
fn strip_linked(variables: &mut BTreeMap<String, String>) {
    let flags = variables.entry("LDFLAGS".to_owned()).or_default();
    *flags = format!("{flags} -Wl,--strip-all").trim().to_owned();
    variables.entry("CARGO_PROFILE_RELEASE_STRIP".to_owned()).or_insert_with(|| "symbols".to_owned());
}
