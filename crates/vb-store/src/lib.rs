//! The store: blobs, directories, action results and materialized trees on disk.
//!
//! Must not be here: what an action does, or why it is run.
//!
//! Layout below the store's directory (two hexadecimal digits of fan-out, but for `trees/` and `tmp/`):
//!
//! | path | holds |
//! | --- | --- |
//! | `version` | the layout's version |
//! | `in-use` | locked by all who use the store |
//! | `blobs/` | file contents by BLAKE3, mode 0644, modification time 1980-01-01 |
//! | `executables/` | the same contents with mode 0755, to be linked into trees |
//! | `directories/` | directories by digest |
//! | `results/` | action results by action digest |
//! | `latest/` | the last action digest for each label |
//! | `files/` | declared SHA-256 to blob |
//! | `trees/` | materialized directories, read-only layers of sandboxes |
//! | `memory/` | values that can be computed again, by name |
//! | `sources/` | stat caches of ingested source trees |
//! | `locks/`, `tmp/` | locks between processes, and unfinished work |
//!
//! Invariants:
//! - Everything is written to a temporary file and renamed: a reader never sees half of anything.
//! - Blobs, directories and trees are never changed once they have their name.
//! - An action result is written after what it names, and after that is on disk.
//! - Whatever fails its digest when it is read is removed, never returned.

mod adopt;
mod atomic;
mod blob;
mod complete;
mod directory;
mod garbage;
mod ingest;
mod layout;
mod listing;
mod materialize;
mod process_lock;
mod result;
mod scratch;
mod source;
mod tree;
mod verify;

pub use blob::{BlobError, BlobWriter};
pub use directory::DirectoryError;
pub use garbage::{GarbageError, GarbageReport, Sweep};
pub use ingest::IngestError;
pub use layout::{OpenError, Store};
pub use listing::{Listing, Matcher, PatternError};
pub use materialize::{MaterializeError, export_copy};
pub use process_lock::ActionLock;
pub use result::{ActionResult, FetchedFile};
pub use scratch::Scratch;
pub use source::SourceOptions;
pub use tree::{MergeError, TreeBuilder, TreePathError};
pub use verify::VerifyReport;

/// The modification time of every file in the store and in its trees: 1980-01-01, the earliest that a zip file can hold.
pub const FIXED_TIME: i64 = 315_532_800;
