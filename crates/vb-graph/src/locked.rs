//! What a lock pins: files that a build may read from outside, each named by its SHA-256.
//!
//! Must not be here: hosts and index locations. Where a file is fetched from never enters a digest; the paths and
//! projects below only help to find it.

use serde::{Deserialize, Serialize};

use crate::digest::Sha256;

/// One binary package of a distribution, at one version.
///
/// Equal when all fields are; only name, version, architecture and SHA-256 enter a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LockedPackage {
    /// The package's name, as in its control file.
    pub name: String,
    /// Its version, with epoch and revision.
    pub version: String,
    /// Its architecture: `amd64`, `all`, …
    pub architecture: String,
    /// Its path below the archive's base (the index's `Filename`).
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256, from the signed index.
    pub sha256: Sha256,
}

/// One file of a Python package index: a wheel, or an sdist.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LockedFile {
    /// The file's name: `twisted-25.5.0-py3-none-any.whl`.
    pub file: String,
    /// Its size in bytes, where the index gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Its SHA-256.
    pub sha256: Sha256,
}

impl LockedFile {
    /// Is the file a wheel (and not an sdist)?
    pub fn is_wheel(&self) -> bool {
        self.file.ends_with(".whl")
    }
}

/// One Python distribution (in PyPA's sense) at one version, as the one file that a platform uses of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LockedDistribution {
    /// The normalised name (PEP 503).
    pub name: String,
    /// The version (PEP 440).
    pub version: String,
    /// The wheel, or the sdist that a wheel is built from.
    #[serde(flatten)]
    pub file: LockedFile,
}

/// One npm package at one version, and where it is put.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LockedNodePackage {
    /// Its place below `node_modules`: `less`, `less/node_modules/mime`.
    pub place: String,
    /// Its name in the registry: `less`, `@scope/name`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its tarball.
    #[serde(flatten)]
    pub file: LockedFile,
}
