//! A repository of yum: `repomd.xml` with its signature, and the `primary.xml` that it names.

use std::path::Path;

use super::{
    ForeignPackage, ForeignPlace, ReadForeignError, Trust,
    checked::{inside, open, read_checked},
};
use crate::{
    record::RecordKey,
    yum::{EpochVersionRelease, IndexedPackage, ReadRepodataError, read_primary, read_repomd},
};

/// Repositories of yum have no components.
const MAIN: &str = "main";
const SHA256: &str = "sha256";

/// Reads every package of the repository in a directory of a place.
pub(super) fn read(
    place: &ForeignPlace,
    directory: &str,
    trust: &Trust,
) -> Result<Vec<ForeignPackage>, ReadForeignError> {
    let repomd = format!("{directory}/repodata/repomd.xml");
    let (path, bytes) = (place.shown(&repomd), place.read(&repomd)?);
    if let Trust::Keys(keys) = trust {
        let signature = format!("{repomd}.asc");
        if place.find(&signature)?.is_none() {
            return Err(ReadForeignError::Unsigned { path });
        }
        let checked = keys.check_detached(&bytes, &place.read(&signature)?);
        checked.map_err(|source| ReadForeignError::Signature { path: path.clone(), source })?;
    }
    let in_xml = |path: &Path| {
        let path = path.to_owned();
        move |source: ReadRepodataError| ReadForeignError::Xml { path, source }
    };
    let entries = read_repomd(&bytes[..]).map_err(in_xml(&path))?;
    let no_primary = || ReadForeignError::NoSha256 { path: path.clone(), what: "primary.xml".to_owned() };
    let is_primary = |kind: &str| kind == "primary";
    let primary = entries.iter().find(|entry| is_primary(&entry.kind) && entry.checksum_type == SHA256);
    let primary = primary.ok_or_else(no_primary)?;
    let name = inside(directory, &path, &primary.href)?;
    let index = place.shown(&name);
    let text = open(&index, &read_checked(place, &name, &primary.checksum, primary.size)?)?;
    let mut found = Vec::new();
    read_primary(text.as_bytes(), |package| found.push(package)).map_err(in_xml(&index))?;
    found.into_iter().map(|package| foreign(directory, &index, package)).collect()
}

fn foreign(directory: &str, index: &Path, package: IndexedPackage) -> Result<ForeignPackage, ReadForeignError> {
    if let Some(base) = package.base {
        return Err(ReadForeignError::Outside { path: index.to_owned(), place: base });
    }
    let no_sha256 = || ReadForeignError::NoSha256 { path: index.to_owned(), what: package.name.clone() };
    let sha256 = (package.checksum_type == SHA256).then(|| package.checksum.parse().ok()).flatten();
    Ok(ForeignPackage {
        sha256: sha256.ok_or_else(no_sha256)?,
        place: inside(directory, index, &package.href)?,
        key: RecordKey { version: version(&package.version), name: package.name, architecture: package.architecture },
        component: MAIN.to_owned(),
        size: package.size,
    })
}

/// Writes a version as records have it. An index does not tell a package without an epoch from one of epoch 0.
fn version(version: &EpochVersionRelease) -> String {
    let epoch = if version.epoch == "0" { String::new() } else { format!("{}:", version.epoch) };
    format!("{epoch}{}-{}", version.version, version.release)
}
