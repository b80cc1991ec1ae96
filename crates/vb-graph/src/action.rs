//! Actions: the unit that runs once and is cached, before its inputs have digests.
//!
//! Must not be here: labels, recipe positions, host paths of the store. Identity only; where an action came from is
//! [`Provenance`](crate::Provenance).

use std::collections::BTreeMap;

use crate::{
    digest::Sha256,
    graph::Input,
    interpreter::{BuildInterpreter, RelocateInterpreter, TestInterpreter},
    lint::Lint,
    package::{Format, PackageSpec},
    resolved::{InputDigest, Part, PartValue, ResolvedAction},
    share::{Share, ShareOut},
    step::Step,
    trial::Test,
};

/// A node of the build graph, with inputs that are still other actions.
///
/// Two actions are equal when kind and inputs are; the graph holds equal actions once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Action {
    /// What is to be done.
    pub kind: Kind,
    /// What it reads, by name.
    pub inputs: Vec<Input>,
}

impl Action {
    /// Makes the resolved action from the digests of the inputs, or of what is selected of them, in the order of
    /// [`Action::inputs`].
    ///
    /// # Panics
    /// When there are not as many digests as inputs.
    pub fn resolve(&self, digests: &[InputDigest]) -> ResolvedAction {
        assert_eq!(self.inputs.len(), digests.len(), "one digest for each input");
        let mut parts = self.kind.parts();
        parts.extend(self.inputs.iter().zip(digests).map(|(input, digest)| Part {
            name: format!("input {}", input.name),
            value: PartValue::Input(digest.clone()),
        }));
        ResolvedAction { kind: self.kind.name().to_owned(), version: self.kind.version(), parts }
    }
}

/// What an action does. The variants are the table "Actions and keys" of the design.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Brings a file with a declared SHA-256.
    Fetch(Fetch),
    /// Reads a source tree into the store.
    Ingest(Ingest),
    /// Makes a root file system of distribution packages.
    Root(Root),
    /// Compiles an interpreter of its source.
    Interpreter(BuildInterpreter),
    /// Runs an interpreter's own tests.
    InterpreterTest(TestInterpreter),
    /// Moves an interpreter to another prefix.
    Relocate(RelocateInterpreter),
    /// Puts an interpreter that was built into a root.
    Overlay,
    /// Builds an sdist to a wheel.
    Wheel(Wheel),
    /// Unpacks a wheel to the tree that it installs.
    Unpack(Unpack),
    /// Merges unpacked trees to an environment.
    Environment(Environment),
    /// Makes a tree `node_modules` of npm packages.
    NodeModules(NodeModules),
    /// Makes assets of the application's source.
    Step(Step),
    /// Puts application and environment together.
    Stage(Stage),
    /// Cuts out of a stage what one of several packages has.
    ShareOut(ShareOut),
    /// Finds the shared libraries that compiled code needs, in the package and in a root that has only run dependencies.
    Libraries(Libraries),
    /// Imports what the application imports, in a root that has only run dependencies.
    ImportCheck(ImportCheck),
    /// Writes the package.
    Package(Box<PackageSpec>),
    /// Takes a package through a part of its life.
    Test(Box<Test>),
    /// Lets a distribution's checker look at a package.
    Lint(Lint),
}

