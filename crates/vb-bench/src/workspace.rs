//! A copy of the workspace in a temporary directory, with stores of its own.

use std::{
    io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use fs_err as fs;
use serde_json::Value;
use tempfile::TempDir;

use crate::{bigapp, case::remove, error::BenchError, run::output_of};

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

/// A file that a lock names.
#[derive(Clone, Debug)]
pub(crate) struct LockedFile {
    /// The package.
    pub(crate) name: String,
    pub(crate) file: String,
    pub(crate) size: u64,
    /// In hexadecimal digits.
    pub(crate) sha256: String,
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

    /// Copies the recipes of the current directory, and adds the large application to them.
    pub(crate) fn of_current_directory_with_bigapp() -> Result<Self, BenchError> {
        let mut copy = Self::of_current_directory(Path::new("recipes/whois.ncl"))?;
        bigapp::write_into(&copy.root())?;
        copy.recipe = PathBuf::from(bigapp::RECIPE);
        Ok(copy)
    }

    /// Copies the recipes of the current directory and those of `tests/corpus`, to build one of the latter.
    pub(crate) fn of_corpus(name: &str) -> Result<Self, BenchError> {
        let mut copy = Self::of_current_directory(Path::new("recipes/whois.ncl"))?;
        copy_tree(&copy.original.join("tests/corpus"), &copy.root().join("recipes"))?;
        copy.recipe = PathBuf::from(format!("recipes/{name}.ncl"));
        Ok(copy)
    }

    /// Returns the distribution packages of one root, as the recipe's lock has them.
    pub(crate) fn locked_packages(&self, platform: &str, root: &str) -> Result<Vec<LockedFile>, BenchError> {
        let text = fs::read_to_string(self.root().join(&self.recipe).with_extension("lock"))?;
        let missing = || BenchError::Missing { name: format!("root {root} of {platform}") };
        let lock: toml::Table = toml::from_str(&text)?;
        let packages = lock.get(platform).and_then(|locked| locked.get("packages")).and_then(toml::Value::as_array);
        let is_of_root = |package: &&toml::Value| {
            let roots = package.get("roots").and_then(toml::Value::as_array);
            roots.is_some_and(|roots| roots.iter().any(|name| name.as_str() == Some(root)))
        };
        let file = |package: &toml::Value| {
            let text = |name| package.get(name).and_then(toml::Value::as_str).map(str::to_owned);
            let file = text("path")?.rsplit('/').next()?.to_owned();
            let size = package.get("size")?.as_integer()?.unsigned_abs();
            Some(LockedFile { name: text("name")?, file, size, sha256: text("sha256")? })
        };
        packages.ok_or_else(missing)?.iter().filter(is_of_root).map(|one| file(one).ok_or_else(missing)).collect()
    }

    /// Returns where a store has a fetched file.
    pub(crate) fn blob_of(&self, store: &Path, sha256: &str) -> Result<PathBuf, BenchError> {
        let missing = || BenchError::Missing { name: sha256.to_owned() };
        let (outer, inner) = sha256.split_at_checked(2).ok_or_else(missing)?;
        place_of_blob(&store.join("files").join(outer).join(inner))?.map(|place| store.join(place)).ok_or_else(missing)
    }

    /// Has the roots of a platform made without maintainer scripts.
    pub(crate) fn make_roots_without_scripts(&self, platform: &str) -> Result<(), BenchError> {
        let path = self.root().join(format!("recipes/platforms/{platform}.ncl"));
        let text = fs::read_to_string(&path)?;
        fs::write(path, text.replacen("  has_merged_usr =", "  configure = 'Unpack,\n  has_merged_usr =", 1))?;
        Ok(())
    }

    /// Makes another store of the same content, by links: nothing in a store is written twice.
    pub(crate) fn copy_store_into(&self, store: &Path, target: &Path) -> Result<(), BenchError> {
        transfer_tree(store, target, &|source, target| fs::hard_link(source, target))
    }

    /// Makes another tree of the same files, by links.
    pub(crate) fn link_tree(&self, tree: &Path, target: &Path) -> Result<(), BenchError> {
        transfer_tree(tree, target, &|source, target| fs::hard_link(source, target))
    }

    /// Makes a store forget what an action gave, and its materialized trees that nothing else needs.
    pub(crate) fn forget(&self, store: &Path, label: &str) -> Result<(), BenchError> {
        for result in files_below(&store.join("results"))? {
            let text = fs::read_to_string(&result)?;
            let json: Value =
                serde_json::from_str(text.lines().next().unwrap_or_default()).map_err(BenchError::Event)?;
            if json["label"] != label {
                continue;
            }
            fs::remove_file(&result)?;
            if let Some(digest) = json["output"]["digest"].as_str() {
                remove(&store.join("trees").join(digest))?;
            }
        }
        Ok(())
    }

    /// Moves a tree out of the way, if it is there, to be removed at the end: some file systems take long to find free
    /// inodes right after others were freed.
    pub(crate) fn set_aside(&self, tree: &Path) -> Result<(), BenchError> {
        if fs::symlink_metadata(tree).is_ok() {
            fs::rename(tree, tempfile::tempdir_in(self.directory.path())?.keep())?;
        }
        Ok(())
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
        self.store_with_files(other, &|source, target| fs::copy(source, target).map(drop))
    }

    /// As [`Copy::store_with_files_of`], by links: for a store that many builds share.
    pub(crate) fn store_with_links_of(&self, other: &Path) -> Result<PathBuf, BenchError> {
        self.store_with_files(other, &|source, target| fs::hard_link(source, target))
    }

    /// Lets packages be compressed with zstd, so that a build is not mostly xz.
    pub(crate) fn compress_quickly(&self, platform: &str) -> Result<(), BenchError> {
        let file = self.root().join(format!("recipes/platforms/{platform}.ncl"));
        let text = fs::read_to_string(&file)?;
        Ok(fs::write(file, text.replace("compression = 'Xz", "compression = 'Zstd"))?)
    }

    fn store_with_files(
        &self,
        other: &Path,
        transfer: &dyn Fn(&Path, &Path) -> io::Result<()>,
    ) -> Result<PathBuf, BenchError> {
        let (other, store) = (self.original.join(other), self.empty_store()?);
        copy_tree(&other.join("files"), &store.join("files"))?;
        fs::copy(other.join("version"), store.join("version"))?;
        for record in files_below(&store.join("files"))? {
            let Some(place) = place_of_blob(&record)? else { continue };
            if other.join(&place).is_file() {
                fs::create_dir_all(store.join(&place).parent().unwrap_or(&store))?;
                transfer(&other.join(&place), &store.join(&place))?;
            }
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

/// Returns where the blob of a fetched file is below its store, by the record of the file.
fn place_of_blob(record: &Path) -> Result<Option<PathBuf>, BenchError> {
    let text = fs::read_to_string(record)?;
    let json: Value = serde_json::from_str(text.lines().next().unwrap_or_default()).map_err(BenchError::Event)?;
    let digest = json["blob"].as_str().and_then(|blob| blob.split_at_checked(2));
    Ok(digest.map(|(outer, inner)| Path::new("blobs").join(outer).join(inner)))
}

fn copy_tree(from: &Path, to: &Path) -> Result<(), BenchError> {
    transfer_tree(from, to, &|source, target| fs::copy(source, target).map(drop))
}

fn transfer_tree(from: &Path, to: &Path, transfer: &dyn Fn(&Path, &Path) -> io::Result<()>) -> Result<(), BenchError> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target, kind) = (entry.path(), to.join(entry.file_name()), entry.file_type()?);
        if kind.is_dir() {
            transfer_tree(&source, &target, transfer)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(&source)?, &target)?;
        } else {
            transfer(&source, &target)?;
        }
    }
    Ok(())
}

/// Lists the files below a directory, sorted.
pub(crate) fn files_below(directory: &Path) -> Result<Vec<PathBuf>, BenchError> {
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
