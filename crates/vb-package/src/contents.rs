//! The bytes of a tree's files, on their way into a package: read once, their size checked, compiled code seen.

use std::io::{self, Read, Write};

use sha2::{Digest, Sha256};
use vb_graph::{BlobDigest, PackageSpec};

use crate::{
    elf::ElfMachine,
    error::WritePackageError,
    tree::{Content, Entry},
};

const BUFFER: usize = 128 << 10;

/// The time of every entry that is not the application's own: 2000-01-01. Archive tools take earlier ones for mistakes.
pub(crate) const ENVIRONMENT_TIME: u64 = 946_684_800;

/// Opens the bytes of a blob.
pub(crate) type Open<'a> = dyn Fn(&BlobDigest) -> io::Result<Box<dyn Read>> + 'a;

/// Returns the time of an entry: that of the source for the application's own, a fixed one for all others, so that a
/// commit changes no byte of the environment.
pub(crate) fn time_of(spec: &PackageSpec, path: &str) -> u64 {
    let application = spec.application.trim_start_matches('/');
    let rest = path.strip_prefix(application).filter(|_| !application.is_empty());
    if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) { spec.epoch } else { ENVIRONMENT_TIME }
}

/// Reads the bytes of a regular file and gives them to `sink`, piece by piece. Returns whether it is compiled code.
pub(crate) fn copy_file(
    spec: &PackageSpec,
    open: &Open<'_>,
    entry: &Entry,
    mut sink: impl FnMut(&[u8]) -> Result<(), WritePackageError>,
) -> Result<bool, WritePackageError> {
    let Entry { path, content: Content::File { blob, size }, .. } = entry else {
        unreachable!("only regular files have bytes")
    };
    let cannot_read = |source| WritePackageError::ReadBlob { path: path.clone(), blob: *blob, source };
    let mut reader = open(blob).map_err(cannot_read)?;
    let (mut found, mut start) = (0_u64, Vec::new());
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => &buffer[..read],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(cannot_read(error)),
        };
        found += read.len() as u64;
        if found > *size {
            break;
        }
        start.extend(read.iter().take(ElfMachine::START - start.len()));
        sink(read)?;
    }
    if found != *size {
        return Err(WritePackageError::BlobSize { path: path.clone(), blob: *blob, declared: *size, found });
    }
    is_code(spec, path, &start)
}

fn is_code(spec: &PackageSpec, path: &str, start: &[u8]) -> Result<bool, WritePackageError> {
    let Some(found) = ElfMachine::from_start(start) else {
        return Ok(false);
    };
    let native = &spec.native_architecture;
    if ElfMachine::of_architecture(native) != Some(found) {
        return Err(WritePackageError::ForeignCode { path: path.to_owned(), found, native: native.clone() });
    }
    Ok(true)
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
