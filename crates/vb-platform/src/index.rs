//! The packages of an archive's suites, read from indexes that a signed `Release` file vouches for.
//!
//! The chain: a keyring's key signs `InRelease` (or `Release` through `Release.gpg`), which gives size and digest of each
//! `Packages` file, which gives size and SHA-256 of each package. Nothing that breaks the chain is skipped silently.

use std::{
    collections::HashSet,
    io::{self, Read},
    time::SystemTime,
};

use rayon::prelude::*;
use sha2::{Digest, Sha256 as Sha256Hasher, Sha512 as Sha512Hasher};
use vb_fetch::{FetchError, Fetcher, without_credentials};
use vb_graph::Sha256;

use crate::{
    deb822::{Stanza, stanzas},
    release::{IndexDigest, IndexFile, Release},
    signature::{Keyring, SignatureError},
    sources::ArchiveLocation,
};

/// The forms of `Packages`, the smallest first.
const FORMS: [&str; 3] = [".xz", ".gz", ""];

/// A suite's index could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// A suite has no location: nothing in the machine's apt sources leads to it.
    #[error("no location is known for suite `{suite}`")]
    NoLocation {
        /// The suite.
        suite: String,
    },
    /// No location has the suite; the source is why the last one did not give it.
    #[error("suite `{suite}` cannot be fetched from {}", locations.iter().map(|base| format!("`{base}`")).collect::<Vec<_>>().join(", "))]
    Fetch {
        /// The suite.
        suite: String,
        /// All bases that were tried.
        locations: Vec<String>,
        /// The last failure.
        #[source]
        source: FetchError,
    },
    /// The suite is there and its signature does not count.
    #[error("suite `{suite}` at `{base}` is not signed as it should be")]
    Signature {
        /// The suite.
        suite: String,
        /// The archive's base.
        base: String,
        /// Why not.
        #[source]
        source: SignatureError,
    },
    /// The `Release` file cannot be read.
    #[error("the Release file of suite `{suite}` at `{base}` is malformed")]
    MalformedRelease {
        /// The suite.
        suite: String,
        /// The archive's base.
        base: String,
    },
    /// The signed `Release` file is another suite's.
    #[error("`{base}` gives suite `{found}` for suite `{suite}`")]
    OtherSuite {
        /// The suite that was asked for.
        suite: String,
        /// The archive's base.
        base: String,
        /// The codename or suite in the `Release` file.
        found: String,
    },
    /// The index is older than its archive promises to let it get.
    #[error("suite `{suite}` at `{base}` is expired: made on {date}, valid until {valid_until}")]
    Expired {
        /// The suite.
        suite: String,
        /// The archive's base.
        base: String,
        /// When it was made.
        date: String,
        /// Until when it was to be used.
        valid_until: String,
    },
    /// The suite has no such component for the architecture.
    #[error("suite `{suite}` has no component `{component}` for `{architecture}` (it has: {})", found.join(", "))]
    NoComponent {
        /// The suite.
        suite: String,
        /// The component that was asked for.
        component: String,
        /// The architecture.
        architecture: String,
        /// The components that there are.
        found: Vec<String>,
    },
    /// An index is not the one that the `Release` file vouches for.
    #[error("`{location}` has not the size and digest that the signed Release file gives")]
    Mismatch {
        /// Where the index came from.
        location: String,
    },
    /// An index cannot be decompressed, or is not UTF-8.
    #[error("`{location}` cannot be read")]
    Read {
        /// Where the index came from.
        location: String,
        /// What is wrong with it.
        #[source]
        source: io::Error,
    },
    /// A package in an index lacks a field, or has one that makes no sense.
    #[error("`{location}`: package `{package}` has no valid `{field}`")]
    MalformedPackage {
        /// Where the index came from.
        location: String,
        /// The package.
        package: String,
        /// The field.
        field: &'static str,
    },
}

/// Does an index have to be as fresh as its archive promises?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ValidUntil {
    /// An expired index is refused.
    #[default]
    Checked,
    /// An expired index is used: for an archive that is no longer maintained, or a snapshot.
    Ignored,
}

/// One suite to load.
#[derive(Clone, Debug)]
pub struct Suite {
    /// Its name below `dists/`: `bookworm-security`.
    pub name: String,
    /// The components to take: `main`.
    pub components: Vec<String>,
    /// Where it can be had; the first that works is used.
    pub locations: Vec<ArchiveLocation>,
    /// Is its freshness checked?
    pub valid_until: ValidUntil,
}

/// One package of an index. Relations are kept as they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexPackage {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// `amd64`, `all`, …
    pub architecture: String,
    /// Must every system have it?
    pub is_essential: bool,
    /// `required`, `important`, `standard`, `optional` or `extra`.
    pub priority: String,
    /// `same`, `foreign`, `allowed`, or empty.
    pub multi_arch: String,
    /// `Depends`.
    pub depends: String,
    /// `Pre-Depends`.
    pub pre_depends: String,
    /// `Provides`.
    pub provides: String,
    /// `Conflicts`.
    pub conflicts: String,
    /// `Breaks`.
    pub breaks: String,
    /// The path below the archive's base.
    pub filename: String,
    /// The size in bytes.
    pub size: u64,
    /// The SHA-256.
    pub sha256: Sha256,
}

