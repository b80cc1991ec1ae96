//! The canonical encoding that everything hashed goes through.
//!
//! Integers are little-endian `u64`; a byte string is its length followed by its bytes; a list is its length
//! followed by its elements. Each encoding starts with a tag that names what it is and its version, so that no two
//! kinds of thing ever have the same encoding.

/// Collects the canonical encoding of one thing.
#[derive(Debug)]
pub(crate) struct Encoder(Vec<u8>);

impl Encoder {
    /// Starts an encoding with the tag that names its kind and version.
    pub(crate) fn new(tag: &str) -> Self {
        let mut encoder = Self(Vec::new());
        encoder.bytes(tag.as_bytes());
        encoder
    }

    pub(crate) fn integer(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn length(&mut self, length: usize) {
        self.integer(u64::try_from(length).expect("a length in memory fits 64 bits"));
    }

    pub(crate) fn byte(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Returns the encoding.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}
