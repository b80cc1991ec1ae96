//! Opening a store, and where its things are.

use std::{
    fs::TryLockError,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use fs_err as fs;
use vb_graph::DirectoryDigest;

use crate::{directory::ReadDirectories, scratch};

const VERSION: &str = "vb store 1\n";
const DIRECTORIES: [&str; 12] = [
    "blobs",
    "executables",
    "directories",
    "results",
    "latest",
    "files",
    "trees",
    "memory",
    "sources",
    "checkouts",
    "locks",
    "tmp",
];

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
    /// Shared by all who use the store, so that garbage is collected while nobody does.
    in_use: Arc<fs::File>,
    pub(crate) read: Arc<ReadDirectories>,
}

/// Nobody else uses the store while this lives.
#[derive(Debug)]
pub(crate) struct Alone<'a>(&'a fs::File);

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        // Whoever fails to share it again is not kept from ending.
        drop(self.0.file().lock_shared());
    }
}

impl Store {
    /// Opens the store in a directory, makes it where it is not there, and removes what dead processes left. Waits where
    /// garbage is being collected.
    ///
    /// # Errors
    /// [`OpenError`] when the directory cannot be used.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let error = |source| OpenError::Io { path: path.to_owned(), source };
        fs::create_dir_all(path).map_err(error)?;
        let root = fs::canonicalize(path).map_err(error)?;
        // The version comes first, so that the layout of another vb is left as it is.
        let has_version = has_version(&root)?;
        let in_use = fs::OpenOptions::new().create(true).truncate(false).write(true).open(root.join("in-use"));
        let in_use = in_use.and_then(|file| file.file().lock_shared().map(|()| file)).map_err(error)?;
        let store = Self { root, in_use: Arc::new(in_use), read: Arc::default() };
        for directory in DIRECTORIES {
            fs::create_dir_all(store.root.join(directory)).map_err(error)?;
        }
        if !has_version {
            store.write_atomically(&store.root.join("version"), VERSION.as_bytes()).map_err(error)?;
        }
        scratch::remove_stale(&store.tmp(), SystemTime::now()).map_err(error)?;
        Ok(store)
    }

    /// Keeps all others out of the store, if there are none in it.
    pub(crate) fn lock_alone(&self) -> io::Result<Option<Alone<'_>>> {
        let alone = Alone(&self.in_use);
        match self.in_use.file().try_lock() {
            Ok(()) => Ok(Some(alone)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Returns the store's absolute directory.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Returns where the sources that are in git are checked out, each directory touched when it is used.
    pub fn checkouts(&self) -> PathBuf {
        self.root.join("checkouts")
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

fn has_version(root: &Path) -> Result<bool, OpenError> {
    match fs::read_to_string(root.join("version")) {
        Ok(text) if text == VERSION => Ok(true),
        Ok(text) => {
            Err(OpenError::Version { path: root.to_owned(), found: text.lines().next().unwrap_or_default().to_owned() })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(OpenError::Io { path: root.to_owned(), source }),
    }
}
