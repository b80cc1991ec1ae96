//! One repository: its signed `repomd.xml`, and the index files that it vouches for.
//!
//! The chain: a keyring's key signs `repomd.xml` (`repomd.xml.asc`), which gives size and digest of each index file, which
//! gives size and SHA-256 of each package. Nothing that breaks the chain is skipped silently.

use std::{
    collections::BTreeSet,
    io::{self, BufReader, Read},
    time::SystemTime,
};

use rayon::prelude::*;
use vb_fetch::{FetchError, Fetcher, without_credentials};
use vb_graph::Sha256;

use super::{
    index::{Index, IndexPackage},
    modules::{Modules, ModulesError},
    primary::{read_filelists, read_primary},
    repomd::{Record, Repomd},
    xml::XmlError,
};
use crate::{
    decompress::decompress,
    load::is_older,
    signature::{Keyring, SignatureError},
    sources::ArchiveLocation,
};

/// A repository and where it can be had; the base of a location is the directory that holds `repodata/`.
#[derive(Clone, Debug)]
pub struct Repository {
    /// Its name, for messages: `baseos`.
    pub name: String,
    /// The places, in the order in which they are tried.
    pub locations: Vec<ArchiveLocation>,
    /// The date of a state that was seen before: an older one is refused.
    pub known_date: Option<String>,
}

/// A repository's index could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// Nothing says where the repository is.
    #[error("no location is known for repository `{repository}`")]
    NoLocation {
        /// The repository.
        repository: String,
    },
    /// No location has the repository; the source is why the last one did not give it.
    #[error("repository `{repository}` cannot be fetched from {}", locations.iter().map(|base| format!("`{base}`")).collect::<Vec<_>>().join(", "))]
    Fetch {
        /// The repository.
        repository: String,
        /// All bases that were tried.
        locations: Vec<String>,
        /// The last failure.
        #[source]
        source: FetchError,
    },
    /// The repository is there and its signature does not count.
    #[error("repository `{repository}` at `{base}` is not signed as it should be")]
    Signature {
        /// The repository.
        repository: String,
        /// Its base.
        base: String,
        /// Why not.
        #[source]
        source: SignatureError,
    },
    /// The repository is in an older state than one that was seen before.
    #[error("repository `{repository}` at `{base}` is of {date}, and a state of {known} is known already")]
    Older {
        /// The repository.
        repository: String,
        /// Its base.
        base: String,
        /// When its youngest index file was made.
        date: String,
        /// When the state was made that is known.
        known: String,
    },
    /// An index file is not the one that `repomd.xml` vouches for, and the repository did not change meanwhile.
    #[error("`{location}` has not the size and digest that the signed repomd.xml gives")]
    Mismatch {
        /// Where the file came from.
        location: String,
    },
    /// The repository changes faster than it can be read.
    #[error("repository `{repository}` at `{base}` changed while it was read, twice")]
    Changing {
        /// The repository.
        repository: String,
        /// Its base.
        base: String,
    },
    /// `repomd.xml` has no record that a repository must have.
    #[error("repository `{repository}` at `{base}` has no `{record}`")]
    NoRecord {
        /// The repository.
        repository: String,
        /// Its base.
        base: String,
        /// The type of the record.
        record: &'static str,
    },
    /// An index file cannot be understood.
    #[error("`{location}` is malformed")]
    Malformed {
        /// Where it came from.
        location: String,
        /// What is wrong with it.
        #[source]
        source: XmlError,
    },
    /// The list of the modules cannot be decompressed, or is not UTF-8.
    #[error("`{location}` cannot be read")]
    Read {
        /// Where it came from.
        location: String,
        /// What is wrong with it.
        #[source]
        source: io::Error,
    },
    /// The list of the modules cannot be understood.
    #[error("`{location}` is malformed")]
    Modules {
        /// Where it came from.
        location: String,
        /// What is wrong with it.
        #[source]
        source: ModulesError,
    },
}

