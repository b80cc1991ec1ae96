//! What git knows of everything that an application is made of: tags, the last commit, changes that are in none.
//!
//! Only what lies in the source's own repository counts: the recipe and its lock usually do, and need not.

use std::path::{Path, PathBuf};

use fs_err as fs;

use super::tag::{is_later, version_of_tag};
use crate::{
    git::{CheckoutStatus, Git},
    source::SourceError,
};

const ABOUT: [&str; 3] = ["rev-parse", "--show-toplevel", "--is-shallow-repository"];
const TAGS: [&str; 4] =
    ["for-each-ref", "--merged=HEAD", "--format=%(objectname) %(*objectname) %(refname:strip=2)", "refs/tags"];
const LAST_COMMIT: [&str; 6] =
    ["log", "-1", "--no-show-signature", "--date=format-local:%Y%m%d%H%M%S", "--format=%H %cd", "--"];

/// The history behind a checkout.
#[derive(Debug)]
pub(crate) struct History {
    directory: PathBuf,
    paths: Vec<PathBuf>,
    is_shallow: bool,
    status: CheckoutStatus,
    tags: Vec<Tag>,
}

/// A tag that means a version of the application, at a commit that the checkout goes back to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) name: String,
    pub(crate) version: String,
    commit: String,
}

/// A commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) id: String,
    /// When it was made, in UTC: `20161009150015`.
    pub(crate) time: String,
}

impl History {
    /// Reads the history of the repository that a directory is in; `None` when it is in none, or without a commit.
    pub(crate) fn read(
        directory: PathBuf,
        paths: &[PathBuf],
        patterns: &[String],
        name: &str,
    ) -> Result<Option<Self>, SourceError> {
        let git = Git::new(&directory);
        let Some(about) = git.ask(&ABOUT)? else { return Ok(None) };
        let (top, is_shallow) = about.trim_end().rsplit_once('\n').unwrap_or((about.trim_end(), "false"));
        let paths: Vec<PathBuf> = paths.iter().filter_map(|path| inside(Path::new(top), path)).collect();
        let Some(status) = git.status(&paths)?.filter(|status| status.commit.is_some()) else { return Ok(None) };
        let tags = git.ask(&TAGS)?.unwrap_or_default();
        let tags = tags.lines().filter_map(|line| Tag::parse(line, patterns, name)).collect();
        Ok(Some(Self { is_shallow: is_shallow == "true", directory, paths, status, tags }))
    }

    /// Is the history cut off somewhere?
    pub(crate) fn is_shallow(&self) -> bool {
        self.is_shallow
    }

    /// Is there a change that is in no commit?
    pub(crate) fn is_modified(&self) -> bool {
        self.status.is_modified
    }

    /// Returns the tag of the commit that is checked out; of several, that of the latest version.
    pub(crate) fn tag_at_head(&self) -> Option<&Tag> {
        latest(self.tags.iter().filter(|tag| Some(&tag.commit) == self.status.commit.as_ref()))
    }

    /// Returns the tag of the latest version that the checkout goes back to.
    pub(crate) fn latest_tag(&self) -> Option<&Tag> {
        latest(self.tags.iter())
    }

    /// Did no commit that is not in a tag's history change anything?
    pub(crate) fn is_unchanged_since(&self, tag: &Tag) -> Result<bool, SourceError> {
        let range = format!("refs/tags/{}..HEAD", tag.name);
        let found = self.git().ask_about(&["rev-list", "-1", &range, "--"], &self.paths)?;
        Ok(found.unwrap_or_default().trim().is_empty())
    }

    /// Returns the last commit that changed anything.
    pub(crate) fn last_commit(&self) -> Result<Option<Commit>, SourceError> {
        let log = self.git().ask_about(&LAST_COMMIT, &self.paths)?.unwrap_or_default();
        let commit = log.trim().split_once(' ');
        Ok(commit.map(|(id, time)| Commit { id: id.to_owned(), time: time.to_owned() }))
    }

    fn git(&self) -> Git<'_> {
        Git::new(&self.directory)
    }
}

impl Tag {
    /// Reads `object [commit] name`; the commit is there if the object is a tag of its own.
    pub(super) fn parse(line: &str, patterns: &[String], name: &str) -> Option<Self> {
        let mut parts = line.splitn(3, ' ');
        let (object, commit, tag) = (parts.next()?, parts.next()?, parts.next()?);
        let version = version_of_tag(tag, patterns, name)?;
        let commit = if commit.is_empty() { object } else { commit };
        Some(Self { name: tag.to_owned(), version, commit: commit.to_owned() })
    }
}

fn latest<'a>(tags: impl Iterator<Item = &'a Tag>) -> Option<&'a Tag> {
    tags.reduce(|one, other| if is_later(&other.version, &one.version) { other } else { one })
}

/// Returns a path without symbolic links if it is in a directory.
fn inside(directory: &Path, path: &Path) -> Option<PathBuf> {
    let path = fs::canonicalize(path).ok()?;
    path.starts_with(directory).then_some(path)
}
