//! The flat view of a file tree that archive writers need.
//!
//! Invariants of a [`FileTree`]: entries are sorted by the bytes of their paths, no path stands twice, every parent of
//! an entry is a directory entry before it, and every path and target fits into the line-based files of a package.

use std::{collections::BTreeMap, error::Error};

use vb_graph::{BlobDigest, Directory, DirectoryDigest, Node};

const DIRECTORY_MODE: u32 = 0o755;
const PERMISSION_BITS: u32 = 0o7777;
/// What Linux takes: `NAME_MAX`, and `PATH_MAX` without the NUL at the end.
const LONGEST_NAME: usize = 255;
const LONGEST_PATH: usize = 4095;

/// Who unpacks a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unpacker {
    /// dpkg or rpm: each writes a file beside its place first, under a name with `.dpkg-new` or `;65a1b2c3` behind it.
    PackageManager,
    /// tar, which writes it at its place.
    Tar,
}

impl Unpacker {
    /// How many bytes longer than its own the first name of a file is.
    fn suffix(self) -> usize {
        if self == Self::PackageManager { ".dpkg-new".len() } else { 0 }
    }
}

/// What one entry of a tree is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A directory; what is in it are entries of their own.
    Directory,
    /// A regular file.
    File {
        /// The digest of its bytes.
        blob: BlobDigest,
        /// Its size in bytes.
        size: u64,
    },
    /// A symbolic link.
    Symlink {
        /// The target, as it stands in the link.
        target: String,
    },
}

/// One file, directory or symbolic link at its path below the root of the package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The path relative to the root, without a leading or trailing slash: `vrmd/whois/bin/python`.
    pub path: String,
    /// The permission bits `0o7777`; not looked at for a symbolic link.
    pub mode: u32,
    /// What is there.
    pub content: Content,
}

/// Entries that cannot be one tree of a package.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTree {
    /// Not a relative path of plain components, or one that the line-based files of a package cannot name.
    #[error("`{}` cannot be a path in a package", .path.escape_debug())]
    Path {
        /// The rejected path.
        path: String,
    },
    /// A symbolic link whose target is empty, holds a NUL, or is longer than any path.
    #[error("the symbolic link `{path}` cannot point to `{}`", .target.escape_debug())]
    Target {
        /// The path of the link.
        path: String,
        /// The rejected target.
        target: String,
    },
    /// Two entries have one path.
    #[error("`{path}` is in the tree twice")]
    Duplicate {
        /// The path that both have.
        path: String,
    },
    /// A path, or a name in it, is longer than whoever unpacks it can use.
    #[error("`{}…` has {what} of {length} bytes, {most} are the most that can be unpacked", shorten(.path))]
    TooLong {
        /// The path.
        path: String,
        /// What is too long: a name, or the whole path.
        what: &'static str,
        /// How long it is in bytes.
        length: usize,
        /// How long it may be.
        most: usize,
    },
    /// An entry is below something that is no directory.
    #[error("`{path}` is below `{parent}`, which is not a directory")]
    BelowFile {
        /// The path of the lower entry.
        path: String,
        /// The path of the file or symbolic link above it.
        parent: String,
    },
}

/// A stored directory could not be turned into a flat tree.
#[derive(Debug, thiserror::Error)]
pub enum FlattenError<E: Error + 'static> {
    /// A directory of the tree could not be read.
    #[error("cannot read the directory `/{path}`")]
    Load {
        /// Its path below the root; empty for the root itself.
        path: String,
        /// What the loading function answered.
        #[source]
        source: E,
    },
    /// What was read is not a tree for a package.
    #[error(transparent)]
    Tree(#[from] InvalidTree),
}

/// All entries of a package's tree but the root itself.
///
/// Two trees are equal when they have the same paths with the same modes and contents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileTree {
    entries: Vec<Entry>,
    /// What other packages of the same build have, by path.
    siblings: BTreeMap<String, Entry>,
}

impl FileTree {
    /// Sorts entries into a tree; parent directories that are not among them are added with mode `0o755`.
    ///
    /// # Errors
    /// [`InvalidTree`] when a path or a target cannot be in a package, or two entries contradict each other.
    pub fn from_entries(entries: impl IntoIterator<Item = Entry>) -> Result<Self, InvalidTree> {
        let mut entries: Vec<Entry> = entries.into_iter().collect();
        for entry in &mut entries {
            check_entry(entry)?;
            entry.mode &= PERMISSION_BITS;
        }
        sort(&mut entries)?;
        let missing = missing_parents(&entries)?;
        if !missing.is_empty() {
            entries.extend(missing);
            sort(&mut entries)?;
        }
        Ok(Self { entries, siblings: BTreeMap::new() })
    }

