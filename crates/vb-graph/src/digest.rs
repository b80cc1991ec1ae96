//! Digests: one type per kind of thing that is named by its content.
//!
//! Must not be here: reading files. Digests of one type never compare with those of another.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The text is not 64 lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a digest of 64 lower-case hexadecimal digits")]
pub struct ParseDigestError {
    /// The text as it was given.
    pub text: String,
}

fn parse_hex(text: &str) -> Result<[u8; 32], ParseDigestError> {
    let error = || ParseDigestError { text: text.to_owned() };
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(error());
    }
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| error())?;
    Ok(bytes)
}

macro_rules! digest_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; 32]);

        impl $name {
            /// Wraps 32 bytes that a hash function gave.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// Returns the 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// Returns the first 12 hexadecimal digits, enough to tell digests apart on a screen.
            pub fn to_short(&self) -> String {
                hex::encode(&self.0[..6])
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.to_short())
            }
        }

        impl FromStr for $name {
            type Err = ParseDigestError;

            fn from_str(text: &str) -> Result<Self, ParseDigestError> {
                parse_hex(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseDigestError;

            fn try_from(text: String) -> Result<Self, ParseDigestError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(digest: $name) -> Self {
                digest.to_string()
            }
        }
    };
}

digest_type! {
    /// The BLAKE3-256 of a file's bytes; equal for files that differ in name or mode alone.
    BlobDigest
}
digest_type! {
    /// The BLAKE3-256 of a directory's canonical encoding (see [`Directory`](crate::Directory)), so of everything below it.
    DirectoryDigest
}
digest_type! {
    /// The BLAKE3-256 of a resolved action's canonical encoding: the key of the action cache.
    ActionDigest
}
digest_type! {
    /// A SHA-256 that an index or a lock declares for a file that vb has not necessarily seen.
    Sha256
}

impl BlobDigest {
    /// Hashes bytes that are in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_digest_are_inverse() {
        let digest = BlobDigest::of(b"vb");
        assert_eq!(digest.to_string().parse::<BlobDigest>().unwrap(), digest);
    }

    #[test]
    fn short_upper_case_and_foreign_text_is_refused() {
        for text in ["", "ab", &"A".repeat(64), &"g".repeat(64), &"0".repeat(65)] {
            assert_eq!(text.parse::<Sha256>().unwrap_err().text, text);
        }
    }

    #[test]
    fn the_digest_of_the_empty_blob_is_blake3s() {
        assert_eq!(BlobDigest::of(b"").to_string(), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
    }
}
