//! The platform as it is evaluated: one release of a distribution, on one architecture.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vb_graph::Compression;

/// What a platform file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Platform {
    /// The name that recipes use: the platform file's, without its extension.
    #[serde(skip)]
    pub name: String,
    /// What kind of packages it has.
    pub family: Family,
    /// The release's code name: `bookworm`.
    pub codename: String,
    /// The release's number: `12`.
    pub version: String,
    /// The architecture in dpkg's words: `amd64`.
    pub architecture: String,
    /// The architecture in the kernel's and Python's words: `x86_64`.
    pub machine: String,
    /// The parts of the archive that packages are taken from.
    pub suites: Vec<PlatformSuite>,
    /// The keys that sign the archive, where those that the machine's apt names are not meant.
    pub keyring: Option<String>,
    /// Is an archive whose `Valid-Until` is over refused?
    pub check_valid_until: bool,
    /// Are `/bin`, `/lib` and `/sbin` links into `/usr`?
    pub has_merged_usr: bool,
    /// The version of its C library: `2.36`.
    pub glibc: String,
    /// Packages of every root.
    pub base: Vec<String>,
    /// Packages that compile, in every root that builds.
    pub toolchain: Vec<String>,
    /// Its Python interpreters, by version.
    pub interpreters: BTreeMap<String, Interpreter>,
    /// The interpreter that `python = "3"` means.
    pub default_python: String,
    /// How packages for it are compressed.
    #[serde(with = "CompressionTag")]
    pub compression: Compression,
}

/// A kind of distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Family {
    /// Packages are `.deb` files.
    Deb,
}

/// One suite of an archive, with those of its components that are used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformSuite {
    /// Its name, as apt's sources give it: `bookworm-security`.
    pub name: String,
    /// Its components: `main`.
    pub components: Vec<String>,
}

/// One Python interpreter of a platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interpreter {
    /// The absolute path of its versioned command.
    pub command: String,
    /// The packages that bring it.
    pub packages: Vec<String>,
    /// The packages that building for it needs beside these.
    pub build_packages: Vec<String>,
    /// What a package that runs on it depends on.
    pub depends: Vec<String>,
}

impl Platform {
    /// Returns the exact version that a recipe's `python` means here: `3` is the platform's own.
    pub fn python_version<'a>(&'a self, python: &'a str) -> &'a str {
        if python.contains('.') { python } else { &self.default_python }
    }

    /// Returns the interpreter that a recipe's `python` means here, or `None` when the platform has none such.
    pub fn interpreter(&self, python: &str) -> Option<&Interpreter> {
        let version = self.python_version(python);
        let is_of_major = version.split('.').next() == python.split('.').next();
        self.interpreters.get(version).filter(|_| is_of_major)
    }
}

/// The tags that a platform file has for compressions.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Compression")]
enum CompressionTag {
    Xz,
    Gzip,
    Zstd,
}
