//! Fetching one `Packages` file: in a form that the archive has, with the digest that its `Release` file names.

use std::io::{self, Read};

use sha2::{Digest, Sha256 as Sha256Hasher, Sha512 as Sha512Hasher};
use vb_fetch::{FetchError, Fetcher, without_credentials};

use crate::{
    load::LoadError,
    load_error::IndexError,
    release::{IndexDigest, IndexFile, Release},
};

/// The forms of `Packages`, the smallest first.
const FORMS: [&str; 3] = [".xz", ".gz", ""];

/// A `Packages` file to fetch.
#[derive(Clone, Copy)]
pub(crate) struct PackagesFile<'a> {
    pub(crate) release: &'a Release,
    /// The location of the `Release` file's directory.
    pub(crate) dist: &'a str,
    /// The path below it, without what a compressed form adds.
    pub(crate) path: &'a str,
}

/// The text of a `Packages` file.
pub(crate) struct Found {
    pub(crate) text: String,
    /// Where it came from, without credentials.
    pub(crate) location: String,
}

impl PackagesFile<'_> {
    /// Fetches the first form that the archive has; nothing, if the `Release` file lists none.
    pub(crate) fn fetch(self, fetcher: &Fetcher) -> Result<Option<Found>, LoadError> {
        let mut missing = None;
        for form in FORMS {
            let Some(file) = self.release.file(&format!("{}{form}", self.path)) else { continue };
            let location = format!("{}/{}{form}", self.dist, self.path);
            match self.fetch_form(fetcher, file, &location) {
                Err(LoadError::Unreachable(error)) if error.is_not_found() => missing = Some(error),
                Err(error) => return Err(error),
                Ok(bytes) => {
                    let location = without_credentials(&location);
                    let text = decompress(form, bytes)
                        .map_err(|source| IndexError::Read { location: location.clone(), source })?;
                    return Ok(Some(Found { text, location }));
                }
            }
        }
        missing.map_or(Ok(None), |error| Err(LoadError::Unreachable(error)))
    }

    /// Fetches one form by its digest, so that an archive that changes meanwhile does not matter, or by its name.
    ///
    /// Where only the name is promised, the digest is tried as well when the name gives something else: many archives
    /// keep files by digest without saying so.
    fn fetch_form(self, fetcher: &Fetcher, file: &IndexFile, location: &str) -> Result<Vec<u8>, LoadError> {
        let (algorithm, hex) = file.digest.parts();
        let directory = location.rsplit_once('/').map_or("", |(directory, _)| directory);
        let by_hash = format!("{directory}/by-hash/{algorithm}/{hex}");
        let places = if self.release.has_by_hash { [&by_hash, location] } else { [location, &by_hash] };
        let mut missing: Option<FetchError> = None;
        let mut wrong = None;
        for place in places {
            match fetcher.get(place) {
                Err(error) if error.is_not_found() => missing = missing.or(Some(error)),
                Err(error) if wrong.is_none() => return Err(error.into()),
                Err(_) => {}
                Ok(bytes) if is_vouched_for(&bytes, file) => return Ok(bytes),
                Ok(bytes) => wrong = wrong.or(Some((place, bytes.len() as u64))),
            }
        }
        match (wrong, missing) {
            (Some((place, size)), _) => Err(self.mismatch(place, size, file).into()),
            (None, Some(error)) => Err(error.into()),
            (None, None) => unreachable!("each place was missing or gave something"),
        }
    }

    fn mismatch(self, place: &str, size: u64, file: &IndexFile) -> IndexError {
        let (location, date) = (without_credentials(place), self.release.date.clone());
        IndexError::Mismatch { location, size, expected: file.size, date }
    }
}

fn is_vouched_for(bytes: &[u8], file: &IndexFile) -> bool {
    let has_digest = || match &file.digest {
        IndexDigest::Sha256(expected) => hex::encode(Sha256Hasher::digest(bytes)) == *expected,
        IndexDigest::Sha512(expected) => hex::encode(Sha512Hasher::digest(bytes)) == *expected,
    };
    bytes.len() as u64 == file.size && has_digest()
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
