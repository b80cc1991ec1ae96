//! From nodes in the store to trees on disk.

use std::{
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use fs_err as fs;
use rayon::prelude::*;
use vb_graph::{BlobDigest, DirectoryDigest, Node};

use crate::{
    atomic::{fix_metadata, fix_time, make_parent, persist},
    directory::DirectoryError,
    layout::Store,
};

/// A directory could not be materialized.
#[derive(Debug, thiserror::Error)]
pub enum MaterializeError {
    /// A directory that it names is not there.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// A blob that it names is not there.
    #[error("the blob {} of `{path}` is not in the store", digest.to_short())]
    MissingBlob {
        /// The blob.
        digest: BlobDigest,
        /// The file whose content it is.
        path: String,
    },
    /// The system refused.
    #[error("cannot write `{}`", path.display())]
    Io {
        /// What was to be written.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl MaterializeError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

/// How the files of a tree come to be.
#[derive(Clone, Copy, Debug)]
enum Files {
    /// Links to blobs, never to be written.
    Linked,
    /// Copies of their own.
    Copied,
}

/// What a file of the tree has to hold.
#[derive(Clone, Copy, Debug)]
struct Content {
    blob: BlobDigest,
    size: u64,
}

impl Content {
    fn missing(&self, target: &Path) -> MaterializeError {
        MaterializeError::MissingBlob { digest: self.blob, path: target.display().to_string() }
    }
}

impl Store {
    /// Returns a read-only tree with the directory's content, made once and kept.
    ///
    /// # Errors
    /// [`MaterializeError`] when something that it names is missing.
    pub fn materialize(&self, digest: &DirectoryDigest) -> Result<PathBuf, MaterializeError> {
        let target = self.tree_path(digest);
        if fs::symlink_metadata(&target).is_ok() {
            return Ok(target);
        }
        let scratch = self.scratch().map_err(MaterializeError::io(&target))?;
        let tree = scratch.path().join("tree");
        self.write_tree(digest, 0o755, &tree, Files::Linked)?;
        self.publish(&tree, digest).map_err(MaterializeError::io(&target))?;
        Ok(target)
    }

    fn write_tree(
        &self,
        digest: &DirectoryDigest,
        mode: u32,
        target: &Path,
        files: Files,
    ) -> Result<(), MaterializeError> {
        fs::create_dir(target).map_err(MaterializeError::io(target))?;
        let directory = self.directory(digest)?;
        let entries: Vec<_> = directory.entries().collect();
        entries.par_iter().try_for_each(|(name, node)| {
            let path = target.join(name.as_str());
            match node {
                Node::File { blob, size, mode } => {
                    self.write_file(&Content { blob: *blob, size: *size }, *mode, &path, files)
                }
                Node::Directory { digest, mode } => self.write_tree(digest, *mode, &path, files),
                Node::Symlink { target } => write_link(target, &path).map_err(MaterializeError::io(&path)),
            }
        })?;
        fs::set_permissions(target, std::fs::Permissions::from_mode(mode))
            .and_then(|()| fix_time(target))
            .map_err(MaterializeError::io(target))
    }

    fn write_file(&self, content: &Content, mode: u32, target: &Path, files: Files) -> Result<(), MaterializeError> {
        if !self.has_blob(&content.blob, content.size) {
            return Err(content.missing(target));
        }
        let source = match (files, mode) {
            (Files::Linked, 0o644) => self.blob_path(&content.blob),
            (Files::Linked, 0o755) => self.executable(content, target)?,
            _ => return self.copy_blob(content, mode, target),
        };
        // A file system's limit of links to one file is real: empty files reach it.
        fs::hard_link(&source, target).or_else(|_| self.copy_blob(content, mode, target))
    }

    /// Returns the twin of a blob that has mode 0755, made when it is first needed.
    fn executable(&self, content: &Content, path: &Path) -> Result<PathBuf, MaterializeError> {
        let twin = self.place("executables", &content.blob.to_string());
        if fs::symlink_metadata(&twin).is_ok_and(|metadata| metadata.len() == content.size) {
            return Ok(twin);
        }
        let mut source = self.open_content(content, path)?;
        let mut copy = || {
            let mut file = self.temporary_file()?;
            io::copy(&mut source, file.as_file_mut())?;
            fix_metadata(file.as_file(), 0o755)?;
            persist(file, &twin)
        };
        copy().map_err(MaterializeError::io(&twin))?;
        Ok(twin)
    }

    fn copy_blob(&self, content: &Content, mode: u32, target: &Path) -> Result<(), MaterializeError> {
        let mut source = self.open_content(content, target)?;
        let mut copy = || {
            let mut file = fs::OpenOptions::new().write(true).create_new(true).open(target)?;
            io::copy(&mut source, &mut file)?;
            fix_metadata(file.file(), mode)
        };
        copy().map_err(MaterializeError::io(target))
    }

    fn open_content(&self, content: &Content, target: &Path) -> Result<fs::File, MaterializeError> {
        fs::File::open(self.blob_path(&content.blob)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => content.missing(target),
            _ => MaterializeError::io(target)(error),
        })
    }

    /// Takes the materialized trees that hold a blob out of use.
    pub(crate) fn remove_trees_with(&self, blob: &BlobDigest) -> io::Result<()> {
        for entry in fs::read_dir(self.path().join("trees"))? {
            let entry = entry?;
            let digest = entry.file_name().to_str().and_then(|name| name.parse::<DirectoryDigest>().ok());
            let mut holds = digest.is_none();
            let walked = digest.map(|digest| {
                self.walk(&digest, &mut |_, node| {
                    holds |= matches!(node, Node::File { blob: found, .. } if found == blob);
                })
            });
            if holds || !matches!(walked, Some(Ok(()))) {
                self.set_aside(&entry.path())?;
            }
        }
        Ok(())
    }
}

/// Writes a directory of the store into a new directory of the caller's, as copies that may be written.
///
/// # Errors
/// [`MaterializeError`] when something that it names is missing.
pub fn export_copy(store: &Store, digest: &DirectoryDigest, target: &Path) -> Result<(), MaterializeError> {
    make_parent(target).map_err(MaterializeError::io(target))?;
    store.write_tree(digest, 0o755, target, Files::Copied)
}

fn write_link(link_target: &str, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(link_target, path)?;
    fix_time(path)
}
