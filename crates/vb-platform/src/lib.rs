//! Distribution archives: verify the signed index, resolve to an exact package list, assemble a root.
//!
//! The way of a root: [`read_sources`] and [`locate_suite`] say where suites are, [`load`] reads their signed indexes,
//! [`Resolver`] turns requests into locked packages, [`unpack`] makes them a tree, [`configure_script`] is run in it by
//! the sandbox, and [`finish`] takes out what differs between two runs.
//!
//! Must not be here: running commands, the environment, the store. No host name is written here: archives are those that
//! the machine's own apt sources name.

mod catalogue;
mod contents;
mod date;
mod deb;
mod deb822;
mod decompress;
mod explain;
pub mod image;
mod index;
mod load;
mod load_error;
mod packages_file;
mod pin;
mod relation;
mod release;
mod resolve;
mod root;
pub mod rpm;
mod sat;
mod signature;
mod solver;
mod source_package;
mod sources;

pub use contents::{MissingFile, packages_with};
pub use deb::{ControlFile, Deb, DebError};
pub use index::{Index, IndexPackage, SuiteState};
pub use load::{IndexMemory, Suite, ValidUntil, is_older, load};
pub use load_error::IndexError;
pub use pin::{Pin, PinError};
pub use relation::ParseRelationError;
pub use resolve::{ResolveError, Resolver, UnknownPackage};
pub use root::{
    FinishError, LibraryNeed, LibraryPackages, RootOptions, SystemLibraries, UnpackError, configure_script,
    find_soname_owner, finish, unpack, unpacked_script,
};
pub use signature::{Refusal, RefusalReason, SignatureError};
pub use source_package::find_source;
pub use sources::{AptSource, ArchiveLocation, SignedBy, SourcesError, locate_suite, read_sources};
