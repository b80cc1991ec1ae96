//! Everything that is hashed: digests, nodes, actions, package specs and the graph.
//!
//! A type lives here if and only if it can change an action digest. The crate is pure: it touches no file
//! system, clock, environment variable or thread, so that a digest can depend on nothing but its arguments.
//!
//! The one-way flow: a [`Graph`] of unresolved [`Action`]s is lowered from recipes and locks; when every input of
//! an action has a digest, [`Action::resolve`] makes a [`ResolvedAction`], whose canonical encoding is hashed to
//! the [`ActionDigest`] that names its result in the action cache.

mod action;
mod deep_key;
mod digest;
mod directory;
mod distribution;
mod encode;
mod graph;
mod interpreter;
mod lifecycle;
mod lint;
mod locked;
mod package;
mod resolved;
mod scripts;
mod selection;
mod share;
mod step;
mod trial;

pub use action::{
    Action, Environment, Fetch, ImportCheck, Ingest, InterpreterSpec, Kind, Libraries, NodeModules, Origin, Root,
    RootContent, Stage, Unpack, Wheel,
};
pub use digest::{ActionDigest, BlobDigest, DirectoryDigest, ParseDigestError, Sha256};
pub use directory::{Directory, EntryConflict, InvalidName, Name, Node};
pub use distribution::is_of_distribution;
pub use graph::{ActionIndex, Graph, Input, Provenance};
pub use interpreter::{BuildInterpreter, RELOCATION_ROOM, RelocateInterpreter, TestInterpreter};
pub use lifecycle::{
    ConfigFile, Lifecycle, Manager, NeededInterpreter, OnUpgrade, OwnedDirectory, Restart, ScriptPolicy, Service, User,
};
pub use lint::{Checker, Lint};
pub use locked::{LockedDistribution, LockedFile, LockedNodePackage, LockedPackage};
pub use package::{Compression, Format, PackageArchitecture, PackageSpec, ParseFormatError};
pub use resolved::{InputDigest, Part, PartValue, ResolvedAction};
pub use scripts::BUILD_INTERPRETER;
pub use selection::{Pattern, Selection};
pub use share::{Claim, Share, ShareOut};
pub use step::{
    AssetLanguage, BustCaches, CacheToken, CollectStatic, Compile, Compress, Compressor, ContentCoding, Precompress,
    Run, Step, StyleLanguage, Work,
};
pub use trial::{Check, DRIVER, Machine, Scenario, Test, TestedService};
