//! What is in a package, in words that all formats share: what a person wants to know who looks at one.
//!
//! Neither dpkg nor rpm is asked. Must not be here: how any of it is shown.

mod archive;
mod deb;
mod rpm;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Read},
    path::{Path, PathBuf},
};

use serde::{Serialize, Serializer};
use vb_graph::Format;

use crate::{read::ReadDebError, rpm::ReadRpmError};

/// Directories that Python's distributions are installed into.
const SITES: [&str; 2] = ["site-packages", "dist-packages"];

/// What is in a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PackageFacts {
    /// What kind of file it is.
    pub format: Format,
    /// Its name.
    pub name: String,
    /// Its whole version, as its format writes it.
    pub version: String,
    /// Its architecture, in its format's words.
    pub architecture: String,
    /// The size of the package in bytes.
    pub packed_size: u64,
    /// The size of all files in it, in bytes.
    pub installed_size: u64,
    /// How its files are compressed: `xz`, `zstd`.
    pub compression: Option<String>,
    /// What else it says of itself on a line or in a paragraph, by a word in lower case: `maintainer`, `summary`.
    pub fields: BTreeMap<String, String>,
    /// What it needs, provides and excludes, by the format's word in lower case: `depends`, `requires`.
    pub relations: BTreeMap<String, Vec<String>>,
    /// Its scripts, and what else tells the package manager what to do, by name.
    pub scripts: BTreeMap<String, String>,
    /// The absolute paths of its configuration files.
    pub conffiles: BTreeSet<String>,
    /// The Python distributions in it, with their versions, by the names of their `.dist-info` directories.
    pub distributions: BTreeMap<String, String>,
    /// What is at which absolute path.
    pub files: BTreeMap<String, FileFacts>,
    /// What its changelog says; that of an `.rpm` is in its header.
    pub changelog: Option<String>,
}

/// What is at one path of a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileFacts {
    /// What it is.
    #[serde(flatten)]
    pub kind: PathKind,
    /// The permission bits.
    #[serde(serialize_with = "octal")]
    pub mode: u32,
    /// The name of its owner.
    pub owner: String,
    /// The name of its group.
    pub group: String,
    /// Its time, in seconds since 1970.
    pub time: u64,
}

/// What a path of a package is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum PathKind {
    /// A directory.
    Directory,
    /// A regular file.
    File {
        /// Its size in bytes.
        size: u64,
        /// A digest of its bytes in hexadecimal digits: SHA-256, unless an `.rpm` has another.
        digest: Option<String>,
    },
    /// A symbolic link.
    Symlink {
        /// Its target.
        target: String,
    },
    /// Another name of a file.
    Hardlink {
        /// The path of that file.
        target: String,
    },
    /// A device, a pipe or a socket.
    Special,
}

/// A file is no package that can be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadPackageError {
    /// The file could not be read, or ends early.
    #[error("cannot read the package `{path}`")]
    Read {
        /// The package.
        path: PathBuf,
        /// What the file system or a decoder answered.
        #[source]
        source: io::Error,
    },
    /// The file begins neither as a `.deb` nor as an `.rpm` nor as a `.tar.zst`.
    #[error("`{path}` is neither a .deb nor an .rpm nor a .tar.zst")]
    Unknown {
        /// The file.
        path: PathBuf,
    },
    /// A `.deb` is damaged.
    #[error(transparent)]
    Deb(#[from] ReadDebError),
    /// An `.rpm` is damaged.
    #[error(transparent)]
    Rpm(#[from] ReadRpmError),
    /// The manifest beside a `.tar.zst` is not one.
    #[error("`{path}` is not the manifest of an archive")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
}

/// Reads what is in a package of any format. Of a `.tar.zst`, the manifest beside it is read too, if it is there.
///
/// # Errors
/// [`ReadPackageError`] when the file is no package, or damaged.
pub fn read_package(path: &Path) -> Result<PackageFacts, ReadPackageError> {
    let in_file = |source| ReadPackageError::Read { path: path.to_owned(), source };
    let mut start = Vec::new();
    let mut file = fs_err::File::open(path).map_err(in_file)?;
    (&mut file).take(8).read_to_end(&mut start).map_err(in_file)?;
    let packed_size = file.metadata().map_err(in_file)?.len();
    let mut facts = match start.as_slice() {
        [b'!', b'<', b'a', b'r', b'c', b'h', b'>', b'\n'] => deb::read(path)?,
        [0xed, 0xab, 0xee, 0xdb, ..] => rpm::read(path)?,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => archive::read(path)?,
        _ => return Err(ReadPackageError::Unknown { path: path.to_owned() }),
    };
    facts.packed_size = packed_size;
    facts.complete();
    Ok(facts)
}

impl PackageFacts {
    /// Makes the facts of a package that says no more than who it is.
    fn new(format: Format, name: String, version: String, architecture: String) -> Self {
        Self {
            format,
            name,
            version,
            architecture,
            packed_size: 0,
            installed_size: 0,
            compression: None,
            fields: BTreeMap::new(),
            relations: BTreeMap::new(),
            scripts: BTreeMap::new(),
            conffiles: BTreeSet::new(),
            distributions: BTreeMap::new(),
            files: BTreeMap::new(),
            changelog: None,
        }
    }

    fn set_field(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            self.fields.insert(name.to_owned(), value.to_owned());
        }
    }

    fn set_relations(&mut self, name: &str, relations: Vec<String>) {
        if !relations.is_empty() {
            self.relations.insert(name.to_owned(), relations);
        }
    }

    /// Fills in what the files tell.
    fn complete(&mut self) {
        self.installed_size = self.files.values().map(FileFacts::size).sum();
        self.distributions = self.files.keys().filter_map(|path| distribution(path)).collect();
    }
}

