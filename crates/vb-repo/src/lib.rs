//! A pool of packages to signed apt and yum repositories that any static web server can serve.
//!
//! # Layout
//!
//! ```text
//! pool/<letter>/<name>/<digest>/<file>       the packages; a path's bytes never change
//! dists/, rpm/                               the indexes that clients read: a function of a generation
//! state/settings.json                        what the repository is: channels, platforms, keys
//! state/channels/<platform>/<channel>        the pointer: which generation the channel is at
//! state/generations/<id>.json                an immutable list of chunks, with its parent: the channel's history
//! state/chunks/<id>.json                     an immutable, sorted piece of a section: the records of its packages
//! state/pieces/<chunk>.<kind>                what indexes have of a chunk, compressed; can be made again from it
//! state/attachments/<id>                     what is too large for a record: file lists
//! state/locks/                               locks of publishers on one machine
//! ```
//!
//! Everything but the settings, the pointers and the clients' named files is written once under a name that no other
//! bytes have. A change of a channel makes chunks, then a generation, then moves the pointer by compare-and-swap, then
//! writes what clients see, the signed index last. Whoever finds a channel whose clients' files are behind its pointer
//! writes them, so that a publisher that dies in between costs nothing.
//!
//! Must not be here: printing, the environment, running commands other than those that the settings name for signing.

mod add;
mod apt;
mod change;
mod channel;
mod chunk;
mod client;
mod dependency;
mod draft;
mod garbage;
mod generation;
mod import;
mod pass;
mod piece;
mod publication;
mod publish;
mod push;
mod record;
mod repository;
mod settings;
mod sign;
mod storage;
mod verify;
mod version;
pub mod yum;

pub use add::{AddError, format_of};
pub use apt::{DebRecordError, IndexError};
pub use change::{ChangeError, Changed, Publisher};
pub use channel::{ChannelId, ChannelNameError};
pub use chunk::{Chunk, ChunkId};
pub use client::ClientConfig;
pub use garbage::{GarbagePolicy, GarbageReport};
pub use generation::{ChunkRef, Generation, GenerationId, Operation, Section, SectionId};
pub use import::{ForeignPlace, ForeignSuite, Imported, ReadForeignError, Trust};
pub use pass::{RetentionRule, RollbackTarget, Snapshot, Wanted, is_snapshot_name};
pub use piece::StateError;
pub use publication::{ClientFile, Content, Publication};
pub use publish::PublishError;
pub use push::PushedPackage;
pub use record::{AttachmentId, Format, Record, RecordKey};
pub use repository::{KEY_FILE, OpenError, Repository};
pub use settings::{AptLayout, IndexCompression, KeySetting, PlatformSettings, Settings};
pub use sign::{
    CheckSignatureError, GpgSigner, KeyAlgorithm, KeyError, KeySigner, ProgramSigner, PublicKeys, SignError, Signer,
    Signers, generate_key,
};
pub use storage::{
    Expected, LocalDirectory, Lock, LockKind, Metadata, ObjectStorage, OpenObjectStoreError, PutOutcome, SshDirectory,
    SshLocationError, Staged, Storage, StorageError, Token, Transfer,
};
pub use verify::{Problem, VerifyError, VerifyReport};
pub use version::compare_versions;
