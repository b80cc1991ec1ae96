//! What an application's source says of itself: commit and time.
//!
//! Must not be here: the content of the source, which is ingested, and its requirements, which are in `requirements.rs`.

use std::{
    io,
    panic::resume_unwind,
    path::{Path, PathBuf},
};

use crate::{
    git::Git,
    version::{Release, changelog},
};

/// The time of a source that is in no commit: 1980-01-01, the earliest that a zip file can hold.
const NO_COMMIT_EPOCH: u64 = 315_532_800;

/// What is asked of git. The options are there so that the user's configuration does not count: what a package is made
/// of does not depend on who builds it.
const LOG: [&str; 6] = ["log", "-1", "--format=%H %ct", "--no-show-signature", "--", "."];

/// What a source says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFacts {
    /// The branch that is checked out, where one is.
    pub branch: Option<String>,
    /// The last commit that touched the source, where it is in one.
    pub commit: Option<String>,
    /// Does the source differ from that commit?
    pub is_modified: bool,
    /// The time of that commit, in seconds since 1970.
    pub epoch: u64,
    /// What changed in each version, the latest first, where the source has no changelog and git knows.
    pub releases: Vec<Release>,
}

impl SourceFacts {
    /// The facts of a source that is in no commit.
    pub const NONE: Self =
        Self { branch: None, commit: None, is_modified: false, epoch: NO_COMMIT_EPOCH, releases: Vec::new() };

    /// Returns the changelog (deb-changelog(5)) of a package of some version, out of the releases.
    pub fn changelog(&self, package: &str, version: &str, maintainer: &str) -> Option<String> {
        changelog(&self.releases, package, version, maintainer)
    }

    /// Returns the line of a package's description that names the source.
    pub fn origin(&self) -> Option<String> {
        let commit = self.commit.as_ref()?;
        let branch = self.branch.as_deref().unwrap_or("(none)");
        let modified = if self.is_modified { " (modified)" } else { "" };
        Some(format!("Branch: {branch} Commit: {commit}{modified}"))
    }
}

/// The facts of a source could not be had.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum SourceError {
    /// There is no changelog to take the version from.
    #[error("the source has no `debian/changelog` to take the version from")]
    #[diagnostic(code(vb::source::no_changelog), help("write one, or set `version = 'Fixed \"1.0.0\"` in the recipe"))]
    NoChangelog {
        /// Where it was looked for.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The changelog's first line is not one.
    #[error("the first line of `{}` is not `name (version) suite; urgency=…`", path.display())]
    #[diagnostic(code(vb::source::changelog), help("write it as Debian Policy 4.4 has it"))]
    Changelog {
        /// The changelog.
        path: PathBuf,
    },
    /// A requirements file cannot be read.
    #[error("cannot read the requirements file `{}`", path.display())]
    #[diagnostic(code(vb::source::requirements), help("write it, or set `requirements` in the recipe"))]
    Requirements {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The `package-lock.json` cannot be read.
    #[error("cannot read `{}`", path.display())]
    #[diagnostic(code(vb::source::package_lock), help("write it, or set `npm.lock` in the recipe"))]
    PackageLock {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A requirements file includes one that is not in the source, and would not be where the lock is made.
    #[error("`{}` includes `{included}`, which is outside of the source", file.display())]
    #[diagnostic(code(vb::source::outside_requirements), help("move the included file into the source"))]
    OutsideRequirements {
        /// The file that includes.
        file: PathBuf,
        /// What it includes.
        included: String,
    },
    /// A `pyproject.toml` is not TOML.
    #[error("cannot read `{}`", path.display())]
    #[diagnostic(code(vb::source::pyproject), help("mend the file"))]
    Pyproject {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// git is there and failed.
    #[error("`git {}` failed in `{}`: {}", arguments.join(" "), path.display(), message.trim_end())]
    #[diagnostic(code(vb::source::git), help("mend the repository, or build from a directory that is in none"))]
    Git {
        /// The source.
        path: PathBuf,
        /// What git was asked.
        arguments: Vec<String>,
        /// What it printed.
        message: String,
    },
}

/// Gathers the facts of a source.
///
/// # Errors
/// [`SourceError::Git`] when git is there and fails.
pub fn source_facts(directory: &Path) -> Result<SourceFacts, SourceError> {
    let git = Git::new(directory);
    // Asked at once, because starting git is most of what it costs. Without a commit the log is an error, and not used.
    let (status, log) = std::thread::scope(|scope| {
        let log = scope.spawn(|| git.ask(&LOG));
        let status = git.status(&[]);
        (status, log.join().unwrap_or_else(|panic| resume_unwind(panic)))
    });
    let Some(status) = status? else { return Ok(SourceFacts::NONE) };
    let log = if status.commit.is_some() { log? } else { None };
    let Some((commit, time)) = log.as_deref().and_then(|log| log.trim().split_once(' ')) else {
        return Ok(SourceFacts { is_modified: status.is_modified, ..SourceFacts::NONE });
    };
    Ok(SourceFacts {
        branch: status.branch,
        commit: Some(commit.to_owned()),
        is_modified: status.is_modified,
        epoch: time.parse().unwrap_or(NO_COMMIT_EPOCH),
        releases: Vec::new(),
    })
}
