//! Blobs: file contents by their BLAKE3.

use std::{
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use fs_err as fs;
use tempfile::NamedTempFile;
use vb_graph::BlobDigest;

use crate::{
    atomic::{fix_metadata, make_parent, persist, persist_durably},
    layout::Store,
};

/// A file of this size, in bytes, is hashed by several threads.
const LARGE: u64 = 8 << 20;
/// How much of one is in memory.
const PART: usize = 8 << 20;

/// A blob could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// It is not in the store.
    #[error("the blob {} is not in the store", digest.to_short())]
    Missing {
        /// The blob that was asked for.
        digest: BlobDigest,
    },
    /// Its bytes have another digest. It has been removed.
    #[error("the blob {} was corrupted and has been removed from the store", digest.to_short())]
    Corrupt {
        /// The blob that was asked for.
        digest: BlobDigest,
    },
    /// The system refused.
    #[error("cannot use the blob {}", digest.to_short())]
    Io {
        /// The blob that was asked for.
        digest: BlobDigest,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// A blob that is being written. It is in the store when it is finished, and gone when it is dropped before.
#[derive(Debug)]
pub struct BlobWriter<'a> {
    store: &'a Store,
    file: NamedTempFile,
    hasher: blake3::Hasher,
    size: u64,
}

impl BlobWriter<'_> {
    /// Puts the blob on the disk and into the store; returns digest and size.
    ///
    /// # Errors
    /// What the system said.
    pub fn finish(self) -> io::Result<(BlobDigest, u64)> {
        let digest = BlobDigest::from_bytes(*self.hasher.finalize().as_bytes());
        fix_metadata(self.file.as_file(), 0o644)?;
        persist_durably(self.file, &self.store.blob_path(&digest))?;
        Ok((digest, self.size))
    }
}

impl Write for BlobWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Store {
    /// Returns where the blob's bytes are, whether or not they are there.
    pub fn blob_path(&self, digest: &BlobDigest) -> PathBuf {
        self.place("blobs", &digest.to_string())
    }

    /// Is a blob of this digest and size there? Its bytes are not read.
    pub fn has_blob(&self, digest: &BlobDigest, size: u64) -> bool {
        fs::symlink_metadata(self.blob_path(digest)).is_ok_and(|metadata| metadata.len() == size)
    }

    /// Is the blob there? One of another size is damage, and is removed with everything that shares its bytes, so that
    /// nothing damaged stays when the blob is written again.
    pub(crate) fn keeps_blob(&self, digest: &BlobDigest, size: u64) -> io::Result<bool> {
        match fs::symlink_metadata(self.blob_path(digest)) {
            Ok(metadata) if metadata.len() == size => Ok(true),
            Ok(_) => self.remove_corrupt(digest).map(|()| false),
            Err(_) => Ok(false),
        }
    }

    /// Stores bytes that are in memory.
    ///
    /// # Errors
    /// What the system said when the store could not be written.
    pub fn put_bytes(&self, bytes: &[u8]) -> io::Result<BlobDigest> {
        let digest = BlobDigest::of(bytes);
        if !self.keeps_blob(&digest, bytes.len() as u64)? {
            let mut file = self.temporary_blob()?;
            file.write_all(bytes)?;
            fix_metadata(file.as_file(), 0o644)?;
            persist(file, &self.blob_path(&digest))?;
        }
        Ok(digest)
    }

