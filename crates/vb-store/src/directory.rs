//! Directories on disk: JSON under the digest of the canonical encoding.

use std::io::{self, Write};

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
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(DirectoryError::Missing { digest: *digest });
            }
            Err(source) => return Err(DirectoryError::Io { digest: *digest, source }),
        };
        match serde_json::from_slice::<Directory>(&bytes) {
            Ok(directory) if directory.digest() == *digest => Ok(directory),
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
