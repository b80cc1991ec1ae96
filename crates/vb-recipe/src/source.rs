//! What an application's source says of itself: version, commit, time, and which requirements it has.
//!
//! Must not be here: the content of the source, which is ingested.

use std::{
    collections::BTreeMap,
    io,
    panic::resume_unwind,
    path::{Component, Path, PathBuf},
    process::{Command, Output},
};

use fs_err as fs;
use sha2::{Digest, Sha256 as Hasher};
use vb_graph::Sha256;

use crate::recipe::{Recipe, Version};

/// The time of a source that is in no commit: 1980-01-01, the earliest that a zip file can hold.
const NO_COMMIT_EPOCH: u64 = 315_532_800;

/// What is asked of git. The options are there so that the user's configuration does not count: what a package is made
/// of does not depend on who builds it.
const STATUS: [&str; 7] =
    ["status", "--porcelain=v2", "--branch", "--untracked-files=normal", "--ignore-submodules=none", "--", "."];
const LOG: [&str; 6] = ["log", "-1", "--format=%H %ct", "--no-show-signature", "--", "."];

/// Variables that lead git to another repository than the one around the directory. A hook has some of them set.
const REPOSITORY_VARIABLES: [&str; 9] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// What a source says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFacts {
    /// The package's version.
    pub version: String,
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

/// Gathers the facts of a recipe's source.
///
/// # Errors
/// [`SourceError`] when there is no version, or git fails.
pub fn source_facts(recipe: &Recipe, directory: &Path) -> Result<SourceFacts, SourceError> {
    let version = match &recipe.version {
        Version::Fixed(version) => version.clone(),
        Version::Changelog => changelog_version(&directory.join("debian/changelog"))?,
    };
    // Asked at once, because starting git is most of what it costs. Without a commit the log is an error, and not used.
    let (status, log) = std::thread::scope(|scope| {
        let log = scope.spawn(|| git(directory, &LOG));
        let status = git(directory, &STATUS);
        (status, log.join().unwrap_or_else(|panic| resume_unwind(panic)))
    });
    let Some(status) = status? else {
        return Ok(SourceFacts { version, branch: None, commit: None, is_modified: false, epoch: NO_COMMIT_EPOCH });
    };
    let header = |name: &str| status.lines().find_map(|line| line.strip_prefix(&format!("# branch.{name} ")));
    let branch = header("head").filter(|head| *head != "(detached)").map(str::to_owned);
    let is_modified = status.lines().any(|line| !line.starts_with('#'));
    let log = match header("oid") {
        Some("(initial)") | None => None,
        Some(_) => log?,
    };
    let commit = log.as_deref().and_then(|log| log.trim().split_once(' '));
    Ok(SourceFacts {
        version,
        branch: branch.filter(|_| commit.is_some()),
        commit: commit.map(|(commit, _)| commit.to_owned()),
        is_modified,
        epoch: commit.and_then(|(_, time)| time.parse().ok()).unwrap_or(NO_COMMIT_EPOCH),
    })
}

/// Runs git; `None` when the directory is in no repository, or there is no git.
fn git(directory: &Path, arguments: &[&str]) -> Result<Option<String>, SourceError> {
    let output = git_command(directory, arguments).output();
    let failed = |message: String| SourceError::Git {
        path: directory.to_owned(),
        arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
        message,
    };
    match output {
        Ok(Output { status, stdout, .. }) if status.success() => {
            Ok(Some(String::from_utf8_lossy(&stdout).into_owned()))
        }
        Ok(Output { stderr, .. }) => {
            let message = String::from_utf8_lossy(&stderr).into_owned();
            if message.contains("not a git repository") { Ok(None) } else { Err(failed(message)) }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error.to_string())),
    }
}

fn git_command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    // A checkout may belong to somebody else than the user who builds; only its history is read.
    command.args(["-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-c", "core.excludesFile=/dev/null"]);
    command.arg("--no-optional-locks").args(arguments).current_dir(directory).env("LC_ALL", "C");
    for name in REPOSITORY_VARIABLES {
        command.env_remove(name);
    }
    command
}

fn changelog_version(path: &Path) -> Result<String, SourceError> {
    let bytes = fs::read(path).map_err(|source| SourceError::NoChangelog { path: path.to_owned(), source })?;
    // The names of maintainers in old entries may be in any encoding.
    let text = String::from_utf8_lossy(&bytes);
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    parse_changelog_line(first).ok_or_else(|| SourceError::Changelog { path: path.to_owned() })
}

fn parse_changelog_line(line: &str) -> Option<String> {
    let (_, rest) = line.split_once(" (")?;
    let (version, rest) = rest.split_once(')')?;
    (!version.is_empty() && rest.contains(';')).then(|| version.to_owned())
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
    fn the_version_is_between_the_first_parentheses() {
        let version = |line| parse_changelog_line(line);
        assert_eq!(version("vrmd-whois (1:1.0.0-1~deb12u1) bookworm; urgency=medium").unwrap(), "1:1.0.0-1~deb12u1");
        for line in ["", "vrmd-whois", "vrmd-whois ()  unstable; urgency=low", "vrmd-whois (1.0"] {
            assert_eq!(version(line), None, "{line}");
        }
    }

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

    #[test]
    fn a_source_outside_of_git_is_in_no_commit() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(git(directory.path(), &STATUS).unwrap(), None);
    }

    #[test]
    fn the_configuration_of_git_does_not_hide_a_file_that_is_in_no_commit() {
        let directory = tempfile::tempdir().unwrap();
        for arguments in [["init", "--quiet", "."], ["config", "status.showUntrackedFiles", "no"]] {
            assert!(git(directory.path(), &arguments).unwrap().is_some());
        }
        fs::write(directory.path().join("module.py"), "").unwrap();
        let status = git(directory.path(), &STATUS).unwrap().unwrap();
        assert!(status.contains("\n? module.py\n"), "{status}");
    }

    #[test]
    fn the_repository_of_a_hook_is_not_taken_for_that_of_the_source() {
        let command = git_command(Path::new("/"), &STATUS);
        for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
            assert!(command.get_envs().any(|(removed, value)| removed == name && value.is_none()), "{name}");
        }
    }
}
