//! Where a repository's files are: named objects that are written whole.
//!
//! Names are relative, with `/` between their parts. A reader sees an object's old bytes or its new ones, never a
//! mixture. Calls block.

mod local;
mod object;
mod ssh;

use std::{
    io::{self, Read},
    path::Path,
    time::SystemTime,
};

use tempfile::TempPath;

pub use self::{
    local::LocalDirectory,
    object::{ObjectStorage, OpenObjectStoreError},
    ssh::{SshDirectory, SshLocationError},
};

/// Where a repository lives.
#[derive(Debug)]
pub enum Storage {
    /// A directory of this machine.
    Local(LocalDirectory),
    /// An object store.
    Object(ObjectStorage),
    /// A directory of a server.
    Ssh(SshDirectory),
}

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub struct Lock {
    #[expect(dead_code, reason = "holding it is its use")]
    held: Held,
}

/// What holds a lock.
#[derive(Debug)]
#[expect(dead_code, reason = "holding it is its use")]
enum Held {
    File(fs_err::File),
    Remote(ssh::RemoteLock),
}

/// A storage could not do what was asked of it.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The file system refused.
    #[error("cannot {action} `{name}` in the repository")]
    Io {
        /// What was tried: `read`, `write`.
        action: &'static str,
        /// The object's name.
        name: String,
        /// What the system said, with the path.
        #[source]
        source: io::Error,
    },
    /// The object store refused, or could not be reached.
    #[error("cannot {action} `{name}` in the repository")]
    ObjectStore {
        /// What was tried: `read`, `write`.
        action: &'static str,
        /// The object's name.
        name: String,
        /// What the store said.
        #[source]
        source: Box<object_store::Error>,
    },
}

/// Bytes on their way to a name, which nobody sees before [`Storage::commit`]. What is dropped instead leaves nothing.
#[derive(Debug)]
pub struct Staged {
    name: String,
    bytes: StagedBytes,
}

#[derive(Debug)]
enum StagedBytes {
    /// A file beside the objects, which a rename makes one.
    File(TempPath),
    /// They are sent when they get their name.
    Memory(Vec<u8>),
}

/// Tells one state of an object from all others: an ETag, or what a file system knows of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token(pub(crate) String);

/// What a conditional write expects to find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// No object of that name.
    Absent,
    /// The object in the state that was read.
    Unchanged(Token),
}

/// How a conditional write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOutcome {
    /// The object has the bytes.
    Written,
    /// It was not as expected, and is left as it is.
    Refused,
}

/// What is known of an object without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written last.
    pub modified: SystemTime,
    /// Its state.
    pub token: Token,
}

/// How a file of this machine comes into a storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// Its bytes are copied.
    Copy,
    /// It becomes the storage's own, too, where both are on one file system: nobody may write it any more.
    Link,
}

/// May others hold the same lock?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockKind {
    /// Others may hold it too, if they share it.
    Shared,
    /// Nobody else may.
    Exclusive,
}

impl Storage {
    /// Reads an object and the state it is in.
    ///
    /// # Errors
    /// What the storage said; that there is no such object is no error.
    pub fn get(&self, name: &str) -> Result<Option<(Vec<u8>, Token)>, StorageError> {
        match self {
            Self::Local(directory) => directory.get(name),
            Self::Object(store) => store.get(name),
            Self::Ssh(server) => server.get(name),
        }
    }

    /// Opens an object that may be large, a package, for reading from its beginning.
    ///
    /// # Errors
    /// What the storage said; that there is no such object is no error.
    pub fn open(&self, name: &str) -> Result<Option<Box<dyn Read + Send>>, StorageError> {
        match self {
            Self::Local(directory) => directory.open(name),
            Self::Object(store) => store.open_object(name),
            Self::Ssh(server) => server.open(name),
        }
    }

    /// Looks at an object without reading it.
    ///
    /// # Errors
    /// What the storage said; that there is no such object is no error.
    pub fn metadata(&self, name: &str) -> Result<Option<Metadata>, StorageError> {
        match self {
            Self::Local(directory) => directory.metadata(name),
            Self::Object(store) => store.metadata(name),
            Self::Ssh(server) => server.metadata(name),
        }
    }

    /// Lists the objects whose names begin with a directory, in no order.
    ///
    /// # Errors
    /// What the storage said; that there is none is no error.
    pub fn list(&self, directory: &str) -> Result<Vec<Metadata>, StorageError> {
        match self {
            Self::Local(local) => local.list(directory),
            Self::Object(store) => store.list(directory),
            Self::Ssh(server) => server.list(directory),
        }
    }

    /// Writes an object, whatever was there.
    ///
    /// # Errors
    /// What the storage said.
    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<(), StorageError> {
        match self {
            Self::Local(directory) => directory.put(name, bytes),
            Self::Object(store) => store.put(name, bytes),
            Self::Ssh(server) => server.put(name, bytes),
        }
    }

