//! The inputs of one action, by name, with their digests.

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use fs_err as fs;
use vb_graph::{Action, DirectoryDigest, InputDigest, Name, Node, Sha256};
use vb_store::Store;

use crate::error::ExecuteError;

/// What an action reads.
#[derive(Clone, Debug)]
pub(crate) struct Inputs {
    entries: Vec<(String, InputDigest)>,
}

/// A fetched file, checked and ready to be read.
#[derive(Clone, Debug)]
pub(crate) struct FetchedInput {
    /// The file's name.
    pub(crate) file: String,
    /// Where its blob is.
    pub(crate) blob: PathBuf,
}

impl Inputs {
    pub(crate) fn new(action: &Action, digests: &[InputDigest]) -> Self {
        let names = action.inputs.iter().map(|input| input.name.clone());
        Self { entries: names.zip(digests.iter().cloned()).collect() }
    }

    /// Returns the input of that name.
    pub(crate) fn get(&self, name: &str) -> &InputDigest {
        self.find(name).expect("lowering gives every action the inputs of its kind")
    }

    fn find(&self, name: &str) -> Option<&InputDigest> {
        self.entries.iter().find(|(entry, _)| entry == name).map(|(_, digest)| digest)
    }

    /// Returns the inputs whose names start with a word, with the rest of their names.
    pub(crate) fn of_kind<'a>(&'a self, word: &'a str) -> impl Iterator<Item = (&'a str, &'a InputDigest)> {
        self.entries.iter().filter_map(move |(name, digest)| Some((name.strip_prefix(word)?.trim_start(), digest)))
    }

    /// Returns the directory that is the output of the action behind an input.
    pub(crate) fn directory(&self, name: &str) -> DirectoryDigest {
        match self.get(name) {
            InputDigest::Node(Node::Directory { digest, .. }) => *digest,
            other => unreachable!("the input `{name}` is a directory by its kind, not {other}"),
        }
    }

    /// Returns a fetched file after its bytes are checked.
    pub(crate) fn file(&self, store: &Store, name: &str) -> Result<FetchedInput, ExecuteError> {
        fetched(store, self.get(name))
    }
}

/// Finds a fetched file in the store and checks its bytes.
pub(crate) fn fetched(store: &Store, input: &InputDigest) -> Result<FetchedInput, ExecuteError> {
    let InputDigest::File { file, sha256 } = input else {
        unreachable!("lowering gives files where an action reads files")
    };
    let known = store.fetched_file(sha256).ok_or_else(|| lost(*sha256))?;
    store.check_blob(&known.blob)?;
    Ok(FetchedInput { file: file.clone(), blob: store.blob_path(&known.blob) })
}

fn lost(sha256: Sha256) -> ExecuteError {
    ExecuteError::FileLost { sha256 }
}

impl FetchedInput {
    /// Shows the file under its own name in a directory, by link where that works. It must not be written there.
    pub(crate) fn place(&self, directory: &Path) -> Result<PathBuf, ExecuteError> {
        let name = Name::new(self.file.as_str()).expect("a lock and a directory hold single names");
        let target = directory.join(name.as_str());
        fs::create_dir_all(directory)
            .and_then(|()| fs::hard_link(&self.blob, &target).or_else(|error| self.copy(&target, error)))
            .map_err(ExecuteError::scratch)?;
        Ok(target)
    }

    /// Copies where the file system cannot link; what is at the target is never written through.
    fn copy(&self, target: &Path, error: io::Error) -> io::Result<()> {
        let cannot_link = [ErrorKind::CrossesDevices, ErrorKind::TooManyLinks, ErrorKind::PermissionDenied];
        if !cannot_link.contains(&error.kind()) {
            return Err(error);
        }
        let mut copy = fs::OpenOptions::new().write(true).create_new(true).open(target)?;
        io::copy(&mut fs::File::open(&self.blob)?, &mut copy).map(drop)
    }
}
