//! A store in a temporary directory, trees as values, and damage.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use fs_err as fs;
use vb_graph::{BlobDigest, DirectoryDigest, Node, Part, PartValue, ResolvedAction};
use vb_store::{ActionResult, Store};

/// A store, and a directory beside it to work in.
pub(crate) struct Fixture {
    pub(crate) store: Store,
    directory: tempfile::TempDir,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { store: Store::open(&directory.path().join("store")).unwrap(), directory }
    }

    /// Returns a path outside the store.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a tree outside the store.
    pub(crate) fn write(&self, name: &str, entry: &Entry) -> PathBuf {
        let path = self.path(name);
        entry.write(&path);
        path
    }

    /// Writes and ingests a tree as an action's output.
    pub(crate) fn ingest(&self, name: &str, entry: &Entry) -> Node {
        self.store.ingest_output(&self.write(name, entry)).unwrap()
    }

    /// Returns where the store keeps something.
    pub(crate) fn place(&self, kind: &str, digest: &impl ToString) -> PathBuf {
        let hex = digest.to_string();
        self.store.path().join(kind).join(&hex[..2]).join(&hex[2..])
    }

    pub(crate) fn tree(&self, digest: &DirectoryDigest) -> PathBuf {
        self.store.path().join("trees").join(digest.to_string())
    }
}

/// A file tree as a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    File { content: Vec<u8>, mode: u32 },
    Directory { entries: BTreeMap<String, Entry>, mode: u32 },
    Symlink(String),
}

impl Entry {
    pub(crate) fn file(content: impl AsRef<[u8]>, mode: u32) -> Self {
        Self::File { content: content.as_ref().to_vec(), mode }
    }

    pub(crate) fn directory<const N: usize>(entries: [(&str, Entry); N]) -> Self {
        let entries = entries.into_iter().map(|(name, entry)| (name.to_owned(), entry)).collect();
        Self::Directory { entries, mode: 0o755 }
    }

    pub(crate) fn write(&self, path: &Path) {
        match self {
            Self::File { content, mode } => {
                fs::write(path, content).unwrap();
                set_mode(path, *mode);
            }
            Self::Directory { entries, mode } => {
                fs::create_dir(path).unwrap();
                entries.iter().for_each(|(name, entry)| entry.write(&path.join(name)));
                set_mode(path, *mode);
            }
            Self::Symlink(target) => std::os::unix::fs::symlink(target, path).unwrap(),
        }
    }

    pub(crate) fn read(path: &Path) -> Self {
        let metadata = fs::symlink_metadata(path).unwrap();
        let mode = metadata.mode() & 0o7777;
        if metadata.is_symlink() {
            return Self::Symlink(fs::read_link(path).unwrap().into_os_string().into_string().unwrap());
        }
        if metadata.is_file() {
            return Self::File { content: fs::read(path).unwrap(), mode };
        }
        let read = |entry: fs::DirEntry| (entry.file_name().into_string().unwrap(), Self::read(&entry.path()));
        let entries = fs::read_dir(path).unwrap().map(|entry| read(entry.unwrap())).collect();
        Self::Directory { entries, mode }
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Returns the digest of a directory node.
pub(crate) fn directory_of(node: &Node) -> DirectoryDigest {
    match node {
        Node::Directory { digest, .. } => *digest,
        _ => panic!("{node:?} is no directory"),
    }
}

/// Returns the digest of a file below a directory node.
pub(crate) fn blob_of(store: &Store, node: &Node, path: &str) -> BlobDigest {
    match store.find(node, path).unwrap() {
        Some(Node::File { blob, .. }) => blob,
        found => panic!("{found:?} is no file"),
    }
}

/// Changes one byte and keeps size and inode.
pub(crate) fn alter(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    bytes[0] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Cuts the last byte off and keeps the inode.
pub(crate) fn truncate(path: &Path) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() - 1).unwrap();
}

/// Makes a resolved action whose key is made of one text.
pub(crate) fn action(text: &str) -> ResolvedAction {
    let part = Part { name: "text".into(), value: PartValue::Text(text.into()) };
    ResolvedAction { kind: "test".into(), version: 1, parts: vec![part] }
}

/// Makes the result of [`action`].
pub(crate) fn result(text: &str, output: Node, log: Option<BlobDigest>) -> ActionResult {
    ActionResult {
        action: action(text),
        label: format!("label of {text}"),
        output,
        log,
        wall_milliseconds: 1,
        previous: None,
    }
}

/// Returns the names in the store's `tmp/`.
pub(crate) fn leftovers(store: &Store) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(store.path().join("tmp"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

const DIRECTORY_VARIABLE: &str = "VB_STORE_TEST_DIRECTORY";

/// Returns the directory that the test got from the process that started it again, `None` in the first process.
pub(crate) fn given_directory() -> Option<PathBuf> {
    std::env::var_os(DIRECTORY_VARIABLE).map(PathBuf::from)
}

/// Makes the command that runs one test again in a process of its own, after some shell commands.
pub(crate) fn again(test: &str, directory: &Path, preamble: &str) -> Command {
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(format!("{preamble}\nexec \"$0\" \"$@\""))
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(DIRECTORY_VARIABLE, directory.as_os_str() as &OsStr)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}
