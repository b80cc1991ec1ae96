//! Integrity of a package's tarball, as `package-lock.json` has it (W3C, Subresource Integrity, 3.1).

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha512};

/// The SHA-512 of a tarball.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Integrity([u8; 64]);

/// A text is no integrity that can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntegrityError {
    /// It has no SHA-512.
    #[error("its integrity is no `sha512-…`")]
    Weak,
    /// What should be a SHA-512 is none.
    #[error("its `sha512-…` is not the base64 of 64 bytes")]
    Malformed,
}

impl Integrity {
    /// Reads the SHA-512 out of an integrity, which may have several digests.
    ///
    /// # Errors
    /// [`IntegrityError`], also when all its digests are weaker ones.
    pub fn parse(text: &str) -> Result<Self, IntegrityError> {
        let mut digests = text.split_ascii_whitespace().filter_map(|digest| digest.strip_prefix("sha512-"));
        let digest = digests.next().ok_or(IntegrityError::Weak)?;
        let encoded = digest.split_once('?').map_or(digest, |(encoded, _options)| encoded);
        let bytes = STANDARD.decode(encoded).map_err(|_| IntegrityError::Malformed)?;
        bytes.try_into().map(Self).map_err(|_| IntegrityError::Malformed)
    }

    /// Computes the integrity of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha512::digest(bytes).into())
    }
}

impl fmt::Display for Integrity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha512-{}", STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Integrity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Integrity({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sha512_is_read_back_and_stands_among_others() {
        let integrity = Integrity::of(b"tarball");
        assert_eq!(Integrity::parse(&integrity.to_string()), Ok(integrity));
        assert_eq!(Integrity::parse(&format!("sha1-AAAA {integrity}?foo")), Ok(integrity));
        assert_ne!(Integrity::of(b"other"), integrity);
    }

    #[test]
    fn weaker_and_malformed_integrities_are_refused() {
        for weak in ["", "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=", "sha256-AAAA"] {
            assert_eq!(Integrity::parse(weak), Err(IntegrityError::Weak), "{weak}");
        }
        for malformed in ["sha512-", "sha512-AAAA", "sha512-%"] {
            assert_eq!(Integrity::parse(malformed), Err(IntegrityError::Malformed), "{malformed}");
        }
    }
}