/// The packages of some suites, in the order of the suites.
#[derive(Clone, Debug, Default)]
pub struct Index {
    packages: Vec<IndexPackage>,
}

impl Index {
    /// Returns the packages; no two have name, version and architecture in common.
    pub fn packages(&self) -> &[IndexPackage] {
        &self.packages
    }
}

/// Loads the indexes of some suites for one architecture, as of a time.
///
/// A package that two suites hold at the same version is taken from the earlier suite.
///
/// # Errors
/// See [`IndexError`]. A location that cannot be reached is passed over for the next one; a location that can be
/// reached and whose signature or digests are wrong ends the load.
pub fn load(fetcher: &Fetcher, suites: &[Suite], architecture: &str, time: SystemTime) -> Result<Index, IndexError> {
    let loaded: Vec<Vec<IndexPackage>> =
        suites.par_iter().map(|suite| load_suite(fetcher, suite, architecture, time)).collect::<Result<_, _>>()?;
    let mut seen = HashSet::new();
    let mut packages: Vec<IndexPackage> = loaded.into_iter().flatten().collect();
    packages
        .retain(|package| seen.insert((package.name.clone(), package.version.clone(), package.architecture.clone())));
    Ok(Index { packages })
}

fn load_suite(
    fetcher: &Fetcher,
    suite: &Suite,
    architecture: &str,
    time: SystemTime,
) -> Result<Vec<IndexPackage>, IndexError> {
    let mut last = None;
    for location in &suite.locations {
        match load_from(fetcher, suite, location, architecture, time) {
            Err(LoadError::Unreachable(source)) => last = Some(source),
            Err(LoadError::Refused(error)) => return Err(*error),
            Ok(packages) => return Ok(packages),
        }
    }
    Err(match last {
        None => IndexError::NoLocation { suite: suite.name.clone() },
        Some(source) => IndexError::Fetch {
            suite: suite.name.clone(),
            locations: suite.locations.iter().map(|location| without_credentials(&location.base)).collect(),
            source,
        },
    })
}

/// Why one location did not give a suite.
enum LoadError {
    /// The next location may do better.
    Unreachable(FetchError),
    /// Something is wrong that must be seen.
    Refused(Box<IndexError>),
}

impl From<FetchError> for LoadError {
    fn from(error: FetchError) -> Self {
        Self::Unreachable(error)
    }
}

impl From<IndexError> for LoadError {
    fn from(error: IndexError) -> Self {
        Self::Refused(Box::new(error))
    }
}

fn load_from(
    fetcher: &Fetcher,
    suite: &Suite,
    location: &ArchiveLocation,
    architecture: &str,
    time: SystemTime,
) -> Result<Vec<IndexPackage>, LoadError> {
    let dist = format!("{}/dists/{}", location.base, suite.name);
    let text = fetch_release(fetcher, suite, location, &dist, time)?;
    let release = Release::parse(&text).ok_or_else(|| IndexError::MalformedRelease {
        suite: suite.name.clone(),
        base: without_credentials(&location.base),
    })?;
    check_release(&release, suite, location, time)?;
    let mut packages = Vec::new();
    for component in &suite.components {
        let path = format!("{component}/binary-{architecture}/Packages");
        let Some(found) = fetch_packages(fetcher, &release, &dist, &path)? else {
            return Err(LoadError::from(IndexError::NoComponent {
                suite: suite.name.clone(),
                component: component.clone(),
                architecture: architecture.to_owned(),
                found: release.components(architecture),
            }));
        };
        packages.extend(found);
        if release.has_separate_all {
            let path = format!("{component}/binary-all/Packages");
            packages.extend(fetch_packages(fetcher, &release, &dist, &path)?.unwrap_or_default());
        }
    }
    Ok(packages)
}

/// Fetches a suite's `Release` text and checks its signature.
fn fetch_release(
    fetcher: &Fetcher,
    suite: &Suite,
    location: &ArchiveLocation,
    dist: &str,
    time: SystemTime,
) -> Result<String, LoadError> {
    let refused =
        |source| IndexError::Signature { suite: suite.name.clone(), base: without_credentials(&location.base), source };
    let in_release = match fetcher.get(&format!("{dist}/InRelease")) {
        Err(error) if error.is_not_found() => None,
        other => Some(other?),
    };
    if let Some(message) = in_release {
        let keyring = Keyring::read(&location.keyrings).map_err(refused)?;
        return Ok(keyring.verify_clearsigned(&message, time).map_err(refused)?);
    }
    let release = fetcher.get(&format!("{dist}/Release"))?;
    // A Release without a signature is refused, not passed over: the place is there and nobody vouches for it.
    let signature = match fetcher.get(&format!("{dist}/Release.gpg")) {
        Err(error) if error.is_not_found() => Vec::new(),
        other => other?,
    };
    let keyring = Keyring::read(&location.keyrings).map_err(refused)?;
    keyring.verify_detached(&release, &signature, time).map_err(refused)?;
    Ok(String::from_utf8(release).map_err(|error| refused(SignatureError::NotText { source: error.utf8_error() }))?)
}

