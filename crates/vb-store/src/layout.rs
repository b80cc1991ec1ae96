//! Opening a store, and where its things are.

use std::{
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use fs_err as fs;
use vb_graph::DirectoryDigest;

use crate::scratch;

const VERSION: &str = "vb store 1\n";
const DIRECTORIES: [&str; 11] =
    ["blobs", "executables", "directories", "results", "latest", "files", "trees", "memory", "sources", "locks", "tmp"];

/// A store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made or written.
    #[error("cannot open the store `{path}`")]
    Io {
        /// The store's directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Another version of vb wrote it.
    #[error("the store `{path}` has the layout `{found}`, which this vb does not know")]
    Version {
        /// The store's directory.
        path: PathBuf,
        /// The first line of its `version` file.
        found: String,
    },
}

/// A store on disk. Cheap to share between threads; any number of processes may use one directory.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// Opens the store in a directory, makes it where it is not there, and removes what dead processes left.
    ///
    /// # Errors
    /// [`OpenError`] when the directory cannot be used.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let error = |source| OpenError::Io { path: path.to_owned(), source };
        fs::create_dir_all(path).map_err(error)?;
        let store = Self { root: fs::canonicalize(path).map_err(error)? };
        // The version comes first, so that the layout of another vb is left as it is.
        let has_version = store.has_version()?;
        for directory in DIRECTORIES {
            fs::create_dir_all(store.root.join(directory)).map_err(error)?;
        }
        if !has_version {
            store.write_atomically(&store.root.join("version"), VERSION.as_bytes()).map_err(error)?;
        }
        scratch::remove_stale(&store.tmp(), SystemTime::now()).map_err(error)?;
        Ok(store)
    }

    fn has_version(&self) -> Result<bool, OpenError> {
        match fs::read_to_string(self.root.join("version")) {
            Ok(text) if text == VERSION => Ok(true),
            Ok(text) => Err(OpenError::Version {
                path: self.root.clone(),
                found: text.lines().next().unwrap_or_default().to_owned(),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(OpenError::Io { path: self.root.clone(), source }),
        }
    }

    /// Returns the store's absolute directory.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Returns where something of this kind and hexadecimal digest is, `<kind>/ab/cdef…`.
    pub(crate) fn place(&self, kind: &str, hex: &str) -> PathBuf {
        self.root.join(kind).join(&hex[..2]).join(&hex[2..])
    }

    /// Returns where the materialized tree of a directory is, whether or not it is there.
    pub(crate) fn tree_path(&self, digest: &DirectoryDigest) -> PathBuf {
        self.root.join("trees").join(digest.to_string())
    }

    pub(crate) fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }
}