    /// Prepares the writing of an object: on a directory, the next [`flush`](Self::flush) makes its bytes durable, so that
    /// an object that replaces another one is whole after a power failure, too.
    ///
    /// # Errors
    /// What the storage said.
    pub fn stage(&self, name: &str, bytes: &[u8]) -> Result<Staged, StorageError> {
        let bytes = match self {
            Self::Local(directory) => StagedBytes::File(directory.stage(name, bytes)?),
            Self::Object(_) | Self::Ssh(_) => StagedBytes::Memory(bytes.to_vec()),
        };
        Ok(Staged { name: name.to_owned(), bytes })
    }

    /// Writes an object that was prepared, whatever was there.
    ///
    /// # Errors
    /// What the storage said.
    pub fn commit(&self, staged: Staged) -> Result<(), StorageError> {
        match (self, staged.bytes) {
            (Self::Local(directory), StagedBytes::File(file)) => directory.commit(&staged.name, file),
            (_, StagedBytes::Memory(bytes)) => self.put(&staged.name, &bytes),
            (_, StagedBytes::File(_)) => unreachable!("only a directory stages files"),
        }
    }

    /// Writes an object that was prepared, if it is as expected; of several such writes at once, one succeeds.
    ///
    /// # Errors
    /// What the storage said; that the object is not as expected is no error.
    pub fn commit_if(&self, staged: Staged, expected: &Expected) -> Result<PutOutcome, StorageError> {
        match (self, staged.bytes) {
            (Self::Local(directory), StagedBytes::File(file)) => directory.commit_if(&staged.name, file, expected),
            (_, StagedBytes::Memory(bytes)) => self.put_if(&staged.name, &bytes, expected),
            (_, StagedBytes::File(_)) => unreachable!("only a directory stages files"),
        }
    }

    /// Writes an object whose name says what its bytes are. One that is there is kept, and counts as written at this
    /// moment, so that [`Metadata::modified`] tells when it was wanted last.
    ///
    /// # Errors
    /// What the storage said.
    pub fn put_immutable(&self, name: &str, bytes: &[u8]) -> Result<(), StorageError> {
        match self {
            Self::Local(directory) => directory.put_immutable(name, bytes),
            Self::Object(store) => store.put_immutable(name, bytes),
            Self::Ssh(server) => server.put_immutable(name, bytes),
        }
    }

    /// Like [`Self::put_immutable`] with the bytes of a file of this machine.
    ///
    /// # Errors
    /// What the storage said, and that the file cannot be read.
    pub fn put_immutable_file(&self, name: &str, file: &Path, transfer: Transfer) -> Result<(), StorageError> {
        match self {
            Self::Local(directory) => directory.put_immutable_file(name, file, transfer),
            Self::Object(store) => store.put_immutable_file(name, file),
            Self::Ssh(server) => server.put_immutable_file(name, file),
        }
    }

    /// Writes an object if it is as expected; of several such writes at once, one succeeds.
    ///
    /// # Errors
    /// What the storage said; that the object is not as expected is no error.
    pub fn put_if(&self, name: &str, bytes: &[u8], expected: &Expected) -> Result<PutOutcome, StorageError> {
        match self {
            Self::Local(directory) => directory.put_if(name, bytes, expected),
            Self::Object(store) => store.put_if(name, bytes, expected),
            Self::Ssh(server) => server.put_if(name, bytes, expected),
        }
    }

    /// Gives an object's bytes a second name, whatever was there, without moving them through this machine where the
    /// storage can do that.
    ///
    /// # Errors
    /// What the storage said, and that there is no such object.
    pub fn copy(&self, from: &str, to: &str) -> Result<(), StorageError> {
        match self {
            Self::Local(directory) => directory.copy(from, to),
            Self::Object(store) => store.copy(from, to),
            Self::Ssh(server) => server.copy(from, to),
        }
    }

    /// Removes an object; one that is not there is no error.
    ///
    /// # Errors
    /// What the storage said.
    pub fn delete(&self, name: &str) -> Result<(), StorageError> {
        match self {
            Self::Local(directory) => directory.delete(name),
            Self::Object(store) => store.delete(name),
            Self::Ssh(server) => server.delete(name),
        }
    }

    /// Waits until everything that this process wrote or staged, and an object, whoever wrote it, would survive a power
    /// failure.
    ///
    /// # Errors
    /// What the storage said.
    pub fn flush(&self, name: &str) -> Result<(), StorageError> {
        match self {
            Self::Local(directory) => directory.flush(name),
            // An object store answers when it has an object for good.
            Self::Object(_) => Ok(()),
            Self::Ssh(server) => server.flush(),
        }
    }

    /// Waits for a lock and takes it, until the value is dropped. `None` says that the storage knows no locks:
    /// publishers then rely on [`Self::put_if`] alone.
    ///
    /// # Errors
    /// What the storage said.
    pub fn lock(&self, name: &str, kind: LockKind) -> Result<Option<Lock>, StorageError> {
        match self {
            Self::Local(directory) => directory.lock(name, kind).map(|file| Some(Lock { held: Held::File(file) })),
            Self::Object(_) => Ok(None),
            Self::Ssh(server) => server.lock(name, kind).map(|lock| Some(Lock { held: Held::Remote(lock) })),
        }
    }
}
