//! `.rpm` packages as a whole: what is written, byte for byte, and what is read back.

use vb_graph::{BlobDigest, Compression, Format, PackageArchitecture};
use vb_package::{
    Content, MaintainerFiles, ReadRpmError, RpmComparison, RpmFile, RpmFileKind, RpmMetadata, RpmRelation, RpmScript,
    ScriptletName, WritePackageError, Written, read_rpm,
};

use crate::fixture::{ENVIRONMENT_TIME, EPOCH, Fixture, elf};

const COMPRESSIONS: [Compression; 3] = [Compression::Xz, Compression::Gzip, Compression::Zstd];

fn empty(compression: Compression) -> Fixture {
    let mut fixture = Fixture::empty(compression);
    fixture.spec.format = Format::Rpm;
    fixture
}

fn full(compression: Compression) -> Fixture {
    let mut fixture = Fixture::full(compression);
    fixture.spec.format = Format::Rpm;
    fixture.spec.depends = vec!["libpq5 (>= 15)".into(), "python(abi) = 3.11".into()];
    fixture.file("usr/share/licenses/vrmd-whois/copyright", 0o644, b"MIT\n");
    fixture.maintainer.take_in_scriptlet("post.sh", b"#!/bin/bash -e\necho post $1\n").unwrap();
    fixture.maintainer.take_in_scriptlet("preun", b"echo preun\n").unwrap();
    fixture.maintainer.take_in_changelog(
        b"vrmd-whois (1:1.2.3-1) bookworm; urgency=low\n\n  * First.\n\n -- Ops <ops@example.org>  Sat, 21 Nov 2026 12:00:00 +0000\n",
    );
    fixture
}

fn read_back(fixture: &Fixture) -> (Written, RpmMetadata) {
    let directory = tempfile::tempdir().unwrap();
    let written = fixture.write(2, directory.path()).unwrap();
    let metadata = read_rpm(&directory.path().join(&written.file_name)).unwrap();
    (written, metadata)
}

#[test]
fn two_runs_and_any_number_of_threads_give_the_same_bytes() {
    for compression in COMPRESSIONS {
        let mut fixture = full(compression);
        let one = fixture.to_bytes(1);
        fixture.entries.reverse();
        for threads in [1, 2, 4] {
            assert!(fixture.to_bytes(threads) == one, "{compression:?} with {threads} threads");
        }
    }
}

#[test]
fn the_bytes_of_a_package_have_not_changed() {
    let digests = COMPRESSIONS.map(|compression| BlobDigest::of(&full(compression).to_bytes(2)).to_short());
    assert_eq!(digests, ["c7a68ed27aa6", "41eaa72efeb0", "f3845db91679"]);
}

#[test]
fn the_header_tells_what_the_package_is() {
    let (written, metadata) = read_back(&full(Compression::Zstd));
    let expect = Written {
        architecture: PackageArchitecture::All,
        installed_size_kib: 23,
        file_name: "vrmd-whois-1.2.3-1.1.noarch.rpm".into(),
    };
    assert_eq!(written, expect);
    assert_eq!(metadata.file_name(), written.file_name);
    assert_eq!((metadata.evr().as_str(), metadata.architecture.as_str()), ("1:1.2.3-1.1", "noarch"));
    assert_eq!(metadata.summary, "whois over the web");
    assert_eq!(metadata.description, "Looks up names.");
    assert_eq!(metadata.license, "Unspecified");
    assert_eq!(metadata.packager.as_deref(), Some("Ops <ops@example.org>"));
    assert_eq!((metadata.build_time, metadata.build_host.as_deref()), (EPOCH, Some("vb")));
    assert!(!metadata.is_source && !metadata.is_signed);
    assert_eq!(metadata.compressor.as_deref(), Some("zstd"));
    assert_eq!(metadata.changelog[0].author, "Ops <ops@example.org> - 1:1.2.3-1.1");
}

