//! What vb knows of npm: `package-lock.json`, where registries are, and packages to a tree `node_modules`.
//!
//! Must not be here: npm itself, which is not run; the network; the store.

mod integrity;
mod package_lock;
mod registry;
mod tree;

pub use integrity::{Integrity, IntegrityError};
pub use package_lock::{NodePackage, PackageLockError, Target, is_package_name, read_package_lock, tarball_name};
pub use registry::{NpmConfig, read_config};
pub use tree::{TreeError, install_scripts, link_programs, unpack_package};
