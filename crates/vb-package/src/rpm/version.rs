//! A Debian version in rpm's parts, so that rpm orders packages as dpkg does.
//!
//! The two compare in other ways: rpm skips `+` and `.`, so that `1.0+1` and `1.0.1` are one to it, and a number is
//! newer than a word wherever they meet, while to dpkg a word is newer behind a dot and older behind a `~`. What stands
//! behind a number is therefore written so that rpm has the same steps, from the oldest to the newest:
//!
//! | Debian | rpm |
//! | --- | --- |
//! | `~~word` | `~~word` |
//! | `~1` | `~~1` |
//! | `~word` | `~word` |
//! | the end | the end |
//! | `word` | `^word` |
//! | `+1` | `^1` |
//! | `+word` | `+word` |
//! | `.1` | `.1` |
//!
//! A word is letters and a number behind them; one without a number has the number 0, which to dpkg is the same. The
//! word `+git` may be followed by letters and digits in any order, and then by `+modified`: a commit. Other versions
//! have no place in this order (nothing in rpm is newer than any number, as `.word` is to dpkg), and no `.rpm`.
//!
//! A package without a revision has release 1. A revision stands behind that, `1.0-2` has release `1.2`, but that a
//! revision that begins with 0 takes the 1's place, since to dpkg the revision 0 is the same as none.

use std::fmt;

/// A version that an `.rpm` cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rpm would not order the version `{version}` as dpkg does")]
pub struct RpmVersionError {
    /// The version.
    pub version: String,
}

/// Which of two packages of a name is newer: epoch, version and release. Displayed as `[epoch:]version-release`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpmVersion {
    /// `None` is 0, and stands nowhere.
    pub(crate) epoch: Option<u32>,
    pub(crate) version: String,
    pub(crate) release: String,
}

impl RpmVersion {
    /// Divides and maps a Debian version.
    ///
    /// # Errors
    /// [`RpmVersionError`] when it has no place in rpm's order.
    pub fn of_debian(version: &str) -> Result<Self, RpmVersionError> {
        Self::map(version).ok_or_else(|| RpmVersionError { version: version.to_owned() })
    }

    fn map(version: &str) -> Option<Self> {
        let (epoch, rest) = match version.split_once(':') {
            Some((epoch, rest)) => (Some(epoch.parse().ok()?).filter(|epoch| *epoch != 0), rest),
            None => (None, version),
        };
        let (upstream, revision) = match rest.rsplit_once('-') {
            Some((upstream, revision)) => (upstream, Some(revision)),
            None => (rest, None),
        };
        let release = revision.map_or_else(|| Some("1".to_owned()), release)?;
        Some(Self { epoch, version: ordered(upstream)?, release })
    }

    /// Returns `version-release`.
    pub(crate) fn without_epoch(&self) -> String {
        format!("{}-{}", self.version, self.release)
    }
}

impl fmt::Display for RpmVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(epoch) = self.epoch {
            write!(f, "{epoch}:")?;
        }
        write!(f, "{}-{}", self.version, self.release)
    }
}

fn release(revision: &str) -> Option<String> {
    let mapped = ordered(revision)?;
    let (number, tail) = take(&mapped, |char| char.is_ascii_digit());
    Some(match number.trim_start_matches('0') {
        "" if tail.starts_with('.') => format!("1.0{tail}"),
        "" => format!("1{tail}"),
        number => format!("1.{number}{tail}"),
    })
}

/// Maps a part of a version that begins with a number.
fn ordered(part: &str) -> Option<String> {
    let (number, mut rest) = take(part, |char| char.is_ascii_digit());
    if number.is_empty() {
        return None;
    }
    let mut mapped = number.to_owned();
    while !rest.is_empty() {
        let (mark, behind) = take(rest, |char| !char.is_ascii_alphanumeric());
        if let Some(commit) = behind.strip_prefix("git").filter(|commit| mark == "+" && !commit.is_empty()) {
            return is_commit(commit).then(|| mapped + rest);
        }
        let (word, tail) = take(behind, |char| char.is_ascii_alphabetic());
        let (number, tail) = take(tail, |char| char.is_ascii_digit());
        let number = match number {
            "" if tail.is_empty() && !word.is_empty() => "0",
            "" => return None,
            number => number,
        };
        let mark = match (mark, word) {
            ("~", "") => "~~",
            ("+", "") | ("", _) => "^",
            ("~" | "~~" | "+", word) if !word.is_empty() => mark,
            (".", "") => ".",
            _ => return None,
        };
        mapped = mapped + mark + word + number;
        rest = tail;
    }
    Some(mapped)
}

fn is_commit(text: &str) -> bool {
    let text = text.strip_suffix("+modified").unwrap_or(text);
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn take(text: &str, is_part: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|char| !is_part(char)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_divided_as_rpm_has_them() {
        let table = [
            ("1.0.0", None, "1.0.0", "1"),
            ("1.0.0-1", None, "1.0.0", "1.1"),
            ("1.0.0-0ubuntu2", None, "1.0.0", "1^ubuntu2"),
            ("1.0.0-0.1", None, "1.0.0", "1.0.1"),
            ("2:1.0~rc1+git1-1~bpo12", Some(2), "1.0~rc1+git1", "1.1~bpo12"),
            ("0:1.2-3", None, "1.2", "1.3"),
            ("1.0~rc", None, "1.0~rc0", "1"),
            ("1.0.2k", None, "1.0.2^k0", "1"),
            ("1.0.0~20161009150015+git1233451abcd", None, "1.0.0~~20161009150015+git1233451abcd", "1"),
            ("1.0.0+0~20161009150015+git12ab+modified", None, "1.0.0^0~~20161009150015+git12ab+modified", "1"),
        ];
        for (debian, epoch, version, release) in table {
            let expect = RpmVersion { epoch, version: version.to_owned(), release: release.to_owned() };
            assert_eq!(RpmVersion::of_debian(debian).unwrap(), expect, "{debian}");
        }
    }

    #[test]
    fn a_version_that_rpm_orders_in_another_way_is_refused() {
        for version in ["1.0.post1", "1.0-beta-2", "1..0", "1.0~rc.1", "1.0~~1", "1.0.", "1.0~", "1:2:3", "1.0-a1", ""]
        {
            assert!(RpmVersion::of_debian(version).is_err(), "{version}");
        }
    }

    #[test]
    fn the_order_of_versions_is_debians() {
        let ascending = [
            "1.0~~dev1",
            "1.0~20261126120000+git12ab",
            "1.0~rc1-1",
            "1.0",
            "1.0-1",
            "1.0-1+b1",
            "1.0-2~deb12",
            "1.0-2",
            "1.0a-1",
            "1.0+0~20261126120000+git12ab",
            "1.0+0",
            "1.0+1",
            "1.0+git1-1",
            "1.0+post1",
            "1.0.0~rc1",
            "1.0.1-1",
            "1.10-1",
            "1:0.1-1",
        ];
        for pair in ascending.windows(2) {
            let [older, newer] = [pair[0], pair[1]].map(|version| RpmVersion::of_debian(version).unwrap().to_string());
            assert!(rpm_version::Evr::parse(&older) < rpm_version::Evr::parse(&newer), "{older} {newer}");
        }
    }
}
