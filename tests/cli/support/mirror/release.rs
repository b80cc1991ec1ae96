//! The releases that a mirror can be of: what their archives are called, and how these are laid out and signed.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use fs_err as fs;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use vb_testkit::archive::{Compression, Key};

use super::super::repository::hex;

/// Which distribution's release the archive is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    /// Debian 12: `InRelease`, SHA-256 alone.
    Bookworm,
    /// Ubuntu 14.04, as its archive was when it was published: a detached signature of 2014 by a key of 2012, `Packages`
    /// with gzip alone, nothing by digest, and MD5 and SHA-1 before SHA-256.
    Trusty,
}

/// One suite to be written.
pub(super) struct SuiteText<'a> {
    pub(super) name: &'a str,
    pub(super) date: &'a str,
    /// The text of `Packages` by component.
    pub(super) packages: BTreeMap<&'static str, String>,
    /// The text of `Contents`, by component.
    pub(super) contents: BTreeMap<&'static str, String>,
}

impl Release {
    /// Returns the platform's name.
    pub(crate) fn platform(self) -> &'static str {
        match self {
            Self::Bookworm => "bookworm",
            Self::Trusty => "trusty",
        }
    }

    /// Returns the suites of the platform; all packages are in the first one.
    pub(crate) fn suites(self) -> [String; 3] {
        ["", "-updates", "-security"].map(|end| format!("{}{end}", self.platform()))
    }

    /// Returns the components of each suite.
    pub(super) fn components(self) -> &'static [&'static str] {
        match self {
            Self::Bookworm => &["main"],
            Self::Trusty => &["main", "universe"],
        }
    }

    /// Returns the component that a package is in.
    pub(super) fn component(self, package: &str) -> &'static str {
        match self {
            Self::Trusty if package.contains("python") => "universe",
            Self::Trusty | Self::Bookworm => "main",
        }
    }

    /// Returns when its key was made and when its indexes are signed, in seconds since 1970.
    pub(crate) fn times(self) -> (u32, u32) {
        match self {
            Self::Bookworm => (1_767_225_600, 1_767_225_600),
            Self::Trusty => (1_336_694_400, 1_399_558_749),
        }
    }

    /// Returns the date of its suites where no lock says another.
    pub(super) fn date(self) -> &'static str {
        match self {
            Self::Bookworm => "Thu, 01 Jan 2026 00:00:00 UTC",
            Self::Trusty => "Thu, 08 May 2014 14:19:09 UTC",
        }
    }

    fn form(self) -> Compression {
        match self {
            Self::Bookworm => Compression::Plain,
            Self::Trusty => Compression::Gz,
        }
    }

    /// Writes the indexes of a suite and signs them.
    pub(super) fn write(self, archive: &Path, suite: &SuiteText<'_>, key: &Key) {
        let dist = archive.join("dists").join(suite.name);
        let mut digests: BTreeMap<&str, String> = BTreeMap::new();
        for (component, text) in &suite.packages {
            let path = format!("{component}/binary-amd64/Packages{}", self.form().extension());
            let bytes = self.form().compress(text.as_bytes());
            for (field, digest) in self.digests(&bytes) {
                writeln!(digests.entry(field).or_default(), " {digest} {} {path}", bytes.len()).unwrap();
            }
            fs::create_dir_all(dist.join(component).join("binary-amd64")).unwrap();
            fs::write(dist.join(path), bytes).unwrap();
        }
        for (component, text) in suite.contents.iter().filter(|(_, text)| !text.is_empty()) {
            let path = format!("{component}/Contents-amd64.gz");
            let bytes = Compression::Gz.compress(text.as_bytes());
            for (field, digest) in self.digests(&bytes) {
                writeln!(digests.entry(field).or_default(), " {digest} {} {path}", bytes.len()).unwrap();
            }
            fs::write(dist.join(path), bytes).unwrap();
        }
        let mut release = format!(
            "Suite: {name}\nCodename: {codename}\nDate: {date}\nArchitectures: amd64\nComponents: {components}\n",
            name = suite.name,
            codename = self.codename(suite.name),
            date = suite.date,
            components = self.components().join(" "),
        );
        digests.iter().for_each(|(field, lines)| write!(release, "{field}:\n{lines}").unwrap());
        self.sign(&dist, &release, key);
    }

    /// Debian's suites are their own codenames; Ubuntu's have that of the release.
    fn codename(self, suite: &str) -> &str {
        match self {
            Self::Bookworm => suite,
            Self::Trusty => self.platform(),
        }
    }

    fn digests(self, bytes: &[u8]) -> Vec<(&'static str, String)> {
        let sha256 = ("SHA256", hex(&Sha256::digest(bytes)));
        match self {
            Self::Bookworm => vec![sha256],
            Self::Trusty => {
                vec![("MD5Sum", hex(&Md5::digest(bytes))), ("SHA1", hex(&Sha1::digest(bytes))), sha256]
            }
        }
    }

    fn sign(self, dist: &Path, release: &str, key: &Key) {
        let (_, signed) = self.times();
        match self {
            Self::Bookworm => fs::write(dist.join("InRelease"), key.clearsign(release, signed)).unwrap(),
            Self::Trusty => {
                fs::write(dist.join("Release"), release).unwrap();
                fs::write(dist.join("Release.gpg"), key.sign(release.as_bytes(), signed)).unwrap();
            }
        }
    }
}
