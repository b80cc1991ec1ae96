//! Action results: what an action gave, under its key, with the parts that the key was made of.
//!
//! A result's file is its JSON, a line feed, and the BLAKE3 of the JSON in hexadecimal: a torn file is no result.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use fs_err as fs;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use vb_graph::{ActionDigest, BlobDigest, Node, ResolvedAction, Sha256};

use crate::{atomic::persist, blob::remove_if_there, layout::Store};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What an action gave, as in the Remote Execution API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionResult {
    /// The action that ran, with the named parts of its key.
    pub action: ResolvedAction,
    /// What it was called on the screen when it ran.
    pub label: String,
    /// What it wrote.
    pub output: Node,
    /// What its command printed, where it has one.
    pub log: Option<BlobDigest>,
    /// How long it took, in milliseconds.
    pub wall_milliseconds: u64,
    /// The action of the same label that ran before this one.
    pub previous: Option<ActionDigest>,
}

/// The blob that a declared SHA-256 was found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchedFile {
    /// The file's BLAKE3.
    pub blob: BlobDigest,
    /// Its size in bytes.
    pub size: u64,
}

impl Store {
    /// Looks an action up.
    pub fn action_result(&self, digest: &ActionDigest) -> Option<ActionResult> {
        read_used(&self.place("results", &digest.to_string()))
    }

    /// Records what an action gave, after everything that was written for it is on the disk, and makes it the last
    /// one of its label.
    ///
    /// # Errors
    /// What the system said.
    pub fn put_action_result(&self, digest: &ActionDigest, result: &ActionResult) -> io::Result<()> {
        self.sync_written()?;
        self.put_synced_result(digest, result)
    }

    /// Puts everything that was written so far on the disk, for any number of results that are recorded after it.
    ///
    /// # Errors
    /// What the system said.
    pub fn sync_written(&self) -> io::Result<()> {
        self.sync()
    }

    /// Records what an action gave. A call of [`Store::sync_written`] lies between its last write and this.
    ///
    /// # Errors
    /// What the system said.
    pub fn put_synced_result(&self, digest: &ActionDigest, result: &ActionResult) -> io::Result<()> {
        self.write_checked(&self.place("results", &digest.to_string()), result)?;
        self.write_checked(&self.latest_path(&result.label), digest)
    }

    /// Forgets what an action gave.
    ///
    /// # Errors
    /// What the system said.
    pub fn remove_action_result(&self, digest: &ActionDigest) -> io::Result<()> {
        remove_if_there(&self.place("results", &digest.to_string()))
    }

    /// Returns the action of this label that ran last.
    pub fn latest_action(&self, label: &str) -> Option<ActionDigest> {
        read_checked(&self.latest_path(label))
    }

    /// Returns the file with this SHA-256, if it was fetched before and is still there.
    pub fn fetched_file(&self, sha256: &Sha256) -> Option<FetchedFile> {
        let file: FetchedFile = read_used(&self.place("files", &sha256.to_string()))?;
        self.has_blob(&file.blob, file.size).then_some(file)
    }

    /// Records the blob that a SHA-256 was found to be. The caller has checked it.
    ///
    /// # Errors
    /// What the system said.
    pub fn put_fetched_file(&self, sha256: &Sha256, file: &FetchedFile) -> io::Result<()> {
        self.write_checked(&self.place("files", &sha256.to_string()), file)
    }

    /// Forgets a fetched file.
    ///
    /// # Errors
    /// What the system said.
    pub fn remove_fetched_file(&self, sha256: &Sha256) -> io::Result<()> {
        remove_if_there(&self.place("files", &sha256.to_string()))
    }

    /// Returns a value that was remembered under a name, `None` where there is none or it is damaged.
    pub fn recall<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        read_used(&self.memory_path(name))
    }

    /// Remembers a value that can be computed again, under a name.
    ///
    /// # Errors
    /// What the system said.
    pub fn remember<T: Serialize>(&self, name: &str, value: &T) -> io::Result<()> {
        self.write_checked(&self.memory_path(name), value)
    }

    fn latest_path(&self, label: &str) -> PathBuf {
        self.place("latest", &blake3::hash(label.as_bytes()).to_hex())
    }

    fn memory_path(&self, name: &str) -> PathBuf {
        self.place("memory", &blake3::hash(name.as_bytes()).to_hex())
    }

    pub(crate) fn write_checked<T: Serialize>(&self, path: &Path, value: &T) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(value)?;
        let check = blake3::hash(&bytes).to_hex();
        bytes.push(b'\n');
        bytes.extend_from_slice(check.as_bytes());
        let mut file = self.temporary_file()?;
        file.write_all(&bytes)?;
        // A checksum stands in for fsync: a torn record is a miss, and a miss costs one action.
        persist(file, path)
    }
}

/// Reads a record, and says on it that it was used, so that it does not become garbage. Once a day is enough.
fn read_used<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let value = read_checked(path)?;
    let now = SystemTime::now();
    let modified = fs::symlink_metadata(path).and_then(|metadata| metadata.modified()).ok()?;
    if now.duration_since(modified).is_ok_and(|age| age > DAY) {
        // Another user's record is used all the same.
        drop(fs::OpenOptions::new().write(true).open(path).and_then(|file| file.file().set_modified(now)));
    }
    Some(value)
}

/// Reads what [`Store::write_checked`] wrote; `None` when it is missing, damaged or of another shape.
pub(crate) fn read_checked<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let bytes = fs::read(path).ok()?;
    let (json, check) = bytes.split_at_checked(bytes.len().checked_sub(65)?)?;
    let expected = format!("\n{}", blake3::hash(json).to_hex());
    if check != expected.as_bytes() {
        return None;
    }
    serde_json::from_slice(json).ok()
}