    /// Flattens a stored directory; `load` reads one directory by its digest.
    ///
    /// # Errors
    /// [`FlattenError`] when `load` fails, or when a name or a target cannot be in a package.
    pub fn from_directory<E: Error + 'static>(
        root: DirectoryDigest,
        mut load: impl FnMut(&DirectoryDigest) -> Result<Directory, E>,
    ) -> Result<Self, FlattenError<E>> {
        let mut entries = Vec::new();
        let mut pending = vec![(String::new(), root)];
        while let Some((path, digest)) = pending.pop() {
            let directory = load(&digest).map_err(|source| FlattenError::Load { path: path.clone(), source })?;
            for (name, node) in directory.entries() {
                let path = if path.is_empty() { name.to_string() } else { format!("{path}/{name}") };
                let (mode, content) = match node {
                    Node::File { blob, size, mode } => (*mode, Content::File { blob: *blob, size: *size }),
                    Node::Symlink { target } => (0o777, Content::Symlink { target: target.clone() }),
                    Node::Directory { digest, mode } => {
                        pending.push((path.clone(), *digest));
                        (*mode, Content::Directory)
                    }
                };
                entries.push(Entry { path, mode, content });
            }
        }
        Ok(Self::from_entries(entries)?)
    }

    /// Adds entries.
    ///
    /// # Errors
    /// As [`FileTree::from_entries`].
    pub fn with(self, entries: impl IntoIterator<Item = Entry>) -> Result<Self, InvalidTree> {
        let Self { entries: own, siblings } = self;
        Ok(Self { siblings, ..Self::from_entries(own.into_iter().chain(entries))? })
    }

    /// Takes note of what other packages of the same build have: a command or a library among it need not be here.
    #[must_use]
    pub fn beside(mut self, entries: impl IntoIterator<Item = Entry>) -> Self {
        self.siblings.extend(entries.into_iter().map(|entry| (entry.path.clone(), entry)));
        self
    }

    /// Returns what other packages of the same build have, by path.
    pub(crate) fn siblings(&self) -> &BTreeMap<String, Entry> {
        &self.siblings
    }

    /// Returns the entries in the byte order of their paths, so that a parent stands before what is in it.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Checks that every path can be unpacked.
    pub(crate) fn check_lengths(&self, unpacker: Unpacker) -> Result<(), InvalidTree> {
        let too_long = |path: &str, what, length, most| {
            Err(InvalidTree::TooLong { path: path.to_owned(), what, length, most: most - unpacker.suffix() })
        };
        for Entry { path, .. } in &self.entries {
            let absolute = path.len() + 1;
            if absolute + unpacker.suffix() > LONGEST_PATH {
                return too_long(path, "a path", absolute, LONGEST_PATH);
            }
            let name = path.rsplit('/').next().unwrap_or(path).len();
            if name + unpacker.suffix() > LONGEST_NAME {
                return too_long(path, "a name", name, LONGEST_NAME);
            }
        }
        Ok(())
    }

    /// Returns the entry at a path.
    pub fn get(&self, path: &str) -> Option<&Entry> {
        find(&self.entries, path)
    }
}

fn sort(entries: &mut [Entry]) -> Result<(), InvalidTree> {
    // This sort is quick where most is in order.
    entries.sort_by(|one, other| one.path.cmp(&other.path));
    let duplicate = entries.windows(2).find(|pair| pair[0].path == pair[1].path);
    duplicate.map_or(Ok(()), |pair| Err(InvalidTree::Duplicate { path: pair[0].path.clone() }))
}

fn find<'e>(entries: &'e [Entry], path: &str) -> Option<&'e Entry> {
    let index = entries.binary_search_by(|entry| entry.path.as_str().cmp(path)).ok()?;
    Some(&entries[index])
}

/// Returns the beginning of a path that is too long to be shown.
fn shorten(path: &str) -> String {
    path.chars().take(60).flat_map(char::escape_debug).collect()
}

fn check_entry(entry: &Entry) -> Result<(), InvalidTree> {
    let is_component = |part: &str| !part.is_empty() && part != "." && part != "..";
    if entry.path.contains(['\0', '\n']) || !entry.path.split('/').all(is_component) {
        return Err(InvalidTree::Path { path: entry.path.clone() });
    }
    match &entry.content {
        Content::Symlink { target } if target.is_empty() || target.contains('\0') || target.len() > LONGEST_PATH => {
            Err(InvalidTree::Target { path: entry.path.clone(), target: target.clone() })
        }
        _ => Ok(()),
    }
}

/// Returns the directories that sorted entries are in and that are not among them.
fn missing_parents(entries: &[Entry]) -> Result<Vec<Entry>, InvalidTree> {
    let mut missing = BTreeMap::new();
    // Most entries stand behind another one of the same directory.
    let mut checked = "";
    for Entry { path, .. } in entries {
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        if parent == checked {
            continue;
        }
        for (end, _) in path.match_indices('/') {
            let above = &path[..end];
            match find(entries, above) {
                Some(Entry { content: Content::Directory, .. }) => {}
                Some(_) => return Err(InvalidTree::BelowFile { path: path.clone(), parent: above.to_owned() }),
                None => {
                    let content = Content::Directory;
                    missing.insert(above, Entry { path: above.to_owned(), mode: DIRECTORY_MODE, content });
                }
            }
        }
        checked = parent;
    }
    Ok(missing.into_values().collect())
}