impl Kind {
    /// Returns the kind's name, as it is encoded and shown.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Fetch(_) => "fetch",
            Self::Ingest(_) => "ingest",
            Self::Root(_) => "root",
            Self::Interpreter(_) => "interpreter",
            Self::InterpreterTest(_) => "interpreter test",
            Self::Relocate(_) => "relocate",
            Self::Overlay => "overlay",
            Self::Wheel(_) => "wheel",
            Self::Unpack(_) => "unpack",
            Self::Environment(_) => "environment",
            Self::NodeModules(_) => "node modules",
            Self::Step(step) => step.name(),
            Self::Stage(_) => "stage",
            Self::ShareOut(_) => "share",
            Self::Libraries(_) => "libraries",
            Self::ImportCheck(_) => "import check",
            Self::Package(_) => "package",
            Self::Test(_) => "test",
            Self::Lint(_) => "lint",
        }
    }

    /// Returns the version of what vb does for the kind; a change of that behaviour raises it and so changes every key.
    fn version(&self) -> u32 {
        match self {
            // 2: scriptlets run.
            Self::Root(Root { content: RootContent::Rpms, .. }) => 2,
            // 2: the flags that the interpreter's own code has come before the recipe's.
            Self::Wheel(_) => 2,
            // 2: header files are below the distribution's normalised name. 3: a child of a waiting interpreter compiles.
            // 4: which gets the sources of a wheel in its order.
            Self::Unpack(_) => 4,
            // 2: `debian/install` is followed.
            Self::Stage(_) => 2,
            Self::Step(step) => step.version(),
            // 2: `shlibs` files may have tabs.
            Self::Libraries(_) => 2,
            // 2: a process for each package; the application's modules and declared distributions are imported, too.
            // 3: conditions on the implementation are evaluated. 4: modules that do not parse are imported, too.
            Self::ImportCheck(_) => 4,
            Self::Package(spec) => match spec.format {
                // 2: the dictionary of xz is no larger than a segment. 3: what stands in for a `debian/copyright`.
                // 4: the interpreter is looked at first. 5: units are read again, what was written by hand yields.
                // 6: an interpreter in the package is listed. 7: scripts have the functions that they call.
                // 8: segments of the application are its own, and short. 9: what was stopped is looked at.
                // 10: a purge removes what is the package's, and managers stay what they were. 11: users are found without
                // getent.
                Format::Deb => 11,
                // 2: versions are written so that rpm orders them as dpkg does. 3, 4, 5 and 6: as 2, 3, 4 and 5 of a
                // `.deb`. 7: `rpm/triggers` is followed. 8 to 13: as 6 to 11 of a `.deb`.
                Format::Rpm => 13,
                // 2, 3 and 4: as 3, 6 and 8 of a `.deb`.
                Format::Tar => 4,
            },
            // 2: of the managers of a service, the first that runs is watched.
            Self::Test(_) => 2,
            _ => 1,
        }
    }

    fn parts(&self) -> Vec<Part> {
        match self {
            Self::Fetch(fetch) => vec![Part::text("sha256", fetch.sha256.to_string())],
            Self::Ingest(ingest) => ingest.parts(),
            Self::Root(root) => root.parts(),
            Self::Interpreter(build) => build.parts(),
            Self::InterpreterTest(test) => test.parts(),
            Self::Relocate(relocate) => relocate.parts(),
            Self::Overlay => vec![],
            Self::Wheel(wheel) => wheel.parts(),
            Self::Unpack(unpack) => unpack.parts(),
            Self::Environment(environment) => environment.parts(),
            Self::NodeModules(modules) => modules.parts(),
            Self::Step(step) => step.parts(),
            Self::Stage(stage) => stage.parts(),
            Self::ShareOut(share) => share.parts(),
            Self::Libraries(libraries) => libraries.parts(),
            Self::ImportCheck(check) => check.parts(),
            Self::Package(spec) => spec.parts(),
            Self::Test(test) => test.parts(),
            Self::Lint(lint) => lint.parts(),
        }
    }
}

/// Brings one file into the store; only the SHA-256 is its identity.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fetch {
    /// What the bytes must hash to.
    pub sha256: Sha256,
    /// The size in bytes that the lock gives, where it gives one.
    pub size: Option<u64>,
    /// The file's name.
    pub file: String,
    /// Where to look.
    pub origin: Origin,
}

/// Where a fetched file is found, without a host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// In a distribution archive, at a path below its base.
    Archive {
        /// The platform whose archives hold it.
        platform: String,
        /// The path below the archive's base.
        path: String,
    },
    /// In a Python package index, among the files of a project.
    Index {
        /// The normalised project name.
        project: String,
    },
    /// In an npm registry, among the files of a package.
    Npm {
        /// The package's name: `less`, `@scope/name`.
        package: String,
    },
}

