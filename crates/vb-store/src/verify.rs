//! Reading everything that the store holds, and removing what is not what its name says.

use std::{
    io,
    path::{Path, PathBuf},
};

use fs_err as fs;
use rayon::prelude::*;
use vb_graph::{ActionDigest, BlobDigest, DirectoryDigest};

use crate::{blob::hash_file, layout::Store};

/// What a verification read and removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// How many blobs were read, executable twins included.
    pub blobs: usize,
    /// How many directories were read.
    pub directories: usize,
    /// How many action results were looked at.
    pub results: usize,
    /// The blobs whose bytes did not match. They have been removed.
    pub corrupt_blobs: Vec<BlobDigest>,
    /// How many directories did not match and have been removed.
    pub corrupt_directories: usize,
    /// How many action results were damaged, or named what is not there, and have been removed.
    pub broken_results: usize,
}

impl VerifyReport {
    /// Was everything as it should be?
    pub fn is_clean(&self) -> bool {
        self.corrupt_blobs.is_empty() && self.corrupt_directories == 0 && self.broken_results == 0
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
                crate::blob::remove_if_there(&path)?;
            }
        }
        for (hex, path) in self.list("results")? {
            report.results += 1;
            if !self.is_intact_result(&hex) {
                report.broken_results += 1;
                crate::blob::remove_if_there(&path)?;
            }
        }
        Ok(report)
    }

    fn corrupt_blobs(&self, blobs: &[(String, PathBuf)]) -> io::Result<Vec<BlobDigest>> {
        let mut corrupt = blobs
            .par_iter()
            .filter_map(|(hex, path)| match (hex.parse::<BlobDigest>(), hash_file(path)) {
                (Ok(expected), Ok(found)) => (expected != found).then_some(Ok(expected)),
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
            self.action_result(&digest)
                .is_some_and(|result| result.action.digest() == digest && self.is_complete(&result.output))
        })
    }

    /// Lists what is below a kind's directory as hexadecimal digest and path.
    fn list(&self, kind: &str) -> io::Result<Vec<(String, PathBuf)>> {
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

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
