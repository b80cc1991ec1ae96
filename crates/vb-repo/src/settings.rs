//! What a repository is: its channels, its platforms, and how its indexes are written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::record::Format;

/// The object that holds the settings.
pub(crate) const SETTINGS: &str = "state/settings.json";

/// The version of the layout that this code reads and writes.
pub(crate) const VERSION: u32 = 1;

/// What a repository is. Kept with it, so that every publisher writes the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The version of the layout.
    pub version: u32,
    /// Whose repository it is, as clients show it.
    pub origin: String,
    /// The channels, in the order in which packages go through them.
    pub channels: Vec<String>,
    /// The layout of apt's indexes.
    pub layout: AptLayout,
    /// The address that serves it, if it is known. Clients of yum then find each generation in a directory of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// For how many days an index is good, if it is to be refused later.
    pub valid_days: Option<u32>,
    /// Are there `Contents` indexes?
    pub has_contents: bool,
    /// Who signs.
    pub keys: Vec<KeySetting>,
    /// What is known of the platforms that have packages here.
    pub platforms: BTreeMap<String, PlatformSettings>,
}

/// Where apt's indexes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AptLayout {
    /// `dists/<suite>/<component>/binary-<architecture>/Packages`.
    Dists,
    /// `<suite>/Packages` with `Release` beside it.
    Flat,
}

/// A key that signs, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeySetting {
    /// A file that holds the secret key.
    File(String),
    /// A key of the machine's gpg.
    Gpg(String),
    /// A program that signs.
    Command(Vec<String>),
}

/// What a repository knows of a platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformSettings {
    /// What kind of packages it has.
    pub format: Format,
    /// The architectures that have an index, packages or not.
    pub architectures: Vec<String>,
    /// How indexes of yum are compressed; those of apt are there in every form.
    pub compression: IndexCompression,
    /// Are the packages themselves signed? Those of apt never are.
    pub signs_packages: bool,
}

/// How indexes of yum are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IndexCompression {
    /// gzip, for all clients.
    Gz,
    /// zstd, for dnf of el8 and later.
    Zst,
}

impl Settings {
    /// Returns the settings of a repository that has the usual channels and no key.
    pub fn usual() -> Self {
        Self {
            version: VERSION,
            origin: "vb".to_owned(),
            channels: ["development", "staging", "production"].map(str::to_owned).to_vec(),
            layout: AptLayout::Dists,
            url: None,
            valid_days: None,
            has_contents: false,
            keys: Vec::new(),
            platforms: BTreeMap::new(),
        }
    }
}

impl PlatformSettings {
    /// Returns what is assumed of a platform: it has packages of this format for one architecture.
    pub fn usual(format: Format, architecture: &str) -> Self {
        Self {
            format,
            architectures: vec![architecture.to_owned()],
            compression: IndexCompression::Gz,
            signs_packages: format == Format::Rpm,
        }
    }
}
