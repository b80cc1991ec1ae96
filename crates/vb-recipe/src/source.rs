//! What an application's source says of itself: commit, time, and which requirements it has.
//!
//! Must not be here: the content of the source, which is ingested.

use std::{
    collections::BTreeMap,
    io,
    panic::resume_unwind,
    path::{Component, Path, PathBuf},
};

use fs_err as fs;
use sha2::{Digest, Sha256 as Hasher};
use vb_graph::Sha256;

use crate::git::Git;

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
}

impl SourceFacts {
    /// The facts of a source that is in no commit.
    pub const NONE: Self = Self { branch: None, commit: None, is_modified: false, epoch: NO_COMMIT_EPOCH };

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
    })
}

/// Returns the requirements file and those that it includes, by path in the source, with the SHA-256 of their bytes.
///
/// # Errors
/// [`SourceError::Requirements`] when one cannot be read, [`SourceError::OutsideRequirements`] when one is elsewhere.
pub fn requirement_files(directory: &Path, file: &str) -> Result<BTreeMap<String, Sha256>, SourceError> {
    let mut found = BTreeMap::new();
    let mut pending = vec![PathBuf::from(file)];
    while let Some(relative) = pending.pop() {
        let name = relative.to_string_lossy().into_owned();
        if found.contains_key(&name) {
            continue;
        }
        let path = directory.join(&relative);
        let bytes = fs::read(&path).map_err(|source| SourceError::Requirements { path: path.clone(), source })?;
        for included in included(&String::from_utf8_lossy(&bytes)) {
            let inner = inner_path(relative.parent().unwrap_or(Path::new("")), &included);
            pending.push(inner.ok_or_else(|| SourceError::OutsideRequirements { file: path.clone(), included })?);
        }
        found.insert(name, Sha256::from_bytes(Hasher::digest(&bytes).into()));
    }
    Ok(found)
}

/// Digests the `package-lock.json` of a source, by its path there.
///
/// # Errors
/// [`SourceError::PackageLock`].
pub fn package_lock_file(directory: &Path, file: &str) -> Result<BTreeMap<String, Sha256>, SourceError> {
    let path = directory.join(file);
    let bytes = fs::read(&path).map_err(|source| SourceError::PackageLock { path, source })?;
    Ok(BTreeMap::from([(file.to_owned(), Sha256::from_bytes(Hasher::digest(&bytes).into()))]))
}

/// Returns the path in the source that a file there means by another path; `None` when that is outside.
fn inner_path(parent: &Path, path: &str) -> Option<PathBuf> {
    let mut inner = parent.to_owned();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(name) => inner.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !inner.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(inner)
}

/// Returns the files that a requirements file names with `-r` and `-c`.
fn included(text: &str) -> Vec<String> {
    let options = ["--requirement", "--constraint", "-r", "-c"];
    let of_line = |line: &str| {
        let line = line.trim();
        let rest = options.iter().find_map(|option| line.strip_prefix(option))?;
        let file = rest.trim_start_matches(['=', ' ', '\t']).split(" #").next()?.trim();
        (!file.is_empty()).then(|| file.to_owned())
    };
    text.lines().filter_map(of_line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn included_requirements_are_found_in_every_spelling() {
        let text = "-r base.txt\n--requirement=more.txt # why\n -c limits.txt\nTwisted==1\n-rclose.txt\n--no-index\n";
        assert_eq!(included(text), ["base.txt", "more.txt", "limits.txt", "close.txt"]);
    }

    #[test]
    fn requirements_are_hashed_with_what_they_include_and_a_circle_ends() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("more")).unwrap();
        fs::write(directory.path().join("requirements.txt"), "-r more/a.txt\n").unwrap();
        fs::write(directory.path().join("more/a.txt"), "-r b.txt\n").unwrap();
        fs::write(directory.path().join("more/b.txt"), "-r a.txt\n").unwrap();
        let found = requirement_files(directory.path(), "requirements.txt").unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["more/a.txt", "more/b.txt", "requirements.txt"]);
    }

    #[test]
    fn included_requirements_are_named_by_their_clean_path() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("more")).unwrap();
        fs::write(directory.path().join("requirements.txt"), "-r ./more/a.txt\n-c more/../b.txt\n").unwrap();
        fs::write(directory.path().join("more/a.txt"), "-c ../b.txt\n").unwrap();
        fs::write(directory.path().join("b.txt"), "").unwrap();
        let found = requirement_files(directory.path(), "requirements.txt").unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["b.txt", "more/a.txt", "requirements.txt"]);
    }

    #[test]
    fn requirements_outside_of_the_source_are_refused() {
        let outer = tempfile::tempdir().unwrap();
        let directory = outer.path().join("source");
        fs::create_dir(&directory).unwrap();
        fs::write(outer.path().join("limits.txt"), "").unwrap();
        for outside in ["../limits.txt".to_owned(), outer.path().join("limits.txt").display().to_string()] {
            fs::write(directory.join("requirements.txt"), format!("-c {outside}\n")).unwrap();
            let error = requirement_files(&directory, "requirements.txt").unwrap_err();
            assert!(matches!(error, SourceError::OutsideRequirements { included, .. } if included == outside));
        }
    }
}
