//! Packages come into a channel: from files, from another channel, from the channel's own past.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use fs_err as fs;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::{
    apt::{DebRecordError, Facts, deb_record},
    change::{ChangeError, Changed, Publisher},
    channel::ChannelId,
    draft::Draft,
    generation::{Operation, SectionId},
    import::ReadForeignError,
    record::{Format, Record, RecordKey},
    repository::Repository,
    storage::{LockKind, StorageError, Transfer},
    yum::{TakeRpmError, take_rpm},
};

/// A package on its way into a channel.
#[derive(Clone, Debug)]
pub(crate) struct Incoming {
    pub(crate) path: PathBuf,
    pub(crate) component: String,
    /// The digest and size that it must have.
    pub(crate) expected: Option<(vb_graph::Sha256, u64)>,
    pub(crate) transfer: Transfer,
}

/// Keeps garbage collection away while objects are there that no channel names yet.
pub(crate) const GARBAGE_LOCK: &str = "garbage";

/// The component of packages that are pushed.
pub(crate) const COMPONENT: &str = "main";

/// Packages could not be added.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// A package could not be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The package.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A package cannot be in an index of apt.
    #[error(transparent)]
    Deb(#[from] DebRecordError),
    /// A package cannot be in a repository of yum.
    #[error(transparent)]
    Rpm(#[from] TakeRpmError),
    /// A package of another repository cannot be had.
    #[error(transparent)]
    Foreign(#[from] ReadForeignError),
    /// A package is not what an index said of it.
    #[error("`{path}` has not the size and digest that its index has for it")]
    Digest {
        /// The package.
        path: PathBuf,
    },
    /// A file is no package, by its name.
    #[error("`{path}` is neither a `.deb` nor an `.rpm`")]
    Unknown {
        /// The file.
        path: PathBuf,
    },
    /// The pool could not be written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The channel could not be changed.
    #[error(transparent)]
    Change(#[from] ChangeError),
}

/// Returns what kind of package a file is, by its name.
pub fn format_of(path: &Path) -> Option<Format> {
    match path.extension()?.to_str()? {
        "deb" => Some(Format::Deb),
        "rpm" => Some(Format::Rpm),
        _ => None,
    }
}

impl Repository {
    /// Adds packages to a channel. What is there already with the same bytes is left.
    ///
    /// # Errors
    /// [`AddError`] when a package cannot be read, or the channel has another one of the same name and version. Then
    /// none is added.
    pub fn add(
        &self,
        channel: &ChannelId,
        component: &str,
        packages: &[PathBuf],
        publisher: &Publisher,
    ) -> Result<Changed, AddError> {
        let incoming = |path: &PathBuf| Incoming {
            path: path.clone(),
            component: component.to_owned(),
            expected: None,
            transfer: Transfer::Copy,
        };
        self.take_in(channel, &packages.iter().map(incoming).collect::<Vec<_>>(), publisher)
    }

    /// Takes packages into the pool and a channel, all or none.
    pub(crate) fn take_in(
        &self,
        channel: &ChannelId,
        incoming: &[Incoming],
        publisher: &Publisher,
    ) -> Result<Changed, AddError> {
        let _lock = self.storage.lock(GARBAGE_LOCK, LockKind::Shared)?;
        let take = |one| self.take(channel, one, publisher.time).map(Arc::new);
        let records: Vec<Arc<Record>> = incoming.par_iter().map(take).collect::<Result<_, _>>()?;
        let components = incoming.iter().map(|one| one.component.clone());
        let packages: Vec<(String, Arc<Record>)> = components.zip(records).collect();
        let add = move |draft: &mut Draft<'_>| {
            let added = self.insert_all(draft, channel, &packages)?;
            Ok((!added.is_empty()).then_some(Operation::Add { packages: added }))
        };
        Ok(self.change(channel, publisher, add)?)
    }

    /// Adds records to a draft, each to its component, and returns the keys of those that were not there.
    pub(crate) fn insert_all(
        &self,
        draft: &mut Draft<'_>,
        channel: &ChannelId,
        packages: &[(String, Arc<Record>)],
    ) -> Result<Vec<RecordKey>, ChangeError> {
        let format = self.format(channel)?;
        let mut added = Vec::new();
        for (component, record) in packages {
            if record.format != format {
                return Err(ChangeError::Format { channel: channel.clone(), package: Box::new(record.key.clone()) });
            }
            if insert(draft, channel, component, record)? {
                added.push(record.key.clone());
            }
        }
        Ok(added)
    }

    /// Reads a package and puts it into the pool.
    pub(crate) fn take(&self, channel: &ChannelId, incoming: &Incoming, time: u64) -> Result<Record, AddError> {
        let Incoming { path, expected, transfer, .. } = incoming;
        let format = format_of(path).ok_or_else(|| AddError::Unknown { path: path.to_owned() })?;
        let facts = hash_file(path).map_err(|source| AddError::Read { path: path.to_owned(), source })?;
        if expected.is_some_and(|expected| expected != facts) {
            return Err(AddError::Digest { path: path.to_owned() });
        }
        let (sha256, size) = facts;
        let facts = Facts { sha256, size, added: time };
        match format {
            Format::Rpm => {
                let platform = self.settings.platforms.get(&channel.platform);
                let signs = platform.is_some_and(|platform| platform.signs_packages);
                Ok(take_rpm(&self.storage, path, facts, signs.then_some(&self.signers), *transfer)?)
            }
            Format::Deb => {
                let (record, contents) = deb_record(path, facts, self.settings.has_contents)?;
                for (id, text) in record.attachments.values().zip(&contents) {
                    self.storage.put_immutable(&id.object(), text.as_bytes())?;
                }
                self.storage.put_immutable_file(&record.path, path, *transfer)?;
                Ok(record)
            }
        }
    }
}

/// Adds a record to a draft; false if it is there.
pub(crate) fn insert(
    draft: &mut Draft<'_>,
    channel: &ChannelId,
    component: &str,
    record: &Arc<Record>,
) -> Result<bool, ChangeError> {
    match draft.find(&record.key)? {
        Some((_, known)) if known.source() == record.source() => Ok(false),
        Some(_) => Err(ChangeError::Conflict { channel: channel.clone(), key: Box::new(record.key.clone()) }),
        None => {
            let architecture = record.key.architecture.clone();
            let section = SectionId { component: component.to_owned(), architecture };
            draft.insert(&section, Arc::clone(record))?;
            Ok(true)
        }
    }
}

/// Returns the SHA-256 and the size of a file.
pub(crate) fn hash_file(path: &Path) -> io::Result<(vb_graph::Sha256, u64)> {
    let mut file = fs::File::open(path)?;
    let (mut hasher, mut size) = (Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 18];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((vb_graph::Sha256::from_bytes(hasher.finalize().into()), size)),
            count => {
                hasher.update(&buffer[..count]);
                size += count as u64;
            }
        }
    }
}
