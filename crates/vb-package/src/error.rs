//! What writing a package may use, what it gives, and how it fails: the same for all formats.

use std::{
    io,
    path::{Path, PathBuf},
};

use vb_graph::{BlobDigest, PackageArchitecture};

use crate::{
    elf::ElfMachine, fields::FieldError, maintainer::MaintainerFileError, rpm::RpmVersionError, segment::SegmentCache,
    tree::InvalidTree,
};

/// A package could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WritePackageError {
    /// A field of the spec has a value that a control file cannot hold.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A path cannot be unpacked.
    #[error(transparent)]
    Tree(#[from] InvalidTree),
    /// A maintainer's file would not be accepted by dpkg.
    #[error(transparent)]
    Maintainer(#[from] MaintainerFileError),
    /// The bytes of a file could not be read.
    #[error("cannot read the content of `/{path}`, blob `{blob}`")]
    ReadBlob {
        /// The path in the package.
        path: String,
        /// The blob.
        blob: BlobDigest,
        /// What opening or reading failed with.
        #[source]
        source: io::Error,
    },
    /// The bytes of a file are more or fewer than the tree says.
    #[error("`/{path}` has {declared} bytes by its tree, its blob `{blob}` has {found} or more")]
    BlobSize {
        /// The path in the package.
        path: String,
        /// The blob.
        blob: BlobDigest,
        /// The size that the tree declares.
        declared: u64,
        /// How many bytes were read until the difference was clear.
        found: u64,
    },
    /// A file is larger than its format can hold.
    #[error("`/{path}` has {size} bytes, more than the 8 GiB that an entry of a package can hold")]
    FileTooLarge {
        /// The path in the package.
        path: String,
        /// Its size in bytes.
        size: u64,
    },
    /// All files together are larger than the archive can hold.
    #[error("the member `{member}` has {size} bytes, more than a package can hold")]
    MemberTooLarge {
        /// The member of the archive.
        member: String,
        /// Its compressed size in bytes.
        size: u64,
    },
    /// Compiled code inside is for another machine than the package.
    #[error("`/{path}` is compiled for `{found}`, the package is for `{native}`")]
    ForeignCode {
        /// The path in the package.
        path: String,
        /// The machine that the file names.
        found: ElfMachine,
        /// The dpkg architecture of the spec.
        native: String,
    },
    /// The version has no place in rpm's order.
    #[error(transparent)]
    RpmVersion(#[from] RpmVersionError),
    /// The header of an `.rpm` could not be encoded.
    #[error("cannot encode the header of the package")]
    RpmHeader {
        /// What the encoder answered.
        #[source]
        source: ::rpm::Error,
    },
    /// The package, or a temporary file beside it, could not be written.
    #[error("cannot write the package in `{directory}`")]
    Write {
        /// The directory of the package.
        directory: PathBuf,
        /// What the file system, or a compressor for want of memory, answered.
        #[source]
        source: io::Error,
    },
}

/// A member or payload could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MemberError {
    /// What it is written to failed, or a compressor.
    #[error(transparent)]
    Out(#[from] io::Error),
    /// A file that goes into it could not be read.
    #[error(transparent)]
    File(WritePackageError),
}

impl MemberError {
    /// Returns the error of a package that is written in a directory.
    pub(crate) fn in_directory(self, directory: &Path) -> WritePackageError {
        match self {
            Self::Out(source) => WritePackageError::Write { directory: directory.to_owned(), source },
            Self::File(error) => error,
        }
    }
}

/// What writing a package may use. It changes how long that takes and nothing else.
#[derive(Clone, Copy, Debug)]
pub struct Resources<'a> {
    /// How many threads compress a member that is not cut into segments; segments use the current rayon pool.
    pub threads: usize,
    /// Where compressed segments are found again.
    pub cache: SegmentCache<'a>,
}

/// What a written package turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// `all`, or the native architecture when an ELF file is inside.
    pub architecture: PackageArchitecture,
    /// `Installed-Size`.
    pub installed_size_kib: u64,
    /// The name of the file in its directory: name, version without epoch, architecture.
    pub file_name: String,
}
