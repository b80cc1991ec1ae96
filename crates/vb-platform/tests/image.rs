//! Images: layers in order, and nothing that leaves the root or needs rights.

#![expect(clippy::unwrap_used, reason = "a broken fixture must fail its test")]

use std::{io::Write, path::PathBuf};

use sha2::{Digest, Sha256};
use tempfile::TempDir;
use vb_fetch::{FetchOptions, Fetcher};
use vb_platform::image::{ImageError, LayoutError, find_layers, unpack};

/// One entry of a layer: its name as it is written, and what it is.
enum Entry {
    Directory(&'static str, u32),
    File(&'static str, &'static str, u32),
    Link(&'static str, &'static str),
    HardLink(&'static str, &'static str),
    Device(&'static str),
}

use Entry::{Device, Directory, File, HardLink, Link};

fn header(name: &str, kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    // Written as it is: names that `tar` would refuse are the point.
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header
}

fn layer(entries: &[Entry]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for entry in entries {
        let (mut header, content) = match entry {
            Directory(name, mode) => (header(name, tar::EntryType::Directory, *mode, 0), ""),
            File(name, content, mode) => (header(name, tar::EntryType::Regular, *mode, content.len() as u64), *content),
            Device(name) => (header(name, tar::EntryType::Char, 0o600, 0), ""),
            Link(name, to) => (with_target(header(name, tar::EntryType::Symlink, 0o777, 0), to), ""),
            HardLink(name, to) => (with_target(header(name, tar::EntryType::Link, 0o644, 0), to), ""),
        };
        header.set_cksum();
        builder.append(&header, content.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

fn with_target(mut header: tar::Header, to: &str) -> tar::Header {
    header.set_link_name_literal(to).unwrap();
    header
}

struct Fixture {
    dir: TempDir,
    layers: Vec<PathBuf>,
}

impl Fixture {
    fn new(layers: &[Vec<u8>]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let write = |(place, bytes): (usize, &Vec<u8>)| {
            let path = dir.path().join(place.to_string());
            fs_err::write(&path, bytes).unwrap();
            path
        };
        let layers = layers.iter().enumerate().map(write).collect();
        fs_err::create_dir(dir.path().join("root")).unwrap();
        Self { dir, layers }
    }

    fn unpack(&self) -> Result<(), ImageError> {
        unpack(&self.layers, &self.dir.path().join("root"))
    }

    fn read(&self, path: &str) -> Option<String> {
        fs_err::read_to_string(self.dir.path().join("root").join(path)).ok()
    }
}

#[test]
fn later_layers_replace_remove_and_empty() {
    let lower = [
        Directory("./", 0o755),
        Directory("etc/", 0o755),
        File("etc/a", "lower", 0o644),
        File("etc/b", "lower", 0o644),
        Directory("var/", 0o755),
        File("var/old", "lower", 0o644),
        Directory("opt", 0o755),
        File("opt/x", "lower", 0o644),
        Link("link", "etc"),
    ];
    let upper = [
        File("etc/a", "upper", 0o600),
        File("etc/.wh.b", "", 0o644),
        File("var/new", "upper", 0o644),
        File("var/.wh..wh..opq", "", 0o644),
        File("opt", "a file", 0o644),
        Directory("link", 0o755),
        File("link/x", "upper", 0o644),
        HardLink("etc/c", "etc/a"),
    ];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&layer(&upper)).unwrap();
    let fixture = Fixture::new(&[layer(&lower), gzip.finish().unwrap()]);
    fixture.unpack().unwrap();
    let found =
        ["etc/a", "etc/b", "etc/c", "etc/x", "var/old", "var/new", "opt", "link/x"].map(|path| fixture.read(path));
    let expect = [Some("upper"), None, Some("upper"), None, None, Some("upper"), Some("a file"), Some("upper")];
    assert_eq!(found, expect.map(|text| text.map(str::to_owned)));
}

#[test]
fn what_leaves_the_root_or_needs_rights_is_refused() {
    let refused = |entries: &[Entry]| Fixture::new(&[layer(entries)]).unpack().unwrap_err();
    for name in ["/etc/passwd", "../x", "a/../../x"] {
        let entry = match name {
            "/etc/passwd" => File("/etc/passwd", "", 0o644),
            "../x" => File("../x", "", 0o644),
            _ => File("a/../../x", "", 0o644),
        };
        assert!(matches!(refused(&[entry]), ImageError::UnsafePath { .. }), "{name}");
    }
    assert!(matches!(refused(&[File("a/.wh...", "", 0o644)]), ImageError::UnsafePath { .. }));
    assert!(matches!(refused(&[HardLink("a", "/etc/passwd")]), ImageError::UnsafePath { .. }));
    assert!(matches!(refused(&[HardLink("a", "b")]), ImageError::NoTarget { .. }));
    assert!(matches!(refused(&[Device("dev/null")]), ImageError::Special { .. }));
    assert!(matches!(refused(&[File("su", "", 0o4755)]), ImageError::Privileged { .. }));
    assert!(matches!(refused(&[File("wall", "", 0o2755)]), ImageError::Privileged { .. }));
    let through = [Link("out", "/tmp"), File("out/x", "", 0o644)];
    assert!(matches!(refused(&through), ImageError::Through { .. }));
    let through = [Link("out", "/tmp"), File("out/.wh.x", "", 0o644)];
    assert!(matches!(refused(&through), ImageError::Through { .. }));
}

#[test]
fn a_truncated_layer_is_refused() {
    let bytes = layer(&[File("a", "content", 0o644)]);
    let fixture = Fixture::new(&[bytes[..515].to_vec()]);
    assert!(matches!(fixture.unpack(), Err(ImageError::Read { .. })));
}

#[test]
fn the_layers_of_a_layout_are_those_of_the_manifest_with_the_digest() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = dir.path().join("blobs/sha256");
    fs_err::create_dir_all(&blobs).unwrap();
    let digest = "a".repeat(64);
    let descriptor = |kind: &str| {
        format!(r#"{{"mediaType":"application/vnd.oci.image.layer.v1.{kind}","digest":"sha256:{digest}","size":7}}"#)
    };
    let write = |text: &str| -> vb_graph::Sha256 {
        let name = hex::encode(Sha256::digest(text));
        fs_err::write(blobs.join(&name), text).unwrap();
        name.parse().unwrap()
    };
    let manifest = write(&format!(r#"{{"schemaVersion":2,"layers":[{}]}}"#, descriptor("tar+gzip")));
    let encrypted = write(&format!(r#"{{"layers":[{}]}}"#, descriptor("tar+encrypted")));
    let fetcher = Fetcher::new(&FetchOptions::default()).unwrap();
    let find = |digest| find_layers(&fetcher, dir.path().to_str().unwrap(), digest);
    let layers = find(&manifest).unwrap();
    assert_eq!((layers[0].path.as_str(), layers[0].size), (format!("blobs/sha256/{digest}").as_str(), 7));
    assert!(matches!(find(&encrypted), Err(LayoutError::Layer { .. })));
    fs_err::write(blobs.join(manifest.to_string()), "{}").unwrap();
    assert!(matches!(find(&manifest), Err(LayoutError::Digest { .. })));
    assert!(matches!(find(&digest.parse().unwrap()), Err(LayoutError::Fetch { .. })));
}
