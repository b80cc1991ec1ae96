//! `.tar.zst` archives as a whole.

use std::io::Read;

use vb_graph::{Compression, Format};

use crate::fixture::Fixture;

fn full() -> Fixture {
    let mut fixture = Fixture::full(Compression::Zstd);
    fixture.spec.format = Format::Tar;
    fixture
}

#[test]
fn the_archive_holds_the_tree_and_the_manifest_says_what_is_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let written = full().write(2, directory.path()).unwrap();
    assert_eq!(written.file_name, "vrmd-whois_1.2.3-1_all.tar.zst");
    let bytes = fs_err::read(directory.path().join(&written.file_name)).unwrap();
    let mut archive = tar::Archive::new(zstd::stream::read::Decoder::new(&bytes[..]).unwrap());
    let mut secret = String::new();
    let mut paths = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().into_owned();
        if path.ends_with("secret") {
            assert_eq!(entry.header().mode().unwrap(), 0o600);
            entry.read_to_string(&mut secret).unwrap();
        }
        paths.push(format!("/{}", path.strip_prefix(".").unwrap_or(&path).display()));
    }
    assert_eq!(secret, "x");

    let manifest = fs_err::read_to_string(directory.path().join("vrmd-whois_1.2.3-1_all.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["requires"], serde_json::json!(["python3.11"]));
    assert_eq!(manifest["conffiles"], serde_json::json!(["/etc/whois/app.yaml", "/srv/whois.conf"]));
    assert_eq!(manifest["archive"]["size"], bytes.len());
    let entries = manifest["entries"].as_array().unwrap();
    let listed: Vec<&str> = entries.iter().map(|entry| entry["path"].as_str().unwrap()).collect();
    assert_eq!(paths[1..], listed);
    let secret = entries.iter().find(|entry| entry["path"] == "/vrmd/whois/whois/secret").unwrap();
    let sha256 = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
    let expect = serde_json::json!({
        "type": "file", "path": "/vrmd/whois/whois/secret", "mode": "0600", "size": 1, "sha256": sha256,
    });
    assert_eq!(*secret, expect);
}

#[test]
fn two_runs_give_the_same_bytes() {
    let mut fixture = full();
    let one = fixture.to_bytes(1);
    fixture.entries.reverse();
    assert!(fixture.to_bytes(4) == one);
}