#[cfg(test)]
mod tests {
    use std::io;

    use vb_graph::Name;

    use super::*;

    fn file(path: &str) -> Entry {
        Entry { path: path.to_owned(), mode: 0o100_644, content: Content::File { blob: BlobDigest::of(b"x"), size: 1 } }
    }

    fn link(path: &str, target: &str) -> Entry {
        Entry { path: path.to_owned(), mode: 0o777, content: Content::Symlink { target: target.to_owned() } }
    }

    fn paths(tree: &FileTree) -> Vec<&str> {
        tree.entries().iter().map(|entry| entry.path.as_str()).collect()
    }

    #[test]
    fn entries_are_sorted_below_parents_that_are_added() {
        let tree = FileTree::from_entries([file("a.b"), file("a/c/d"), file("Z"), file("a-/x")]).unwrap();
        assert_eq!(paths(&tree), ["Z", "a", "a-", "a-/x", "a.b", "a/c", "a/c/d"]);
        assert_eq!(tree.get("a/c").unwrap().content, Content::Directory);
        assert_eq!(tree.get("a/c").unwrap().mode, 0o755);
        assert_eq!(tree.get("a/c/d").unwrap().mode, 0o644);
        assert_eq!(tree.get("a/d"), None);
    }

    #[test]
    fn paths_that_a_package_cannot_name_are_refused() {
        for path in ["", "/a", "a/", "a//b", ".", "a/..", "./a", "a\nb", "a\0b"] {
            let error = FileTree::from_entries([file(path)]).unwrap_err();
            assert_eq!(error, InvalidTree::Path { path: path.to_owned() });
        }
    }

    #[test]
    fn links_without_a_usable_target_are_refused() {
        for target in ["", "a\0b", &"t".repeat(4096)] {
            let error = FileTree::from_entries([link("l", target)]).unwrap_err();
            assert_eq!(error, InvalidTree::Target { path: "l".to_owned(), target: target.to_owned() });
        }
    }

    #[test]
    fn two_entries_of_one_path_are_refused() {
        let error = FileTree::from_entries([file("a/b"), link("a/b", "c")]).unwrap_err();
        assert_eq!(error, InvalidTree::Duplicate { path: "a/b".to_owned() });
    }

    #[test]
    fn an_entry_below_a_link_is_refused() {
        let error = FileTree::from_entries([file("lib/x"), link("lib", "usr/lib")]).unwrap_err();
        assert_eq!(error, InvalidTree::BelowFile { path: "lib/x".to_owned(), parent: "lib".to_owned() });
    }

    fn directory(entries: impl IntoIterator<Item = (&'static str, Node)>) -> Directory {
        let mut directory = Directory::default();
        for (name, node) in entries {
            directory.insert(Name::new(name).unwrap(), node).unwrap();
        }
        directory
    }

    #[test]
    fn a_stored_directory_is_flattened() {
        let empty = directory([]);
        let node = Node::File { blob: BlobDigest::of(b"x"), size: 1, mode: 0o755 };
        let inner = directory([("tool", node), ("log", Node::directory(empty.digest()))]);
        let root = directory([
            ("opt", Node::Directory { digest: inner.digest(), mode: 0o700 }),
            ("link", Node::Symlink { target: "opt/tool".to_owned() }),
        ]);
        let stored: BTreeMap<_, _> = [empty, inner, root.clone()].map(|item| (item.digest(), item)).into();
        let load = |digest: &DirectoryDigest| stored.get(digest).cloned().ok_or(io::ErrorKind::NotFound);
        let tree = FileTree::from_directory(root.digest(), |digest| load(digest).map_err(io::Error::from)).unwrap();
        assert_eq!(paths(&tree), ["link", "opt", "opt/log", "opt/tool"]);
        assert_eq!(tree.get("opt").unwrap().mode, 0o700);
        assert_eq!(tree.get("opt/tool").unwrap().mode, 0o755);
    }

    #[test]
    fn a_directory_that_cannot_be_loaded_is_named() {
        let missing = directory([("x", Node::Symlink { target: "y".to_owned() })]).digest();
        let root = directory([("opt", Node::directory(missing))]);
        let error = FileTree::from_directory(root.digest(), |digest| {
            if *digest == root.digest() { Ok(root.clone()) } else { Err(io::Error::from(io::ErrorKind::NotFound)) }
        })
        .unwrap_err();
        assert_eq!(error.to_string(), "cannot read the directory `/opt`");
    }
}
