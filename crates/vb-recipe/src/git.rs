//! What a checkout says: the machine's git, asked so that neither the user's configuration nor a hook's variables count.
//!
//! Must not be here: what the answers mean for a version; that is in [`version`](crate::version).

use std::{
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::source::SourceError;

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

const STATUS: [&str; 6] =
    ["status", "--porcelain=v2", "--branch", "--untracked-files=normal", "--ignore-submodules=none", "--"];

/// A directory that may be in a checkout.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Git<'a> {
    directory: &'a Path,
}

/// What is checked out, and whether some paths are as in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CheckoutStatus {
    /// The commit that is checked out, if there is one at all.
    pub(crate) commit: Option<String>,
    pub(crate) branch: Option<String>,
    pub(crate) is_modified: bool,
}

impl<'a> Git<'a> {
    pub(crate) fn new(directory: &'a Path) -> Self {
        Self { directory }
    }

    /// Returns the state of some paths, or of the directory if there are none; `None` without a repository or git.
    pub(crate) fn status(&self, paths: &[PathBuf]) -> Result<Option<CheckoutStatus>, SourceError> {
        let Some(text) = self.ask_about(&STATUS, paths)? else { return Ok(None) };
        let header = |name: &str| text.lines().find_map(|line| line.strip_prefix(&format!("# branch.{name} ")));
        Ok(Some(CheckoutStatus {
            commit: header("oid").filter(|commit| *commit != "(initial)").map(str::to_owned),
            branch: header("head").filter(|head| *head != "(detached)").map(str::to_owned),
            is_modified: text.lines().any(|line| !line.starts_with('#')),
        }))
    }

    /// Asks about some paths, or about the directory if there are none.
    pub(crate) fn ask_about(&self, arguments: &[&str], paths: &[PathBuf]) -> Result<Option<String>, SourceError> {
        let mut all: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        match paths {
            [] => all.push(".".into()),
            paths => all.extend(paths.iter().map(OsString::from)),
        }
        self.ask(&all)
    }

    /// Runs git; `None` when the directory is in no repository, or there is no git.
    pub(crate) fn ask<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Option<String>, SourceError> {
        let failed = |message: String| SourceError::Git {
            path: self.directory.to_owned(),
            arguments: arguments.iter().map(|argument| argument.as_ref().to_string_lossy().into_owned()).collect(),
            message,
        };
        match self.command(arguments).output() {
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

    fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = git_command(self.directory);
        // A checkout may belong to somebody else than the user who builds; only its history is read.
        command.args(["-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-c", "core.excludesFile=/dev/null"]);
        command.args(["--no-optional-locks", "--literal-pathspecs"]).args(arguments);
        command
    }
}

/// Starts a command of the machine's git in a directory: its messages are English, and no variable leads it to another
/// repository.
pub fn git_command(directory: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(directory).env("LC_ALL", "C").env("TZ", "UTC");
    for name in REPOSITORY_VARIABLES {
        command.env_remove(name);
    }
    command
}

#[cfg(test)]
mod tests {
    use fs_err as fs;

    use super::*;

    #[test]
    fn a_source_outside_of_git_is_in_no_commit() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(Git::new(directory.path()).status(&[]).unwrap(), None);
    }

    #[test]
    fn the_configuration_of_git_does_not_hide_a_file_that_is_in_no_commit() {
        let directory = tempfile::tempdir().unwrap();
        let git = Git::new(directory.path());
        for arguments in [["init", "--quiet", "."], ["config", "status.showUntrackedFiles", "no"]] {
            assert!(git.ask(&arguments).unwrap().is_some());
        }
        assert!(!git.status(&[]).unwrap().unwrap().is_modified);
        fs::write(directory.path().join("module.py"), "").unwrap();
        assert!(git.status(&[]).unwrap().unwrap().is_modified);
    }

    #[test]
    fn the_repository_of_a_hook_is_not_taken_for_that_of_the_source() {
        let command = Git::new(Path::new("/")).command(&STATUS);
        for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
            assert!(command.get_envs().any(|(removed, value)| removed == name && value.is_none()), "{name}");
        }
    }
}
