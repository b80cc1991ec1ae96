//! Trees that are put together in the store, without writing them out.

use std::{collections::BTreeMap, io};

use vb_graph::{Directory, DirectoryDigest, InvalidName, Name, Node};

use crate::{directory::DirectoryError, layout::Store};

/// A path cannot be put into a tree.
#[derive(Debug, thiserror::Error)]
pub enum TreePathError {
    /// A component is not a name.
    #[error("the path `{path}` has a component that is no name")]
    Name {
        /// The path.
        path: String,
        /// The component.
        #[source]
        source: InvalidName,
    },
    /// Something else is at the path, or on the way to it.
    #[error("the path `{path}` is taken")]
    Taken {
        /// The path.
        path: String,
    },
}

/// Two trees cannot be merged.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// Both have an entry at the path, and they differ.
    #[error("`{path}` is in both trees with different content")]
    Conflict {
        /// The path, relative to the trees.
        path: String,
    },
    /// A directory cannot be read.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The merged directory cannot be written.
    #[error("cannot write the merged directory")]
    Io(#[source] io::Error),
}

/// A tree that is made of single paths.
#[derive(Debug, Default)]
pub struct TreeBuilder {
    nodes: BTreeMap<Name, Node>,
    children: BTreeMap<Name, TreeBuilder>,
}

impl TreeBuilder {
    /// Puts a node at a relative path; the directories on the way get mode 0755.
    ///
    /// # Errors
    /// [`TreePathError`] when the path is not clean or taken.
    pub fn insert(&mut self, path: &str, node: Node) -> Result<(), TreePathError> {
        let taken = || TreePathError::Taken { path: path.to_owned() };
        let name_of = |component: &str| {
            Name::new(component).map_err(|source| TreePathError::Name { path: path.to_owned(), source })
        };
        match path.split_once('/') {
            Some((first, rest)) => {
                let name = name_of(first)?;
                if self.nodes.contains_key(&name) {
                    return Err(taken());
                }
                self.children.entry(name).or_default().insert(rest, node)
            }
            None => {
                let name = name_of(path)?;
                if self.children.contains_key(&name) || self.nodes.contains_key(&name) {
                    return Err(taken());
                }
                self.nodes.insert(name, node);
                Ok(())
            }
        }
    }

    /// Stores the directories and returns the top one.
    ///
    /// # Errors
    /// What the system said.
    pub fn put(self, store: &Store) -> io::Result<Node> {
        self.build(&mut |directory: &Directory| store.put_directory(directory)).map(Node::directory)
    }

    /// Makes the directories, innermost first, and returns the digest of the top one.
    pub(crate) fn build<E>(
        self,
        put: &mut dyn FnMut(&Directory) -> Result<DirectoryDigest, E>,
    ) -> Result<DirectoryDigest, E> {
        let mut directory = Directory::default();
        for (name, child) in self.children {
            directory.replace(name, Node::directory(child.build(put)?));
        }
        for (name, node) in self.nodes {
            directory.replace(name, node);
        }
        put(&directory)
    }
}

impl Store {
    /// Merges two directories: entries of one name must be equal, or be directories that can be merged.
    ///
    /// # Errors
    /// [`MergeError::Conflict`] with the first path at which they differ.
    pub fn merge(&self, one: &DirectoryDigest, other: &DirectoryDigest) -> Result<DirectoryDigest, MergeError> {
        self.merge_below("", one, other)
    }

    fn merge_below(
        &self,
        prefix: &str,
        one: &DirectoryDigest,
        other: &DirectoryDigest,
    ) -> Result<DirectoryDigest, MergeError> {
        if one == other {
            return Ok(*one);
        }
        let mut merged = self.directory(one)?;
        for (name, node) in self.directory(other)?.entries() {
            let path = if prefix.is_empty() { name.to_string() } else { format!("{prefix}/{name}") };
            match (merged.get(name.as_str()), node) {
                (
                    Some(Node::Directory { digest: mine, mode: my_mode }),
                    Node::Directory { digest: theirs, mode: their_mode },
                ) if my_mode == their_mode => {
                    let (mine, mode) = (*mine, *my_mode);
                    let digest = self.merge_below(&path, &mine, theirs)?;
                    merged.replace(name.clone(), Node::Directory { digest, mode });
                }
                _ => merged.insert(name.clone(), node.clone()).map_err(|_| MergeError::Conflict { path })?,
            }
        }
        self.put_directory(&merged).map_err(MergeError::Io)
    }
}
