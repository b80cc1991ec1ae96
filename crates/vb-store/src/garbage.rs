//! Garbage collection: what no result needs that was made or used lately.
//!
//! Kept are the records that are young enough, and everything that they lead to: a result's output and log, the files
//! that it fetched, and the results that made its inputs, so that a change of one thing does not make all others again.
//! Records and directories are JSON, in which a digest is 64 hexadecimal digits; each such word that is the name of
//! something is taken for a reference. That keeps too much rather than too little.
//!
//! Nothing else uses the store meanwhile: see [`Store::open`]. Records are removed before what they name, so that who is
//! killed leaves no record that names what is not there.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use fs_err as fs;

use crate::{
    blob::remove_if_there,
    layout::Store,
    result::{ActionResult, read_checked},
    scratch::remove_tree,
    verify::file_name,
};

/// Garbage could not be collected.
#[derive(Debug, thiserror::Error)]
pub enum GarbageError {
    /// Another process uses the store.
    #[error("the store is in use")]
    InUse,
    /// What the system said.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Is garbage removed, or only counted?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sweep {
    /// It is removed.
    Remove,
    /// It is counted and stays.
    Count,
}

/// What was garbage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GarbageReport {
    /// How many action results.
    pub results: usize,
    /// How many fetched files.
    pub files: usize,
    /// How many blobs, executable twins included.
    pub blobs: usize,
    /// The size of these blobs, in bytes.
    pub bytes: u64,
    /// How many materialized trees, checkouts and mirrors of git repositories among them.
    pub trees: usize,
}

/// Things of one kind by their hexadecimal names.
type Named = BTreeMap<String, PathBuf>;

struct Collection {
    results: Named,
    files: Named,
    directories: Named,
    blobs: Named,
    /// The results that gave an output, by its digest.
    makers: BTreeMap<String, Vec<String>>,
    kept: Kept,
    pending: Vec<PathBuf>,
}

#[derive(Default)]
struct Kept {
    results: BTreeSet<String>,
    files: BTreeSet<String>,
    directories: BTreeSet<String>,
    blobs: BTreeSet<String>,
}

impl Store {
    /// Removes what nothing needs that was made or used since a moment.
    ///
    /// # Errors
    /// [`GarbageError::InUse`] when another process uses the store; else what the system said.
    pub fn collect_garbage(&self, since: SystemTime, sweep: Sweep) -> Result<GarbageReport, GarbageError> {
        let _alone = self.lock_alone()?.ok_or(GarbageError::InUse)?;
        let mut collection = Collection::of(self)?;
        let is_young = |path: &Path| Ok::<_, io::Error>(fs::symlink_metadata(path)?.modified()? >= since);
        let mut old = Vec::new();
        for kind in ["memory", "sources"] {
            for (_, path) in self.list(kind)? {
                if is_young(&path)? { collection.keep_contents(&path)? } else { old.push(path) }
            }
        }
        let mut checkouts = Vec::new();
        for entry in fs::read_dir(self.checkouts())? {
            let path = entry?.path();
            if path.is_dir() && !is_young(&path)? {
                checkouts.push(path);
            }
        }
        for (name, path) in collection.results.clone() {
            if is_young(&path)? {
                collection.keep_result(&name);
            }
        }
        for (name, path) in collection.files.clone() {
            if is_young(&path)? {
                collection.keep_file(&name);
            }
        }
        collection.follow()?;
        Ok(self.sweep(&collection, (old, checkouts), sweep)?)
    }

