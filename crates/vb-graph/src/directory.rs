//! Directories and nodes: the content-addressed form of a file tree.
//!
//! Must not be here: owners, times and hard links. They are not content; an archive gets fixed ones.

use std::{
    borrow::Borrow,
    collections::{BTreeMap, btree_map::Entry},
    fmt,
};

use serde::{Deserialize, Serialize};

use crate::{
    digest::{BlobDigest, DirectoryDigest},
    encode::Encoder,
};

/// The text cannot be the name of a directory's entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` cannot be the name of a directory entry")]
pub struct InvalidName {
    /// The rejected name.
    pub name: String,
}

/// The name of one entry: UTF-8, not empty, not `.` or `..`, without `/` and NUL.
///
/// Names are text because archives, locks and messages are; a file whose name is not UTF-8 is refused at ingestion.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    /// Checks a name.
    ///
    /// # Errors
    /// [`InvalidName`] for anything that is not one path component.
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidName> {
        let name = name.into();
        if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
            return Err(InvalidName { name });
        }
        Ok(Self(name))
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl TryFrom<String> for Name {
    type Error = InvalidName;

    fn try_from(name: String) -> Result<Self, InvalidName> {
        Self::new(name)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

/// What a directory entry, or the output of an action, is.
///
/// Two nodes are equal when kind, mode and content are. Modes are the permission bits `0o7777`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Node {
    /// A regular file.
    File {
        /// The digest of its bytes.
        blob: BlobDigest,
        /// Its size in bytes.
        size: u64,
        /// Its permission bits.
        mode: u32,
    },
    /// A directory.
    Directory {
        /// The digest of its encoding.
        digest: DirectoryDigest,
        /// Its permission bits.
        mode: u32,
    },
    /// A symbolic link.
    Symlink {
        /// The target, as it stands in the link.
        target: String,
    },
}

impl Node {
    /// Returns a directory node of the usual mode `0o755`.
    pub fn directory(digest: DirectoryDigest) -> Self {
        Self::Directory { digest, mode: 0o755 }
    }

    fn encode(&self, encoder: &mut Encoder) {
        match self {
            Self::File { blob, size, mode } => {
                encoder.byte(0);
                encoder.bytes(blob.as_bytes());
                encoder.integer(*size);
                encoder.integer(u64::from(*mode));
            }
            Self::Directory { digest, mode } => {
                encoder.byte(1);
                encoder.bytes(digest.as_bytes());
                encoder.integer(u64::from(*mode));
            }
            Self::Symlink { target } => {
                encoder.byte(2);
                encoder.text(target);
            }
        }
    }

    /// Returns the canonical encoding of the node alone, as it stands in a resolved action's input.
    pub(crate) fn to_encoding(&self) -> Vec<u8> {
        let mut encoder = Encoder::new("vb node 1");
        self.encode(&mut encoder);
        encoder.into_bytes()
    }
}

/// Two trees that are merged both have an entry of this name, and the entries differ.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is in both trees with different content")]
pub struct EntryConflict {
    /// The name that both have.
    pub name: Name,
}

/// A sorted list of named nodes.
///
/// Encoding: the tag `vb directory 1`, the number of entries, then for each entry in the byte order of the names its
/// name and its node. A file node is the byte `0`, blob digest, size, mode; a directory node `1`, directory digest,
/// mode; a symbolic link `2`, target. The BLAKE3-256 of that is the [`DirectoryDigest`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    entries: BTreeMap<Name, Node>,
}

impl Directory {
    /// Returns the entries in the byte order of their names.
    pub fn entries(&self) -> impl Iterator<Item = (&Name, &Node)> {
        self.entries.iter()
    }

