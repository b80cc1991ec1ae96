//! What upstream gave to a source package of a suite, by the signed `Sources` index (deb-src-control(5)).

use std::time::SystemTime;

use vb_fetch::Fetcher;
use vb_graph::LockedPackage;

use crate::{
    deb822::{Stanza, stanzas},
    load::{Suite, load_sources},
    load_error::IndexError,
    relation::parse_version,
};

/// Finds the archive of upstream's sources in the latest version of a source package that a suite has; nothing, if it has
/// none. Its architecture is `source`.
///
/// # Errors
/// See [`IndexError`]: an index that nobody vouches for is refused, as one of packages is.
pub fn find_source(
    fetcher: &Fetcher,
    suite: &Suite,
    package: &str,
    time: SystemTime,
) -> Result<Option<LockedPackage>, IndexError> {
    let texts = load_sources(fetcher, suite, time)?;
    let found = texts.iter().filter_map(|text| latest(text, package));
    Ok(found.max_by_key(|source| parse_version(&source.version)))
}

fn latest(text: &str, package: &str) -> Option<LockedPackage> {
    let found = stanzas(text).filter(|stanza| stanza.get("Package") == Some(package));
    found.filter_map(|stanza| upstream(&stanza)).max_by_key(|source| parse_version(&source.version))
}

/// Reads what `Checksums-Sha256` says of `name_version.orig.tar.*`: a digest, a size, a name in each line.
fn upstream(stanza: &Stanza<'_>) -> Option<LockedPackage> {
    let directory = stanza.get("Directory")?;
    let mut words = stanza.words("Checksums-Sha256");
    while let (Some(sha256), Some(size), Some(file)) = (words.next(), words.next(), words.next()) {
        if file.contains(".orig.tar.") && !file.ends_with(".asc") {
            return Some(LockedPackage {
                name: stanza.get("Package")?.to_owned(),
                version: stanza.get("Version")?.to_owned(),
                architecture: "source".to_owned(),
                path: format!("{directory}/{file}"),
                size: size.parse().ok()?,
                sha256: sha256.parse().ok()?,
            });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stanza(version: &str, digit: char, files: &[&str]) -> String {
        let digest: String = std::iter::repeat_n(digit, 64).collect();
        let files: String = files.iter().map(|file| format!("\n {digest} 12 {file}")).collect();
        format!("Package: python3.13\nVersion: {version}\nDirectory: pool/p\nChecksums-Sha256:{files}\n\n")
    }

    #[test]
    fn the_latest_version_counts_and_its_signature_is_no_archive() {
        let text =
            stanza("3.13.5-2", 'a', &["x.dsc", "python3.13_3.13.5.orig.tar.xz.asc", "python3.13_3.13.5.orig.tar.xz"])
                + &stanza("3.13.10-1", 'b', &["python3.13_3.13.10.orig.tar.gz", "python3.13_3.13.10-1.debian.tar.xz"])
                + &stanza("3.14.0-1", 'c', &["native.tar.xz"]);
        let found = latest(&text, "python3.13").unwrap();
        assert_eq!((found.version.as_str(), found.size), ("3.13.10-1", 12));
        assert_eq!(found.path, "pool/p/python3.13_3.13.10.orig.tar.gz");
        assert_eq!(latest(&text, "python3.12"), None);
        let first = latest(&text[..text.find("\n\n").unwrap()], "python3.13").unwrap();
        assert_eq!(first.path, "pool/p/python3.13_3.13.5.orig.tar.xz");
    }
}
