//! Reading everything that the store holds, and removing what is not what its name says.

use std::{
    fs::Metadata,
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use fs_err as fs;
use rayon::prelude::*;
use vb_graph::{ActionDigest, BlobDigest, DirectoryDigest, Node};

use crate::{
    blob::{hash_file, remove_if_there},
    layout::Store,
    result::{ActionResult, read_checked},
};

/// What a verification read and removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// How many blobs were read, executable twins included.
    pub blobs: usize,
    /// How many directories were read.
    pub directories: usize,
    /// How many action results were looked at.
    pub results: usize,
    /// How many materialized trees were looked at.
    pub trees: usize,
    /// The blobs whose bytes did not match. They have been removed.
    pub corrupt_blobs: Vec<BlobDigest>,
    /// How many directories did not match and have been removed.
    pub corrupt_directories: usize,
    /// How many action results were damaged, or named what is not there, and have been removed.
    pub broken_results: usize,
    /// How many materialized trees were not what their directories say, and have been taken out of use. The trees that
    /// held a corrupted blob are not counted.
    pub corrupt_trees: usize,
}

impl VerifyReport {
    /// Was everything as it should be?
    pub fn is_clean(&self) -> bool {
        self.corrupt_blobs.is_empty()
            && self.corrupt_directories == 0
            && self.broken_results == 0
            && self.corrupt_trees == 0
    }
}

impl Store {
    /// Reads everything, removes what is damaged, and says what that was. What is removed is made again when needed.
    ///
    /// # Errors
    /// What the system said.
    pub fn verify(&self) -> io::Result<VerifyReport> {
        let mut report = VerifyReport::default();
        let blobs = [self.list("blobs")?, self.list("executables")?].concat();
        report.blobs = blobs.len();
        report.corrupt_blobs = self.corrupt_blobs(&blobs)?;
        for digest in &report.corrupt_blobs {
            self.remove_corrupt(digest)?;
        }
        for (hex, path) in self.list("directories")? {
            report.directories += 1;
            let intact = hex.parse::<DirectoryDigest>().is_ok_and(|digest| self.directory(&digest).is_ok());
            if !intact {
                report.corrupt_directories += 1;
                remove_if_there(&path)?;
            }
        }
        for (hex, path) in self.list("results")? {
            report.results += 1;
            if !self.is_intact_result(&hex) {
                report.broken_results += 1;
                remove_if_there(&path)?;
            }
        }
        for entry in fs::read_dir(self.path().join("trees"))? {
            let path = entry?.path();
            report.trees += 1;
            if !self.is_intact_tree(&path) {
                report.corrupt_trees += 1;
                self.set_aside(&path)?;
            }
        }
        Ok(report)
    }

    fn corrupt_blobs(&self, blobs: &[(String, PathBuf)]) -> io::Result<Vec<BlobDigest>> {
        let mut corrupt = blobs
            .par_iter()
            .filter_map(|(hex, path)| match (hex.parse::<BlobDigest>(), hash_file(path)) {
                (Ok(expected), Ok(found)) => (expected != found).then_some(Ok(expected)),
                // Another process found it corrupted too, and was faster.
                (_, Err(error)) if error.kind() == io::ErrorKind::NotFound => None,
                (Err(_), _) => None,
                (_, Err(error)) => Some(Err(error)),
            })
            .collect::<io::Result<Vec<_>>>()?;
        corrupt.sort();
        corrupt.dedup();
        Ok(corrupt)
    }

    fn is_intact_result(&self, hex: &str) -> bool {
        hex.parse::<ActionDigest>().is_ok_and(|digest| {
            // Not as one that looks it up: that would count as use.
            let result: Option<ActionResult> = read_checked(&self.place("results", hex));
            result.is_some_and(|result| result.action.digest() == digest && self.is_whole(&result))
        })
    }

    fn is_whole(&self, result: &ActionResult) -> bool {
        let has_log = result.log.is_none_or(|log| fs::symlink_metadata(self.blob_path(&log)).is_ok());
        has_log && self.is_complete(&result.output)
    }

    fn is_intact_tree(&self, path: &Path) -> bool {
        file_name(path).parse::<DirectoryDigest>().is_ok_and(|digest| self.holds(path, &digest).unwrap_or(false))
    }

    /// Is the tree at a path what the directory says? A file that is a link to its blob, which was read before, is not
    /// read again.
    fn holds(&self, path: &Path, digest: &DirectoryDigest) -> io::Result<bool> {
        let Ok(directory) = self.directory(digest) else { return Ok(false) };
        if fs::read_dir(path)?.count() != directory.len() {
            return Ok(false);
        }
        for (name, node) in directory.entries() {
            if !self.is_node(&path.join(name.as_str()), node)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_node(&self, path: &Path, node: &Node) -> io::Result<bool> {
        let metadata = fs::symlink_metadata(path)?;
        let has_mode = |mode: u32| metadata.mode() & 0o7777 == mode;
        Ok(match node {
            Node::File { blob, mode, .. } => {
                metadata.is_file() && has_mode(*mode) && (self.is_link_to(&metadata, blob) || hash_file(path)? == *blob)
            }
            Node::Directory { digest, mode } => metadata.is_dir() && has_mode(*mode) && self.holds(path, digest)?,
            Node::Symlink { target } => metadata.is_symlink() && fs::read_link(path)?.as_os_str() == target.as_str(),
        })
    }

    fn is_link_to(&self, metadata: &Metadata, blob: &BlobDigest) -> bool {
        ["blobs", "executables"].into_iter().any(|kind| {
            fs::symlink_metadata(self.place(kind, &blob.to_string()))
                .is_ok_and(|found| (found.dev(), found.ino()) == (metadata.dev(), metadata.ino()))
        })
    }

    /// Lists what is below a kind's directory as hexadecimal digest and path.
    pub(crate) fn list(&self, kind: &str) -> io::Result<Vec<(String, PathBuf)>> {
        let mut found = Vec::new();
        for outer in fs::read_dir(self.path().join(kind))? {
            let outer = outer?.path();
            for inner in fs::read_dir(&outer)? {
                let inner = inner?.path();
                found.push((format!("{}{}", file_name(&outer), file_name(&inner)), inner));
            }
        }
        found.sort();
        Ok(found)
    }
}

pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
