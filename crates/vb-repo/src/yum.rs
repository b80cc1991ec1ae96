//! The yum half: what `dnf`, `yum` and `zypper` read.
//!
//! Everything here is a function of its arguments: [`fragments`] says once what the three indexes hold of a package,
//! [`compress_piece`] compresses the text of some packages once, and [`Index::join`] puts pieces together to an index,
//! whose head and foot alone are compressed again. Who reads and writes files is another module's matter.
//!
//! Format: there is no specification; `createrepo_c` is the truth. The tests compare with it, and
//! `docs/repository.md` lists the differences.

mod client;
mod fragment;
mod index;
mod package;
mod publication;
mod read;
mod record;
mod repomd;
mod sign;
mod take;
mod xml;

pub use client::{RepoFile, repo_file};
pub use fragment::{Fragments, PooledFile, fragments};
pub use index::{Index, IndexCompression, IndexFile, IndexKind, Piece, compress_piece};
pub use package::{EpochVersionRelease, IndexedPackage};
pub(crate) use publication::publication;
pub(crate) use read::exact_requirements;
pub use read::{ReadRepodataError, read_primary, read_repomd};
pub use record::RpmRecordError;
pub use repomd::{IndexEntry, repomd};
pub use sign::{SignRpmError, sign_rpm};
pub use take::TakeRpmError;
pub(crate) use take::{UNSIGNED, take_rpm};