fn check_release(
    release: &Release,
    suite: &Suite,
    location: &ArchiveLocation,
    time: SystemTime,
) -> Result<(), IndexError> {
    let names: Vec<&String> = release.codename.iter().chain(&release.suite).collect();
    if let Some(found) = names.first().filter(|_| !names.contains(&&suite.name)) {
        return Err(IndexError::OtherSuite {
            suite: suite.name.clone(),
            base: without_credentials(&location.base),
            found: (*found).clone(),
        });
    }
    match &release.valid_until {
        Some(valid_until) if suite.valid_until == ValidUntil::Checked && release.is_expired(time) => {
            Err(IndexError::Expired {
                suite: suite.name.clone(),
                base: without_credentials(&location.base),
                date: release.date.clone(),
                valid_until: valid_until.clone(),
            })
        }
        _ => Ok(()),
    }
}

/// Fetches one `Packages` index in the first form that the archive has; nothing, if the `Release` file lists none.
fn fetch_packages(
    fetcher: &Fetcher,
    release: &Release,
    dist: &str,
    path: &str,
) -> Result<Option<Vec<IndexPackage>>, LoadError> {
    let mut missing = None;
    for form in FORMS {
        let Some(file) = release.file(&format!("{path}{form}")) else { continue };
        let location = format!("{dist}/{path}{form}");
        let bytes = match fetch_index(fetcher, release, file, &location) {
            Err(error) if error.is_not_found() => {
                missing = Some(error);
                continue;
            }
            other => other?,
        };
        let location = without_credentials(&location);
        if !is_vouched_for(&bytes, file) {
            return Err(LoadError::from(IndexError::Mismatch { location }));
        }
        let text = decompress(form, bytes).map_err(|source| IndexError::Read { location: location.clone(), source })?;
        return Ok(Some(parse_packages(&text, &location)?));
    }
    missing.map_or(Ok(None), |error| Err(LoadError::Unreachable(error)))
}

/// Fetches an index by its digest, so that an archive that changes meanwhile does not matter, or else by its name.
fn fetch_index(fetcher: &Fetcher, release: &Release, file: &IndexFile, location: &str) -> Result<Vec<u8>, FetchError> {
    if release.has_by_hash {
        let (algorithm, hex) = file.digest.parts();
        let dir = location.rsplit_once('/').map_or("", |(dir, _)| dir);
        match fetcher.get(&format!("{dir}/by-hash/{algorithm}/{hex}")) {
            Err(error) if error.is_not_found() => {}
            other => return other,
        }
    }
    fetcher.get(location)
}

fn is_vouched_for(bytes: &[u8], file: &IndexFile) -> bool {
    let has_digest = match &file.digest {
        IndexDigest::Sha256(expected) => hex::encode(Sha256Hasher::digest(bytes)) == *expected,
        IndexDigest::Sha512(expected) => hex::encode(Sha512Hasher::digest(bytes)) == *expected,
    };
    bytes.len() as u64 == file.size && has_digest
}

fn decompress(form: &str, bytes: Vec<u8>) -> io::Result<String> {
    let mut text = String::new();
    match form {
        ".xz" => liblzma::read::XzDecoder::new_multi_decoder(bytes.as_slice()).read_to_string(&mut text)?,
        ".gz" => flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_string(&mut text)?,
        _ => {
            return String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error));
        }
    };
    Ok(text)
}

fn parse_packages(text: &str, location: &str) -> Result<Vec<IndexPackage>, IndexError> {
    stanzas(text)
        .map(|stanza| {
            parse_package(&stanza).map_err(|field| IndexError::MalformedPackage {
                location: location.to_owned(),
                package: stanza.get("Package").unwrap_or_default().to_owned(),
                field,
            })
        })
        .collect()
}

/// Reads one paragraph; the error is the field that is absent or makes no sense.
fn parse_package(stanza: &Stanza<'_>) -> Result<IndexPackage, &'static str> {
    let required = |field: &'static str| stanza.get(field).filter(|value| !value.is_empty()).ok_or(field);
    let optional = |field: &str| stanza.get(field).unwrap_or_default().to_owned();
    Ok(IndexPackage {
        name: required("Package")?.to_owned(),
        version: required("Version")?.to_owned(),
        architecture: required("Architecture")?.to_owned(),
        is_essential: stanza.get("Essential") == Some("yes"),
        priority: optional("Priority"),
        multi_arch: optional("Multi-Arch"),
        depends: optional("Depends"),
        pre_depends: optional("Pre-Depends"),
        provides: optional("Provides"),
        conflicts: optional("Conflicts"),
        breaks: optional("Breaks"),
        filename: required("Filename")?.trim_start_matches("./").to_owned(),
        size: required("Size")?.parse().map_err(|_| "Size")?,
        sha256: required("SHA256")?.parse().map_err(|_| "SHA256")?,
    })
}
