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
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use fs_err as fs;
use ignore::{WalkBuilder, overrides::OverrideBuilder};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use vb_graph::{BlobDigest, Node};

use crate::{
    ingest::{IngestError, entry_name, utf8},
    layout::Store,
    tree::TreeBuilder,
};

/// How old a file must be, in nanoseconds, for its times to say that it has not changed since.
const CLOCK_TICK: i128 = 20_000_000;

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
        let settled = entry.modified.max(entry.changed) + CLOCK_TICK < self.recorded_at;
        (same && settled).then_some(entry.blob)
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
        let cache = read_cache(&cache_path);
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
            let text = serde_json::to_vec(&fresh).expect("a stat cache has only text keys");
            self.write_atomically(&cache_path, &text).map_err(IngestError::io(&cache_path))?;
        }
        self.put_tree(entries).map_err(IngestError::io(path))
    }

    fn ingest_entry(&self, root: &Path, path: &Path, cache: &StatCache) -> Result<SourceEntry, IngestError> {
        let relative = utf8(path.strip_prefix(root).expect("a walk stays below its root"))?;
        entry_name(path)?;
        let metadata = fs::symlink_metadata(path).map_err(IngestError::io(path))?;
        if metadata.is_symlink() {
            let target = utf8(&fs::read_link(path).map_err(IngestError::io(path))?)?;
            return Ok(SourceEntry { relative, node: Node::Symlink { target }, stat: None });
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
    let mut overrides = OverrideBuilder::new(root);
    for pattern in &options.excludes {
        overrides
            .add(&format!("!{pattern}"))
            .map_err(|source| IngestError::Pattern { pattern: pattern.clone(), source })?;
    }
    let walk_error = |source| IngestError::Walk { path: root.to_owned(), source };
    let walk = WalkBuilder::new(root)
        .standard_filters(false)
        .parents(true)
        .git_ignore(true)
        .overrides(overrides.build().map_err(walk_error)?)
        .filter_entry(|entry| entry.file_name() != ".git")
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

fn is_unsettled(entry: &SourceEntry, cache: &StatCache) -> bool {
    entry.stat.as_ref().is_some_and(|stat| stat.modified.max(stat.changed) + CLOCK_TICK >= cache.recorded_at)
}

/// A cache that cannot be read is an empty one: everything is read again.
fn read_cache(path: &Path) -> StatCache {
    fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

fn now_nanoseconds() -> i128 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i128::try_from(elapsed.as_nanos()).unwrap_or(i128::MAX)
}