    fn sweep(
        &self,
        collection: &Collection,
        (old, checkouts): (Vec<PathBuf>, Vec<PathBuf>),
        sweep: Sweep,
    ) -> io::Result<GarbageReport> {
        let Collection { results, files, directories, blobs, kept, .. } = collection;
        let garbage = |all: &Named, kept: &BTreeSet<String>| -> Vec<PathBuf> {
            all.iter().filter(|(name, _)| !kept.contains(*name)).map(|(_, path)| path.clone()).collect()
        };
        let (results, files) = (garbage(results, &kept.results), garbage(files, &kept.files));
        let mut contents = garbage(&self.list("executables")?.into_iter().collect(), &kept.blobs);
        contents.extend(garbage(blobs, &kept.blobs));
        let mut trees: Vec<PathBuf> = fs::read_dir(self.path().join("trees"))?
            .map(|entry| entry.map(|entry| entry.path()))
            .filter(|tree| !tree.as_ref().is_ok_and(|path| kept.directories.contains(&file_name(path))))
            .collect::<io::Result<_>>()?;
        trees.extend(checkouts);
        let mut report = GarbageReport {
            results: results.len(),
            files: files.len(),
            blobs: contents.len(),
            trees: trees.len(),
            ..GarbageReport::default()
        };
        for path in &contents {
            report.bytes += fs::symlink_metadata(path)?.len();
        }
        if sweep == Sweep::Count {
            return Ok(report);
        }
        let mut records = [results, files, old].concat();
        for (_, path) in self.list("latest")? {
            let is_there = read_checked::<String>(&path).is_some_and(|name| kept.results.contains(&name));
            if !is_there {
                records.push(path);
            }
        }
        // Nobody executes an action meanwhile.
        records.extend(self.list("locks")?.into_iter().map(|(_, path)| path));
        records.iter().try_for_each(|path| remove_if_there(path))?;
        trees.iter().try_for_each(|tree| remove_tree(tree))?;
        contents.extend(garbage(directories, &kept.directories));
        contents.iter().try_for_each(|path| remove_if_there(path))?;
        Ok(report)
    }
}

impl Collection {
    fn of(store: &Store) -> io::Result<Self> {
        let named = |kind| Ok::<Named, io::Error>(store.list(kind)?.into_iter().collect());
        let results = named("results")?;
        let mut makers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, path) in &results {
            let Some(result) = read_checked::<ActionResult>(path) else { continue };
            for output in digests(&serde_json::to_string(&result.output)?) {
                makers.entry(output.to_owned()).or_default().push(name.clone());
            }
        }
        Ok(Self {
            makers,
            results,
            files: named("files")?,
            directories: named("directories")?,
            blobs: named("blobs")?,
            kept: Kept::default(),
            pending: Vec::new(),
        })
    }

    fn keep_result(&mut self, name: &str) {
        if let Some(path) = self.results.get(name)
            && self.kept.results.insert(name.to_owned())
        {
            self.pending.push(path.clone());
        }
    }

    fn keep_file(&mut self, name: &str) {
        if let Some(path) = self.files.get(name)
            && self.kept.files.insert(name.to_owned())
        {
            self.pending.push(path.clone());
        }
    }

    fn keep_content(&mut self, name: &str) {
        if self.blobs.contains_key(name) {
            self.kept.blobs.insert(name.to_owned());
        }
        if let Some(path) = self.directories.get(name)
            && self.kept.directories.insert(name.to_owned())
        {
            self.pending.push(path.clone());
        }
    }

    /// Keeps the blobs and directories that a record names. An index that is remembered names files that were never wanted.
    fn keep_contents(&mut self, record: &Path) -> io::Result<()> {
        let text = fs::read(record)?;
        digests(&String::from_utf8_lossy(&text)).for_each(|name| self.keep_content(name));
        Ok(())
    }

    /// Keeps everything that what is kept leads to.
    fn follow(&mut self) -> io::Result<()> {
        while let Some(path) = self.pending.pop() {
            let text = fs::read(path)?;
            for name in digests(&String::from_utf8_lossy(&text)) {
                self.keep_content(name);
                self.keep_file(name);
                for maker in self.makers.get(name).cloned().unwrap_or_default() {
                    self.keep_result(&maker);
                }
            }
        }
        Ok(())
    }
}

/// Returns the words of 64 hexadecimal digits.
fn digests(text: &str) -> impl Iterator<Item = &str> {
    let is_digit = |char: char| matches!(char, '0'..='9' | 'a'..='f');
    text.split(move |char| !is_digit(char)).filter(|word| word.len() == 64)
}
