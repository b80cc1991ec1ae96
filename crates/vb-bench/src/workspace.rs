//! A copy of the workspace in a temporary directory, with stores of its own.

use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use fs_err as fs;
use serde_json::Value;
use tempfile::TempDir;

use crate::{error::BenchError, run::output_of};

/// What a line is added to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Edit {
    Module,
    StyleSheet,
}

impl Edit {
    pub(crate) const ALL: [Self; 2] = [Self::Module, Self::StyleSheet];

    /// Returns what the figure is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Module => "one-line change of a `.py`",
            Self::StyleSheet => "one-line change of a `.less`",
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Module => "py",
            Self::StyleSheet => "less",
        }
    }

    /// Returns a line that changes what is made of the file, too.
    fn line(self, number: u32) -> String {
        match self {
            Self::Module => format!("# {number}"),
            Self::StyleSheet => format!(".line-{number} {{ order: {number}; }}"),
        }
    }
}

/// The copy, removed when dropped.
#[derive(Debug)]
pub(crate) struct Copy {
    directory: TempDir,
    recipe: PathBuf,
    original: PathBuf,
}

impl Copy {
    /// Copies the recipes of the current directory into a git repository of their own.
    pub(crate) fn of_current_directory(recipe: &Path) -> Result<Self, BenchError> {
        let original = std::env::current_dir()?;
        if !original.join(recipe).is_file() {
            return Err(BenchError::NoRecipe { path: recipe.to_owned() });
        }
        // Beside the build's own files, because a store in memory would flatter the figures.
        let beside = std::env::current_exe()?;
        let directory = tempfile::tempdir_in(beside.parent().unwrap_or(Path::new(".")))?;
        let copy = Self { directory, recipe: recipe.to_owned(), original };
        copy_tree(&copy.original.join("recipes"), &copy.root().join("recipes"))?;
        for arguments in [&["init", "--quiet"][..], &["add", "--all"], &["commit", "--quiet", "--message", "copy"]] {
            let identity = ["-c", "user.name=bench", "-c", "user.email=bench@example.org"];
            output_of(Command::new("git").args(identity).args(arguments).current_dir(copy.root()))?;
        }
        Ok(copy)
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("workspace")
    }

    pub(crate) fn recipe(&self) -> &Path {
        &self.recipe
    }

    /// Returns the path of a store that is not there yet.
    pub(crate) fn empty_store(&self) -> Result<PathBuf, BenchError> {
        let parent = self.directory.path().join("stores");
        fs::create_dir_all(&parent)?;
        let count = fs::read_dir(&parent)?.count();
        let store = parent.join(count.to_string());
        fs::create_dir(&store)?;
        Ok(store)
    }

    /// Makes a store that has the fetched files of another one and nothing else. What is missing is fetched.
    pub(crate) fn store_with_files_of(&self, other: &Path) -> Result<PathBuf, BenchError> {
        let (other, store) = (self.original.join(other), self.empty_store()?);
        copy_tree(&other.join("files"), &store.join("files"))?;
        fs::copy(other.join("version"), store.join("version"))?;
        for record in files_below(&store.join("files"))? {
            let text = fs::read_to_string(record)?;
            let json: Value =
                serde_json::from_str(text.lines().next().unwrap_or_default()).map_err(BenchError::Event)?;
            let Some((outer, inner)) = json["blob"].as_str().and_then(|blob| blob.split_at_checked(2)) else {
                continue;
            };
            let place = Path::new("blobs").join(outer).join(inner);
            fs::create_dir_all(store.join("blobs").join(outer))?;
            fs::copy(other.join(&place), store.join(&place))?;
        }
        Ok(store)
    }

    /// Adds a line to the first file of a kind that the application has, if it has any.
    pub(crate) fn change_one_line(&self, edit: Edit, number: u32) -> Result<bool, BenchError> {
        let name = self.recipe.file_stem().unwrap_or_default();
        let application = self.root().join("recipes/apps").join(name);
        let files = files_below(&application)?;
        let is_edited = |path: &&PathBuf| path.extension().is_some_and(|extension| extension == edit.extension());
        let Some(source) = files.iter().find(is_edited) else { return Ok(false) };
        let text = fs::read_to_string(source)?;
        fs::write(source, format!("{text}{}\n", edit.line(number)))?;
        Ok(true)
    }
}

fn copy_tree(from: &Path, to: &Path) -> Result<(), BenchError> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target, kind) = (entry.path(), to.join(entry.file_name()), entry.file_type()?);
        if kind.is_dir() {
            copy_tree(&source, &target)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(&source)?, &target)?;
        } else {
            fs::copy(&source, &target)?;
        }
    }
    Ok(())
}

/// Lists the files below a directory, sorted.
fn files_below(directory: &Path) -> Result<Vec<PathBuf>, BenchError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            files.extend(files_below(&entry.path())?);
        } else {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}
