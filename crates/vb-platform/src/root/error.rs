//! Why packages could not be made a root.

use std::{io, path::PathBuf};

use crate::{
    deb::DebError,
    image::ImageError,
    rpm::{PayloadError, RpmError},
};

/// Packages could not be made a root.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The caller does not want it any more.
    #[error("interrupted")]
    Cancelled,
    /// The target exists and holds something.
    #[error("`{}` is not empty", target.display())]
    NotEmpty {
        /// The target.
        target: PathBuf,
    },
    /// A `.deb` could not be read.
    #[error("cannot read package `{package}`")]
    Deb {
        /// The package.
        package: String,
        /// What is wrong with its file.
        #[source]
        source: DebError,
    },
    /// An `.rpm` could not be read.
    #[error("cannot read package `{package}`")]
    Rpm {
        /// The package.
        package: String,
        /// What is wrong with its file.
        #[source]
        source: RpmError,
    },
    /// An `.rpm`'s payload is not what its header says.
    #[error("cannot read the files of package `{package}`")]
    Payload {
        /// The package.
        package: String,
        /// What is wrong with them.
        #[source]
        source: PayloadError,
    },
    /// A root that is given whole cannot be used.
    #[error("cannot unpack the image")]
    Image {
        /// Why not.
        #[source]
        source: ImageError,
    },
    /// Scriptlets would have to run, and nothing in the root can run them.
    #[error("package `{package}` has scriptlets, and no package of the root brings `rpm`, which runs them")]
    NoRpm {
        /// The package.
        package: String,
    },
    /// A `.deb`'s data ends early or is damaged.
    #[error("cannot read the files of package `{package}`")]
    Data {
        /// The package.
        package: String,
        /// What is wrong with them.
        #[source]
        source: io::Error,
    },
    /// A `.deb` is not the package that the lock says.
    #[error("the file of `{expected}` holds `{found}`")]
    OtherPackage {
        /// Name, version and architecture that are locked.
        expected: String,
        /// Name, version and architecture in the file, which need not be names that the package manager allows.
        found: String,
    },
    /// The root could not be written.
    #[error("cannot write the root")]
    Write {
        /// The file system's error, with the path.
        #[source]
        source: io::Error,
    },
    /// A path in a package leaves the root.
    #[error("package `{package}` has the path `{}`, which leaves the root", path.display())]
    UnsafePath {
        /// The package.
        package: String,
        /// The path as it is written.
        path: PathBuf,
    },
    /// A path in a package goes through something that is no directory.
    #[error("package `{package}` has `{}` below `{}`, which is no directory (of `{other}`)", path.display(), through.display())]
    Through {
        /// The package.
        package: String,
        /// The path.
        path: PathBuf,
        /// The link or file that it goes through.
        through: PathBuf,
        /// The package that ships that.
        other: String,
    },
    /// A package holds a device, a pipe or something else that no root needs.
    #[error("package `{package}` has `{}`, which is no file, directory or link", path.display())]
    UnsupportedEntry {
        /// The package.
        package: String,
        /// The path.
        path: PathBuf,
    },
    /// Two packages ship different things at one path.
    #[error("`{first}` and `{second}` both have `{}`, and not the same", path.display())]
    Conflict {
        /// The path.
        path: PathBuf,
        /// A package.
        first: String,
        /// Another one, or the same again.
        second: String,
    },
}
