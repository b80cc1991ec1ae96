//! An `.rpm` comes into the pool, signed where the platform wants packages signed.

use std::{
    io,
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;
use vb_package::read_rpm;

use super::{
    record::{Described, RpmRecordError, rpm_record},
    sign::{SignRpmError, sign_rpm},
};
use crate::{
    add::hash_file,
    apt::Facts,
    record::Record,
    sign::{SignError, Signers},
    storage::{Storage, StorageError, Transfer},
};

/// The SHA-256 that a package had before the repository signed it. By it a package that comes again is known, since not
/// every signer gives the same signature twice.
pub(crate) const UNSIGNED: &str = "unsigned-sha256";

/// An `.rpm` could not be taken into the pool.
#[derive(Debug, thiserror::Error)]
pub enum TakeRpmError {
    /// The package, or its signed form, could not be read or written.
    #[error("cannot read `{path}`")]
    File {
        /// The package.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It cannot be in an index.
    #[error(transparent)]
    Record(#[from] RpmRecordError),
    /// It could not be signed.
    #[error(transparent)]
    Sign(#[from] SignRpmError<SignError>),
    /// The pool could not be written.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Puts a package into the pool and returns its record. Without signers it stays as it is, and so does one that is
/// signed already: its signature is its maker's.
pub(crate) fn take_rpm(
    storage: &Storage,
    path: &Path,
    facts: Facts,
    signers: Option<&Signers>,
    transfer: Transfer,
) -> Result<Record, TakeRpmError> {
    let in_file = |source| TakeRpmError::File { path: path.to_owned(), source };
    let package = read_rpm(path).map_err(RpmRecordError::from)?;
    let Facts { sha256: unsigned, size, added: time } = facts;
    let signed = match signers {
        Some(signers) if !signers.is_empty() && !package.is_signed => Some(signed_copy(path, time, signers)?),
        _ => None,
    };
    let Some(signed) = signed else {
        return put(storage, path, rpm_record(path, &package, unsigned, size, time)?, transfer);
    };
    // The signature moves the header.
    let package = read_rpm(signed.path()).map_err(RpmRecordError::from)?;
    let (sha256, size) = hash_file(signed.path()).map_err(in_file)?;
    let mut described = rpm_record(path, &package, sha256, size, time)?;
    described.record.notes.insert(UNSIGNED.to_owned(), unsigned.to_string());
    put(storage, signed.path(), described, Transfer::Copy)
}

fn signed_copy(path: &Path, time: u64, signers: &Signers) -> Result<NamedTempFile, TakeRpmError> {
    let in_file = |source| TakeRpmError::File { path: path.to_owned(), source };
    let mut copy = NamedTempFile::new().map_err(in_file)?;
    sign_rpm(path, copy.as_file_mut(), |header| {
        signers.signature_packet(header, time).map(|packet| packet.expect("there are signers"))
    })?;
    Ok(copy)
}

fn put(storage: &Storage, file: &Path, described: Described, transfer: Transfer) -> Result<Record, TakeRpmError> {
    for (id, list) in &described.attachments {
        storage.put_immutable(&id.object(), list.as_bytes())?;
    }
    storage.put_immutable_file(&described.record.path, file, transfer)?;
    Ok(described.record)
}
