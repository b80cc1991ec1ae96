//! Remembered segments: what is known already is not read again, and changes no byte.

use std::{collections::BTreeMap, io, sync::Mutex};

use vb_graph::{BlobDigest, Compression, Format};
use vb_package::{FileTree, RememberedSegment, Resources, SegmentCache, write_deb, write_rpm, write_tar};

use crate::fixture::{Fixture, elf};

const FORMATS: [(Format, Compression); 5] = [
    (Format::Deb, Compression::Xz),
    (Format::Deb, Compression::Gzip),
    (Format::Rpm, Compression::Zstd),
    (Format::Rpm, Compression::Xz),
    (Format::Tar, Compression::Zstd),
];

/// Writes with remembered segments alone.
fn write_unread(fixture: &Fixture, memory: &BTreeMap<BlobDigest, RememberedSegment>) -> Vec<u8> {
    let recall = |key: &BlobDigest| memory.get(key).cloned();
    let cache = SegmentCache { recall: &recall, remember: &|_, _, _| panic!("nothing is compressed") };
    let tree = FileTree::from_entries(fixture.entries.clone()).unwrap();
    let open = |_: &BlobDigest, _| Err(io::ErrorKind::NotFound.into());
    let directory = tempfile::tempdir().unwrap();
    let write = match fixture.spec.format {
        Format::Deb => write_deb,
        Format::Rpm => write_rpm,
        Format::Tar => write_tar,
    };
    let resources = Resources { threads: 1, cache };
    let written = write(&fixture.spec, &tree, &fixture.maintainer, &open, resources, directory.path()).unwrap();
    fs_err::read(directory.path().join(written.file_name)).unwrap()
}

#[test]
fn a_package_of_remembered_segments_is_the_same_and_no_file_is_read() {
    for (format, compression) in FORMATS {
        let mut fixture = Fixture::full(compression);
        fixture.spec.format = format;
        fixture.file("vrmd/whois/lib/module.so", 0o644, &elf(0x3e));
        // Longer than a segment can be, so that it begins in one and ends in another.
        fixture.file("vrmd/whois/lib/large", 0o644, &[7; 9 << 20]);
        let memory: Mutex<BTreeMap<BlobDigest, RememberedSegment>> = Mutex::default();
        let kept = tempfile::tempdir().unwrap();
        let remember = |key: &BlobDigest, bytes: &[u8], facts: &str| {
            // Whether they are in a file must not matter.
            let path = kept.path().join(key.to_string());
            let place = bytes.len().is_multiple_of(2).then(|| fs_err::write(&path, bytes).map(|()| path).unwrap());
            let segment = RememberedSegment { bytes: bytes.to_vec(), place: place.clone(), facts: facts.to_owned() };
            memory.lock().unwrap().insert(*key, segment);
            place
        };
        let bytes = fixture.to_bytes_with(SegmentCache { recall: &|_| None, remember: &remember });
        let memory = memory.into_inner().unwrap();
        assert!(memory.len() >= 3, "{} segments", memory.len());
        assert!(write_unread(&fixture, &memory) == bytes, "{format} {compression:?}");
        assert!(fixture.to_bytes(1) == bytes, "{format} {compression:?}");
    }
}
