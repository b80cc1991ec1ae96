//! The lock: everything that a recipe's builds may read from outside, pinned by its SHA-256.
//!
//! Must not be here: hosts. A lock moves between mirrors, so it holds paths, file names and digests alone. Its text is
//! specified in [`crate::lock_text`].

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, io, iter,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use vb_graph::{LockedDistribution, LockedNodePackage, LockedPackage, Sha256};

use crate::{
    lock_text::{ReadLockError, from_text, to_text},
    position::line_number,
};

/// The version of the lock's text that is written.
pub const LOCK_VERSION: u32 = 1;

/// The lock of one recipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// The version of its text.
    pub version: u32,
    /// The commits of sources that are in git, by the path of the recipe's field: `source`, `sub_apps[0].source`.
    pub commits: BTreeMap<String, CommitLock>,
    /// What is locked, by platform.
    pub platforms: BTreeMap<String, PlatformLock>,
}

/// The commit that a branch or tag had when it was locked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommitLock {
    /// The branch.
    #[serde(default)]
    pub branch: Option<String>,
    /// The tag.
    #[serde(default)]
    pub tag: Option<String>,
    /// The commit, in 40 hexadecimal digits.
    pub commit: String,
}

/// What is locked for one platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformLock {
    /// The question that the rest answers.
    pub request: LockRequest,
    /// The dates of the archive's suites that answered, as their signed indexes give them: `vb lock` goes back behind
    /// none of them by itself. A build does not read them.
    #[serde(default)]
    pub archive: BTreeMap<String, String>,
    /// The packages of all roots.
    pub packages: Vec<PackageLock>,
    /// What the application's environment consists of.
    pub distributions: Vec<DistributionLock>,
    /// What the application itself is built with, where it is installed.
    #[serde(default)]
    pub application: Vec<DistributionLock>,
    /// What vb itself runs in a root: uv.
    pub tools: Vec<LockedDistribution>,
    /// The npm packages that the pipeline uses.
    #[serde(default)]
    pub npm: Vec<LockedNodePackage>,
}

/// What a lock answers. A build compares it with what the recipe and its platform ask: see [`Lock::mismatches`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockRequest {
    /// The interpreter's exact version: `3.11`.
    pub python: String,
    /// The platform's packages of every root.
    pub base: Vec<String>,
    /// The platform's packages that compile.
    pub toolchain: Vec<String>,
    /// The recipe's packages to build with.
    pub build_deps: Vec<String>,
    /// The recipe's packages to run with.
    pub run_deps: Vec<String>,
    /// The recipe's packages to test with.
    #[serde(default)]
    pub test_deps: Vec<String>,
    /// Distributions that are always built from source.
    pub no_binary: Vec<String>,
    /// Distributions that are never built from source.
    pub only_binary: Vec<String>,
    /// The extras that are installed, too.
    #[serde(default)]
    pub extras: Vec<String>,
    /// The dependency groups that are installed, too.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Is the application itself installed?
    #[serde(default)]
    pub setup_install: bool,
    /// The source package of an interpreter, and its suite: `python3.13 trixie`; nothing for an application.
    #[serde(default)]
    pub source: Option<String>,
    /// The requirements files, by path in the source, with the SHA-256 of their bytes.
    pub requirements: BTreeMap<String, Sha256>,
    /// The `package-lock.json`, by path in the source, with the SHA-256 of its bytes; empty without npm packages.
    #[serde(default)]
    pub npm: BTreeMap<String, Sha256>,
}

/// One distribution package, and the roots that it is in.
///
/// A package that has two versions in two roots is locked twice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PackageLock {
    /// The package.
    #[serde(flatten)]
    pub package: LockedPackage,
    /// The roots that it is in.
    pub roots: BTreeSet<RootKind>,
}

/// One of the roots that a recipe's actions run in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RootKind {
    /// Base and interpreter.
    Interpreter,
    /// These, the toolchain and the recipe's `build_deps`.
    Build,
    /// Base, interpreter and the recipe's `run_deps`: what a server has.
    Run,
    /// These and the recipe's `test_deps`, where it has some.
    Test,
}

