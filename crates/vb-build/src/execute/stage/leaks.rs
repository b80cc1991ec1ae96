//! The search for paths of the build in a staged tree.
//!
//! A directory in which nothing was found is remembered, by the digest of the directory and of the patterns: after a
//! change of the application, its environment is not read again.

use std::path::Path;

use rayon::prelude::*;
use vb_graph::{BlobDigest, DirectoryDigest, Node};
use vb_package::{LeakPattern, LeakScanner};

use crate::{builder::Builder, error::ExecuteError};

/// How many files make it worth while to remember a directory; smaller ones are read as quickly as a memory.
const MANY_FILES: usize = 64;

struct Search<'a> {
    builder: &'a Builder,
    scanner: LeakScanner,
    patterns: BlobDigest,
}

/// What was found below a directory.
#[derive(Default)]
struct Found {
    files: usize,
    leaks: Vec<Leaked>,
}

struct Leaked {
    path: String,
    what: &'static str,
}

impl Builder {
    /// Searches the files and links of a tree for patterns. `application` is where the source stands, if that is in it.
    ///
    /// # Errors
    /// [`ExecuteError::Leak`], with a path that begins with `prefix`.
    pub(in crate::execute) fn check_for_leaks(
        &self,
        node: &Node,
        prefix: &str,
        patterns: &[LeakPattern],
        application: Option<&str>,
    ) -> Result<(), ExecuteError> {
        let Node::Directory { digest, .. } = node else { return Ok(()) };
        let search = Search {
            builder: self,
            scanner: LeakScanner::new(patterns).expect("the patterns are absolute paths"),
            patterns: digest_of(patterns),
        };
        let found = self.on_data_pool(|| search.directory(digest, prefix))?;
        // The file that was written by hand is told, not the bytecode that was made of it.
        let first = found.leaks.into_iter().min_by_key(|leak| (leak.path.contains("__pycache__/"), leak.path.clone()));
        match first {
            Some(Leaked { path, what }) => {
                let is_in_source = application.is_some_and(|directory| Path::new(&path).starts_with(directory));
                Err(ExecuteError::Leak { path, what: what.to_owned(), is_in_source })
            }
            None => Ok(()),
        }
    }
}

fn digest_of(patterns: &[LeakPattern]) -> BlobDigest {
    let parts = patterns.iter().flat_map(|pattern| [&pattern.bytes.len().to_le_bytes()[..], &pattern.bytes].concat());
    BlobDigest::of(&parts.collect::<Vec<u8>>())
}

impl Search<'_> {
    fn directory(&self, digest: &DirectoryDigest, path: &str) -> Result<Found, ExecuteError> {
        let name = format!("no leaks of {} in {digest}", self.patterns);
        if let Some(files) = self.builder.store.recall(&name) {
            return Ok(Found { files, leaks: vec![] });
        }
        let directory = self.builder.store.directory(digest)?;
        let entries: Vec<_> = directory.entries().collect();
        let parts = entries.par_iter().map(|(name, node)| self.node(node, &format!("{path}/{name}")));
        let mut found = Found::default();
        for part in parts.collect::<Result<Vec<Found>, ExecuteError>>()? {
            found.files += part.files;
            found.leaks.extend(part.leaks);
        }
        if found.leaks.is_empty() && found.files >= MANY_FILES {
            // What cannot be remembered is searched again.
            drop(self.builder.store.remember(&name, &found.files));
        }
        Ok(found)
    }

    fn node(&self, node: &Node, path: &str) -> Result<Found, ExecuteError> {
        let bytes = match node {
            Node::Directory { digest, .. } => return self.directory(digest, path),
            Node::File { blob, .. } => self.builder.store.read_blob(blob)?,
            Node::Symlink { target } => target.clone().into_bytes(),
        };
        let leaks = self.scanner.find_leaks(bytes.as_slice()).map_err(ExecuteError::Store)?;
        let leaked = leaks.first().map(|leak| Leaked { path: path.to_owned(), what: leak.name });
        Ok(Found { files: 1, leaks: leaked.into_iter().collect() })
    }
}
