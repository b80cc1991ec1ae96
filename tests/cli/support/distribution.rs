//! Small wheels and sdists, good ones and bad ones.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use fs_err as fs;
use sha2::{Digest, Sha256};

use super::repository::hex;

/// Writes a wheel for every Python, with a RECORD that is in order; the members are written under any names.
pub(crate) fn write_wheel(directory: &Path, name: &str, version: &str, members: &[(&str, &str)]) -> PathBuf {
    write_wheel_requiring(directory, (name, version), &[], members)
}

/// Writes such a wheel that requires other distributions.
pub(crate) fn write_wheel_requiring(
    directory: &Path,
    (name, version): (&str, &str),
    requires: &[&str],
    members: &[(&str, &str)],
) -> PathBuf {
    let info = format!("{name}-{version}.dist-info");
    let requires: String = requires.iter().map(|line| format!("Requires-Dist: {line}\n")).collect();
    let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}");
    let wheel = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
    let mut all: Vec<(String, String)> =
        members.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    all.push((format!("{info}/METADATA"), metadata));
    all.push((format!("{info}/WHEEL"), wheel.to_owned()));
    let row = |(path, text): &(String, String)| {
        format!("{path},sha256={},{}\n", URL_SAFE_NO_PAD.encode(Sha256::digest(text)), text.len())
    };
    let record = format!("{}{info}/RECORD,,\n", all.iter().map(row).collect::<String>());
    all.push((format!("{info}/RECORD"), record));

    let path = directory.join(format!("{name}-{version}-py3-none-any.whl"));
    let mut zip = zip::ZipWriter::new(fs::File::create(&path).unwrap().into_file());
    for (member, text) in &all {
        zip.start_file(member.as_str(), zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap();
    path
}

/// Writes an sdist, with the files that it must have beside the given ones.
pub(crate) fn write_sdist(directory: &Path, name: &str, version: &str, files: &[(&str, &str)]) -> PathBuf {
    let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n");
    let pyproject = "[build-system]\nrequires = [\"setuptools\"]\nbuild-backend = \"setuptools.build_meta\"\n";
    let path = directory.join(format!("{name}-{version}.tar.gz"));
    let gzip = flate2::write::GzEncoder::new(fs::File::create(&path).unwrap(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    let own = [("PKG-INFO", metadata.as_str()), ("pyproject.toml", pyproject)];
    for (file, text) in own.iter().chain(files) {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(text.len() as u64);
        header.set_mtime(1_000_000_000);
        tar.append_data(&mut header, format!("{name}-{version}/{file}"), text.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap();
    path
}

/// Returns the SHA-256 of a file, as locks have it.
pub(crate) fn sha256(path: &Path) -> String {
    hex(&Sha256::digest(fs::read(path).unwrap()))
}
