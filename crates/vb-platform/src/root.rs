//! A root from locked packages: unpacked and registered here, configured in a sandbox, and finished here.
//!
//! What does not depend on the kind of packages is used by the RPM family too.
//!
//! No command is run and no right is needed. Owners are not kept: inside the sandbox there is one user. The set-uid and
//! set-gid bits are dropped: nothing in a root may gain rights, and a store that any user can read must not hold them.

pub(crate) mod assembly;
mod configure;
mod database;
mod error;
mod finish;
mod libraries;
pub(crate) mod paths;
pub(crate) mod prepare;
mod soname;
mod tree;
pub(crate) mod unpack;

pub use configure::{configure_script, unpacked_script};
pub use error::UnpackError;
pub use finish::{FinishError, finish};
pub use libraries::{LibraryNeed, LibraryPackages, SystemLibraries};
pub use soname::find_soname_owner;
pub use unpack::{RootOptions, unpack};

/// The modification time of everything in a root: 1980-01-01, the earliest that a zip archive can hold.
const ROOT_TIME: i64 = 315_532_800;