/// Reads a source tree into the store. Its result is found again by a stat cache, not by its key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ingest {
    /// The absolute path of the tree on the host.
    pub path: String,
    /// Glob patterns of entries that are left out, in `.gitignore` syntax.
    pub excludes: Vec<String>,
}

impl Ingest {
    fn parts(&self) -> Vec<Part> {
        vec![Part::text("path", &self.path), Part::list("excludes", &self.excludes)]
    }
}

/// Makes a root file system of exactly the files that are its inputs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Root {
    /// What the files are.
    pub content: RootContent,
    /// The architecture in the package manager's words: `amd64`, `x86_64`.
    pub architecture: String,
    /// Are `/bin`, `/lib` and `/sbin` links into `/usr`?
    pub has_merged_usr: bool,
}

/// What a root is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RootContent {
    /// `.deb` packages, which dpkg configures.
    Debs,
    /// `.deb` packages whose maintainer scripts are not run.
    UnpackedDebs,
    /// `.rpm` packages, whose scriptlets rpm runs.
    Rpms,
    /// Archives of a root that is given whole, each over the one before.
    Layers,
}

impl Root {
    fn parts(&self) -> Vec<Part> {
        let mut parts = vec![
            Part::text("architecture", &self.architecture),
            Part::text("merged /usr", self.has_merged_usr.to_string()),
        ];
        match self.content {
            // A key without this part is that of a root of `.deb` packages.
            RootContent::Debs => {}
            RootContent::UnpackedDebs => parts.push(Part::text("content", "unpacked debs")),
            RootContent::Rpms => parts.push(Part::text("content", "rpms")),
            RootContent::Layers => parts.push(Part::text("content", "layers")),
        }
        parts
    }
}

/// Which interpreter an environment is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InterpreterSpec {
    /// Major and minor version, of another implementation than CPython behind its name: `3.11`, `pypy3.9`.
    pub version: String,
    /// The absolute path of the versioned command in the platform's root: `/usr/bin/python3.11`.
    pub command: String,
}

impl InterpreterSpec {
    /// Returns the version of the language: `3.9`, for PyPy, too.
    pub fn python_version(&self) -> &str {
        self.version.trim_start_matches(|first: char| first.is_ascii_alphabetic())
    }

    /// Is it a Python 2, which knows neither virtual environments (PEP 405) nor bytecode in a directory of its own (PEP 3147)?
    pub fn is_python_2(&self) -> bool {
        self.version.starts_with("2.")
    }

    /// Returns how the directory of modules and the versioned command are called: `python3.11`, `pypy3.9`.
    pub fn versioned_name(&self) -> String {
        if self.version == self.python_version() { format!("python{}", self.version) } else { self.version.clone() }
    }

    fn parts(&self) -> Vec<Part> {
        vec![Part::text("python", &self.version), Part::text("python command", &self.command)]
    }
}

/// Builds an sdist to a wheel, by the build back end that the sdist names (PEP 517).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wheel {
    /// The interpreter that the wheel is built for.
    pub interpreter: InterpreterSpec,
    /// Environment variables of the build beside the fixed ones: `CFLAGS`, …
    pub variables: BTreeMap<String, String>,
}

impl Wheel {
    fn parts(&self) -> Vec<Part> {
        let variables: Vec<_> = self.variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut parts = self.interpreter.parts();
        parts.push(Part::list("variables", &variables));
        parts
    }
}

/// Unpacks a wheel to the tree that it installs below one prefix, with its bytecode.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unpack {
    /// The environment's path where it will run: `/vrmd/whois`.
    pub prefix: String,
    /// The interpreter whose bytecode is made.
    pub interpreter: InterpreterSpec,
}

impl Unpack {
    fn parts(&self) -> Vec<Part> {
        let mut parts = self.interpreter.parts();
        parts.push(Part::text("prefix", &self.prefix));
        parts
    }
}

