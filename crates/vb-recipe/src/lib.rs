//! Recipes and locks to plain data and to a build graph, with every error that can point at a recipe.
//!
//! The only user of Nickel: [`Loader`] evaluates files under the contracts of `vb.ncl` and gives plain structs, with
//! the place of each field beside them ([`Evaluated`]). [`check`] then finds what contracts cannot see.
//!
//! A workspace is a directory that holds `recipes/workspace.ncl`; recipes are the other `recipes/*.ncl`, platforms
//! `recipes/platforms/*.ncl`, and each recipe's [`Lock`] is beside it, with the extension `lock`.

mod changelog;
mod check;
mod convert;
mod diagnostic;
mod evaluate;
mod fields;
mod git;
mod lint;
mod load;
mod loader;
mod lock;
mod lock_text;
mod lower;
mod memory;
mod packages;
mod pipeline;
mod platform;
mod position;
mod python;
mod recipe;
mod requirements;
mod scan;
mod scripts;
mod service;
mod source;
mod survey;
mod trial;
mod version;
mod workspace;

pub use changelog::CHANGELOG;
pub use check::{check, check_platform};
pub use diagnostic::{Code, RecipeDiagnostic, RecipeErrors, did_you_mean};
pub use git::git_command;
pub use lint::{AcceptedTag, LintRecipe};
pub use load::{Checkouts, Loaded, Platforms};
pub use loader::{Loader, LoaderError, platform_help};
pub use lock::{
    Asker, CommitLock, DistributionLock, LOCK_VERSION, Lock, LockError, LockRequest, Mismatch, PackageLock,
    PlatformLock, RootKind,
};
pub use lower::{
    Application, LowerError, Older, Provider, lower, lower_fetch, lower_interpreter, lower_lint, lower_overlay,
    lower_root, lower_tests, lower_wheels,
};
pub use memory::Memory;
pub use packages::{Merged, SubPackage};
pub use pipeline::{
    CacheBustingOptions, CatalogueOptions, CollectOptions, CompileOptions, CompressOptions, CompressorName, CopyFormat,
    PipelineStep, PrecompressOptions, RunOptions, TokenSource,
};
pub use platform::{
    Configure, DebPolicy, Family, Image, Interpreter, OutputPolicy, Pin, Platform, PlatformRepository, PlatformSuite,
    RpmPolicy,
};
pub use position::{Evaluated, Position, Positions, SourceFile};
pub use python::Python;
pub use recipe::{
    GitSource, ImportCheckRecipe, Npm, Override, OwnInterpreter, PlatformRecipe, Recipe, Resolved, SkippedImport,
    Source, SubApp,
};
pub use requirements::{RequirementsForm, package_lock_file, requirement_files};
pub use scripts::{StoppedService, stopped_services};
pub use service::{ConfigFileRecipe, DirectoryRecipe, ManagerName, RestartName, Scripts, ServiceRecipe, UserRecipe};
pub use source::{SourceError, SourceFacts, source_facts};
pub use trial::CheckRecipe;
pub use version::{
    CheckedOut, DeclaredVersion, Release, Version, VersionError, VersionSubject, is_package_version, read_releases,
};
pub use workspace::{
    PLATFORMS_DIR, PackageRepository, PythonIndex, RepositoryKey, RepositoryLayout, WORKSPACE_FILE, Workspace,
    find_root, lock_path,
};
