//! `.deb` packages as a whole: what is written, byte for byte, and what is read back.

use vb_graph::{BlobDigest, Compression, PackageArchitecture, PackageSpec};
use vb_package::{Content, DebEntry, DebEntryKind, DebMetadata, ScriptName, WritePackageError, Written, read_deb};

use crate::fixture::{ENVIRONMENT_TIME, EPOCH, Fixture, elf};

const COMPRESSIONS: [Compression; 3] = [Compression::Xz, Compression::Gzip, Compression::Zstd];

fn read_back(fixture: &Fixture) -> (Written, DebMetadata) {
    let directory = tempfile::tempdir().unwrap();
    let written = fixture.write(2, directory.path()).unwrap();
    let metadata = read_deb(&directory.path().join(&written.file_name)).unwrap();
    (written, metadata)
}

/// More than one xz block, and quick to compress.
fn long_text() -> Vec<u8> {
    let lines = (0_u32..36_000).map(|line| format!("{}{:120}\n", line.wrapping_mul(2_654_435_761), ""));
    lines.collect::<String>().into_bytes()
}

#[test]
fn two_runs_and_any_number_of_threads_give_the_same_bytes() {
    for compression in COMPRESSIONS {
        let mut fixture = Fixture::full(compression);
        if compression == Compression::Xz {
            fixture.file("vrmd/whois/long.txt", 0o644, &long_text());
        }
        let one = fixture.to_bytes(1);
        fixture.entries.reverse();
        for threads in [1, 2, 4] {
            assert!(fixture.to_bytes(threads) == one, "{compression:?} with {threads} threads");
        }
    }
}

#[test]
fn the_bytes_of_a_package_have_not_changed() {
    let digests = COMPRESSIONS.map(|compression| BlobDigest::of(&Fixture::full(compression).to_bytes(2)).to_short());
    assert_eq!(digests, ["0ca19ab5bc88", "8b8742892968", "515918abddec"]);
}

#[test]
fn the_archive_has_three_members_with_fixed_headers() {
    for (compression, data) in COMPRESSIONS.into_iter().zip(["data.tar.xz", "data.tar.gz", "data.tar.zst"]) {
        let bytes = Fixture::full(compression).to_bytes(1);
        let mut archive = ar::Archive::new(&bytes[..]);
        let mut names = Vec::new();
        while let Some(member) = archive.next_entry() {
            let header = member.unwrap().header().clone();
            names.push(String::from_utf8(header.identifier().to_vec()).unwrap());
            assert_eq!((header.mode(), header.uid(), header.gid(), header.mtime()), (0o100_644, 0, 0, EPOCH));
        }
        assert_eq!(names, ["debian-binary", "control.tar.gz", data]);
        assert!(bytes.starts_with(
            b"!<arch>\ndebian-binary   1700000000  0     0     100644  4         `\n2.0\ncontrol.tar.gz  1700000000  "
        ));
    }
}

#[test]
fn entries_come_back_as_they_were_in_the_tree() {
    let entry = |path: String, kind, mode, size| DebEntry {
        path,
        kind,
        mode,
        size,
        uid: 0,
        gid: 0,
        owner: "root".into(),
        group: "root".into(),
        mtime: ENVIRONMENT_TIME,
        sha256: None,
    };
    let directory = |path: &str| entry(path.into(), DebEntryKind::Directory, 0o755, 0);
    let file = |path: &str, mode, size| entry(path.into(), DebEntryKind::File, mode, size);
    let link = |path: &str, target: String| entry(path.into(), DebEntryKind::Symlink { target }, 0o777, 0);
    let own = |entry: DebEntry| DebEntry { mtime: EPOCH, ..entry };
    let long = format!("./vrmd/whois/{}/", "d".repeat(90));
    let expect = [
        directory("./"),
        directory("./etc/"),
        directory("./etc/whois/"),
        file("./etc/whois/app.yaml", 0o640, 11),
        directory("./srv/"),
        file("./srv/whois.conf", 0o644, 4),
        directory("./vrmd/"),
        directory("./vrmd/whois/"),
        directory("./vrmd/whois/bin/"),
        link("./vrmd/whois/bin/python", "/usr/bin/python3.11".into()),
        file("./vrmd/whois/bin/whois-app", 0o755, 25),
        directory(&long),
        file(&format!("{long}{}.py", "f".repeat(80)), 0o644, 5),
        entry("./vrmd/whois/log/".into(), DebEntryKind::Directory, 0o2775, 0),
        link("./vrmd/whois/long", format!("/{}", "t".repeat(180))),
        own(directory("./vrmd/whois/whois/")),
        own(file("./vrmd/whois/whois/empty.py", 0o644, 0)),
        own(file("./vrmd/whois/whois/secret", 0o600, 1)),
        own(file("./vrmd/whois/whois/\u{151}ri.txt", 0o644, 5)),
    ];
    for compression in COMPRESSIONS {
        let entries = read_back(&Fixture::full(compression)).1.entries;
        let secret = entries.iter().find(|entry| entry.path.ends_with("/secret")).unwrap();
        let sha256 = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
        assert_eq!(secret.sha256.as_deref(), Some(sha256));
        let entries: Vec<DebEntry> = entries.into_iter().map(|entry| DebEntry { sha256: None, ..entry }).collect();
        assert_eq!(entries, expect);
    }
}

