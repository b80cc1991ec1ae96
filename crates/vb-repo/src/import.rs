//! Packages of repositories that other tools made: reprepro, aptly, `createrepo_c` and what writes the same formats.
//!
//! The signed index is checked with a key that the caller gives, what it names is checked by SHA-256, and each package
//! by the digest that its index has. Packages come in batches, each a generation of its own, so that an import that
//! ended early goes on where it was: what the channel holds already is not read again.

mod apt;
mod checked;
mod place;
mod yum;

use std::path::PathBuf;

use rayon::prelude::*;
use vb_fetch::FetchError;
use vb_graph::Sha256;

pub use self::place::ForeignPlace;

use crate::{
    add::{AddError, Incoming},
    change::{ChangeError, Changed, Publisher},
    channel::ChannelId,
    draft::Draft,
    record::{Format, RecordKey},
    repository::Repository,
    sign::{CheckSignatureError, PublicKeys},
    storage::Transfer,
    yum::ReadRepodataError,
};

/// So many packages make a generation. Fewer lose less when an import ends early, more write fewer indexes.
const BATCH: usize = 500;

/// Why the index of another repository is believed.
#[derive(Clone, Debug)]
pub enum Trust {
    /// One of these keys signed it.
    Keys(PublicKeys),
    /// The caller says so.
    Unchecked,
}

/// A suite of apt, or a repository of yum, that another tool made.
#[derive(Clone, Debug)]
pub struct ForeignSuite {
    format: Format,
    packages: Vec<ForeignPackage>,
}

/// A package as the index of another repository has it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ForeignPackage {
    key: RecordKey,
    component: String,
    /// Where it is, relative to the other repository.
    place: String,
    size: u64,
    sha256: Sha256,
}

/// What an import came to.
#[derive(Clone, Debug, Default)]
pub struct Imported {
    /// How many packages were taken.
    pub taken: usize,
    /// How many were in the channel before.
    pub known: usize,
    /// The changes of the channel, one for each batch.
    pub changes: Vec<Changed>,
}

/// The index of another repository could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadForeignError {
    /// There is no index of a kind that vb reads.
    #[error("`{path}` is neither a suite of apt nor a repository of yum")]
    NoIndex {
        /// Where one was expected.
        path: PathBuf,
    },
    /// A file that an index names is not there.
    #[error("`{path}` is not there")]
    Absent {
        /// The file.
        path: PathBuf,
    },
    /// A file could not be fetched.
    #[error("cannot fetch from the repository")]
    Fetch {
        /// What was answered.
        #[source]
        source: Box<FetchError>,
    },
    /// What was fetched could not be kept for the time being.
    #[error("cannot keep a copy of `{name}`")]
    Copy {
        /// What was fetched.
        name: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file could not be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The index has no signature that could be checked.
    #[error("`{path}` is not signed")]
    Unsigned {
        /// The index.
        path: PathBuf,
    },
    /// The signature is of none of the given keys.
    #[error("the signature of `{path}` is of none of the given keys")]
    Signature {
        /// The index.
        path: PathBuf,
        /// What was found out about it.
        #[source]
        source: CheckSignatureError,
    },
    /// A file is not what the signed index says.
    #[error("`{path}` has not the size and digest that its index has for it")]
    Digest {
        /// The file.
        path: PathBuf,
    },
    /// The index names no SHA-256, which alone vb takes.
    #[error("`{path}` has no SHA-256 of `{what}`")]
    NoSha256 {
        /// The index.
        path: PathBuf,
        /// What it is about.
        what: String,
    },
    /// The index has a place outside of the repository.
    #[error("`{path}` names `{place}`, which is not in the repository")]
    Outside {
        /// The index.
        path: PathBuf,
        /// The place.
        place: String,
    },
    /// An entry of the index lacks something.
    #[error("an entry of `{path}` has no valid `{field}`")]
    Entry {
        /// The index.
        path: PathBuf,
        /// What it lacks.
        field: &'static str,
    },
    /// The XML of an index cannot be read.
    #[error("cannot read `{path}`")]
    Xml {
        /// The index.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: ReadRepodataError,
    },
}

impl ForeignSuite {
    /// Reads a suite of apt (`dists/<name>` or, in the flat layout, `<name>`), or a repository of yum (`<name>`, the
    /// directory with `repodata/`) of another repository.
    ///
    /// # Errors
    /// [`ReadForeignError`] when there is none, it is not signed by a trusted key, or is not whole.
    pub fn read(place: &ForeignPlace, name: &str, trust: &Trust) -> Result<Self, ReadForeignError> {
        let suite = format!("dists/{name}");
        if is_suite(place, &suite)? {
            return Ok(Self { format: Format::Deb, packages: apt::read(place, &suite, trust)? });
        }
        if place.find(&format!("{name}/repodata/repomd.xml"))?.is_some() {
            return Ok(Self { format: Format::Rpm, packages: yum::read(place, name, trust)? });
        }
        if is_suite(place, name)? {
            return Ok(Self { format: Format::Deb, packages: apt::read(place, name, trust)? });
        }
        Err(ReadForeignError::NoIndex { path: place.shown(name) })
    }

    /// Returns what kind of packages it has.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Returns the files of its packages.
    pub fn files(&self) -> Vec<PathBuf> {
        self.packages.iter().map(|package| PathBuf::from(&package.place)).collect()
    }
}

fn is_suite(place: &ForeignPlace, directory: &str) -> Result<bool, ReadForeignError> {
    Ok(place.find(&format!("{directory}/InRelease"))?.is_some()
        || place.find(&format!("{directory}/Release"))?.is_some())
}

impl Repository {
    /// Takes the packages of another repository's suite into a channel; what the channel has is left, and not fetched.
    ///
    /// # Errors
    /// [`AddError`] when a package is not what the index said, or the channel has another one of the same name and
    /// version. Whole batches before it were taken.
    pub fn import(
        &self,
        place: &ForeignPlace,
        suite: &ForeignSuite,
        channel: &ChannelId,
        transfer: Transfer,
        publisher: &Publisher,
    ) -> Result<Imported, AddError> {
        let wanted = self.not_in(channel, suite)?;
        let mut imported =
            Imported { taken: wanted.len(), known: suite.packages.len() - wanted.len(), changes: Vec::new() };
        for batch in wanted.chunks(BATCH) {
            let incoming = |package: &&ForeignPackage| {
                Ok(Incoming {
                    path: place.need(&package.place)?,
                    component: package.component.clone(),
                    expected: Some((package.sha256, package.size)),
                    transfer,
                })
            };
            let incoming: Vec<Incoming> = batch.par_iter().map(incoming).collect::<Result<_, AddError>>()?;
            imported.changes.push(self.take_in(channel, &incoming, publisher)?);
            batch.iter().for_each(|package| place.forget(&package.place));
        }
        Ok(imported)
    }

    fn not_in<'a>(&self, channel: &ChannelId, suite: &'a ForeignSuite) -> Result<Vec<&'a ForeignPackage>, ChangeError> {
        let position = self.position(channel)?;
        let mut draft = Draft::new(&self.storage, position.as_ref().map(|position| &position.generation));
        let mut wanted = Vec::new();
        for package in &suite.packages {
            let known = draft.find(&package.key)?;
            if known.is_none_or(|(_, record)| record.source() != package.sha256.to_string()) {
                wanted.push(package);
            }
        }
        Ok(wanted)
    }
}
