//! Fetching a file by its declared SHA-256, from the first place that has it.

use std::{
    io::{self, Write},
    sync::atomic::{AtomicBool, Ordering},
};

use sha2::{Digest, Sha256 as Hasher};
use vb_graph::{BlobDigest, Fetch, Sha256};
use vb_store::{BlobWriter, FetchedFile};

use crate::{
    builder::Builder,
    error::{ExecuteError, FetchAttempt},
};

/// Writes a blob and hashes it with the function that the index uses.
struct Tee<'a> {
    blob: BlobWriter<'a>,
    hasher: Hasher,
    size: u64,
    cancel: &'a AtomicBool,
}

impl Write for Tee<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let count = self.blob.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.blob.flush()
    }
}

impl Builder {
    /// Brings a file into the store.
    pub(crate) fn fetch(&self, fetch: &Fetch, cancel: &AtomicBool) -> Result<BlobDigest, ExecuteError> {
        let locations = self
            .locations
            .of(&self.fetcher, fetch)
            .map_err(|source| ExecuteError::Locate { file: fetch.file.clone(), source })?;
        let mut attempts = Vec::new();
        for location in locations {
            match self.fetch_from(&location, fetch, cancel)? {
                Ok(file) => {
                    self.store.put_fetched_file(&fetch.sha256, &file).map_err(ExecuteError::Store)?;
                    return Ok(file.blob);
                }
                Err(attempt) => attempts.push(attempt),
            }
        }
        Err(ExecuteError::Fetch { file: fetch.file.clone(), expected: fetch.sha256, attempts })
    }

    /// Tries one location; the outer error is the store's, the inner one the location's.
    fn fetch_from(
        &self,
        location: &str,
        fetch: &Fetch,
        cancel: &AtomicBool,
    ) -> Result<Result<FetchedFile, FetchAttempt>, ExecuteError> {
        let blob = self.store.blob_writer().map_err(ExecuteError::Store)?;
        let mut tee = Tee { blob, hasher: Hasher::new(), size: 0, cancel };
        match self.fetcher.download(location, &mut tee) {
            Err(_) if cancel.load(Ordering::Relaxed) => return Err(ExecuteError::Cancelled),
            Err(vb_fetch::FetchError::Write { source, .. }) => return Err(ExecuteError::Store(source)),
            Err(error) => return Ok(Err(FetchAttempt::Failed(error))),
            Ok(_) => {}
        }
        let found = Sha256::from_bytes(tee.hasher.finalize().into());
        if found != fetch.sha256 {
            return Ok(Err(FetchAttempt::WrongDigest { location: location.to_owned(), found, size: tee.size }));
        }
        let (blob, size) = tee.blob.finish().map_err(ExecuteError::Store)?;
        Ok(Ok(FetchedFile { blob, size }))
    }
}
