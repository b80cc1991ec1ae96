//! Which version a package has: the recipe's scheme, applied to what the source and its checkout say.
//!
//! A version is known before anything is built, and is the same wherever the same commit is checked out: it never comes
//! from the clock, a counter of the machine, or the name of a branch.

mod history;
mod releases;
mod tag;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub(crate) use self::releases::changelog;
use self::{history::History, tag::is_later};
pub use self::{
    releases::{Release, read_releases},
    tag::is_package_version,
};
use crate::{
    changelog::{CHANGELOG, ChangelogHead},
    diagnostic::{Code, RecipeDiagnostic, RecipeErrors, quote_all},
    load::Platforms,
    position::Evaluated,
    recipe::Recipe,
    source::SourceError,
    workspace::{Workspace, lock_path},
};

/// How many digits of a commit's id a snapshot has.
const COMMIT_DIGITS: usize = 11;

/// Where a package's version comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Version {
    /// The recipe says it.
    Fixed(String),
    /// The topmost entry of `debian/changelog` in the source says it.
    Changelog,
    /// The tag of the commit that is checked out says it.
    Tag,
    /// The last release, and the commit's time and id.
    Snapshot,
    /// The number of the latest published package and one more, if that is made of other inputs.
    BuildNumber,
}

/// What a recipe's scheme says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeclaredVersion {
    /// This version.
    Known(String),
    /// That what is published decides.
    BuildNumber,
}

/// What is checked out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckedOut {
    /// Is it a commit with a tag that is a version of the application?
    pub is_tagged: bool,
    /// Is there a change that is in no commit?
    pub is_modified: bool,
}

/// An application, to ask for its version.
#[derive(Clone, Copy, Debug)]
pub struct VersionSubject<'a> {
    /// The workspace's conventions.
    pub workspace: &'a Evaluated<Workspace>,
    /// The recipe.
    pub recipe: &'a Evaluated<Recipe>,
    /// The platforms, of which the recipe's count.
    pub platforms: &'a Platforms,
}

/// There is no version.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum VersionError {
    /// The source does not say what it should, or git fails.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Source(#[from] SourceError),
    /// The scheme has no answer; the error points at it.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Scheme(#[from] RecipeErrors),
}

