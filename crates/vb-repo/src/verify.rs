//! Is a repository whole? Everything is read: state, pool, indexes and signatures.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    sync::Arc,
};

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::{
    channel::ChannelId,
    chunk::Chunk,
    piece::{StateError, load_attachment, load_chunk},
    publication::{Content, Publication},
    publish::PublishError,
    record::Record,
    repository::{OpenError, Repository},
    sign::{CheckSignatureError, PublicKeys},
    storage::StorageError,
};

/// A repository could not be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The state could not be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The public keys could not be read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The indexes could not be made to compare with.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

impl From<StorageError> for VerifyError {
    fn from(error: StorageError) -> Self {
        Self::State(error.into())
    }
}

/// Something is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// An object is not there.
    #[error("`{name}` is missing")]
    Missing {
        /// Its name.
        name: String,
    },
    /// An object has other bytes than it should.
    #[error("`{name}` has the wrong bytes")]
    Wrong {
        /// Its name.
        name: String,
    },
    /// A signature is not good.
    #[error("the signature of `{name}` is not good")]
    Signature {
        /// The signed file.
        name: String,
        /// Why.
        #[source]
        source: CheckSignatureError,
    },
}

impl Problem {
    /// Returns the object that is concerned.
    pub fn object(&self) -> &str {
        match self {
            Self::Missing { name } | Self::Wrong { name } | Self::Signature { name, .. } => name,
        }
    }
}

/// What was looked at, and what was found.
#[derive(Debug, Default)]
pub struct VerifyReport {
    /// How many packages of the pool were read.
    pub packages: usize,
    /// How many files for clients were read.
    pub files: usize,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

impl Repository {
    /// Reads everything that channels hold, and what clients see of it.
    ///
    /// # Errors
    /// [`VerifyError`] when the state cannot be read at all; what is wrong with files is in the report.
    pub fn verify(&self, channels: &[ChannelId]) -> Result<VerifyReport, VerifyError> {
        let keys = self.public_keys()?;
        let mut report = VerifyReport::default();
        let mut records: BTreeMap<String, Arc<Record>> = BTreeMap::new();
        for channel in channels {
            let Some((_, generation)) = self.current(channel)? else { continue };
            for chunk in generation.sections.iter().flat_map(|section| &section.chunks) {
                let found = load_chunk(&self.storage, chunk)?;
                if found.id() != &chunk.id {
                    report.problems.push(Problem::Wrong { name: chunk.id.object() });
                }
                records.extend(Chunk::into_records(found).into_iter().map(|record| (record.path.clone(), record)));
            }
            let publication = self.unsigned_publication(&generation)?;
            self.verify_files(&publication, &keys, &mut report)?;
        }
        report.packages = records.len();
        let problems: Vec<Option<Problem>> =
            records.par_iter().map(|(_, record)| self.verify_package(record)).collect::<Result<_, _>>()?;
        report.problems.extend(problems.into_iter().flatten());
        Ok(report)
    }

    fn verify_package(&self, record: &Record) -> Result<Option<Problem>, StateError> {
        let name = record.path.clone();
        let Some(mut file) = self.storage.open(&name)? else { return Ok(Some(Problem::Missing { name })) };
        let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 18]);
        loop {
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => hasher.update(&buffer[..count]),
                Err(source) => {
                    return Err(StorageError::Io { action: "read", name, source }.into());
                }
            }
        }
        if hasher.finalize().as_slice() != record.sha256.as_bytes() {
            return Ok(Some(Problem::Wrong { name }));
        }
        for id in record.attachments.values() {
            if load_attachment(&self.storage, id).is_err() {
                return Ok(Some(Problem::Missing { name: id.object() }));
            }
        }
        Ok(None)
    }

    /// Compares what clients see with what they should see.
    fn verify_files(
        &self,
        publication: &Publication,
        keys: &PublicKeys,
        report: &mut VerifyReport,
    ) -> Result<(), StorageError> {
        let mut bytes_of: BTreeMap<&str, &[u8]> = BTreeMap::new();
        for file in publication.immutable.iter().chain(&publication.named) {
            let expected = match &file.content {
                Content::Bytes(bytes) => bytes.as_slice(),
                Content::SameAs(other) => bytes_of.get(other.as_str()).copied().unwrap_or_default(),
            };
            bytes_of.insert(&file.name, expected);
            report.files += 1;
            match self.storage.get(&file.name)? {
                None => report.problems.push(Problem::Missing { name: file.name.clone() }),
                Some((bytes, _)) if bytes != expected => {
                    report.problems.push(Problem::Wrong { name: file.name.clone() });
                }
                Some(_) => {}
            }
        }
        if keys.is_empty() {
            return Ok(());
        }
        let signed: BTreeSet<(&str, &[u8])> = bytes_of
            .into_iter()
            .filter(|(name, _)| name.ends_with("/Release") || name.ends_with("/repomd.xml"))
            .collect();
        for (name, text) in signed {
            self.verify_signatures(name, text, keys, report)?;
        }
        Ok(())
    }

    fn verify_signatures(
        &self,
        name: &str,
        text: &[u8],
        keys: &PublicKeys,
        report: &mut VerifyReport,
    ) -> Result<(), StorageError> {
        let detached = if name.ends_with("/Release") { format!("{name}.gpg") } else { format!("{name}.asc") };
        match self.storage.get(&detached)? {
            None => report.problems.push(Problem::Missing { name: detached }),
            Some((signature, _)) => {
                if let Err(source) = keys.check_detached(text, &signature) {
                    report.problems.push(Problem::Signature { name: detached, source });
                }
            }
        }
        let Some(directory) = name.strip_suffix("/Release") else { return Ok(()) };
        let name = format!("{directory}/InRelease");
        match self.storage.get(&name)? {
            None => report.problems.push(Problem::Missing { name }),
            Some((bytes, _)) => match keys.check_clearsigned(&String::from_utf8_lossy(&bytes)) {
                Err(source) => report.problems.push(Problem::Signature { name, source }),
                Ok(signed) if signed.trim_end().as_bytes() != text.trim_ascii_end() => {
                    report.problems.push(Problem::Wrong { name });
                }
                Ok(_) => {}
            },
        }
        Ok(())
    }
}
