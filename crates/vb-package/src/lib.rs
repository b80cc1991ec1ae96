//! Tree and spec to a byte-reproducible .deb, .rpm or .tar.zst, and metadata back out of packages.
//!
//! [`write_deb`], [`write_rpm`] and [`write_tar`] are functions of their arguments alone: the same spec, tree and
//! maintainer files give the same bytes on any machine, at any time, with any number of threads. [`read_deb`] and
//! [`read_rpm`] read what these wrote, and the packages of distributions; [`read_package`] tells what is in a package in
//! words that all formats share, and [`PackageDiff`] how two of them differ. Beside them stand the two looks that a
//! package needs into its files: [`LeakScanner`] for paths of the build that were left in one, and [`inspect_elf`] for
//! what compiled code needs and where it runs.
//!
//! Must not be here: the store (a tree names blobs, the caller opens them), the clock, the environment.

mod architecture;
mod compare;
mod compress;
mod contents;
mod control;
mod deb;
mod elf;
mod error;
mod facts;
mod fields;
mod leak;
mod learnt;
mod lifecycle;
mod linkage;
mod maintainer;
mod member;
mod packed;
mod portable;
mod read;
mod rpm;
mod segment;
mod sonames;
mod span;
mod tarball;
mod tree;
mod xz;

pub use compare::{Change, Identity, PackageDiff};
pub use compress::gzip;
pub use contents::ENVIRONMENT_TIME;
pub use control::relations;
pub use deb::write_deb;
pub use elf::{
    ElfClass, ElfFacts, ElfMachine, Endianness, InspectElfError, NeededVersion, UndefinedSymbol, inspect_elf,
    undefined_symbols,
};
pub use error::{Resources, WritePackageError, Written};
pub use facts::{FileFacts, PackageFacts, PathKind, ReadPackageError, read_package};
pub use fields::FieldError;
pub use leak::{EmptyPattern, Leak, LeakPattern, LeakScanner};
pub use lifecycle::{LifecycleError, enliven};
pub use linkage::{CompiledFile, ForeignLibrary, foreign_libraries};
pub use maintainer::{MaintainerFileError, MaintainerFiles, ScriptName};
pub use portable::write_tar;
pub use read::{ControlField, DebEntry, DebEntryKind, DebMetadata, ReadDebError, read_deb, read_deb_control};
pub use rpm::{
    ReadRpmError, RpmChange, RpmComparison, RpmFile, RpmFileKind, RpmMetadata, RpmRelation, RpmScript, RpmTrigger,
    RpmVersion, RpmVersionError, ScriptletName, read_rpm, write_rpm,
};
pub use segment::{Remember, RememberedSegment, SegmentCache};
pub use tree::{Content, Entry, FileTree, FlattenError, InvalidTree};
pub use xz::{XzJoiner, xz_piece};
