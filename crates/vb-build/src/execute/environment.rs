//! Unpacked trees to an environment: a merge of directories, no file is touched.

use std::sync::atomic::AtomicBool;

use vb_graph::{DirectoryDigest, Environment, InputDigest, Node, Pattern};
use vb_python::{EnvironmentFile, environment_files, prune_record};
use vb_store::{Listing, Matcher, MergeError, TreeBuilder};

use crate::{builder::Builder, error::ExecuteError, inputs::Inputs};

/// How vb itself is called where the environment's own files collide with a distribution's.
/// The directory of packages, in the path of a file that is in it.
const SITE: &str = "/site-packages/";
const OWN: &str = "the environment itself";

impl Builder {
    pub(super) fn environment(
        &self,
        environment: &Environment,
        inputs: &Inputs,
        cancel: &AtomicBool,
    ) -> Result<Node, ExecuteError> {
        let mut merged = if environment.interpreter.is_python_2() {
            self.python_2_files(environment, inputs, cancel)?
        } else {
            self.own_files(environment)?
        };
        let mut trees = vec![(OWN, merged)];
        let mut others: Vec<(&str, DirectoryDigest)> = self.bundled(environment, inputs)?.into_iter().collect();
        for (name, input) in inputs.of_kind("distribution") {
            let InputDigest::Node(Node::Directory { digest, .. }) = input else {
                unreachable!("an unpacked wheel is a directory")
            };
            others.push((name, self.pruned(digest, &environment.prune)?));
        }
        for (name, digest) in others {
            merged = self.store.merge(&merged, &digest).map_err(|error| match error {
                MergeError::Conflict { path } => self.conflict(path, &trees, name),
                MergeError::Directory(error) => ExecuteError::Directory(error),
                MergeError::Io(error) => ExecuteError::Store(error),
            })?;
            trees.push((name, digest));
        }
        Ok(Node::directory(merged))
    }

    /// Returns the interpreter that is a part of the environment, as a tree below its prefix.
    fn bundled(
        &self,
        environment: &Environment,
        inputs: &Inputs,
    ) -> Result<Option<(&'static str, DirectoryDigest)>, ExecuteError> {
        if !inputs.has("interpreter") {
            return Ok(None);
        }
        let moved = Node::directory(inputs.directory("interpreter"));
        match self.store.find(&moved, &format!("root{}", environment.prefix))? {
            Some(Node::Directory { digest, .. }) => Ok(Some(("the interpreter", digest))),
            _ => unreachable!("it was moved to the environment's prefix"),
        }
    }

    /// Leaves out of an unpacked wheel what the recipe does not want, and out of its `RECORD`.
    fn pruned(&self, tree: &DirectoryDigest, globs: &[String]) -> Result<DirectoryDigest, ExecuteError> {
        if globs.is_empty() {
            return Ok(*tree);
        }
        let patterns: Vec<Pattern> = globs.iter().flat_map(|glob| both(glob)).map(Pattern::Glob).collect();
        let matcher = Matcher::new(&patterns)?;
        let is_pruned = |path: &str| {
            let source = source_of(path);
            !path.contains(".dist-info/") && matcher.is_match(source.as_deref().unwrap_or(path))
        };
        let mut kept = Listing::default();
        for (path, node) in self.listing(tree)?.entries() {
            let Some((site, inside)) = path.split_once(SITE) else {
                kept.replace(path, node.clone());
                continue;
            };
            match node {
                Node::File { blob, mode, .. } if inside.ends_with(".dist-info/RECORD") => {
                    let record = prune_record(&self.store.read_blob(blob)?, is_pruned)?;
                    let blob = self.store.put_bytes(&record).map_err(ExecuteError::Store)?;
                    let node = Node::File { blob, size: record.len() as u64, mode: *mode };
                    kept.replace(format!("{site}{SITE}{inside}"), node);
                }
                _ if is_pruned(inside) => {}
                _ => kept.replace(path, node.clone()),
            }
        }
        self.store.put_listing(kept.to_tree()?).map_err(ExecuteError::Store)
    }

    pub(super) fn own_files(&self, environment: &Environment) -> Result<DirectoryDigest, ExecuteError> {
        let mut tree = TreeBuilder::default();
        for (path, file) in environment_files(environment) {
            let node = match file {
                EnvironmentFile::File { bytes, mode } => Node::File {
                    blob: self.store.put_bytes(&bytes).map_err(ExecuteError::Store)?,
                    size: bytes.len() as u64,
                    mode,
                },
                EnvironmentFile::Symlink(target) => Node::Symlink { target },
            };
            tree.insert(&path, node).expect("an environment's own files have clean, distinct paths");
        }
        match tree.put(&self.store).map_err(ExecuteError::Store)? {
            Node::Directory { digest, .. } => Ok(digest),
            other => unreachable!("a tree is a directory, not {other:?}"),
        }
    }

    /// Names the first tree that has the path.
    fn conflict(&self, path: String, trees: &[(&str, DirectoryDigest)], second: &str) -> ExecuteError {
        let holds = |digest: &DirectoryDigest, path: &str| {
            matches!(self.store.find(&Node::directory(*digest), path), Ok(Some(_)))
        };
        let has_source = |source: &String| trees.iter().any(|(_, digest)| holds(digest, source));
        let path = source_of(&path).filter(has_source).unwrap_or(path);
        let has = |digest: &DirectoryDigest| holds(digest, &path);
        let first = trees.iter().find(|(_, digest)| has(digest)).map_or(OWN, |(name, _)| name);
        ExecuteError::Conflict { first: first.to_owned(), second: second.to_owned(), path }
    }
}

/// A glob that matches a directory means everything below it.
fn both(glob: &str) -> [String; 2] {
    [glob.to_owned(), format!("{glob}/**")]
}

/// Bytecode differs because its source does: `a/__pycache__/b.cpython-311.pyc` is made of `a/b.py` (PEP 3147), as is
/// `a/b.pyc` of Python 2.
fn source_of(bytecode: &str) -> Option<String> {
    let Some((directory, file)) = bytecode.rsplit_once("__pycache__/") else {
        return Some(format!("{}.py", bytecode.strip_suffix(".pyc")?));
    };
    let (module, _) = file.split_once('.')?;
    Some(format!("{directory}{module}.py"))
}