    /// Starts a blob whose bytes come piece by piece.
    ///
    /// # Errors
    /// What the system said.
    pub fn blob_writer(&self) -> io::Result<BlobWriter<'_>> {
        Ok(BlobWriter { store: self, file: self.temporary_file()?, hasher: blake3::Hasher::new(), size: 0 })
    }

    /// Reads a whole blob and checks its digest.
    ///
    /// # Errors
    /// [`BlobError`]; a blob whose bytes do not match is removed, with the trees that may hold it.
    pub fn read_blob(&self, digest: &BlobDigest) -> Result<Vec<u8>, BlobError> {
        let bytes = match fs::read(self.blob_path(digest)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(BlobError::Missing { digest: *digest });
            }
            Err(source) => return Err(BlobError::Io { digest: *digest, source }),
        };
        if BlobDigest::of(&bytes) == *digest {
            return Ok(bytes);
        }
        self.remove_corrupt(digest).map_err(|source| BlobError::Io { digest: *digest, source })?;
        Err(BlobError::Corrupt { digest: *digest })
    }

    /// Reads a blob and checks its digest, without keeping its bytes.
    ///
    /// # Errors
    /// As [`Store::read_blob`].
    pub fn check_blob(&self, digest: &BlobDigest) -> Result<(), BlobError> {
        match hash_file(&self.blob_path(digest)) {
            Ok(found) if found == *digest => Ok(()),
            Ok(_) => {
                self.remove_corrupt(digest).map_err(|source| BlobError::Io { digest: *digest, source })?;
                Err(BlobError::Corrupt { digest: *digest })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(BlobError::Missing { digest: *digest }),
            Err(source) => Err(BlobError::Io { digest: *digest, source }),
        }
    }

    /// Makes the bytes of a file in a scratch directory a blob, by link where its mode allows.
    pub(crate) fn adopt_file(&self, path: &Path, mode: u32) -> io::Result<(BlobDigest, u64)> {
        let file = fs::File::open(path)?;
        let size = file.metadata()?.len();
        let digest = if size < LARGE { hash_reader(&file)? } else { hash_in_parallel(path)? };
        if self.keeps_blob(&digest, size)? {
            return Ok((digest, size));
        }
        let target = self.blob_path(&digest);
        if mode == 0o644 {
            fix_metadata(file.file(), mode)?;
            // A file that has all the links that the file system allows can still be copied.
            if self.link_to_blob(path, &target).is_ok() {
                return Ok((digest, size));
            }
        }
        self.copy_to_blob(path, &target)?;
        Ok((digest, size))
    }

    /// Makes a file of the store a link to one with its bytes. What is there is replaced: it may be damaged.
    pub(crate) fn link_to_blob(&self, path: &Path, target: &Path) -> io::Result<()> {
        let linked = fs::hard_link(path, target).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => make_parent(target).and_then(|()| fs::hard_link(path, target)),
            _ => Err(error),
        });
        match linked {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.replace_by_link(target, path),
            linked => linked,
        }
    }

    /// Puts a link to a file in the place of another one.
    pub(crate) fn replace_by_link(&self, path: &Path, file: &Path) -> io::Result<()> {
        let linked = tempfile::Builder::new().prefix("l-").make_in(self.tmp(), |linked| fs::hard_link(file, linked))?;
        // The temporary name is removed afterwards: renaming one link of a file onto another of the same does nothing.
        fs::rename(linked.into_temp_path(), path)
    }

    pub(crate) fn copy_to_blob(&self, path: &Path, target: &Path) -> io::Result<()> {
        let mut file = self.temporary_file()?;
        io::copy(&mut fs::File::open(path)?, file.as_file_mut())?;
        fix_metadata(file.as_file(), 0o644)?;
        persist(file, target)
    }

    /// Removes a blob that failed its digest, its executable twin, and every tree that may share its bytes.
    pub(crate) fn remove_corrupt(&self, digest: &BlobDigest) -> io::Result<()> {
        // Before the blob, so that who is killed between finds the corruption again; and after it, because another
        // thread may have linked the blob into a tree since.
        self.remove_trees_with(digest)?;
        for kind in ["executables", "blobs"] {
            remove_if_there(&self.place(kind, &digest.to_string()))?;
        }
        self.remove_trees_with(digest)
    }
}

pub(crate) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

pub(crate) fn hash_file(path: &Path) -> io::Result<BlobDigest> {
    hash_reader(fs::File::open(path)?)
}

/// Hashes a file with all threads of the current rayon pool. Locks must not be held: threads that wait do other work of
/// the pool.
///
/// It is read part by part: the pages of a mapped file would count as memory of the process.
fn hash_in_parallel(path: &Path) -> io::Result<BlobDigest> {
    let (mut file, mut hasher) = (fs::File::open(path)?, blake3::Hasher::new());
    let mut part = Vec::with_capacity(PART);
    loop {
        part.clear();
        (&mut file).take(PART as u64).read_to_end(&mut part)?;
        if part.is_empty() {
            return Ok(BlobDigest::from_bytes(*hasher.finalize().as_bytes()));
        }
        hasher.update_rayon(&part);
    }
}

pub(crate) fn hash_reader(reader: impl Read) -> io::Result<BlobDigest> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(reader)?;
    Ok(BlobDigest::from_bytes(*hasher.finalize().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linking_a_file_that_is_the_blob_already_leaves_no_temporary_name() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let scratch = store.scratch().unwrap();
        let path = scratch.path().join("file");
        fs::write(&path, "text").unwrap();
        let target = store.blob_path(&BlobDigest::of(b"text"));
        store.link_to_blob(&path, &target).unwrap();
        store.link_to_blob(&path, &target).unwrap();
        drop(scratch);
        assert_eq!(fs::read(target).unwrap(), b"text");
        assert_eq!(fs::read_dir(store.tmp()).unwrap().count(), 0);
    }
}