    /// Returns the node of that name.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.entries.get(name)
    }

    /// Returns how many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Is there no entry?
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds an entry; an equal one that is there already is left.
    ///
    /// # Errors
    /// [`EntryConflict`] when another node has the name.
    pub fn insert(&mut self, name: Name, node: Node) -> Result<(), EntryConflict> {
        match self.entries.entry(name) {
            Entry::Vacant(vacant) => {
                vacant.insert(node);
                Ok(())
            }
            Entry::Occupied(occupied) if *occupied.get() == node => Ok(()),
            Entry::Occupied(occupied) => Err(EntryConflict { name: occupied.key().clone() }),
        }
    }

    /// Puts an entry in the place of whatever had its name.
    pub fn replace(&mut self, name: Name, node: Node) {
        self.entries.insert(name, node);
    }

    /// Returns the digest of the canonical encoding.
    pub fn digest(&self) -> DirectoryDigest {
        let mut encoder = Encoder::new("vb directory 1");
        encoder.length(self.entries.len());
        for (name, node) in &self.entries {
            encoder.text(name.as_str());
            node.encode(&mut encoder);
        }
        DirectoryDigest::from_bytes(*blake3::hash(&encoder.into_bytes()).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &[u8], mode: u32) -> Node {
        Node::File { blob: BlobDigest::of(content), size: content.len() as u64, mode }
    }

    #[test]
    fn names_that_are_not_one_component_are_refused() {
        for name in ["", ".", "..", "a/b", "/", "a\0b"] {
            assert_eq!(Name::new(name).unwrap_err().name, name);
        }
        assert_eq!(Name::new("Főtanúsítvány.crt").unwrap().as_str(), "Főtanúsítvány.crt");
    }

    #[test]
    fn the_order_of_insertion_does_not_matter() {
        let (a, b) = (Name::new("a").unwrap(), Name::new("b").unwrap());
        let mut one = Directory::default();
        one.insert(a.clone(), file(b"1", 0o644)).unwrap();
        one.insert(b.clone(), file(b"2", 0o755)).unwrap();
        let mut two = Directory::default();
        two.insert(b, file(b"2", 0o755)).unwrap();
        two.insert(a, file(b"1", 0o644)).unwrap();
        assert_eq!(one.digest(), two.digest());
    }

    #[test]
    fn mode_kind_name_and_content_each_change_the_digest() {
        let of = |name: &str, node| {
            let mut directory = Directory::default();
            directory.insert(Name::new(name).unwrap(), node).unwrap();
            directory.digest()
        };
        let digests = [
            of("a", file(b"1", 0o644)),
            of("a", file(b"1", 0o755)),
            of("a", file(b"2", 0o644)),
            of("b", file(b"1", 0o644)),
            of("a", Node::Symlink { target: "1".into() }),
            of("a", Node::directory(Directory::default().digest())),
        ];
        let distinct: std::collections::BTreeSet<_> = digests.iter().collect();
        assert_eq!(distinct.len(), digests.len());
    }

    #[test]
    fn two_different_entries_of_one_name_conflict() {
        let mut directory = Directory::default();
        directory.insert(Name::new("a").unwrap(), file(b"1", 0o644)).unwrap();
        directory.insert(Name::new("a").unwrap(), file(b"1", 0o644)).unwrap();
        let error = directory.insert(Name::new("a").unwrap(), file(b"2", 0o644)).unwrap_err();
        assert_eq!(error.name.as_str(), "a");
    }

    #[test]
    fn the_encoding_has_not_changed() {
        let mut directory = Directory::default();
        directory.insert(Name::new("empty").unwrap(), Node::directory(Directory::default().digest())).unwrap();
        directory.insert(Name::new("file").unwrap(), file(b"vb\n", 0o644)).unwrap();
        directory.insert(Name::new("link").unwrap(), Node::Symlink { target: "file".into() }).unwrap();
        assert_eq!(
            [Directory::default().digest().to_string(), directory.digest().to_string()],
            [
                "041e52eb78b513d1cb8c7aef87395c3e9fa53dd81f8ee0fa891f773511472279",
                "7836290e3460faecd8a674e9942da52d55c310c6e4f97ef951a8958e4f914cce"
            ]
        );
    }
}
