//! A repository of yum: `repomd.xml` with its signature, and the `primary.xml` that it names.

use std::path::Path;

use super::{
    ForeignPackage, ReadForeignError, Trust,
    checked::{inside, open, read as read_file, read_checked},
};
use crate::{
    record::RecordKey,
    yum::{EpochVersionRelease, IndexedPackage, ReadRepodataError, read_primary, read_repomd},
};

/// Repositories of yum have no components.
const MAIN: &str = "main";
const SHA256: &str = "sha256";

/// Reads every package of the repository in a directory.
pub(super) fn read(directory: &Path, trust: &Trust) -> Result<Vec<ForeignPackage>, ReadForeignError> {
    let path = directory.join("repodata/repomd.xml");
    let bytes = read_file(&path)?;
    if let Trust::Keys(keys) = trust {
        let signature = directory.join("repodata/repomd.xml.asc");
        if !signature.is_file() {
            return Err(ReadForeignError::Unsigned { path });
        }
        let checked = keys.check_detached(&bytes, &read_file(&signature)?);
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
    let index = inside(directory, &path, &primary.href)?;
    let text = open(&index, &read_checked(&index, &primary.checksum, primary.size)?)?;
    let mut found = Vec::new();
    read_primary(text.as_bytes(), |package| found.push(package)).map_err(in_xml(&index))?;
    found.into_iter().map(|package| foreign(directory, &index, package)).collect()
}

fn foreign(directory: &Path, index: &Path, package: IndexedPackage) -> Result<ForeignPackage, ReadForeignError> {
    if let Some(base) = package.base {
        return Err(ReadForeignError::Outside { path: index.to_owned(), place: base });
    }
    let no_sha256 = || ReadForeignError::NoSha256 { path: index.to_owned(), what: package.name.clone() };
    let sha256 = (package.checksum_type == SHA256).then(|| package.checksum.parse().ok()).flatten();
    Ok(ForeignPackage {
        sha256: sha256.ok_or_else(no_sha256)?,
        path: inside(directory, index, &package.href)?,
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