impl VersionSubject<'_> {
    /// Returns the version that the recipe's scheme gives.
    ///
    /// # Errors
    /// [`VersionError`] when the scheme has no answer for the checkout as it is.
    pub fn version(&self) -> Result<DeclaredVersion, VersionError> {
        Ok(DeclaredVersion::Known(match self.recipe.value.version(&self.workspace.value) {
            Version::Fixed(version) => version.clone(),
            Version::Changelog => ChangelogHead::read(&self.recipe.source_dir())?.version,
            Version::Tag => self.tag_version(&self.needed_history()?)?,
            Version::Snapshot => self.snapshot_version(&self.needed_history()?)?,
            Version::BuildNumber => return Ok(DeclaredVersion::BuildNumber),
        }))
    }

    /// Returns what is checked out, or nothing for a source that is in no commit.
    ///
    /// # Errors
    /// [`VersionError`] when git fails.
    pub fn checked_out(&self) -> Result<Option<CheckedOut>, VersionError> {
        let checked_out = |history: History| CheckedOut {
            is_tagged: history.tag_at_head().is_some(),
            is_modified: history.is_modified(),
        };
        Ok(self.history()?.map(checked_out))
    }

    /// Says that a version has no place in rpm's order.
    pub fn unordered(&self, version: &str) -> VersionError {
        let message = format!("rpm would not order the version `{version}` as dpkg does");
        let help =
            "write what comes before a release behind `~` and what comes after it behind `+`: `1.0~rc1`, `1.0+post1`";
        self.wrong(Code::UnorderedVersion, message, help)
    }

    fn tag_version(&self, history: &History) -> Result<String, VersionError> {
        let Some(tag) = history.tag_at_head() else {
            let patterns = self.recipe.value.tags(&self.workspace.value);
            let message = format!("the commit that is checked out has no tag like {}", quote_all_of(patterns));
            let help = "tag it, or use `'Snapshot`; where the tag is missing only here, run `git fetch --tags`";
            return Err(self.wrong(Code::NoTag, message, help));
        };
        if history.is_modified() {
            let message = format!("the source differs from the commit that `{}` is the tag of", tag.name);
            let help = "commit the changes and tag the new commit, or use `'Snapshot`";
            return Err(self.wrong(Code::ModifiedTag, message, help));
        }
        Ok(tag.version.clone())
    }

    fn snapshot_version(&self, history: &History) -> Result<String, VersionError> {
        let is_modified = history.is_modified();
        if let Some(tag) = history.tag_at_head().filter(|_| !is_modified) {
            return Ok(tag.version.clone());
        }
        if history.is_shallow() {
            let message = "the checkout lacks its history, which says what was released last".to_owned();
            let help = "run `git fetch --unshallow --tags`; in CI, set the depth of the checkout to 0";
            return Err(self.wrong(Code::ShallowHistory, message, help));
        }
        let tag = history.latest_tag();
        if let Some(tag) = tag.filter(|_| !is_modified)
            && history.is_unchanged_since(tag)?
        {
            return Ok(tag.version.clone());
        }
        let Some(commit) = history.last_commit()? else { return Err(self.no_commit()) };
        let before = self.before_snapshot(tag.map(|tag| tag.version.as_str()))?;
        let id = commit.id.get(..COMMIT_DIGITS).unwrap_or(&commit.id);
        let modified = if is_modified { "+modified" } else { "" };
        Ok(format!("{before}~{}+git{id}{modified}", commit.time))
    }

    /// Returns the version that a snapshot comes before: the release that is being prepared, or the last one and `+0`.
    fn before_snapshot(&self, tag: Option<&str>) -> Result<String, VersionError> {
        let source = self.recipe.source_dir();
        let changelog = source.join(CHANGELOG).is_file().then(|| ChangelogHead::read(&source)).transpose()?;
        let changelog = changelog.filter(|head| tag.is_none_or(|tag| is_later(&head.version, tag)));
        Ok(match (changelog, tag) {
            (Some(head), _) if head.is_released => format!("{}+0", head.version),
            (Some(head), _) => head.version,
            (None, Some(tag)) => format!("{tag}+0"),
            (None, None) => "0".to_owned(),
        })
    }

    fn needed_history(&self) -> Result<History, VersionError> {
        self.history()?.ok_or_else(|| self.no_commit())
    }

    fn history(&self) -> Result<Option<History>, SourceError> {
        let patterns = self.recipe.value.tags(&self.workspace.value);
        History::read(self.recipe.source_dir(), &self.paths(), patterns, &self.recipe.value.name)
    }

    /// Returns everything that the package is made of and that somebody edits.
    fn paths(&self) -> Vec<PathBuf> {
        let recipe = &self.recipe.value;
        let names = recipe.platforms(&self.workspace.value).iter();
        let platforms = names.filter_map(|name| self.platforms.get(name)).flat_map(|platform| &platform.files);
        let files = self.recipe.files.iter().chain(&self.workspace.files).chain(platforms);
        let sub_apps = recipe.sub_apps.iter().map(|sub_app| self.recipe.dir_of(&sub_app.source));
        let own = [self.recipe.source_dir(), lock_path(self.recipe.path())];
        own.into_iter().chain(sub_apps).chain(files.map(|file| file.path.clone())).collect()
    }

    fn no_commit(&self) -> VersionError {
        let message = "the source is in no commit of git, which the version comes from".to_owned();
        self.wrong(Code::NoCommit, message, "commit it, or use `'Fixed` or `'Changelog`")
    }

    fn wrong(&self, code: Code, message: String, help: &str) -> VersionError {
        let help = format!("{help}; `--force-version` sets one for this time");
        RecipeErrors::from(self.at_scheme(code, message).help(help)).into()
    }

    /// Points at where the scheme is written: in the recipe, or else in the workspace file.
    pub(crate) fn at_scheme(&self, code: Code, message: String) -> RecipeDiagnostic {
        let Self { workspace, recipe, .. } = *self;
        if recipe.positions.value("version").is_none() && workspace.positions.value("version").is_some() {
            return RecipeDiagnostic::at_field(code, message, workspace, "version");
        }
        RecipeDiagnostic::at_field(code, message, recipe, "version")
    }
}

fn quote_all_of(texts: &[String]) -> String {
    quote_all(texts.iter().map(String::as_str))
}
