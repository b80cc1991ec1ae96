//! Resolved actions: every input is a digest, so that there is a key.
//!
//! A key is made of named parts, which are kept with the result, so that a difference can be named.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    digest::{ActionDigest, Sha256},
    directory::Node,
    encode::Encoder,
};

/// What one input of an action is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InputDigest {
    /// A fetched file, known by its name and declared SHA-256 before anything is fetched.
    File {
        /// The file's name, which the consumer may read (a wheel's name holds its tags).
        file: String,
        /// What its bytes hash to.
        sha256: Sha256,
    },
    /// The output of an action.
    Node(Node),
}

impl fmt::Display for InputDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, sha256 } => write!(f, "{file} (sha256 {})", sha256.to_short()),
            Self::Node(Node::File { blob, .. }) => write!(f, "file {}", blob.to_short()),
            Self::Node(Node::Directory { digest, .. }) => write!(f, "directory {}", digest.to_short()),
            Self::Node(Node::Symlink { target }) => write!(f, "link to {target}"),
        }
    }
}

/// The value of one named part of a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PartValue {
    /// A single text.
    Text(String),
    /// An ordered list of texts.
    List(Vec<String>),
    /// An input.
    Input(InputDigest),
}

/// One named part of a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Part {
    /// The name, unique among an action's parts.
    pub name: String,
    /// The value.
    pub value: PartValue,
}

impl Part {
    /// Makes a part of one text.
    pub(crate) fn text(name: &str, value: impl Into<String>) -> Self {
        Self { name: name.to_owned(), value: PartValue::Text(value.into()) }
    }

    /// Makes a part of a list of texts.
    pub(crate) fn list(name: &str, values: &[String]) -> Self {
        Self { name: name.to_owned(), value: PartValue::List(values.to_vec()) }
    }
}

/// An action whose inputs are all digests.
///
/// Encoding: the tag `vb action 1`, the kind's name, the kind's version, the number of parts, then for each part in
/// the order of the kind its name and its value. A text is the byte `0` and the text; a list `1`, its length and its
/// texts; a fetched file `2`, its name and its SHA-256; a node `3` and, as one byte string, the tag `vb node 1` followed
/// by the node as in a [`Directory`](crate::Directory). Tags, texts and digests are byte strings, which are encoded as
/// everywhere in this crate: their length as a little-endian 64-bit integer, then their bytes. The BLAKE3-256 of that
/// is the [`ActionDigest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ResolvedAction {
    /// The kind's name.
    pub kind: String,
    /// The kind's version.
    pub version: u32,
    /// The named parts.
    pub parts: Vec<Part>,
}

impl ResolvedAction {
    /// Returns the key of the action cache.
    pub fn digest(&self) -> ActionDigest {
        let mut encoder = Encoder::new("vb action 1");
        encoder.text(&self.kind);
        encoder.integer(u64::from(self.version));
        encoder.length(self.parts.len());
        for part in &self.parts {
            encoder.text(&part.name);
            encode_value(&part.value, &mut encoder);
        }
        ActionDigest::from_bytes(*blake3::hash(&encoder.into_bytes()).as_bytes())
    }
}

fn encode_value(value: &PartValue, encoder: &mut Encoder) {
    match value {
        PartValue::Text(text) => {
            encoder.byte(0);
            encoder.text(text);
        }
        PartValue::List(texts) => {
            encoder.byte(1);
            encoder.length(texts.len());
            texts.iter().for_each(|text| encoder.text(text));
        }
        PartValue::Input(InputDigest::File { file, sha256 }) => {
            encoder.byte(2);
            encoder.text(file);
            encoder.bytes(sha256.as_bytes());
        }
        PartValue::Input(InputDigest::Node(node)) => {
            encoder.byte(3);
            encoder.bytes(&node.to_encoding());
        }
    }
}
