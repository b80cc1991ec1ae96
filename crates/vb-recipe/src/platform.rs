//! The platform as it is evaluated: one release of a distribution, on one architecture.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vb_graph::{Compression, Format, Sha256};

/// What a platform file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Platform {
    /// The name that recipes use: the platform file's, without its extension.
    #[serde(skip)]
    pub name: String,
    /// What kind of packages it has.
    pub family: Family,
    /// The distribution, as `ID` of `os-release(5)` names it: `debian`.
    pub distribution: Option<String>,
    /// The release's code name: `bookworm`.
    pub codename: String,
    /// The release's number: `12`; a word where it has none.
    pub version: String,
    /// The architecture in the package manager's words: `amd64`, or `x86_64` for RPM.
    pub architecture: String,
    /// The architecture in the kernel's and Python's words: `x86_64`.
    pub machine: String,
    /// The parts of the archive that packages are taken from, for [`Family::Deb`].
    pub suites: Vec<PlatformSuite>,
    /// Which suite some packages are taken from.
    pub pins: Vec<Pin>,
    /// The parts of the archive that packages are taken from, for [`Family::Rpm`].
    pub repositories: Vec<PlatformRepository>,
    /// A root that is given whole, in place of an archive.
    pub image: Option<Image>,
    /// Bases of the archive, in place of what the machine is configured with.
    pub archives: Vec<String>,
    /// The keys that sign the archive, where its location is not the machine's own, or the machine names none for it.
    pub keyring: Option<String>,
    /// Is an archive whose `Valid-Until` is over refused?
    pub check_valid_until: bool,
    /// Are `/bin`, `/lib` and `/sbin` links into `/usr`?
    pub has_merged_usr: bool,
    /// How unpacked packages become a root, for [`Family::Deb`].
    pub configure: Configure,
    /// The version of its C library: `2.36`.
    pub glibc: String,
    /// Packages of every root.
    pub base: Vec<String>,
    /// Packages that compile, in every root that builds.
    pub toolchain: Vec<String>,
    /// The packages of its checkers, and what these need beside what they depend on.
    pub lint: Vec<String>,
    /// Its Python interpreters, by version.
    pub interpreters: BTreeMap<String, Interpreter>,
    /// The interpreter that `python = "3"` means.
    pub default_python: String,
    /// What its package manager can read.
    pub output: OutputPolicy,
}

/// A kind of distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Family {
    /// Packages are `.deb` files, in archives with suites.
    Deb,
    /// Packages are `.rpm` files, in repositories with `repomd.xml`.
    Rpm,
}

impl Family {
    /// Returns the format of its own packages.
    pub fn format(self) -> Format {
        match self {
            Self::Deb => Format::Deb,
            Self::Rpm => Format::Rpm,
        }
    }
}

/// How the unpacked packages of a root are brought into use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Configure {
    /// Their maintainer scripts are run, once and all.
    Full,
    /// No script is run; what compilers, interpreters and the usual tools need is made without them.
    Unpack,
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

/// A rule in the sense of `apt_preferences(5)`: which suite some packages are taken from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// Globs of package names: `python3*`.
    pub packages: Vec<String>,
    /// The name of the suite, one of the platform's.
    pub suite: String,
    /// The priority that these packages have in that suite, where it is 500 otherwise.
    pub priority: i32,
}

/// One RPM repository of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformRepository {
    /// Its name: `baseos`.
    pub name: String,
    /// Where the directory of its `repodata` is, below the archive's base: `BaseOS/x86_64/os`, or nothing.
    pub path: String,
}

/// A root file system that is given whole, by its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Image {
    /// An archive of the root, `.tar` with or without compression.
    Archive {
        /// The location of the file.
        file: String,
        /// The digest of its bytes.
        sha256: Sha256,
    },
    /// A directory in the image layout of the Open Container Initiative.
    OciLayout {
        /// The directory's location: what holds `index.json` and `blobs/`.
        path: String,
        /// The digest of the image's manifest.
        #[serde(with = "oci_digest")]
        digest: Sha256,
    },
}

impl Image {
    /// Returns the digest that it is given by.
    pub fn sha256(&self) -> &Sha256 {
        match self {
            Self::Archive { sha256, .. } => sha256,
            Self::OciLayout { digest, .. } => digest,
        }
    }
}

/// What a platform's package manager can read, so what is written for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputPolicy {
    /// The formats of a recipe that names none.
    pub formats: Vec<Format>,
    /// How `.deb` files are written.
    pub deb: DebPolicy,
    /// How `.rpm` files are written.
    pub rpm: RpmPolicy,
    /// Formats that are never written for it, each with the reason.
    pub refused: BTreeMap<Format, String>,
}

/// How `.deb` files for a platform are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DebPolicy {
    /// How `data.tar` is compressed.
    #[serde(with = "CompressionTag")]
    pub compression: Compression,
    /// Where units of systemd are looked for.
    pub unit_directory: String,
}

/// How `.rpm` files for a platform are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RpmPolicy {
    /// How the payload is compressed.
    #[serde(with = "CompressionTag")]
    pub compression: Compression,
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
    /// Fills in what follows from other fields: the name, and the formats of the family.
    pub(crate) fn complete(&mut self, name: &str) {
        name.clone_into(&mut self.name);
        if self.output.formats.is_empty() {
            self.output.formats.push(self.family.format());
        }
    }

    /// Returns the versions of its interpreters, in the order of versions.
    pub fn python_versions(&self) -> Vec<&str> {
        let number =
            |version: &&str| -> Vec<u32> { version.split('.').map(|part| part.parse().unwrap_or(0)).collect() };
        let mut versions: Vec<&str> = self.interpreters.keys().map(String::as_str).collect();
        versions.sort_by_key(number);
        versions
    }

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

/// A digest as image layouts write it: `sha256:` and the hexadecimal digits.
mod oci_digest {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use vb_graph::Sha256;

    const ALGORITHM: &str = "sha256:";

    pub(super) fn serialize<S: Serializer>(digest: &Sha256, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{ALGORITHM}{digest}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Sha256, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.strip_prefix(ALGORITHM).unwrap_or(&text).parse().map_err(D::Error::custom)
    }
}
