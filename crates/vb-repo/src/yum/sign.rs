//! Signs a package: a signature of its header in its signature header (rpm-format(5)), as `rpmsign --addsign` does.
//!
//! The header names the digest of the payload, so that one signature is enough for rpm 4.14 (el8) and later. Header and
//! payload keep their bytes.

use std::{
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use fs_err as fs;
use pgp::{composed::Deserializable as _, composed::DetachedSignature, crypto::public_key::PublicKeyAlgorithm};
use rpm::{Header, HeaderEntry, IndexData, IndexSignatureTag, PackageMetadata};

/// A package could not be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignRpmError<E: std::error::Error + 'static> {
    /// The package could not be read.
    #[error("cannot read the package `{path}`")]
    Read {
        /// The package.
        path: PathBuf,
        /// What the file system answered.
        #[source]
        source: io::Error,
    },
    /// The package's headers are not as they should be.
    #[error("the package `{path}` has a header that cannot be read")]
    Header {
        /// The package.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: rpm::Error,
    },
    /// The signer gave no signature.
    #[error("cannot sign the package `{path}`")]
    Sign {
        /// The package.
        path: PathBuf,
        /// What the signer said.
        #[source]
        source: E,
    },
    /// What the signer gave is no OpenPGP signature of a kind that rpm knows.
    #[error("the signature of the package `{path}` is not one that rpm reads")]
    NotASignature {
        /// The package.
        path: PathBuf,
        /// What is wrong with it, where it could not be decoded.
        #[source]
        source: Option<Box<pgp::errors::Error>>,
    },
    /// The signed package could not be written.
    #[error("cannot write the signed form of the package `{path}`")]
    Write {
        /// The package.
        path: PathBuf,
        /// What the file system answered.
        #[source]
        source: io::Error,
    },
}

/// Writes a package with a signature of its header to `out`; signatures that it has are replaced.
///
/// `sign` gets the bytes to sign and returns a binary detached signature.
///
/// # Errors
/// [`SignRpmError`]; what was written by then is of no use.
pub fn sign_rpm<E: std::error::Error + 'static>(
    path: &Path,
    out: &mut impl Write,
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
) -> Result<(), SignRpmError<E>> {
    let read = |source| SignRpmError::Read { path: path.to_owned(), source };
    let in_header = |source| SignRpmError::Header { path: path.to_owned(), source };
    let mut file = fs::File::open(path).map_err(read)?;
    let metadata = PackageMetadata::parse(&mut io::BufReader::new(&mut file)).map_err(in_header)?;
    let offsets = metadata.get_package_segment_offsets();
    let header = read_range(&mut file, offsets.header..offsets.payload).map_err(read)?;
    let signature = sign(&header).map_err(|source| SignRpmError::Sign { path: path.to_owned(), source })?;
    let tag = tag_of(&signature)
        .map_err(Some)
        .and_then(|tag| tag.ok_or(None))
        .map_err(|source| SignRpmError::NotASignature { path: path.to_owned(), source })?;
    let start = with_signature(metadata, tag, signature).map_err(in_header)?;
    file.seek(SeekFrom::Start(offsets.header)).map_err(read)?;
    let written = out.write_all(&start).and_then(|()| io::copy(&mut file, out));
    written.map(drop).map_err(|source| SignRpmError::Write { path: path.to_owned(), source })
}

fn read_range(file: &mut fs::File, range: std::ops::Range<u64>) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(range.start))?;
    let mut bytes = Vec::new();
    file.take(range.end - range.start).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Returns the tag for a signature of that algorithm: one for RSA, one for everything with elliptic curves.
fn tag_of(signature: &[u8]) -> Result<Option<IndexSignatureTag>, Box<pgp::errors::Error>> {
    let signature = DetachedSignature::from_bytes(signature)?.signature;
    Ok(signature.config().and_then(|config| match config.pub_alg {
        PublicKeyAlgorithm::RSA => Some(IndexSignatureTag::RPMSIGTAG_RSA),
        PublicKeyAlgorithm::EdDSALegacy | PublicKeyAlgorithm::Ed25519 | PublicKeyAlgorithm::ECDSA => {
            Some(IndexSignatureTag::RPMSIGTAG_DSA)
        }
        _ => None,
    }))
}

/// Returns the lead and the signature header with its padding.
fn with_signature(
    mut metadata: PackageMetadata,
    tag: IndexSignatureTag,
    signature: Vec<u8>,
) -> Result<Vec<u8>, rpm::Error> {
    use IndexSignatureTag as Tag;
    let replaced =
        [Tag::RPMSIGTAG_RSA, Tag::RPMSIGTAG_DSA, Tag::RPMSIGTAG_OPENPGP, Tag::RPMSIGTAG_PGP, Tag::RPMSIGTAG_GPG]
            .map(|tag| tag as u32);
    let region = Tag::HEADER_SIGNATURES as u32;
    let kept = metadata.signature.get_all_entries()?.into_iter();
    let mut entries: Vec<HeaderEntry> = kept
        .filter(|(tag, _)| *tag != region && !replaced.contains(tag))
        .map(|(tag, data)| HeaderEntry::new(tag, data))
        .collect();
    entries.push(HeaderEntry::new(tag as u32, IndexData::Bin(signature)));
    metadata.signature = Header::from_entries(entries, Tag::HEADER_SIGNATURES);
    let mut bytes = Vec::new();
    metadata.write(&mut bytes)?;
    bytes.truncate(bytes.len() - metadata.header_bytes()?.len());
    Ok(bytes)
}