#[test]
fn what_the_package_needs_is_in_rpms_words() {
    let (_, metadata) = read_back(&full(Compression::Xz));
    let shown: Vec<String> = metadata.requires.iter().map(ToString::to_string).collect();
    let expect = [
        "/bin/bash",
        "/bin/sh",
        "libpq5 >= 15",
        "python(abi) = 3.11",
        "rpmlib(CompressedFileNames) <= 3.0.4-1",
        "rpmlib(FileDigests) <= 4.6.0-1",
        "rpmlib(PayloadFilesHavePrefix) <= 4.0-1",
        "rpmlib(PayloadIsXz) <= 5.2-1",
        "rpmlib(ScriptletInterpreterArgs) <= 4.0.3-1",
    ];
    assert_eq!(shown, expect);
    assert_eq!(metadata.requires.iter().find(|relation| relation.is_pre).unwrap().name, "/bin/bash");
    let provides = [RpmRelation {
        name: "vrmd-whois".into(),
        version: Some((RpmComparison::Equal, "1:1.2.3-1.1".into())),
        is_pre: false,
    }];
    assert_eq!(metadata.provides, provides);
}

#[test]
fn scriptlets_come_from_the_files_of_the_source() {
    let (_, metadata) = read_back(&full(Compression::Gzip));
    let script = |program: &[&str], text: &str| RpmScript {
        program: program.iter().map(|word| (*word).to_owned()).collect(),
        text: text.into(),
    };
    let expect = [
        (ScriptletName::Post, script(&["/bin/bash", "-e"], "echo post $1\n")),
        (ScriptletName::Preun, script(&["/bin/sh"], "echo preun\n")),
    ];
    assert_eq!(metadata.scripts, expect.into());
}

#[test]
fn paths_come_back_as_they_were_in_the_tree_without_directories_of_the_distribution() {
    let (_, metadata) = read_back(&full(Compression::Zstd));
    let paths: Vec<(&str, u32, u64)> =
        metadata.files.iter().map(|file| (file.path.as_str(), file.mode, file.mtime)).collect();
    let long = format!("/vrmd/whois/{}", "d".repeat(90));
    let expect = [
        ("/etc/whois", 0o755, ENVIRONMENT_TIME),
        ("/etc/whois/app.yaml", 0o640, ENVIRONMENT_TIME),
        ("/srv/whois.conf", 0o644, ENVIRONMENT_TIME),
        ("/usr/share/licenses/vrmd-whois", 0o755, ENVIRONMENT_TIME),
        ("/usr/share/licenses/vrmd-whois/copyright", 0o644, ENVIRONMENT_TIME),
        ("/vrmd", 0o755, ENVIRONMENT_TIME),
        ("/vrmd/whois", 0o755, ENVIRONMENT_TIME),
        ("/vrmd/whois/bin", 0o755, ENVIRONMENT_TIME),
        ("/vrmd/whois/bin/python", 0o777, ENVIRONMENT_TIME),
        ("/vrmd/whois/bin/whois-app", 0o755, ENVIRONMENT_TIME),
        (&long, 0o755, ENVIRONMENT_TIME),
        (&format!("{long}/{}.py", "f".repeat(80)), 0o644, ENVIRONMENT_TIME),
        ("/vrmd/whois/log", 0o2775, ENVIRONMENT_TIME),
        ("/vrmd/whois/long", 0o777, ENVIRONMENT_TIME),
        ("/vrmd/whois/whois", 0o755, EPOCH),
        ("/vrmd/whois/whois/empty.py", 0o644, EPOCH),
        ("/vrmd/whois/whois/secret", 0o600, EPOCH),
        ("/vrmd/whois/whois/\u{151}ri.txt", 0o644, EPOCH),
    ];
    assert_eq!(paths, expect);
    let file = |path: &str| metadata.files.iter().find(|file| file.path == path).unwrap();
    let expect = RpmFile {
        path: "/etc/whois/app.yaml".into(),
        kind: RpmFileKind::File,
        mode: 0o640,
        size: 11,
        mtime: ENVIRONMENT_TIME,
        user: "root".into(),
        group: "root".into(),
        digest: Some("04eeaa6d3c2a66678af8514f5c8777a8889296f351c790bd3fa21ed2f9dd482e".into()),
        is_config: true,
        is_noreplace: true,
        is_ghost: false,
    };
    assert_eq!(*file("/etc/whois/app.yaml"), expect);
    assert!(file("/srv/whois.conf").is_noreplace);
    assert!(!file("/vrmd/whois/whois/secret").is_config);
    let target = RpmFileKind::Symlink { target: "/usr/bin/python3.11".into() };
    assert_eq!(file("/vrmd/whois/bin/python").kind, target);
}

