//! Paths and files at the limits of what can be unpacked, in all formats.

use vb_graph::{Compression, Format};
use vb_package::{Content, PathKind, WritePackageError, read_package};

use crate::fixture::{Fixture, LARGE, zeros};

fn of(format: Format) -> Fixture {
    let mut fixture = Fixture::empty(Compression::Zstd);
    fixture.spec.format = format;
    fixture
}

/// Returns a path of some length below a directory, of names of at most 200 bytes.
fn path_of(length: usize) -> String {
    let mut path = "srv".to_owned();
    while path.len() < length {
        path.push('/');
        path.push_str(&"p".repeat((length - path.len()).min(200)));
    }
    assert_eq!(path.len(), length);
    path
}

#[test]
fn names_and_paths_up_to_what_can_be_unpacked_come_back_and_longer_ones_are_told() {
    // dpkg writes `name.dpkg-new` first, rpm `name;65a1b2c3`.
    for (format, name, path) in [(Format::Deb, 246, 4085), (Format::Rpm, 246, 4085), (Format::Tar, 255, 4094)] {
        let mut fixture = of(format);
        let (named, deep) = (format!("srv/{}", "n".repeat(name)), path_of(path));
        fixture.file(&named, 0o644, b"x");
        fixture.file(&deep, 0o644, b"x");
        let directory = tempfile::tempdir().unwrap();
        let written = fixture.write(1, directory.path()).unwrap();
        let facts = read_package(&directory.path().join(written.file_name)).unwrap();
        for path in [named, deep] {
            assert!(facts.files.contains_key(&format!("/{path}")), "{format}: {} bytes", path.len());
        }
        for longer in [format!("srv/{}", "n".repeat(name + 1)), path_of(path + 1)] {
            let mut fixture = of(format);
            fixture.file(&longer, 0o644, b"x");
            let error = fixture.error();
            assert!(matches!(error, WritePackageError::Tree(_)), "{format}: {error}");
            assert!(error.to_string().contains("are the most that can be unpacked"), "{error}");
        }
    }
}

#[test]
fn a_file_of_more_than_4_gib_comes_back_whole() {
    // A `.tar.zst` has the entries of a `.deb`; hashing 4 GiB once more shows nothing else.
    for format in [Format::Deb, Format::Rpm] {
        let mut fixture = of(format);
        fixture.add("srv/zeros", 0o644, Content::File { blob: zeros(), size: LARGE });
        let directory = tempfile::tempdir().unwrap();
        let written = fixture.write(1, directory.path()).unwrap();
        let facts = read_package(&directory.path().join(written.file_name)).unwrap();
        let PathKind::File { size, digest } = &facts.files["/srv/zeros"].kind else { panic!("{facts:?}") };
        assert_eq!(*size, LARGE);
        // What `head -c 4294967297 /dev/zero | sha256sum` prints.
        assert_eq!(
            digest.as_deref(),
            Some("fbb82f7b353676bb562eb82157fcf0ea42c36492ca13ee56dbf82c08b6802c5c"),
            "{format}"
        );
        assert!(facts.packed_size < 4 << 20, "{format}: {} bytes", facts.packed_size);
    }
}