/// Loads the indexes of repositories, for one architecture (`x86_64`). Runs on the current rayon pool.
///
/// # Errors
/// See [`RepositoryError`].
pub fn load(
    fetcher: &Fetcher,
    repositories: &[Repository],
    architecture: &str,
    time: SystemTime,
) -> Result<Index, RepositoryError> {
    // All of them, so that of several errors the first repository's is told, whichever came first.
    let read: Vec<Result<Content, RepositoryError>> =
        repositories.par_iter().map(|repository| load_repository(fetcher, repository, time)).collect();
    let (mut packages, mut loaded, mut modules) = (Vec::new(), Vec::new(), Modules::default());
    for (place, content) in read.into_iter().enumerate() {
        let content = content?;
        packages.extend(content.packages.into_iter().map(|package| IndexPackage { repository: place, ..package }));
        if let Some((location, text)) = content.modules {
            modules.read(&text).map_err(|source| RepositoryError::Modules { location, source })?;
        }
        loaded.push(content.loaded);
    }
    Ok(Index::new(packages, architecture, loaded, modules))
}

/// A repository that was loaded, and what more of it can be.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) name: String,
    pub(crate) date: Option<String>,
    base: String,
    filelists: Option<Record>,
}

impl Loaded {
    /// Finds which packages, by the SHA-256 of their files, have some of the wanted paths.
    pub(crate) fn find_files(
        &self,
        fetcher: &Fetcher,
        wanted: &BTreeSet<String>,
    ) -> Result<Vec<(Sha256, String)>, RepositoryError> {
        let no_record = || RepositoryError::NoRecord {
            repository: self.name.clone(),
            base: without_credentials(&self.base),
            record: "filelists",
        };
        let record = self.filelists.as_ref().ok_or_else(no_record)?;
        let bytes = fetch_record(fetcher, &self.base, record).map_err(|error| match error {
            LoadError::Unreachable(source) => RepositoryError::Fetch {
                repository: self.name.clone(),
                locations: vec![without_credentials(&self.base)],
                source,
            },
            LoadError::Stale { location, .. } => RepositoryError::Mismatch { location },
            LoadError::Refused(error) => *error,
        })?;
        let malformed = |source| RepositoryError::Malformed { location: location(&self.base, record), source };
        let text = decompress(bytes.as_slice()).map_err(quick_xml::Error::from).map_err(XmlError::from);
        text.and_then(|text| read_filelists(BufReader::new(text), wanted)).map_err(malformed)
    }
}

/// What one repository gave.
struct Content {
    packages: Vec<IndexPackage>,
    modules: Option<(String, String)>,
    loaded: Loaded,
}

/// Why one location did not give a repository.
enum LoadError {
    /// The next location may do better.
    Unreachable(FetchError),
    /// A file is not there or not the one that `repomd.xml` lists: it may have been replaced since.
    Stale { location: String, missing: Option<FetchError> },
    /// Something is wrong that must be seen.
    Refused(Box<RepositoryError>),
}

impl From<FetchError> for LoadError {
    fn from(error: FetchError) -> Self {
        Self::Unreachable(error)
    }
}

impl From<RepositoryError> for LoadError {
    fn from(error: RepositoryError) -> Self {
        Self::Refused(Box::new(error))
    }
}

fn load_repository(fetcher: &Fetcher, repository: &Repository, time: SystemTime) -> Result<Content, RepositoryError> {
    let mut last = None;
    for location in &repository.locations {
        match load_from(fetcher, repository, location, time) {
            Err(LoadError::Unreachable(source)) => last = Some(source),
            Err(LoadError::Stale { location, .. }) => return Err(RepositoryError::Mismatch { location }),
            Err(LoadError::Refused(error)) => return Err(*error),
            Ok(content) => return Ok(content),
        }
    }
    let name = repository.name.clone();
    Err(match last {
        None => RepositoryError::NoLocation { repository: name },
        Some(source) => RepositoryError::Fetch {
            repository: name,
            locations: repository.locations.iter().map(|location| without_credentials(&location.base)).collect(),
            source,
        },
    })
}