#[test]
fn a_package_without_files_is_a_package() {
    let (_, metadata) = read_back(&empty(Compression::Zstd));
    assert_eq!((metadata.files, metadata.installed_size), (vec![], 0));
}

#[test]
fn compiled_code_makes_a_package_native_and_has_to_be_of_its_machine() {
    let mut fixture = empty(Compression::Zstd);
    fixture.file("vrmd/whois/lib/_speedups.so", 0o644, &elf(62));
    let (written, metadata) = read_back(&fixture);
    assert_eq!(written.file_name, "vrmd-whois-1.2.3-1.1.x86_64.rpm");
    let provides: Vec<String> = metadata.provides.iter().map(ToString::to_string).collect();
    assert_eq!(provides, ["vrmd-whois = 1:1.2.3-1.1", "vrmd-whois(x86-64) = 1:1.2.3-1.1"]);
    fixture.file("vrmd/whois/lib/other.so", 0o644, &elf(183));
    assert!(matches!(fixture.error(), WritePackageError::ForeignCode { .. }));
}

#[test]
fn what_is_no_relation_is_refused_by_name() {
    let mut fixture = empty(Compression::Zstd);
    fixture.spec.depends = vec!["libpq5 >=".into()];
    let message = fixture.error().to_string();
    assert!(message.starts_with("the field `Requires` cannot be `libpq5 >=`: "), "{message}");
}

#[test]
fn a_file_of_another_size_is_refused() {
    let mut fixture = empty(Compression::Zstd);
    fixture.add("f", 0o644, Content::File { blob: BlobDigest::of(b""), size: 1 });
    fixture.blobs.insert(BlobDigest::of(b""), vec![]);
    assert!(matches!(fixture.error(), WritePackageError::BlobSize { declared: 1, found: 0, .. }));
    assert_eq!(fixture.maintainer, MaintainerFiles::default());
}

#[test]
fn damaged_packages_are_told_apart() {
    let bytes = full(Compression::Zstd).to_bytes(1);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.rpm");
    let read = |bytes: &[u8]| {
        fs_err::write(&path, bytes).unwrap();
        read_rpm(&path)
    };
    assert!(matches!(read(b"!<arch>\n").unwrap_err(), ReadRpmError::Read { .. }));
    assert!(matches!(read(&[b'x'; 200]).unwrap_err(), ReadRpmError::NotRpm { .. }));
    let header = read(&bytes).unwrap().header_range;
    let start = usize::try_from(header.start).unwrap();
    for end in [95, 100, start + 8, start + 100] {
        assert!(matches!(read(&bytes[..end]).unwrap_err(), ReadRpmError::Read { .. }), "cut to {end}");
    }
    // The offset of the first entry behind the region, the number of entries, and a letter of the summary.
    for (at, value) in [(start + 16 + 16 + 8, 0x7f), (start + 8, 0xff), (start + 2000, b'~')] {
        let mut damaged = bytes.clone();
        damaged[at] = value;
        assert!(matches!(read(&damaged).unwrap_err(), ReadRpmError::DamagedHeader { .. }), "byte {at}");
    }
}
