//! Repositories and packages of the RPM family.
//!
//! The way of a root: [`read_repositories`] says where repositories are, [`load`] reads their signed indexes, [`resolve`]
//! turns a request into locked packages, [`unpack`] makes them a tree, [`configure_script`] is run in it by the sandbox,
//! and [`finish`](crate::finish) takes out what differs between two runs.
//!
//! Must not be here: running commands, the environment, the store; writing packages.

mod configure;
mod cpio;
mod formula;
mod index;
mod links;
mod modules;
mod package;
mod preference;
mod primary;
mod relation;
mod repomd;
mod repository;
mod resolve;
mod root;
mod solver;
mod sources;
mod version;
mod xml;

pub use configure::configure_script;
pub use cpio::PayloadError;
pub use index::{Index, IndexPackage};
pub use package::RpmError;
pub use relation::ParseRelationError;
pub use repository::{Repository, RepositoryError, load};
pub use resolve::{ResolveError, resolve};
pub(crate) use root::LISTS;
pub use root::unpack;
pub use sources::{RepositorySource, RepositorySourcesError, Variables, read_repositories};