impl RootKind {
    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Interpreter => "interpreter",
            Self::Build => "build",
            Self::Run => "run",
            Self::Test => "test",
        }
    }
}

/// One Python distribution of the environment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DistributionLock {
    /// The wheel or sdist.
    #[serde(flatten)]
    pub distribution: LockedDistribution,
    /// The index that it is bound to, by the name that the workspace gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<String>,
    /// What the sdist is built with, the requirements' own included; empty for a wheel.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub build: Vec<Self>,
}

impl DistributionLock {
    /// Locks a distribution that is bound to no index and built with nothing.
    pub fn new(distribution: LockedDistribution) -> Self {
        Self { distribution, index: None, build: vec![] }
    }

    /// Returns it, and all that it is built with.
    pub fn all(&self) -> Vec<&Self> {
        iter::once(self).chain(self.build.iter().flat_map(Self::all)).collect()
    }

    /// Returns its file, and those of all that it is built with.
    pub fn files(&self) -> Vec<&LockedDistribution> {
        self.all().into_iter().map(|lock| &lock.distribution).collect()
    }
}

/// A lock could not be read or written.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum LockError {
    /// There is no lock.
    #[error("there is no lock `{}`", path.display())]
    #[diagnostic(code(vb::lock::missing), help("run `vb lock {}`", recipe(path).display()))]
    Missing {
        /// Where the lock would be.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read the lock `{}`", path.display())]
    #[diagnostic(code(vb::lock::unreadable))]
    Read {
        /// Where the lock is.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The text is not that of a lock.
    #[error("`{}`, line {line}, is not as `vb lock` writes it", path.display())]
    #[diagnostic(code(vb::lock::syntax), help("run `vb lock {}`", recipe(path).display()))]
    Syntax {
        /// Where the lock is.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong there.
        #[source]
        source: toml::de::Error,
    },
    /// Something in the lock has a name that nothing can have: it would be a path, or be read as two words.
    #[error("the lock `{}` has a package or file called `{name}`", path.display())]
    #[diagnostic(code(vb::lock::name), help("run `vb lock {}`", recipe(path).display()))]
    Name {
        /// Where the lock is.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// A later vb has written the lock.
    #[error("the lock `{}` has version {version}, and this vb reads version {LOCK_VERSION}", path.display())]
    #[diagnostic(code(vb::lock::version), help("use a later vb, or run `vb lock {}`", recipe(path).display()))]
    Version {
        /// Where the lock is.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// The file cannot be written.
    #[error("cannot write the lock `{}`", path.display())]
    #[diagnostic(code(vb::lock::unwritable))]
    Write {
        /// Where the lock should be.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// Returns the recipe beside a lock.
fn recipe(lock: &Path) -> PathBuf {
    lock.with_extension("ncl")
}

impl Default for Lock {
    fn default() -> Self {
        Self { version: LOCK_VERSION, commits: BTreeMap::new(), platforms: BTreeMap::new() }
    }
}

impl Lock {
    /// Reads a lock.
    ///
    /// # Errors
    /// When the file is not there or is not a lock of [`LOCK_VERSION`].
    pub fn read(path: &Path) -> Result<Self, LockError> {
        let path_buf = || path.to_owned();
        let text = fs_err::read_to_string(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => LockError::Missing { path: path_buf() },
            _ => LockError::Read { path: path_buf(), source },
        })?;
        let lock = from_text(&text).map_err(|error| match error {
            ReadLockError::Version(version) => LockError::Version { path: path_buf(), version },
            ReadLockError::Syntax(source) => {
                let line = line_number(&text, source.span().map_or(0, |span| span.start));
                LockError::Syntax { path: path_buf(), line, source }
            }
        })?;
        let commits = lock.commits.values().map(|lock| lock.commit.as_str()).filter(|commit| !is_commit(commit));
        let names = lock.platforms.values().flat_map(PlatformLock::names).filter(|name| !is_name(name));
        if let Some(name) = commits.chain(names).next() {
            return Err(LockError::Name { path: path_buf(), name: name.to_owned() });
        }
        Ok(lock)
    }

    /// Writes the lock; who reads at the same time sees the old one or all of it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), LockError> {
        let failed = |source| LockError::Write { path: path.to_owned(), source };
        let tmp = path.with_extension(format!("lock.{}.tmp", std::process::id()));
        fs_err::write(&tmp, self.to_text()).map_err(failed)?;
        fs_err::rename(&tmp, path).map_err(failed)
    }

    /// Returns the lock's text; equal locks have equal texts, in whatever order their lists are.
    pub fn to_text(&self) -> String {
        to_text(self)
    }

    /// Says where the lock no longer fits what is asked of it for one platform; nothing when it fits.
    ///
    /// The order of a list does not matter.
    pub fn mismatches(&self, platform: &str, request: &LockRequest) -> Vec<Mismatch> {
        match self.platforms.get(platform) {
            None => vec![Mismatch::Platform { platform: platform.to_owned() }],
            Some(lock) => lock.request.mismatches(request),
        }
    }
}

/// Can it be the name of a file in a directory, and one word among others?
fn is_name(text: &str) -> bool {
    !["", ".", ".."].contains(&text)
        && !text.contains(|char: char| char == '/' || char.is_whitespace() || char.is_control())
}

fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl PlatformLock {
    /// Makes a lock of nothing, to be filled in.
    pub fn new(request: LockRequest) -> Self {
        Self {
            request,
            archive: BTreeMap::new(),
            packages: vec![],
            distributions: vec![],
            application: vec![],
            tools: vec![],
            npm: vec![],
        }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let packages = self.packages.iter().map(|lock| &lock.package);
        let packages = packages.flat_map(|package| [&package.name, &package.version, &package.architecture]);
        let built = self.distributions.iter().chain(&self.application).flat_map(DistributionLock::files);
        let files = built.chain(&self.tools).flat_map(|file| [&file.name, &file.version, &file.file.file]);
        // A place and a name of npm's may have several components, each of which is a name.
        let npm = self.npm.iter().flat_map(|package| {
            let components = package.place.split('/').chain(package.name.split('/'));
            components.chain([package.version.as_str(), package.file.file.as_str()])
        });
        packages.chain(files).map(String::as_str).chain(npm)
    }

    /// Compares the indexes that distributions were locked from with those that they are bound to.
    pub fn rebound(&self, index_of: impl Fn(&str) -> Option<String>) -> Vec<Mismatch> {
        let all = self.distributions.iter().chain(&self.application).flat_map(DistributionLock::all);
        let mut mismatches = Vec::new();
        for lock in all {
            let (name, locked, bound) =
                (&lock.distribution.name, lock.index.clone(), index_of(&lock.distribution.name));
            let mismatch = Mismatch::Index { name: name.clone(), locked, bound };
            if !matches!(&mismatch, Mismatch::Index { locked, bound, .. } if locked == bound)
                && !mismatches.contains(&mismatch)
            {
                mismatches.push(mismatch);
            }
        }
        mismatches
    }

    /// Returns the packages of one root, by name.
    pub fn root(&self, kind: RootKind) -> Vec<LockedPackage> {
        let uses = self.packages.iter().filter(|package| package.roots.contains(&kind));
        let mut packages: Vec<_> = uses.map(|package| package.package.clone()).collect();
        packages.sort();
        packages
    }

    /// Locks one more package for one root.
    pub fn add_to_root(&mut self, kind: RootKind, package: LockedPackage) {
        match self.packages.iter_mut().find(|known| known.package == package) {
            Some(known) => drop(known.roots.insert(kind)),
            None => self.packages.push(PackageLock { package, roots: BTreeSet::from([kind]) }),
        }
    }
}

impl LockRequest {
    fn mismatches(&self, asked: &Self) -> Vec<Mismatch> {
        let python = [&self.python, &asked.python].map(|python| BTreeSet::from([python.clone()]));
        let lists = [
            ("base", Asker::Platform, &self.base, &asked.base),
            ("toolchain", Asker::Platform, &self.toolchain, &asked.toolchain),
            ("build_deps", Asker::Recipe, &self.build_deps, &asked.build_deps),
            ("run_deps", Asker::Recipe, &self.run_deps, &asked.run_deps),
            ("test_deps", Asker::Recipe, &self.test_deps, &asked.test_deps),
            ("no_binary", Asker::Recipe, &self.no_binary, &asked.no_binary),
            ("only_binary", Asker::Recipe, &self.only_binary, &asked.only_binary),
            ("extras", Asker::Recipe, &self.extras, &asked.extras),
            ("groups", Asker::Recipe, &self.groups, &asked.groups),
        ];
        let [locked, wanted] = python;
        let installs = [self, asked].map(|request| BTreeSet::from([request.setup_install.to_string()]));
        let [installed, install] = installs;
        let [locked_source, source] = [self, asked].map(|request| request.source.iter().cloned().collect());
        let mut fields = vec![
            ("python", Asker::Recipe, locked, wanted),
            ("setup_install", Asker::Recipe, installed, install),
            ("source", Asker::Recipe, locked_source, source),
        ];
        let to_set = |list: &Vec<String>| list.iter().cloned().collect::<BTreeSet<_>>();
        fields.extend(lists.map(|(field, asker, locked, asked)| (field, asker, to_set(locked), to_set(asked))));
        let differing = fields.into_iter().filter(|(_, _, locked, asked)| locked != asked);
        let mut mismatches: Vec<_> =
            differing.map(|(field, asker, locked, asked)| Mismatch::Field { field, asker, locked, asked }).collect();
        for (locked, asked) in [(&self.requirements, &asked.requirements), (&self.npm, &asked.npm)] {
            let paths: BTreeSet<_> = locked.keys().chain(asked.keys()).collect();
            let changed = paths.into_iter().filter(|path| locked.get(*path) != asked.get(*path));
            mismatches.extend(changed.map(|path| Mismatch::Requirements { path: path.clone() }));
        }
        mismatches
    }
}

/// One point in which a lock does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// The lock has nothing for the platform.
    Platform {
        /// The platform's name.
        platform: String,
    },
    /// A field of the request has another value.
    Field {
        /// The field's name.
        field: &'static str,
        /// Whose field it is.
        asker: Asker,
        /// What is locked.
        locked: BTreeSet<String>,
        /// What is asked.
        asked: BTreeSet<String>,
    },
    /// A distribution is bound to another index than the one that it was locked from.
    Index {
        /// The distribution.
        name: String,
        /// The index that it was locked from, if it is a bound one.
        locked: Option<String>,
        /// The index that it is bound to, if there is one.
        bound: Option<String>,
    },
    /// A requirements file, or a `package-lock.json`, has other bytes, is no longer there, or was not there.
    Requirements {
        /// Its path in the source.
        path: String,
    },
}

/// Who asks something of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// The recipe.
    Recipe,
    /// The platform.
    Platform,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Platform { platform } => write!(f, "`{platform}`: the lock does not have this platform"),
            Self::Field { field, asker, locked, asked } => {
                let asker = match asker {
                    Asker::Recipe => "recipe",
                    Asker::Platform => "platform",
                };
                write!(f, "`{field}`: the lock has {}, the {asker} has {}", join(locked), join(asked))
            }
            Self::Index { name, locked, bound } => {
                let index = |index: &Option<String>| match index {
                    Some(index) => format!("the index `{index}`"),
                    None => "no index of its own".to_owned(),
                };
                write!(
                    f,
                    "`{name}`: the lock has it from {}, the workspace binds it to {}",
                    index(locked),
                    index(bound)
                )
            }
            Self::Requirements { path } => write!(f, "`{path}`: the file is not the one that was locked"),
        }
    }
}

fn join(values: &BTreeSet<String>) -> String {
    if values.is_empty() {
        return "nothing".to_owned();
    }
    format!("`{}`", values.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
}
