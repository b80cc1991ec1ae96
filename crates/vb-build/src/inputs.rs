//! The inputs of one action, by name, with their digests.

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use fs_err as fs;
use vb_graph::{Action, DirectoryDigest, InputDigest, Name, Node, Selection, Sha256};
use vb_store::Store;

use crate::{builder::Builder, error::ExecuteError};

/// What an action reads.
#[derive(Clone, Debug)]
pub(crate) struct Inputs {
    names: Vec<String>,
    digests: Vec<InputDigest>,
    outputs: Vec<InputDigest>,
    selections: Vec<Option<Selection>>,
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
    /// Takes the outputs that the action's inputs name, and puts what it selects of them into the store.
    pub(crate) fn new(builder: &Builder, action: &Action, outputs: &[InputDigest]) -> Result<Self, ExecuteError> {
        Ok(Self {
            names: action.inputs.iter().map(|input| input.name.clone()).collect(),
            digests: builder.put_selected(action, outputs)?,
            outputs: outputs.to_vec(),
            selections: action.inputs.iter().map(|input| input.selection.clone()).collect(),
        })
    }

    /// Returns what the action reads, in the order of its inputs.
    pub(crate) fn digests(&self) -> &[InputDigest] {
        &self.digests
    }

    /// Returns what the action reads of an input, beside all that there was to read.
    pub(crate) fn with_outputs(&self) -> impl Iterator<Item = (&str, Option<&Selection>, &InputDigest, &InputDigest)> {
        let digests = self.digests.iter().zip(&self.outputs);
        let names = self.names.iter().map(String::as_str).zip(&self.selections);
        names.zip(digests).map(|((name, selection), (digest, output))| (name, selection.as_ref(), digest, output))
    }

    fn entries(&self) -> impl Iterator<Item = (&str, &InputDigest)> {
        self.names.iter().map(String::as_str).zip(&self.digests)
    }

    /// Returns the input of that name.
    pub(crate) fn get(&self, name: &str) -> &InputDigest {
        self.find(name).expect("lowering gives every action the inputs of its kind")
    }

    /// Is there an input of that name?
    pub(crate) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    fn find(&self, name: &str) -> Option<&InputDigest> {
        self.entries().find(|(entry, _)| *entry == name).map(|(_, digest)| digest)
    }

    /// Returns the inputs whose names start with a word, with the rest of their names.
    pub(crate) fn of_kind<'a>(&'a self, word: &'a str) -> impl Iterator<Item = (&'a str, &'a InputDigest)> {
        self.entries().filter_map(move |(name, digest)| Some((name.strip_prefix(word)?.trim_start(), digest)))
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
