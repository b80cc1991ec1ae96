//! From a tree that an action wrote to nodes in the store.
//!
//! Must not be here: ignore rules and stat caches, which are for source trees only.

use std::{
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use fs_err as fs;
use rayon::prelude::*;
use vb_graph::{Directory, Name, Node};

use crate::layout::Store;

/// A tree could not be ingested.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// A name that is not UTF-8.
    #[error("the name of `{}` is not UTF-8", path.display())]
    NotUtf8 {
        /// The entry.
        path: PathBuf,
    },
    /// A symbolic link whose target is not UTF-8.
    #[error("the target of the symbolic link `{}` is not UTF-8", path.display())]
    TargetNotUtf8 {
        /// The link.
        path: PathBuf,
    },
    /// A socket, pipe or device.
    #[error("`{}` is neither a file, a directory nor a symbolic link", path.display())]
    Special {
        /// The entry.
        path: PathBuf,
    },
    /// An exclude pattern that is not a glob.
    #[error("`{pattern}` is not a valid exclude pattern")]
    Pattern {
        /// The pattern as written.
        pattern: String,
        /// Why.
        #[source]
        source: ignore::Error,
    },
    /// The source tree could not be walked.
    #[error("cannot walk the source tree `{}`", path.display())]
    Walk {
        /// The tree.
        path: PathBuf,
        /// Why.
        #[source]
        source: ignore::Error,
    },
    /// The system refused.
    #[error("cannot ingest `{}`", path.display())]
    Io {
        /// The entry.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl IngestError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

impl Store {
    /// Ingests what an action wrote, with its permission bits (set-user-id bits are dropped), in parallel on the
    /// current rayon pool. Files of the usual mode are linked, not copied: the tree must not be written afterwards.
    ///
    /// # Errors
    /// [`IngestError`], naming the entry.
    pub fn ingest_output(&self, path: &Path) -> Result<Node, IngestError> {
        let metadata = fs::symlink_metadata(path).map_err(IngestError::io(path))?;
        let mode = metadata.mode() & 0o1777;
        if metadata.is_symlink() {
            return link_node(path);
        }
        if metadata.is_file() {
            let (blob, size) = self.adopt_file(path, mode).map_err(IngestError::io(path))?;
            return Ok(Node::File { blob, size, mode });
        }
        if !metadata.is_dir() {
            return Err(IngestError::Special { path: path.to_owned() });
        }
        let entries: Vec<PathBuf> = fs::read_dir(path)
            .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
            .map_err(IngestError::io(path))?;
        let nodes = entries
            .into_par_iter()
            .map(|entry| Ok((entry_name(&entry)?, self.ingest_output(&entry)?)))
            .collect::<Result<Vec<_>, IngestError>>()?;
        let mut directory = Directory::default();
        for (name, node) in nodes {
            directory.replace(name, node);
        }
        let digest = self.put_directory(&directory).map_err(IngestError::io(path))?;
        Ok(Node::Directory { digest, mode })
    }
}

pub(crate) fn entry_name(path: &Path) -> Result<Name, IngestError> {
    path.file_name()
        .and_then(|name| name.to_str())
        .and_then(|name| Name::new(name).ok())
        .ok_or_else(|| IngestError::NotUtf8 { path: path.to_owned() })
}

pub(crate) fn link_node(path: &Path) -> Result<Node, IngestError> {
    let target = fs::read_link(path).map_err(IngestError::io(path))?;
    match target.into_os_string().into_string() {
        Ok(target) => Ok(Node::Symlink { target }),
        Err(_) => Err(IngestError::TargetNotUtf8 { path: path.to_owned() }),
    }
}
