//! The facts of a `.tar.zst`: its entries, and what the manifest beside it says.

use std::{
    io::{self, BufReader},
    path::Path,
};

use serde::Deserialize;
use vb_graph::Format;

use super::{PackageFacts, ReadPackageError, deb};
use crate::{
    compress::decompress,
    read::{TarMember, changelog_of, read_tar},
};

const EXTENSION: &str = ".tar.zst";

/// The part of a manifest that the archive itself cannot tell.
#[derive(Debug, Deserialize)]
struct Manifest {
    name: String,
    version: String,
    architecture: String,
    summary: String,
    license: Option<String>,
    requires: Vec<String>,
    libraries: Vec<String>,
    conffiles: Vec<String>,
}

pub(super) fn read(path: &Path) -> Result<PackageFacts, ReadPackageError> {
    let in_file = |source| ReadPackageError::Read { path: path.to_owned(), source };
    let mut facts = identify(path)?;
    facts.compression = Some("zstd".to_owned());
    let file = BufReader::new(fs_err::File::open(path).map_err(in_file)?);
    let reader = decompress(EXTENSION, file).map_err(in_file)?.expect("zstd is known");
    let (entries, files) = read_tar(reader, TarMember::Data).map_err(in_file)?;
    facts.files = entries.iter().filter_map(deb::entry).collect();
    facts.changelog = changelog_of(&files);
    Ok(facts)
}

/// Returns who the archive is: by its manifest, or else by its name.
fn identify(path: &Path) -> Result<PackageFacts, ReadPackageError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.strip_suffix(EXTENSION).unwrap_or(&name);
    let manifest_path = path.with_file_name(format!("{stem}.json"));
    let text = match fs_err::read(&manifest_path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut parts = stem.splitn(3, '_').map(str::to_owned);
            let mut next = || parts.next().unwrap_or_default();
            return Ok(PackageFacts::new(Format::Tar, next(), next(), next()));
        }
        Err(source) => return Err(ReadPackageError::Read { path: manifest_path, source }),
    };
    let manifest: Manifest =
        serde_json::from_slice(&text).map_err(|source| ReadPackageError::Manifest { path: manifest_path, source })?;
    let mut facts = PackageFacts::new(Format::Tar, manifest.name, manifest.version, manifest.architecture);
    facts.set_field("summary", Some(&manifest.summary));
    facts.set_field("license", manifest.license.as_deref());
    facts.set_relations("requires", manifest.requires);
    facts.set_relations("libraries", manifest.libraries);
    facts.conffiles = manifest.conffiles.into_iter().collect();
    Ok(facts)
}