#[test]
fn the_control_member_tells_what_the_package_is() {
    let (written, metadata) = read_back(&Fixture::full(Compression::Xz));
    let expect = [
        ("Package", "vrmd-whois"),
        ("Version", "1:1.2.3-1"),
        ("Architecture", "all"),
        ("Maintainer", "Ops <ops@example.org>"),
        ("Installed-Size", "18"),
        ("Depends", "python3.11"),
        ("Section", "web"),
        ("Priority", "optional"),
        ("Description", "whois over the web\n Looks up names."),
    ];
    let fields: Vec<_> = metadata.control.iter().map(|field| (field.name.as_str(), field.value.as_str())).collect();
    assert_eq!(fields, expect);
    let expect = Written {
        architecture: PackageArchitecture::All,
        installed_size_kib: 18,
        file_name: "vrmd-whois_1.2.3-1_all.deb".into(),
    };
    assert_eq!(written, expect);
    let files: Vec<_> = metadata.control_entries.iter().map(|entry| (entry.path.as_str(), entry.mode)).collect();
    let expect = [
        ("./", 0o755),
        ("./conffiles", 0o644),
        ("./control", 0o644),
        ("./md5sums", 0o644),
        ("./postinst", 0o755),
        ("./prerm", 0o755),
        ("./triggers", 0o644),
    ];
    assert_eq!(files, expect);
    assert_eq!(metadata.scripts, Fixture::full(Compression::Xz).maintainer.scripts);
    assert_eq!(metadata.other_control_files["triggers"], b"interest-noawait /usr/bin/python3.11\n");
}

#[test]
fn configuration_files_are_listed_and_have_no_checksum() {
    let metadata = read_back(&Fixture::full(Compression::Gzip)).1;
    assert_eq!(metadata.conffiles, ["/etc/whois/app.yaml", "/srv/whois.conf"]);
    let long = format!("vrmd/whois/{}/{}.py", "d".repeat(90), "f".repeat(80));
    let expect = [
        ("vrmd/whois/bin/whois-app", "83ad9d8df6ae7d665d6d3f6b6167c0d5"),
        (&*long, "0f92c08458d44aebc2cb419604be833b"),
        ("vrmd/whois/whois/empty.py", "d41d8cd98f00b204e9800998ecf8427e"),
        ("vrmd/whois/whois/secret", "9dd4e461268c8034f5c8564e155c67a6"),
        ("vrmd/whois/whois/\u{151}ri.txt", "0898a2b6f781ec20b4b064bf04882abc"),
    ];
    assert_eq!(metadata.md5sums, expect.map(|(path, sum)| (path.to_owned(), sum.to_owned())).into());
}

#[test]
fn a_package_without_files_has_only_a_control_file() {
    let (written, metadata) = read_back(&Fixture::empty(Compression::Xz));
    assert_eq!(written.installed_size_kib, 1);
    let names: Vec<_> = metadata.control_entries.iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(names, ["./", "./control"]);
    assert_eq!(metadata.entries.len(), 1);
}

#[test]
fn compiled_code_makes_a_package_native() {
    let mut fixture = Fixture::empty(Compression::Xz);
    fixture.file("vrmd/whois/lib/_speedups.so", 0o644, &elf(62));
    let (written, metadata) = read_back(&fixture);
    assert_eq!(written.architecture, PackageArchitecture::Native("amd64".into()));
    assert_eq!(written.file_name, "vrmd-whois_1.2.3-1_amd64.deb");
    assert_eq!(metadata.field("Architecture"), Some("amd64"));
}

