//! Files of another repository that are read only if they are what an index says.

use std::{
    io::{self, Read},
    path::{Component, Path},
};

use flate2::read::MultiGzDecoder;
use liblzma::read::XzDecoder;
use sha2::{Digest, Sha256};

use super::{ForeignPlace, ReadForeignError};

/// Reads a file whose SHA-256 in hexadecimal digits, and perhaps size, are known.
pub(super) fn read_checked(
    place: &ForeignPlace,
    name: &str,
    sha256: &str,
    size: Option<u64>,
) -> Result<Vec<u8>, ReadForeignError> {
    let bytes = place.read(name)?;
    let is_size = size.is_none_or(|size| bytes.len() as u64 == size);
    if is_size && hex::encode(Sha256::digest(&bytes)).eq_ignore_ascii_case(sha256) {
        Ok(bytes)
    } else {
        Err(ReadForeignError::Digest { path: place.shown(name) })
    }
}

/// Returns the text of an index, which the end of its name says how to read.
pub(super) fn open(path: &Path, bytes: &[u8]) -> Result<String, ReadForeignError> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let mut text = Vec::new();
    let read = match extension {
        Some("gz") => MultiGzDecoder::new(bytes).read_to_end(&mut text),
        Some("xz") => XzDecoder::new_multi_decoder(bytes).read_to_end(&mut text),
        Some("zst") => zstd::stream::copy_decode(bytes, &mut text).map(|()| text.len()),
        _ => {
            text.extend_from_slice(bytes);
            Ok(text.len())
        }
    };
    let failed = |source: io::Error| ReadForeignError::Read { path: path.to_owned(), source };
    read.map_err(failed)?;
    String::from_utf8(text).map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidData, error)))
}

/// Returns a place that an index names, if it is below the repository; `directory` is where the index begins its paths.
pub(super) fn inside(directory: &str, index: &Path, place: &str) -> Result<String, ReadForeignError> {
    let is_part = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if Path::new(place).components().all(is_part) && !place.is_empty() {
        Ok(if directory.is_empty() { place.to_owned() } else { format!("{directory}/{place}") })
    } else {
        Err(ReadForeignError::Outside { path: index.to_owned(), place: place.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_outside_of_the_repository_is_refused() {
        let index = Path::new("Packages");
        for place in ["/etc/passwd", "../a.deb", "pool/../../a.deb", ""] {
            assert!(matches!(inside("r", index, place), Err(ReadForeignError::Outside { .. })), "{place}");
        }
        assert_eq!(inside("r", index, "pool/a.deb").unwrap(), "r/pool/a.deb");
        assert_eq!(inside("", index, "./pool/a.deb").unwrap(), "./pool/a.deb");
    }
}
