//! A real `.deb` with another control file: the next version of a package, as an archive gets one.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be made must fail its test")]

use std::io::{Cursor, Read};

use crate::archive::Compression;

/// Returns a `.deb` with its control file changed; everything else in it stays, byte for byte.
pub fn with_control(deb: &[u8], change: impl Fn(&str) -> String) -> Vec<u8> {
    let mut archive = ar::Archive::new(deb);
    let mut builder = ar::Builder::new(Vec::new());
    while let Some(entry) = archive.next_entry() {
        let mut entry = entry.unwrap();
        let name = String::from_utf8(entry.header().identifier().to_vec()).unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        let (name, bytes) = match name.strip_prefix("control.tar") {
            Some(extension) => ("control.tar.gz".to_owned(), changed(&decompressed(extension, &bytes), &change)),
            None => (name, bytes),
        };
        builder.append(&ar::Header::new(name.into_bytes(), bytes.len() as u64), bytes.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
}

fn decompressed(extension: &str, bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let read = match extension {
        ".xz" => liblzma::read::XzDecoder::new(bytes).read_to_end(&mut plain),
        ".gz" => flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain),
        other => panic!("`control.tar{other}` is not read here"),
    };
    read.unwrap();
    plain
}

fn changed(control: &[u8], change: &impl Fn(&str) -> String) -> Vec<u8> {
    let mut archive = tar::Archive::new(control);
    let mut builder = tar::Builder::new(Vec::new());
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut header = entry.header().clone();
        let path = entry.path().unwrap().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        if path.file_name().is_some_and(|name| name == "control") {
            bytes = change(std::str::from_utf8(&bytes).unwrap()).into_bytes();
            header.set_size(bytes.len() as u64);
        }
        builder.append_data(&mut header, path, Cursor::new(bytes)).unwrap();
    }
    Compression::Gz.compress(&builder.into_inner().unwrap())
}
