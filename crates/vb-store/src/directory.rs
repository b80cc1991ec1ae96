//! Directories on disk: JSON under the digest of the canonical encoding.

use std::{
    collections::HashMap,
    fs::Metadata,
    io::{self, Write},
    os::unix::fs::MetadataExt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use fs_err as fs;
use vb_graph::{Directory, DirectoryDigest, Name, Node};

use crate::{blob::remove_if_there, layout::Store};

/// A directory could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// It is not in the store, or was corrupted and has been removed.
    #[error("the directory {} is not in the store", digest.to_short())]
    Missing {
        /// The directory that was asked for.
        digest: DirectoryDigest,
    },
    /// The system refused.
    #[error("cannot use the directory {}", digest.to_short())]
    Io {
        /// The directory that was asked for.
        digest: DirectoryDigest,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// How many directories are kept in memory: those of a large application and its roots, some 20 MB.
const MOST_IN_MEMORY: usize = 1 << 14;
/// A file that was changed so shortly before could be changed again without another time.
const CLOCK_TICK: Duration = Duration::from_millis(100);

/// Directories that this process has read and checked, to be read once in a build and not in each of its actions.
///
/// One is taken from here as long as its file is the same, so that what is removed or damaged meanwhile is still seen.
#[derive(Debug, Default)]
pub(crate) struct ReadDirectories(Mutex<HashMap<DirectoryDigest, (Stamp, Arc<Directory>)>>);

/// What changes when a file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        Self { inode: metadata.ino(), size: metadata.len(), changed }
    }

    fn is_old(self) -> bool {
        let (seconds, nanoseconds) = self.changed;
        let changed = Duration::from_secs(seconds.unsigned_abs()) + Duration::from_nanos(nanoseconds.unsigned_abs());
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + changed).is_ok_and(|age| age > CLOCK_TICK)
    }
}

impl ReadDirectories {
    fn get(&self, digest: &DirectoryDigest, stamp: Stamp) -> Option<Arc<Directory>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(digest).filter(|(found, _)| *found == stamp).map(|(_, directory)| Arc::clone(directory))
    }

    fn keep(&self, digest: &DirectoryDigest, stamp: Stamp, directory: &Directory) {
        if stamp.is_old() {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= MOST_IN_MEMORY {
                known.clear();
            }
            known.insert(*digest, (stamp, Arc::new(directory.clone())));
        }
    }
}

impl Store {
    /// Stores a directory whose entries are in the store already.
    ///
    /// # Errors
    /// What the system said when the store could not be written.
    pub fn put_directory(&self, directory: &Directory) -> io::Result<DirectoryDigest> {
        let digest = directory.digest();
        let path = self.place("directories", &digest.to_string());
        let text = serde_json::to_vec(directory)?;
        // What is there is read, not trusted: who stores a directory has all that it takes to mend a damaged one.
        if !fs::read(&path).is_ok_and(|found| found == text) {
            let mut file = self.temporary_file()?;
            file.write_all(&text)?;
            crate::atomic::persist(file, &path)?;
        }
        Ok(digest)
    }

    /// Reads a directory and checks its digest.
    ///
    /// # Errors
    /// [`DirectoryError`]; a directory that does not match its digest is removed and missing.
    pub fn directory(&self, digest: &DirectoryDigest) -> Result<Directory, DirectoryError> {
        let path = self.place("directories", &digest.to_string());
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => DirectoryError::Missing { digest: *digest },
            _ => DirectoryError::Io { digest: *digest, source },
        };
        // Before it is read: what is changed afterwards has another one.
        let stamp = Stamp::of(&fs::symlink_metadata(&path).map_err(failed)?);
        if let Some(directory) = self.read.get(digest, stamp) {
            return Ok(Directory::clone(&directory));
        }
        match serde_json::from_slice::<Directory>(&fs::read(&path).map_err(failed)?) {
            Ok(directory) if directory.digest() == *digest => {
                self.read.keep(digest, stamp, &directory);
                Ok(directory)
            }
            _ => {
                remove_if_there(&path).map_err(|source| DirectoryError::Io { digest: *digest, source })?;
                Err(DirectoryError::Missing { digest: *digest })
            }
        }
    }

    pub(crate) fn has_directory(&self, digest: &DirectoryDigest) -> bool {
        fs::symlink_metadata(self.place("directories", &digest.to_string())).is_ok()
    }

    /// Follows a relative path from a directory node down to the node it names.
    ///
    /// # Errors
    /// [`DirectoryError`] when a directory on the way cannot be read.
    pub fn find(&self, node: &Node, path: &str) -> Result<Option<Node>, DirectoryError> {
        let mut current = node.clone();
        for component in path.split('/').filter(|component| !component.is_empty()) {
            let Node::Directory { digest, .. } = &current else { return Ok(None) };
            match self.directory(digest)?.get(component) {
                Some(next) => current = next.clone(),
                None => return Ok(None),
            }
        }
        Ok(Some(current))
    }

    /// Visits every entry below a directory, parents before children, with paths relative to it.
    ///
    /// # Errors
    /// [`DirectoryError`] when a directory cannot be read.
    pub fn walk(&self, digest: &DirectoryDigest, visit: &mut dyn FnMut(&str, &Node)) -> Result<(), DirectoryError> {
        self.walk_below(digest, "", visit)
    }

    fn walk_below(
        &self,
        digest: &DirectoryDigest,
        prefix: &str,
        visit: &mut dyn FnMut(&str, &Node),
    ) -> Result<(), DirectoryError> {
        for (name, node) in self.directory(digest)?.entries() {
            let path = join(prefix, name);
            visit(&path, node);
            if let Node::Directory { digest, .. } = node {
                self.walk_below(digest, &path, visit)?;
            }
        }
        Ok(())
    }
}

fn join(prefix: &str, name: &Name) -> String {
    if prefix.is_empty() { name.to_string() } else { format!("{prefix}/{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_known_as_long_as_its_file_is_the_same() {
        let known = ReadDirectories::default();
        let (directory, digest) = (Directory::default(), Directory::default().digest());
        let stamp = Stamp { inode: 1, size: 2, changed: (1_000_000_000, 5) };
        known.keep(&digest, stamp, &directory);
        assert_eq!(known.get(&digest, stamp).as_deref(), Some(&directory));
        for other in [
            Stamp { inode: 2, ..stamp },
            Stamp { size: 3, ..stamp },
            Stamp { changed: (1_000_000_000, 6), ..stamp },
            Stamp { changed: (1_000_000_001, 5), ..stamp },
        ] {
            assert_eq!(known.get(&digest, other), None);
        }
    }

    #[test]
    fn a_file_that_was_just_changed_is_read_again() {
        let known = ReadDirectories::default();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let stamp = Stamp { inode: 1, size: 2, changed: (i64::try_from(now).unwrap() + 1, 0) };
        known.keep(&Directory::default().digest(), stamp, &Directory::default());
        assert_eq!(known.get(&Directory::default().digest(), stamp), None);
    }
}
