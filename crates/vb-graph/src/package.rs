//! Package specs: what a package is made of beside its tree.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{lifecycle::Lifecycle, resolved::Part};

/// How the members of a package are compressed, by what the platform's package manager reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// `.xz`, read by every dpkg since 2011.
    Xz,
    /// `.gz`, read by everything.
    Gzip,
    /// `.zst`, read by dpkg since Debian 12 and Ubuntu 21.10.
    Zstd,
}

impl Compression {
    /// Returns the file name extension of a compressed member.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Xz => "xz",
            Self::Gzip => "gz",
            Self::Zstd => "zst",
        }
    }
}

/// A kind of file that an application is delivered as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Format {
    /// `.deb`, for dpkg.
    Deb,
    /// `.rpm`, for rpm.
    Rpm,
    /// `.tar.zst`, for neither.
    Tar,
}

impl Format {
    /// All formats, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Deb, Self::Rpm, Self::Tar];

    /// Returns the word for it in recipes and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Rpm => "rpm",
            Self::Tar => "tar",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text is not the word for a [`Format`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is not a package format")]
pub struct ParseFormatError {
    /// The text.
    pub word: String,
}

impl FromStr for Format {
    type Err = ParseFormatError;

    fn from_str(word: &str) -> Result<Self, ParseFormatError> {
        let known = Self::ALL.into_iter().find(|format| format.as_str() == word);
        known.ok_or_else(|| ParseFormatError { word: word.to_owned() })
    }
}

impl TryFrom<String> for Format {
    type Error = ParseFormatError;

    fn try_from(word: String) -> Result<Self, ParseFormatError> {
        word.parse()
    }
}

impl From<Format> for String {
    fn from(format: Format) -> Self {
        format.as_str().to_owned()
    }
}

/// The architecture that a package turns out to have.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PackageArchitecture {
    /// Nothing in it is compiled: `all`.
    All,
    /// It holds compiled code for this dpkg architecture.
    Native(String),
}

impl PackageArchitecture {
    /// Returns the value of the `Architecture` field.
    pub fn as_str(&self) -> &str {
        match self {
            Self::All => "all",
            Self::Native(name) => name,
        }
    }
}

/// The fields of a package that do not come from its tree (Debian Policy, chapter 5).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PackageSpec {
    /// What kind of file is written.
    pub format: Format,
    /// `Package`: `vrmd-whois`.
    pub name: String,
    /// `Version`, with epoch and revision where it has them.
    pub version: String,
    /// The platform's dpkg architecture, used when compiled code is inside.
    pub native_architecture: String,
    /// `Maintainer`: `Name <address>`.
    pub maintainer: String,
    /// `Section`.
    pub section: String,
    /// `Priority`.
    pub priority: String,
    /// `Homepage`, where there is one.
    pub homepage: Option<String>,
    /// The licence, where it is told.
    pub license: Option<String>,
    /// The synopsis, one line.
    pub summary: String,
    /// The lines of the extended description; an empty one is a paragraph break.
    pub description: Vec<String>,
    /// `Depends`, one relation each.
    pub depends: Vec<String>,
    /// How the members are compressed.
    pub compression: Compression,
    /// The time of the application's own entries, in seconds since 1970: the commit time of the source.
    pub epoch: u64,
    /// The application's own directory: `/vrmd/whois/whois`.
    pub application: String,
    /// Where the source is kept, by the kind of repository: `Git`, `Browser` (Debian Policy 5.6.26).
    pub vcs: BTreeMap<String, String>,
    /// Is a bill of materials written beside the package?
    pub has_bill: bool,
    /// What the package does where it is installed.
    pub lifecycle: Box<Lifecycle>,
    /// Packages of the same build that it depends on, each in exactly its own version.
    pub companions: Vec<String>,
    /// The changelog (deb-changelog(5)) of a source that has none of its own.
    pub changelog: Option<String>,
}

impl PackageSpec {
    pub(crate) fn parts(&self) -> Vec<Part> {
        let mut parts = vec![
            Part::text("format", self.format.as_str()),
            Part::text("name", &self.name),
            Part::text("version", &self.version),
            Part::text("native architecture", &self.native_architecture),
            Part::text("maintainer", &self.maintainer),
            Part::text("section", &self.section),
            Part::text("priority", &self.priority),
            Part::list("homepage", self.homepage.as_slice()),
            Part::list("license", self.license.as_slice()),
            Part::text("summary", &self.summary),
            Part::list("description", &self.description),
            Part::list("depends", &self.depends),
            Part::text("compression", self.compression.extension()),
            Part::text("epoch", self.epoch.to_string()),
            Part::text("application", &self.application),
        ];
        // A key without these parts is that of a package without them.
        if !self.vcs.is_empty() {
            let vcs: Vec<String> = self.vcs.iter().map(|(kind, place)| format!("{kind}={place}")).collect();
            parts.push(Part::list("vcs", &vcs));
        }
        if self.has_bill {
            parts.push(Part::text("bill of materials", "cyclonedx"));
        }
        parts.extend(self.lifecycle.parts());
        if !self.companions.is_empty() {
            parts.push(Part::list("companions", &self.companions));
        }
        parts.extend(self.changelog.iter().map(|changelog| Part::text("changelog", changelog)));
        parts
    }
}
