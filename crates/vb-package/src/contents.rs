//! Where the bytes of a tree's files come from, and the times that entries have.

use std::io::{self, Read, Write};

use sha2::{Digest, Sha256};
use vb_graph::{BlobDigest, PackageSpec};

use crate::{learnt::Wanted, segment::Zone};

/// The time of every entry that is not the application's own: 2000-01-01. Archive tools take earlier ones for mistakes.
pub const ENVIRONMENT_TIME: u64 = 946_684_800;

/// Opens the bytes of a blob from a place on.
///
/// A reader that starts later than at 0 reads bytes that were verified, or that it verifies itself.
pub(crate) type Open<'a> = dyn Fn(&BlobDigest, u64) -> io::Result<Box<dyn Read>> + Sync + 'a;

/// Returns the time of an entry: that of the source for the application's own, a fixed one for all others, so that a
/// commit changes no byte of the environment.
pub(crate) fn time_of(spec: &PackageSpec, path: &str) -> u64 {
    if is_below(path, &spec.application) { spec.epoch } else { ENVIRONMENT_TIME }
}

/// Returns whose files an entry is among. The environment is what is in the prefix beside the application.
pub(crate) fn zone_of(spec: &PackageSpec, path: &str) -> Zone {
    let prefix = spec.application.rsplit_once('/').map_or("", |(prefix, _)| prefix);
    let is_of_environment = prefix.is_empty() || is_below(path, prefix) && !is_below(path, &spec.application);
    if is_of_environment { Zone::Environment } else { Zone::Application }
}

/// Is it the path of a directory, or of something in it? Nothing is below no directory.
fn is_below(path: &str, directory: &str) -> bool {
    let directory = directory.trim_start_matches('/');
    let rest = path.strip_prefix(directory).filter(|_| !directory.is_empty());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Where the bytes of files come from, and what is learnt from them.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) open: &'a Open<'a>,
    pub(crate) wanted: Wanted,
}

/// Hashes and counts what goes through it.
pub(crate) struct Hashed<W> {
    inner: W,
    sha256: Sha256,
    size: u64,
}

impl<W> Hashed<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, sha256: Sha256::new(), size: 0 }
    }

    /// Returns the SHA-256 in hexadecimal digits, and the number of bytes.
    pub(crate) fn digest(&self) -> (String, u64) {
        (hex::encode(self.sha256.clone().finalize()), self.size)
    }

    pub(crate) fn into_inner(self) -> W {
        self.inner
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.sha256.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