#[test]
fn compiled_code_of_another_machine_is_refused() {
    let mut fixture = Fixture::empty(Compression::Xz);
    fixture.file("vrmd/whois/lib/_speedups.so", 0o644, &elf(183));
    assert_eq!(
        fixture.error().to_string(),
        "`/vrmd/whois/lib/_speedups.so` is compiled for `arm64`, the package is for `amd64`"
    );
}

#[test]
fn the_package_is_readable_for_all_and_replaces_an_older_one() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::empty(Compression::Zstd);
    let path = directory.path().join("vrmd-whois_1.2.3-1_all.deb");
    fs_err::write(&path, "old").unwrap();
    fixture.write(1, directory.path()).unwrap();
    assert_eq!(fs_err::read(&path).unwrap(), fixture.to_bytes(1));
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs_err::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o7777, 0o644);
    assert_eq!(fs_err::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn every_field_is_checked_and_named() {
    let message = |change: fn(&mut PackageSpec)| {
        let mut fixture = Fixture::empty(Compression::Xz);
        change(&mut fixture.spec);
        match fixture.error() {
            WritePackageError::Field(error) => error.field,
            other => panic!("an error of another kind: {other}"),
        }
    };
    assert_eq!(message(|spec| spec.name = "Vrmd_Whois".into()), "Package");
    assert_eq!(message(|spec| spec.version = "v1".into()), "Version");
    assert_eq!(message(|spec| spec.native_architecture = "all".into()), "Architecture");
    assert_eq!(message(|spec| spec.maintainer = "ops".into()), "Maintainer");
    assert_eq!(message(|spec| spec.section = String::new()), "Section");
    assert_eq!(message(|spec| spec.priority = "high".into()), "Priority");
    assert_eq!(message(|spec| spec.homepage = Some("x\nEssential: yes".into())), "Homepage");
    assert_eq!(message(|spec| spec.summary = "x\nEssential: yes".into()), "Description");
    assert_eq!(message(|spec| spec.description = vec!["x\nEssential: yes".into()]), "Description");
    assert_eq!(message(|spec| spec.depends = vec!["libpq5, x\nEssential: yes".into()]), "Depends");
    assert_eq!(message(|spec| spec.epoch = 1 << 33), "SOURCE_DATE_EPOCH");
}

#[test]
fn a_blob_that_is_not_there_is_named() {
    let mut fixture = Fixture::full(Compression::Xz);
    let blob = BlobDigest::of(b"absent");
    fixture.add("vrmd/absent", 0o644, Content::File { blob, size: 6 });
    let expect = format!("cannot read the content of `/vrmd/absent`, blob `{blob}`");
    assert_eq!(fixture.error().to_string(), expect);
}

#[test]
fn a_blob_of_another_size_is_refused() {
    for declared in [2, 4] {
        let mut fixture = Fixture::empty(Compression::Gzip);
        fixture.file("f", 0o644, b"abc");
        let blob = BlobDigest::of(b"abc");
        fixture.entries[0].content = Content::File { blob, size: declared };
        match fixture.error() {
            WritePackageError::BlobSize { path, declared: told, found, .. } => {
                assert_eq!((path.as_str(), told, found), ("f", declared, 3));
            }
            other => panic!("an error of another kind: {other}"),
        }
    }
}

#[test]
fn files_that_no_entry_can_hold_are_refused() {
    let mut fixture = Fixture::empty(Compression::Gzip);
    fixture.add("f", 0o644, Content::File { blob: BlobDigest::of(b""), size: 8 << 30 });
    assert!(matches!(fixture.error(), WritePackageError::FileTooLarge { size: 8_589_934_592, .. }));
}

#[test]
fn what_dpkg_would_not_accept_of_a_maintainer_is_refused() {
    let mut fixture = Fixture::full(Compression::Xz);
    fixture.maintainer.conffiles.push("/etc/absent".into());
    assert_eq!(fixture.error().to_string(), "the conffile `/etc/absent` is not a file of the package");
    let mut fixture = Fixture::full(Compression::Xz);
    fixture.maintainer.scripts.insert(ScriptName::Preinst, b"exit 0\n".to_vec());
    let message = fixture.error().to_string();
    assert_eq!(message, "the maintainer script `preinst` does not begin with `#!` and an interpreter");
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let directory = tempfile::tempdir().unwrap().path().join("absent");
    let error = Fixture::empty(Compression::Xz).write(1, &directory).unwrap_err();
    assert!(matches!(error, WritePackageError::Write { directory: named, .. } if named == directory));
}
