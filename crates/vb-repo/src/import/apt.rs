//! A suite of apt: `InRelease` or `Release` with `Release.gpg`, and the `Packages` that it names.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use vb_graph::Sha256;

use super::{
    ForeignPackage, ForeignPlace, ReadForeignError, Trust,
    checked::{inside, open, read_checked},
};
use crate::record::RecordKey;

const MAIN: &str = "main";

/// Reads every package of a suite, which is a directory of the place; paths of packages begin at the place.
pub(super) fn read(place: &ForeignPlace, suite: &str, trust: &Trust) -> Result<Vec<ForeignPackage>, ReadForeignError> {
    let (path, release) = release(place, suite, trust)?;
    let listed = listed(&release);
    let stems: BTreeSet<&str> = listed.keys().filter_map(|name| packages_stem(name)).collect();
    if stems.is_empty() {
        return Err(ReadForeignError::NoSha256 { path, what: "Packages".to_owned() });
    }
    let mut packages: BTreeMap<(RecordKey, String), ForeignPackage> = BTreeMap::new();
    for stem in stems {
        let (index, text) = index(place, suite, stem, &listed)?;
        for paragraph in text.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty()) {
            let package = package(&index, component_of(stem), paragraph)?;
            // Packages for all architectures are in the index of each.
            packages.insert((package.key.clone(), package.sha256.to_string()), package);
        }
    }
    Ok(packages.into_values().collect())
}

type Listed<'a> = BTreeMap<&'a str, (&'a str, Option<u64>)>;

/// Returns the text of an index, in whichever form it is there, and where it is.
fn index(
    place: &ForeignPlace,
    suite: &str,
    stem: &str,
    listed: &Listed<'_>,
) -> Result<(PathBuf, String), ReadForeignError> {
    for extension in place.extensions() {
        let file = format!("{stem}{extension}");
        let Some((sha256, size)) = listed.get(file.as_str()) else { continue };
        let name = format!("{suite}/{file}");
        if place.find(&name)?.is_some() {
            let index = place.shown(&name);
            let text = open(&index, &read_checked(place, &name, sha256, *size)?)?;
            return Ok((index, text));
        }
    }
    Err(ReadForeignError::NoIndex { path: place.shown(&format!("{suite}/{stem}")) })
}

/// Returns the text of the release file, and where it is.
fn release(place: &ForeignPlace, suite: &str, trust: &Trust) -> Result<(PathBuf, String), ReadForeignError> {
    let (inline, plain) = (format!("{suite}/InRelease"), format!("{suite}/Release"));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let Trust::Keys(keys) = trust else {
        let name = if place.find(&plain)?.is_some() { plain } else { inline };
        return Ok((place.shown(&name), text(place.read(&name)?)));
    };
    if place.find(&inline)?.is_some() {
        let (path, signed) = (place.shown(&inline), text(place.read(&inline)?));
        let checked = keys.check_clearsigned(&signed);
        let release = checked.map_err(|source| ReadForeignError::Signature { path: path.clone(), source })?;
        return Ok((path, release));
    }
    let (path, detached) = (place.shown(&plain), format!("{plain}.gpg"));
    if place.find(&detached)?.is_none() {
        return Err(ReadForeignError::Unsigned { path });
    }
    let (bytes, signature) = (place.read(&plain)?, place.read(&detached)?);
    let checked = keys.check_detached(&bytes, &signature);
    checked.map_err(|source| ReadForeignError::Signature { path: path.clone(), source })?;
    Ok((path, text(bytes)))
}

/// Returns the files of the `SHA256` field with their digest and size.
fn listed(release: &str) -> Listed<'_> {
    let lines = release.lines().skip_while(|line| !line.eq_ignore_ascii_case("SHA256:")).skip(1);
    let mut found = BTreeMap::new();
    for line in lines.take_while(|line| line.starts_with(' ')) {
        let mut words = line.split_whitespace();
        if let (Some(sha256), Some(size), Some(name)) = (words.next(), words.next(), words.next()) {
            found.insert(name, (sha256, size.parse().ok()));
        }
    }
    found
}

/// `main/binary-amd64/Packages` of `main/binary-amd64/Packages.gz`; nothing for indexes of other kinds.
fn packages_stem(name: &str) -> Option<&str> {
    let end = name.rfind("Packages")?;
    let stem = &name[..end + "Packages".len()];
    let is_index = ["", ".zst", ".gz", ".xz"].contains(&&name[stem.len()..]);
    let is_packages = stem == "Packages" || stem == "./Packages" || stem.contains("/binary-");
    let is_installer = stem.contains("debian-installer/");
    (is_index && is_packages && !is_installer).then_some(stem)
}

/// The part before `binary-<architecture>`; `main` in the flat layout, and for one that cannot be a directory's name.
fn component_of(stem: &str) -> &str {
    stem.split_once("/binary-").map_or(MAIN, |(component, _)| component)
}

fn package(index: &Path, component: &str, paragraph: &str) -> Result<ForeignPackage, ReadForeignError> {
    let field = |name: &'static str| {
        let mut lines = paragraph.lines().filter_map(|line| line.split_once(':'));
        let value = lines.find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim());
        value
            .filter(|value| !value.is_empty())
            .ok_or_else(|| ReadForeignError::Entry { path: index.to_owned(), field: name })
    };
    let (name, place) = (field("Package")?, field("Filename")?);
    let sha256: Sha256 = field("SHA256")
        .ok()
        .and_then(|value| value.parse().ok())
        .ok_or_else(|| ReadForeignError::NoSha256 { path: index.to_owned(), what: name.to_owned() })?;
    Ok(ForeignPackage {
        key: RecordKey {
            name: name.to_owned(),
            version: field("Version")?.to_owned(),
            architecture: field("Architecture")?.to_owned(),
        },
        component: component.to_owned(),
        place: inside("", index, place)?,
        size: field("Size")?.parse().map_err(|_| ReadForeignError::Entry { path: index.to_owned(), field: "Size" })?,
        sha256,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_indexes_of_binary_packages_are_read() {
        for (name, stem) in [
            ("main/binary-amd64/Packages.gz", Some("main/binary-amd64/Packages")),
            ("main/binary-amd64/Packages", Some("main/binary-amd64/Packages")),
            ("Packages.xz", Some("Packages")),
            ("main/debian-installer/binary-amd64/Packages.gz", None),
            ("main/source/Sources.gz", None),
            ("main/binary-amd64/Packages.diff/Index", None),
            ("main/binary-amd64/Release", None),
        ] {
            assert_eq!(packages_stem(name), stem, "{name}");
        }
        assert_eq!(component_of("contrib/binary-amd64/Packages"), "contrib");
        assert_eq!(component_of("Packages"), "main");
    }

    #[test]
    fn the_files_of_one_digest_alone_are_listed() {
        let release =
            "Suite: a\nMD5Sum:\n 00 1 Packages\nSHA256:\n ff 12 Packages\n ee 13 Packages.gz\nSHA512:\n aa 1 b\n";
        let listed = listed(release);
        assert_eq!(listed["Packages"], ("ff", Some(12)));
        assert_eq!(listed.len(), 2);
    }
}
