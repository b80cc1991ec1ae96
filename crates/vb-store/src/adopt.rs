//! From a tree that an action wrote to nodes in the store and, in the same pass, to the materialized tree: what is on
//! disk already is neither removed nor written again.
//!
//! The outcome is that of ingesting and materializing. Files become links to blobs or to their executable twins, or blobs
//! and twins become links to them.

use std::{
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use fs_err as fs;
use rayon::prelude::*;
use vb_graph::{BlobDigest, Directory, DirectoryDigest, Node};

use crate::{
    atomic::{fix_metadata, fix_time},
    blob::hash_reader,
    ingest::{IngestError, entry_name, link_node},
    layout::Store,
};

impl Store {
    /// Ingests a directory, and makes it the materialized tree of its digest. Runs on the current rayon pool.
    ///
    /// The directory is moved away, or stays where it is, of no more use, when there is such a tree.
    ///
    /// # Errors
    /// [`IngestError`], naming the entry.
    pub fn adopt_tree(&self, path: &Path) -> Result<Node, IngestError> {
        let mode = fs::symlink_metadata(path).map_err(IngestError::io(path))?.mode() & 0o1777;
        let digest = self.adopt_directory(path, 0o755)?;
        self.publish(path, &digest).map_err(IngestError::io(path))?;
        Ok(Node::Directory { digest, mode })
    }

    /// Gives a finished tree its name, after it is on the disk: who finds it does not look into it again.
    pub(crate) fn publish(&self, tree: &Path, digest: &DirectoryDigest) -> io::Result<()> {
        let target = self.tree_path(digest);
        if fs::symlink_metadata(&target).is_ok() {
            return Ok(());
        }
        self.sync()?;
        match fs::rename(tree, &target) {
            // Another thread or process was first; its tree is the same.
            Err(_) if fs::symlink_metadata(&target).is_ok() => Ok(()),
            result => result,
        }
    }

    fn adopt_directory(&self, path: &Path, mode: u32) -> Result<DirectoryDigest, IngestError> {
        let entries: Vec<PathBuf> = fs::read_dir(path)
            .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
            .map_err(IngestError::io(path))?;
        let nodes = entries
            .into_par_iter()
            .map(|entry| Ok((entry_name(&entry)?, self.adopt_node(&entry)?)))
            .collect::<Result<Vec<_>, IngestError>>()?;
        let mut directory = Directory::default();
        for (name, node) in nodes {
            directory.replace(name, node);
        }
        let digest = self.put_directory(&directory).map_err(IngestError::io(path))?;
        fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
            .and_then(|()| fix_time(path))
            .map_err(IngestError::io(path))?;
        Ok(digest)
    }

    fn adopt_node(&self, path: &Path) -> Result<Node, IngestError> {
        let metadata = fs::symlink_metadata(path).map_err(IngestError::io(path))?;
        let mode = metadata.mode() & 0o1777;
        if metadata.is_symlink() {
            fix_time(path).map_err(IngestError::io(path))?;
            link_node(path)
        } else if metadata.is_file() {
            let blob = self.adopt_as_link(path, mode, metadata.len()).map_err(IngestError::io(path))?;
            Ok(Node::File { blob, size: metadata.len(), mode })
        } else if metadata.is_dir() {
            Ok(Node::Directory { digest: self.adopt_directory(path, mode)?, mode })
        } else {
            Err(IngestError::Special { path: path.to_owned() })
        }
    }

    /// Makes a file's bytes a blob, and the file a link to it where its mode allows.
    fn adopt_as_link(&self, path: &Path, mode: u32, size: u64) -> io::Result<BlobDigest> {
        let file = fs::File::open(path)?;
        let digest = hash_reader(&file)?;
        fix_metadata(file.file(), mode)?;
        let blob = self.blob_path(&digest);
        let has_blob = self.keeps_blob(&digest, size)?;
        if mode != 0o644 && !has_blob {
            self.copy_to_blob(path, &blob)?;
        }
        let (link, is_there) = match mode {
            0o644 => (blob, has_blob),
            0o755 => {
                let twin = self.place("executables", &digest.to_string());
                let is_there = fs::symlink_metadata(&twin).is_ok_and(|metadata| metadata.len() == size);
                (twin, is_there)
            }
            // Every other mode is a file of its own in each tree.
            _ => return Ok(digest),
        };
        // A file that has all the links that the file system allows stays as it is, and its blob is a copy.
        if is_there {
            drop(self.replace_by_link(path, &link));
        } else if self.link_to_blob(path, &link).is_err() && mode == 0o644 {
            self.copy_to_blob(path, &link)?;
        }
        Ok(digest)
    }
}
