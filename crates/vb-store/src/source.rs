//! From a source tree to nodes, with ignore rules and a stat cache.
//!
//! Modes are normalised to 0644 and 0755 by the owner's execute bit, as git does, so that an umask is no input.
//! `.gitignore` files count as they do for git; the user's global ignore file and `.git/info/exclude` do not, because
//! they are not part of the source.
//!
//! The stat cache works as git's index: a file whose size, modification time, change time and inode are as they were
//! keeps its digest without being read. An entry that was younger than the file system's clock tick when it was
//! recorded is read again, because a later write could have left the same times.

use std::{
    collections::BTreeMap,
    io::ErrorKind,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use fs_err as fs;
use ignore::{
    DirEntry, WalkBuilder,
    gitignore::{Gitignore, GitignoreBuilder},
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use vb_graph::{BlobDigest, Node};

use crate::{
    ingest::{IngestError, link_node},
    layout::Store,
    result::read_checked,
    tree::TreeBuilder,
};

/// How old a file must be, in nanoseconds, for its times to say that it has not changed since.
const CLOCK_TICK: i128 = 20_000_000;

/// The same for a file system that keeps whole seconds (or every second one).
const COARSE_TICK: i128 = 2_000_000_000;

/// What is left out of a source tree.
#[derive(Clone, Debug, Default)]
pub struct SourceOptions {
    /// Patterns in `.gitignore` syntax.
    pub excludes: Vec<String>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct StatCache {
    recorded_at: i128,
    entries: BTreeMap<String, StatEntry>,
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
struct StatEntry {
    size: u64,
    modified: i128,
    changed: i128,
    inode: u64,
    mode: u32,
    blob: BlobDigest,
}

impl StatCache {
    fn find(&self, path: &str, metadata: &std::fs::Metadata) -> Option<BlobDigest> {
        let entry = self.entries.get(path)?;
        let same = stat_entry(metadata, entry.blob) == *entry;
        (same && entry.is_settled_at(self.recorded_at)).then_some(entry.blob)
    }
}

impl StatEntry {
    /// Were the times old enough at that moment, so that a later write gives other ones?
    fn is_settled_at(&self, moment: i128) -> bool {
        let is_coarse = (self.modified % 1_000_000_000, self.changed % 1_000_000_000) == (0, 0);
        self.modified.max(self.changed) + if is_coarse { COARSE_TICK } else { CLOCK_TICK } < moment
    }
}

fn stat_entry(metadata: &std::fs::Metadata, blob: BlobDigest) -> StatEntry {
    let nanoseconds = |seconds: i64, fraction: i64| i128::from(seconds) * 1_000_000_000 + i128::from(fraction);
    StatEntry {
        size: metadata.len(),
        modified: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
        changed: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        inode: metadata.ino(),
        mode: metadata.mode(),
        blob,
    }
}

struct SourceEntry {
    relative: String,
    node: Node,
    stat: Option<StatEntry>,
}

impl Store {
    /// Ingests a source tree.
    ///
    /// # Errors
    /// [`IngestError`], naming the entry.
    pub fn ingest_source(&self, path: &Path, options: &SourceOptions) -> Result<Node, IngestError> {
        let now = now_nanoseconds();
        let cache_path = self.place("sources", &blake3::hash(path.as_os_str().as_encoded_bytes()).to_hex());
        // A cache that cannot be read is an empty one: everything is read again.
        let cache: StatCache = read_checked(&cache_path).unwrap_or_default();
        let paths = list(path, options)?;
        let entries = paths
            .par_iter()
            .map(|entry| self.ingest_entry(path, entry, &cache))
            .collect::<Result<Vec<_>, IngestError>>()?;
        let fresh = StatCache {
            recorded_at: now,
            entries: entries.iter().filter_map(|entry| Some((entry.relative.clone(), entry.stat.clone()?))).collect(),
        };
        if fresh.entries != cache.entries || entries.iter().any(|entry| is_unsettled(entry, &cache)) {
            self.write_checked(&cache_path, &fresh).map_err(IngestError::io(&cache_path))?;
        }
        self.put_tree(entries).map_err(IngestError::io(path))
    }

    fn ingest_entry(&self, root: &Path, path: &Path, cache: &StatCache) -> Result<SourceEntry, IngestError> {
        let relative = path.strip_prefix(root).expect("a walk stays below its root").to_str();
        let relative = relative.ok_or_else(|| IngestError::NotUtf8 { path: path.to_owned() })?.to_owned();
        let metadata = fs::symlink_metadata(path).map_err(IngestError::io(path))?;
        if metadata.is_symlink() {
            return Ok(SourceEntry { relative, node: link_node(path)?, stat: None });
        }
        if !metadata.is_file() {
            return Err(IngestError::Special { path: path.to_owned() });
        }
        let known = cache.find(&relative, &metadata).filter(|blob| self.has_blob(blob, metadata.len()));
        let (blob, size) = match known {
            Some(blob) => (blob, metadata.len()),
            None => {
                let bytes = fs::read(path).map_err(IngestError::io(path))?;
                (self.put_bytes(&bytes).map_err(IngestError::io(path))?, bytes.len() as u64)
            }
        };
        let mode = if metadata.mode() & 0o100 == 0 { 0o644 } else { 0o755 };
        let stat = Some(stat_entry(&metadata, blob));
        Ok(SourceEntry { relative, node: Node::File { blob, size, mode }, stat })
    }

    fn put_tree(&self, entries: Vec<SourceEntry>) -> std::io::Result<Node> {
        // Directories that hold no file are left out, as git does.
        let mut tree = TreeBuilder::default();
        for entry in entries {
            tree.insert(&entry.relative, entry.node).expect("names were checked, and a walk gives each path once");
        }
        tree.put(self)
    }
}

fn list(root: &Path, options: &SourceOptions) -> Result<Vec<PathBuf>, IngestError> {
    if !fs::metadata(root).map_err(IngestError::io(root))?.is_dir() {
        return Err(IngestError::io(root)(ErrorKind::NotADirectory.into()));
    }
    let walk_error = |source| IngestError::Walk { path: root.to_owned(), source };
    let excludes = excludes(root, options)?;
    let walk = WalkBuilder::new(root)
        .standard_filters(false)
        .parents(true)
        .git_ignore(true)
        .filter_entry(move |entry| entry.depth() == 0 || is_source(entry, &excludes))
        .build();
    let mut paths = Vec::new();
    for entry in walk {
        let entry = entry.map_err(walk_error)?;
        if entry.depth() > 0 && !entry.file_type().is_some_and(|kind| kind.is_dir()) {
            paths.push(entry.into_path());
        }
    }
    Ok(paths)
}

fn is_source(entry: &DirEntry, excludes: &Gitignore) -> bool {
    let is_directory = entry.file_type().is_some_and(|kind| kind.is_dir());
    entry.file_name() != ".git" && !excludes.matched(entry.path(), is_directory).is_ignore()
}

fn excludes(root: &Path, options: &SourceOptions) -> Result<Gitignore, IngestError> {
    let mut excludes = GitignoreBuilder::new(root);
    excludes.allow_unclosed_class(false);
    for pattern in &options.excludes {
        excludes.add_line(None, pattern).map_err(|source| IngestError::Pattern { pattern: pattern.clone(), source })?;
    }
    excludes.build().map_err(|source| IngestError::Walk { path: root.to_owned(), source })
}

fn is_unsettled(entry: &SourceEntry, cache: &StatCache) -> bool {
    entry.stat.as_ref().is_some_and(|stat| !stat.is_settled_at(cache.recorded_at))
}

fn now_nanoseconds() -> i128 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i128::try_from(elapsed.as_nanos()).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i128 = 1_000_000_000;

    /// Records one file, and looks it up with the metadata that it has then.
    fn look_up(recorded_at: i128, change: impl FnOnce(&mut StatEntry)) -> Option<BlobDigest> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, "text").unwrap();
        let metadata = fs::symlink_metadata(&path).unwrap();
        let mut entry = stat_entry(&metadata, BlobDigest::of(b"text"));
        let recorded_at = entry.modified.max(entry.changed) + recorded_at;
        change(&mut entry);
        let cache = StatCache { recorded_at, entries: [("file".to_owned(), entry)].into() };
        assert_eq!(cache.find("other", &metadata), None);
        cache.find("file", &metadata)
    }

    #[test]
    fn a_file_is_known_by_its_unchanged_metadata_when_it_was_older_than_a_tick() {
        let blob = Some(BlobDigest::of(b"text"));
        assert_eq!(look_up(2 * CLOCK_TICK, |_| ()), blob);
        assert_eq!(look_up(CLOCK_TICK, |_| ()), None);
        assert_eq!(look_up(-SECOND, |_| ()), None);
        let changes: [fn(&mut StatEntry); 5] = [
            |entry| entry.size += 1,
            |entry| entry.modified -= 1,
            |entry| entry.changed -= 1,
            |entry| entry.inode += 1,
            |entry| entry.mode ^= 0o100,
        ];
        for change in changes {
            assert_eq!(look_up(2 * CLOCK_TICK, change), None);
        }
    }

    #[test]
    fn times_of_whole_seconds_need_more_age() {
        let entry = |modified, changed| StatEntry {
            size: 0,
            modified,
            changed,
            inode: 1,
            mode: 0o644,
            blob: BlobDigest::of(b""),
        };
        assert!(!entry(5 * SECOND, 5 * SECOND).is_settled_at(6 * SECOND));
        assert!(entry(5 * SECOND, 5 * SECOND).is_settled_at(8 * SECOND));
        assert!(entry(5 * SECOND, 5 * SECOND + 1).is_settled_at(6 * SECOND));
    }
}