impl FileFacts {
    /// Returns the size of a regular file in bytes, 0 for everything else.
    pub fn size(&self) -> u64 {
        if let PathKind::File { size, .. } = self.kind { size } else { 0 }
    }

    /// Is there the same with the same mode and owner? Digests of two algorithms tell nothing, the sizes have to.
    pub fn is_same(&self, other: &Self) -> bool {
        let is_content = match (&self.kind, &other.kind) {
            (PathKind::File { size, digest: Some(one) }, PathKind::File { size: other_size, digest: Some(other) }) => {
                size == other_size && (one.len() != other.len() || one == other)
            }
            (PathKind::File { size, .. }, PathKind::File { size: other_size, .. }) => size == other_size,
            (one, other) => one == other,
        };
        is_content && (self.mode, &self.owner, &self.group) == (other.mode, &other.owner, &other.group)
    }
}

fn octal<S: Serializer>(mode: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{mode:04o}"))
}

/// Returns the distribution that a path is the metadata of: `…/site-packages/attrs-26.1.0.dist-info`, or an `.egg-info`.
/// What a distribution has vendored is deeper.
fn distribution(path: &str) -> Option<(String, String)> {
    let mut components = path.split('/').rev();
    let last = components.next()?;
    let last = if matches!(last, "METADATA" | "PKG-INFO") { components.next()? } else { last };
    if !SITES.contains(&components.next()?) {
        return None;
    }
    let (stem, is_egg) = match (last.strip_suffix(".dist-info"), last.strip_suffix(".egg-info")) {
        (Some(stem), _) => (stem, false),
        (None, Some(stem)) => (stem, true),
        (None, None) => return None,
    };
    let (name, rest) = stem.split_once('-')?;
    let version = if is_egg { rest.split("-py").next().unwrap_or(rest) } else { rest };
    Some((name.to_owned(), version.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_is_known_by_its_metadata() {
        let site = "/vrmd/whois/lib/python3.11/site-packages";
        let named = |name: &str, version: &str| Some((name.to_owned(), version.to_owned()));
        for (path, expect) in [
            (format!("{site}/attrs-26.1.0.dist-info"), named("attrs", "26.1.0")),
            (format!("{site}/zope.interface-7.2.dist-info/METADATA"), named("zope.interface", "7.2")),
            ("/usr/lib/python3/dist-packages/six-1.16.0.egg-info".to_owned(), named("six", "1.16.0")),
            (format!("{site}/old-1.0-py3.11.egg-info/PKG-INFO"), named("old", "1.0")),
            (format!("{site}/setuptools/_vendor/wheel-0.45.1.dist-info"), None),
            (format!("{site}/attrs-26.1.0.dist-info/RECORD"), None),
            ("/attrs-26.1.0.dist-info".to_owned(), None),
        ] {
            assert_eq!(distribution(&path), expect, "{path}");
        }
    }

    #[test]
    fn digests_of_two_algorithms_are_not_compared() {
        let file = |digest: &str, mode| FileFacts {
            kind: PathKind::File { size: 1, digest: Some(digest.to_owned()) },
            mode,
            owner: "root".to_owned(),
            group: "root".to_owned(),
            time: 0,
        };
        assert!(file("aa", 0o644).is_same(&file("bbbb", 0o644)));
        assert!(!file("aa", 0o644).is_same(&file("bb", 0o644)));
        assert!(!file("aa", 0o644).is_same(&file("aa", 0o600)));
    }
}
