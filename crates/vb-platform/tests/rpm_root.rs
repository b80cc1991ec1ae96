//! Unpacking `.rpm` packages to a root.

#![expect(clippy::unwrap_used, reason = "a broken fixture must fail its test")]

use std::{
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::PathBuf,
    sync::atomic::AtomicBool,
};

use tempfile::TempDir;
use vb_graph::{LockedPackage, Sha256};
use vb_platform::{RootOptions, UnpackError, find_soname_owner, rpm::unpack};
use vb_testkit::rpm::RpmPackage;

struct Fixture {
    dir: TempDir,
    rpms: Vec<(LockedPackage, PathBuf)>,
}

impl Fixture {
    fn new(packages: &[(&str, RpmPackage)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let rpms = packages.iter().map(|(name, package)| {
            let path = dir.path().join(package.file_name());
            fs_err::write(&path, package.to_rpm()).unwrap();
            let locked = LockedPackage {
                name: (*name).to_owned(),
                version: "1-1".to_owned(),
                architecture: "x86_64".to_owned(),
                path: package.file_name(),
                size: 1,
                sha256: Sha256::from_bytes([0; 32]),
            };
            (locked, path)
        });
        Self { rpms: rpms.collect(), dir }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    fn unpack(&self) -> Result<(), UnpackError> {
        self.unpack_unless(&AtomicBool::new(false))
    }

    fn unpack_unless(&self, cancel: &AtomicBool) -> Result<(), UnpackError> {
        let options = RootOptions { has_merged_usr: true, architecture: "x86_64".to_owned() };
        unpack(&self.rpms, &self.root(), &options, cancel)
    }

    fn read(&self, path: &str) -> String {
        fs_err::read_to_string(self.root().join(path)).unwrap()
    }
}

fn package(name: &str) -> RpmPackage {
    RpmPackage::new(name, "1-1")
}

#[test]
fn files_links_and_modes_are_as_the_packages_say() {
    let a = package("a")
        .file("/usr/bin/tool", "tool", 0o100_755)
        .file("/usr/bin/su", "su", 0o104_755)
        .link("/usr/bin/alias", "tool")
        .ghost("/var/log/a.log");
    let fixture = Fixture::new(&[("a", a)]);
    fixture.unpack().unwrap();
    assert_eq!(fixture.read("usr/bin/alias"), "tool");
    assert_eq!(fixture.read("bin/tool"), "tool");
    let mode = |path: &str| fs_err::metadata(fixture.root().join(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode("usr/bin/tool"), 0o755);
    assert_eq!(mode("usr/bin/su"), 0o755);
    assert!(!fixture.root().join("var/log/a.log").exists());
    assert_eq!(fs_err::metadata(fixture.root().join("usr/bin/tool")).unwrap().mtime(), 315_532_800);
    assert!(fixture.read("etc/passwd").contains("vb:x:1000:1000"));
}

#[test]
fn a_path_below_another_packages_link_is_where_the_link_leads() {
    let filesystem = package("filesystem").link("/usr/sbin", "bin").link("/lib64", "usr/lib64");
    let glibc = package("glibc").file("/lib64/libx.so.1", "x", 0o755).file("/usr/sbin/ldconfig", "ld", 0o755);
    let fixture = Fixture::new(&[("filesystem", filesystem), ("glibc", glibc)]);
    fixture.unpack().unwrap();
    assert_eq!(fixture.read("usr/bin/ldconfig"), "ld");
    assert_eq!(fixture.read("usr/lib64/libx.so.1"), "x");
    assert_eq!(find_soname_owner(&fixture.root(), "libx.so.1").as_deref(), Some("glibc"));
}

#[test]
fn two_packages_may_have_the_same_file_and_not_two_different_ones() {
    let same = |name| package(name).file("/usr/share/doc", "same", 0o644);
    let fixture = Fixture::new(&[("a", same("a")), ("b", same("b"))]);
    fixture.unpack().unwrap();
    let other = package("b").file("/usr/share/doc", "other", 0o644);
    let fixture = Fixture::new(&[("a", same("a")), ("b", other)]);
    assert!(matches!(fixture.unpack(), Err(UnpackError::Conflict { first, .. }) if first == "a"));
}

#[test]
fn what_nobody_wants_any_more_is_not_unpacked() {
    let fixture = Fixture::new(&[("a", package("a").file("/usr/share/doc", "text", 0o644))]);
    assert!(matches!(fixture.unpack_unless(&AtomicBool::new(true)), Err(UnpackError::Cancelled)));
    assert!(!fixture.root().join("usr/share/doc").exists());
}

#[test]
fn scriptlets_need_an_rpm_among_the_packages() {
    let scripted = package("scripted").post_install("exit 0\n");
    let fixture = Fixture::new(&[("scripted", scripted.clone())]);
    assert!(matches!(fixture.unpack(), Err(UnpackError::NoRpm { package }) if package == "scripted"));
    let rpm = package("rpm").file("/usr/bin/rpm", "rpm", 0o755);
    Fixture::new(&[("rpm", rpm), ("scripted", scripted)]).unpack().unwrap();
}

#[test]
fn a_file_of_another_package_is_refused() {
    let fixture = Fixture::new(&[("a", package("b"))]);
    let error = fixture.unpack().unwrap_err();
    assert!(matches!(&error, UnpackError::OtherPackage { found, .. } if found == "b 1-1 x86_64"), "{error}");
}

#[test]
fn a_truncated_or_changed_package_is_refused() {
    let content = "some longer content that is in the payload";
    let fixture = Fixture::new(&[("a", package("a").file("/usr/share/a", content, 0o644))]);
    let path = &fixture.rpms[0].1;
    let bytes = fs_err::read(path).unwrap();
    let at = bytes.windows(content.len()).rposition(|window| window == content.as_bytes()).unwrap();
    let mut changed = bytes.clone();
    changed[at] ^= 1;
    let root = || fixture.dir.path().join("root");
    for (damaged, place) in [(changed, "one"), (bytes[..at + 4].to_vec(), "two"), (bytes[..200].to_vec(), "three")] {
        fs_err::write(path, damaged).unwrap();
        let error = fixture.unpack().unwrap_err();
        let is_named =
            matches!(&error, UnpackError::Payload { package, .. } | UnpackError::Rpm { package, .. } if package == "a");
        assert!(is_named, "{place}: {error:?}");
        drop(fs_err::remove_dir_all(root()));
    }
}

#[test]
fn the_same_packages_give_the_same_root_in_any_order() {
    let a = package("a").file("/usr/share/a/x", "a", 0o644).link("/usr/share/a/l", "x");
    let b = package("b").file("/usr/share/a/y", "b", 0o600);
    let list = |fixture: &Fixture| {
        fixture.unpack().unwrap();
        let mut found = Vec::new();
        let mut queue = vec![fixture.root()];
        while let Some(path) = queue.pop() {
            let meta = fs_err::symlink_metadata(&path).unwrap();
            found.push((path.strip_prefix(fixture.root()).unwrap().to_owned(), meta.mode(), meta.mtime()));
            if meta.is_dir() {
                queue.extend(fs_err::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
        found.sort();
        found
    };
    let one = list(&Fixture::new(&[("a", a.clone()), ("b", b.clone())]));
    let other = list(&Fixture::new(&[("b", b), ("a", a)]));
    assert_eq!(one, other);
}
