//! The topmost entry of a source's `debian/changelog` (deb-changelog(5)).

use std::path::Path;

use fs_err as fs;

use crate::source::SourceError;

/// Where the changelog is in a source.
pub const CHANGELOG: &str = "debian/changelog";

/// What the first line of a changelog says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChangelogHead {
    pub(crate) version: String,
    /// Is the entry finished? Until then dch(1) has `UNRELEASED` in the place of the suite.
    pub(crate) is_released: bool,
}

impl ChangelogHead {
    /// Reads the changelog of a source.
    pub(crate) fn read(source: &Path) -> Result<Self, SourceError> {
        let path = source.join(CHANGELOG);
        let bytes = fs::read(&path).map_err(|source| SourceError::NoChangelog { path: path.clone(), source })?;
        // The names of maintainers in old entries may be in any encoding.
        let text = String::from_utf8_lossy(&bytes);
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        Self::parse(first).ok_or(SourceError::Changelog { path })
    }

    fn parse(line: &str) -> Option<Self> {
        let (_, rest) = line.split_once(" (")?;
        let (version, rest) = rest.split_once(')')?;
        let (suites, _) = rest.split_once(';')?;
        let is_released = !suites.split_whitespace().any(|suite| suite == "UNRELEASED");
        (!version.is_empty()).then(|| Self { version: version.to_owned(), is_released })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_between_the_first_parentheses() {
        let version = |line| ChangelogHead::parse(line).map(|head| head.version);
        assert_eq!(version("vrmd-whois (1:1.0.0-1~deb12u1) bookworm; urgency=medium").unwrap(), "1:1.0.0-1~deb12u1");
        for line in ["", "vrmd-whois", "vrmd-whois ()  unstable; urgency=low", "vrmd-whois (1.0"] {
            assert_eq!(version(line), None, "{line}");
        }
    }

    #[test]
    fn an_entry_is_released_when_it_names_a_suite() {
        let is_released = |line| ChangelogHead::parse(line).unwrap().is_released;
        assert!(is_released("whois (1.0) bookworm; urgency=low"));
        assert!(!is_released("whois (1.0) UNRELEASED; urgency=low"));
    }
}