/// Merges unpacked trees and adds what makes them a virtual environment (PEP 405).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Environment {
    /// The environment's path where it will run.
    pub prefix: String,
    /// The interpreter that `bin/python` leads to.
    pub interpreter: InterpreterSpec,
    /// Directories that are put on the module path: the application's own.
    pub module_paths: Vec<String>,
    /// Globs of files below the directory of packages that are left out.
    pub prune: Vec<String>,
}

impl Environment {
    fn parts(&self) -> Vec<Part> {
        let mut parts = self.interpreter.parts();
        parts.push(Part::text("prefix", &self.prefix));
        parts.push(Part::list("module paths", &self.module_paths));
        if !self.prune.is_empty() {
            parts.push(Part::list("prune", &self.prune));
        }
        parts
    }
}

/// Makes a tree `node_modules` of the packages that are its inputs, each at the place that the input's name says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NodeModules {
    /// The places of the packages whose install scripts are run: in a root, without network.
    pub scripts: Vec<String>,
}

impl NodeModules {
    fn parts(&self) -> Vec<Part> {
        vec![Part::list("scripts", &self.scripts)]
    }
}

/// Puts application and environment together at their final paths.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stage {
    /// The environment's path where it will run: `/vrmd/whois`.
    pub prefix: String,
    /// The application's own directory: `/vrmd/whois/whois`.
    pub application: String,
    /// The interpreter whose bytecode is made for the application's modules.
    pub interpreter: InterpreterSpec,
    /// The path that an interpreter in the tree was built for, which must not be left in any file.
    pub relocated_from: Option<String>,
}

impl Stage {
    fn parts(&self) -> Vec<Part> {
        let mut parts = self.interpreter.parts();
        parts.push(Part::text("prefix", &self.prefix));
        parts.push(Part::text("application", &self.application));
        if let Some(from) = &self.relocated_from {
            parts.push(Part::text("relocated from", from));
        }
        parts
    }
}

/// Finds the shared libraries that the compiled code of an environment and an application needs, without running any.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Libraries {
    /// The architecture whose code is looked at, in the package manager's words.
    pub architecture: String,
    /// Sonames of libraries that may be missing.
    pub optional: Vec<String>,
    /// Are the packages named that have the others, with versions, by the database of the root's dpkg?
    pub names_packages: bool,
    /// Which part of the tree is asked about; nothing for all. The rest is there all the same.
    pub share: Option<Share>,
    /// The earliest versions of packages that the code may have been compiled with, as relations: `libpq-dev (>= 15)`.
    pub build_depends: Vec<String>,
}

impl Libraries {
    fn parts(&self) -> Vec<Part> {
        let mut parts = vec![
            Part::text("architecture", &self.architecture),
            Part::list("optional", &self.optional),
            Part::text("names packages", self.names_packages.to_string()),
        ];
        parts.extend(self.share.iter().flat_map(Share::parts));
        if !self.build_depends.is_empty() {
            parts.push(Part::list("build depends", &self.build_depends));
        }
        parts
    }
}

/// Imports the application's modules, what they import, and the distributions that no other one requires, in a root that has
/// only the run dependencies.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImportCheck {
    /// The environment's path where it will run.
    pub prefix: String,
    /// The application's own directory.
    pub application: String,
    /// Modules that are not imported, and nothing below them is.
    pub skip: Vec<String>,
    /// How long the imports of one package may take, where that is not [`ImportCheck::SECONDS`].
    pub seconds: u32,
}

impl ImportCheck {
    /// How long the imports of one package may take if nothing is said.
    pub const SECONDS: u32 = 60;

    fn parts(&self) -> Vec<Part> {
        let mut parts = vec![Part::text("prefix", &self.prefix), Part::text("application", &self.application)];
        if !self.skip.is_empty() {
            parts.push(Part::list("skip", &self.skip));
        }
        if self.seconds != Self::SECONDS {
            parts.push(Part::text("seconds", self.seconds.to_string()));
        }
        parts
    }
}
