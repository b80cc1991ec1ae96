//! The record of a package: everything that indexes say of it, made once, when it is added.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vb_graph::Sha256;

use crate::yum::UNSIGNED;

/// A kind of package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// `.deb`, for apt.
    Deb,
    /// `.rpm`, for dnf and yum.
    Rpm,
}

/// What a package is called: a channel holds one package of a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RecordKey {
    /// The package's name.
    pub name: String,
    /// The whole version as its format writes it: `1:2.0-1`.
    pub version: String,
    /// The architecture in its format's words: `amd64`, `all`, `noarch`.
    pub architecture: String,
}

/// Names an attachment: the BLAKE3 of its bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AttachmentId(pub(crate) String);

/// A package as indexes have it. Equal records make equal indexes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What it is called.
    #[serde(flatten)]
    pub key: RecordKey,
    /// What kind of package it is.
    pub format: Format,
    /// Where it is: `pool/w/whois/1f…/whois_1.0_amd64.deb`.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// The SHA-256 of its bytes.
    pub sha256: Sha256,
    /// When it was added, in seconds since 1970.
    pub added: u64,
    /// What indexes say of it: a paragraph of `Packages` without the empty line; or a `package` element of `primary.xml`
    /// and, unless they are attachments, those of `filelists.xml` and `other.xml`.
    pub text: String,
    /// What is too large for the record, by its kind: `contents`, `filelists`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attachments: BTreeMap<String, AttachmentId>,
    /// What the publisher noted, and no index shows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notes: BTreeMap<String, String>,
}

impl AttachmentId {
    /// Returns the id of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(blake3::hash(bytes).to_hex().to_string())
    }

    /// Returns the name of the object that holds it.
    pub fn object(&self) -> String {
        format!("state/attachments/{}", self.0)
    }
}

impl Record {
    /// Returns the SHA-256 of the package as it was given: before the repository signed it, if it did.
    pub(crate) fn source(&self) -> String {
        self.notes.get(UNSIGNED).cloned().unwrap_or_else(|| self.sha256.to_string())
    }

    /// Returns where in the pool a package of some bytes belongs. The digest in the path makes it immutable; the file's
    /// name is the one that users know.
    pub fn pool_path(name: &str, sha256: &Sha256, file_name: &str) -> String {
        let letter = name.chars().next().unwrap_or('_');
        format!("pool/{letter}/{name}/{}/{file_name}", &sha256.to_string()[..16])
    }
}
