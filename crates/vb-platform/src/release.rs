//! A suite's `Release` file: what is in the suite, and each index's size and digest.
//!
//! Only made of text whose signature was checked.

use std::{collections::BTreeMap, time::SystemTime};

use crate::{date, deb822::stanzas};

/// A digest that a `Release` file gives for an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IndexDigest {
    Sha256(String),
    Sha512(String),
}

impl IndexDigest {
    /// Returns the directory below `by-hash/` and the digest's text.
    pub(crate) fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Sha256(hex) => ("SHA256", hex),
            Self::Sha512(hex) => ("SHA512", hex),
        }
    }
}

/// One file that a `Release` file lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IndexFile {
    pub(crate) size: u64,
    pub(crate) digest: IndexDigest,
}

/// The parts of a `Release` file that vb uses.
#[derive(Debug)]
pub(crate) struct Release {
    pub(crate) suite: Option<String>,
    pub(crate) codename: Option<String>,
    pub(crate) date: String,
    pub(crate) valid_until: Option<String>,
    /// Is the suite meant to be installed from only where that is asked for?
    is_not_automatic: bool,
    /// Are packages that were taken from it kept up to date from it?
    has_automatic_upgrades: bool,
    pub(crate) has_by_hash: bool,
    /// Are there `Architecture: all` packages that only an index of their own holds?
    pub(crate) has_separate_all: bool,
    files: BTreeMap<String, IndexFile>,
}

impl Release {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let stanza = stanzas(text).next()?;
        let is_set = |name: &str| stanza.get(name).is_some_and(|value| value.eq_ignore_ascii_case("yes"));
        let own = |name: &str| stanza.get(name).filter(|value| !value.is_empty()).map(str::to_owned);
        let mut files = BTreeMap::new();
        for (field, digest) in
            [("SHA512", IndexDigest::Sha512 as fn(String) -> IndexDigest), ("SHA256", IndexDigest::Sha256)]
        {
            for line in stanza.get(field).unwrap_or_default().lines() {
                let words: Vec<&str> = line.split_ascii_whitespace().collect();
                if let [hex, size, path] = words[..] {
                    let file = IndexFile { size: size.parse().ok()?, digest: digest(hex.to_ascii_lowercase()) };
                    files.insert(path.to_owned(), file);
                }
            }
        }
        Some(Self {
            suite: own("Suite"),
            codename: own("Codename"),
            date: own("Date").unwrap_or_else(|| "unknown".to_owned()),
            valid_until: own("Valid-Until"),
            is_not_automatic: is_set("NotAutomatic"),
            has_automatic_upgrades: is_set("ButAutomaticUpgrades"),
            has_by_hash: is_set("Acquire-By-Hash"),
            has_separate_all: stanza.words("Architectures").any(|word| word == "all")
                && !stanza.words("No-Support-for-Architecture-all").any(|word| word == "Packages"),
            files,
        })
    }

    /// Returns the priority of the suite's packages (apt_preferences(5), "default priority assignments").
    pub(crate) fn priority(&self) -> i32 {
        match (self.is_not_automatic, self.has_automatic_upgrades) {
            (false, _) => 500,
            (true, true) => 100,
            (true, false) => 1,
        }
    }

    pub(crate) fn file(&self, path: &str) -> Option<&IndexFile> {
        self.files.get(path)
    }

    /// Lists the components that have an index for an architecture.
    pub(crate) fn components(&self, architecture: &str) -> Vec<String> {
        let marker = format!("/binary-{architecture}/Packages");
        let mut components: Vec<String> =
            self.files.keys().filter_map(|path| path.find(&marker).map(|at| path[..at].to_owned())).collect();
        components.dedup();
        components
    }

    /// Has the promise of freshness run out? A date that cannot be read promises nothing more.
    pub(crate) fn is_expired(&self, time: SystemTime) -> bool {
        self.valid_until.as_deref().is_some_and(|text| date::parse(text).is_none_or(|until| until < time))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const TEXT: &str = "Suite: oldstable\nCodename: bookworm\nDate: Thu, 19 Nov 2026 02:12:54 UTC\nValid-Until: Thu, 26 Nov 2026 02:12:54 UTC\nAcquire-By-Hash: yes\nSHA256:\n AA 5 main/binary-amd64/Packages.xz\n bb 6 main/binary-amd64/Packages\n cc 7 contrib/binary-i386/Packages\nSHA512:\n dd 5 main/binary-amd64/Packages.xz\n ee 8 extra/binary-amd64/Packages.gz\n";

    #[test]
    fn files_have_one_digest_sha256_before_sha512() {
        let release = Release::parse(TEXT).unwrap();
        let file = release.file("main/binary-amd64/Packages.xz").unwrap();
        assert_eq!(*file, IndexFile { size: 5, digest: IndexDigest::Sha256("aa".to_owned()) });
        let file = release.file("extra/binary-amd64/Packages.gz").unwrap();
        assert_eq!(*file, IndexFile { size: 8, digest: IndexDigest::Sha512("ee".to_owned()) });
        assert_eq!(release.components("amd64"), ["extra", "main"]);
        assert!(release.has_by_hash);
    }

    #[test]
    fn a_separate_index_for_all_counts_only_if_the_release_announces_it() {
        let check = |text: &str, expect| assert_eq!(Release::parse(text).unwrap().has_separate_all, expect, "{text}");
        check("Architectures: all amd64\n", true);
        check("Architectures: all amd64\nNo-Support-for-Architecture-all: Packages\n", false);
        check("Architectures: amd64\n", false);
    }

    #[test]
    fn a_release_expires_after_its_last_moment() {
        let release = Release::parse(TEXT).unwrap();
        let until = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_054_374 + 7 * 86_400);
        assert!(!release.is_expired(until));
        assert!(release.is_expired(until + Duration::from_secs(1)));
        assert!(Release::parse("Valid-Until: some day\n").unwrap().is_expired(SystemTime::UNIX_EPOCH));
        assert!(!Release::parse("Suite: x\n").unwrap().is_expired(until));
    }

    #[test]
    fn a_suite_that_is_not_automatic_has_a_low_priority() {
        let check = |text: &str, expect| assert_eq!(Release::parse(text).unwrap().priority(), expect, "{text}");
        check("Suite: x\n", 500);
        check("NotAutomatic: yes\n", 1);
        check("NotAutomatic: yes\nButAutomaticUpgrades: yes\n", 100);
        check("ButAutomaticUpgrades: yes\n", 500);
    }

    #[test]
    fn a_size_that_is_no_number_spoils_the_file() {
        assert!(Release::parse("SHA256:\n aa x main/binary-amd64/Packages\n").is_none());
    }
}
