//! A package as an index names it.

/// Epoch, version and release of a package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EpochVersionRelease {
    /// The epoch; `0` when none is told.
    pub epoch: String,
    /// The version.
    pub version: String,
    /// The release; empty when none is told, as a relation may have it.
    pub release: String,
}

impl EpochVersionRelease {
    /// Takes `[epoch:]version[-release]` apart.
    pub fn parse(text: &str) -> Self {
        let (epoch, rest) = text.split_once(':').unwrap_or(("0", text));
        let (version, release) = rest.split_once('-').unwrap_or((rest, ""));
        let epoch = if epoch.is_empty() { "0" } else { epoch };
        Self { epoch: epoch.to_owned(), version: version.to_owned(), release: release.to_owned() }
    }
}

/// A package of an existing repository, as its `primary.xml` has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexedPackage {
    /// Its name.
    pub name: String,
    /// Its architecture; `src` for a source package.
    pub architecture: String,
    /// Its version.
    pub version: EpochVersionRelease,
    /// The kind of its checksum: `sha256`; old repositories have others.
    pub checksum_type: String,
    /// Its checksum in hexadecimal digits.
    pub checksum: String,
    /// Its size in bytes.
    pub size: u64,
    /// Where it is, relative to the directory that holds `repodata/`, or to [`base`](Self::base).
    pub href: String,
    /// Where its repository is, when that is another one (`xml:base`).
    pub base: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_taken_apart() {
        for (text, parts) in [
            ("1.0-1", ("0", "1.0", "1")),
            ("2:1.0-1.el9", ("2", "1.0", "1.el9")),
            ("1.0", ("0", "1.0", "")),
            (":1.0", ("0", "1.0", "")),
        ] {
            let version = EpochVersionRelease::parse(text);
            assert_eq!((&*version.epoch, &*version.version, &*version.release), parts);
        }
    }
}