/// Loads a repository from one place; if it is replaced by its next state meanwhile, once more.
fn load_from(
    fetcher: &Fetcher,
    repository: &Repository,
    place: &ArchiveLocation,
    time: SystemTime,
) -> Result<Content, LoadError> {
    let repomd = fetch_repomd(fetcher, repository, place, time)?;
    let stale = match read_records(fetcher, repository, place, &repomd) {
        Err(LoadError::Stale { location, missing }) => (location, missing),
        other => return other,
    };
    let again = fetch_repomd(fetcher, repository, place, time)?;
    if again == repomd {
        return Err(match stale {
            (_, Some(missing)) => LoadError::Unreachable(missing),
            (location, None) => LoadError::Stale { location, missing: None },
        });
    }
    read_records(fetcher, repository, place, &again).map_err(|error| match error {
        LoadError::Stale { .. } => LoadError::from(RepositoryError::Changing {
            repository: repository.name.clone(),
            base: without_credentials(&place.base),
        }),
        other => other,
    })
}

/// Fetches `repomd.xml` and checks its signature.
fn fetch_repomd(
    fetcher: &Fetcher,
    repository: &Repository,
    place: &ArchiveLocation,
    time: SystemTime,
) -> Result<Repomd, LoadError> {
    let location = format!("{}/repodata/repomd.xml", place.base);
    let text = fetcher.get(&location)?;
    // An index without a signature is refused, not passed over: the place is there and nobody vouches for it.
    let signature = match fetcher.get(&format!("{location}.asc")) {
        Err(error) if error.is_not_found() => Vec::new(),
        other => other?,
    };
    let refused = |source| RepositoryError::Signature {
        repository: repository.name.clone(),
        base: without_credentials(&place.base),
        source,
    };
    let keyring = Keyring::read(&place.keyrings).map_err(refused)?;
    keyring.verify_detached(&text, &signature, time).map_err(refused)?;
    let location = without_credentials(&location);
    let repomd = Repomd::parse(&text).map_err(|source| RepositoryError::Malformed { location, source })?;
    match (repomd.date(), &repository.known_date) {
        (Some(date), Some(known)) if is_older(&date, known) => Err(LoadError::from(RepositoryError::Older {
            repository: repository.name.clone(),
            base: without_credentials(&place.base),
            date,
            known: known.clone(),
        })),
        _ => Ok(repomd),
    }
}

fn read_records(
    fetcher: &Fetcher,
    repository: &Repository,
    place: &ArchiveLocation,
    repomd: &Repomd,
) -> Result<Content, LoadError> {
    let base = &place.base;
    let primary = repomd.record("primary").ok_or_else(|| RepositoryError::NoRecord {
        repository: repository.name.clone(),
        base: without_credentials(base),
        record: "primary",
    })?;
    let bytes = fetch_record(fetcher, base, primary)?;
    let malformed = |source| RepositoryError::Malformed { location: location(base, primary), source };
    let text = decompress(bytes.as_slice()).map_err(quick_xml::Error::from).map_err(XmlError::from);
    let packages = text.and_then(|text| read_primary(BufReader::new(text))).map_err(malformed)?;
    let modules = match repomd.record("modules") {
        None => None,
        Some(record) => {
            let bytes = fetch_record(fetcher, base, record)?;
            let (location, mut text) = (location(base, record), String::new());
            let read = decompress(bytes.as_slice()).and_then(|mut plain| plain.read_to_string(&mut text));
            read.map_err(|source| RepositoryError::Read { location: location.clone(), source })?;
            Some((location, text))
        }
    };
    let loaded = Loaded {
        name: repository.name.clone(),
        date: repomd.date(),
        base: base.clone(),
        filelists: repomd.record("filelists").cloned(),
    };
    Ok(Content { packages, modules, loaded })
}

fn fetch_record(fetcher: &Fetcher, base: &str, record: &Record) -> Result<Vec<u8>, LoadError> {
    let location = location(base, record);
    match fetcher.get(&format!("{base}/{}", record.path)) {
        Ok(bytes) if record.vouches_for(&bytes) => Ok(bytes),
        Ok(_) => Err(LoadError::Stale { location, missing: None }),
        Err(error) if error.is_not_found() => Err(LoadError::Stale { location, missing: Some(error) }),
        Err(error) => Err(LoadError::Unreachable(error)),
    }
}

/// Names an index file in a message.
fn location(base: &str, record: &Record) -> String {
    format!("{}/{}", without_credentials(base), record.path)
}
