//! Unpacking fixture packages to a root, and finishing one.

#![expect(clippy::unwrap_used, reason = "a broken fixture must fail its test")]

use std::{
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use tempfile::TempDir;
use vb_graph::{LockedPackage, Sha256};
use vb_platform::{RootOptions, UnpackError, find_soname_owner, finish, unpack};
use vb_testkit::archive::{Compression, Package};

/// The time of everything in a root.
const ROOT_TIME: i64 = 315_532_800;

fn locked(name: &str) -> LockedPackage {
    LockedPackage {
        name: name.to_owned(),
        version: "1".to_owned(),
        architecture: "amd64".to_owned(),
        path: format!("pool/{name}_1.deb"),
        size: 1,
        sha256: Sha256::from_bytes([0; 32]),
    }
}

/// Packages on disk, and the root that they become.
struct Fixture {
    dir: TempDir,
    debs: Vec<(LockedPackage, PathBuf)>,
    has_merged_usr: bool,
}

impl Fixture {
    fn new(packages: &[(&str, Package)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let debs = packages.iter().map(|(name, package)| {
            let path = dir.path().join(package.file_name().replace('/', "-"));
            fs_err::write(&path, package.to_deb()).unwrap();
            (locked(name), path)
        });
        Self { debs: debs.collect(), dir, has_merged_usr: true }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    fn unpack(&self) -> Result<(), UnpackError> {
        self.unpack_unless(&AtomicBool::new(false))
    }

    fn unpack_unless(&self, cancel: &AtomicBool) -> Result<(), UnpackError> {
        let options = RootOptions { has_merged_usr: self.has_merged_usr, architecture: "amd64".to_owned() };
        unpack(&self.debs, &self.root(), &options, cancel)
    }

    fn read(&self, path: &str) -> String {
        fs_err::read_to_string(self.root().join(path)).unwrap()
    }

    fn mode(&self, path: &str) -> u32 {
        fs_err::symlink_metadata(self.root().join(path)).unwrap().permissions().mode() & 0o7777
    }
}

fn named(name: &str, fill: impl FnOnce(Package) -> Package) -> (&str, Package) {
    (name, fill(Package::new(name, "1")))
}

/// Lists everything in a root: path, mode, time, and content or target.
fn listing(dir: &Path, base: &Path, to: &mut Vec<String>) {
    let mut paths: Vec<PathBuf> = fs_err::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let metadata = fs_err::symlink_metadata(&path).unwrap();
        let content = if metadata.is_symlink() {
            fs_err::read_link(&path).unwrap().display().to_string()
        } else if metadata.is_file() {
            fs_err::read_to_string(&path).unwrap()
        } else {
            String::new()
        };
        let name = path.strip_prefix(base).unwrap().display();
        to.push(format!("{name} {:o} {} {content:?}", metadata.mode(), metadata.mtime()));
        if metadata.is_dir() {
            listing(&path, base, to);
        }
    }
}

fn list(root: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    listing(root, root, &mut lines);
    lines
}

#[test]
fn files_links_and_modes_are_as_shipped_but_for_set_uid_bits_and_times() {
    let fixture = Fixture::new(&[named("a", |package| {
        package
            .directory("./", 0o755)
            .directory("./usr/bin/", 0o755)
            .file("./usr/bin/su", "su", 0o4755)
            .file("./usr/share/a", "text", 0o640)
            .directory("./tmp/", 0o1777)
            .directory("./var/local/", 0o2775)
            .link("./usr/bin/sh", "/usr/bin/dash")
            .hard_link("./usr/bin/su2", "./usr/bin/su")
    })]);
    fixture.unpack().unwrap();
    assert_eq!(fixture.mode("usr/bin/su"), 0o755);
    assert_eq!(fixture.mode("usr/share/a"), 0o640);
    assert_eq!(fixture.mode("tmp"), 0o1777);
    assert_eq!(fixture.mode("var/local"), 0o775);
    assert_eq!(fixture.read("usr/bin/su2"), "su");
    let inode = |path: &str| fs_err::metadata(fixture.root().join(path)).unwrap().ino();
    assert_eq!(inode("usr/bin/su"), inode("usr/bin/su2"));
    assert_eq!(fs_err::read_link(fixture.root().join("usr/bin/sh")).unwrap(), Path::new("/usr/bin/dash"));
    for line in list(&fixture.root()) {
        assert!(line.contains(&format!(" {ROOT_TIME} ")), "{line}");
    }
}

#[test]
fn every_compression_is_read() {
    for compression in [Compression::Plain, Compression::Gz, Compression::Xz, Compression::Zst] {
        let fixture =
            Fixture::new(&[named("a", |package| package.file("./x", "text", 0o644).compression(compression))]);
        fixture.unpack().unwrap();
        assert_eq!(fixture.read("x"), "text", "{compression:?}");
    }
}

#[test]
fn the_order_of_the_packages_does_not_matter() {
    let packages = [
        named("a", |package| package.directory("./d/", 0o700).file("./d/a", "a", 0o644)),
        named("b", |package| package.directory("./d/", 0o755).file("./d/same", "s", 0o644).link("./d/l", "x")),
        named("c", |package| package.file("./d/same", "s", 0o644).file("./d/e/f", "", 0o644).link("./d/l", "x")),
    ];
    let forward = Fixture::new(&packages);
    let mut backward = Fixture::new(&packages);
    backward.debs.reverse();
    forward.unpack().unwrap();
    backward.unpack().unwrap();
    assert_eq!(list(&forward.root()), list(&backward.root()));
    assert_eq!(forward.mode("d"), 0o700);
}

#[test]
fn a_merged_usr_has_one_name_for_a_file() {
    let packages = [
        named("a", |package| package.file("./bin/sh", "sh", 0o755).file("./lib64/ld.so", "ld", 0o755)),
        named("base-files", |package| package.link("./bin", "usr/bin").directory("./usr/lib/", 0o755)),
    ];
    let mut fixture = Fixture::new(&packages);
    fixture.unpack().unwrap();
    assert_eq!(fixture.read("usr/bin/sh"), "sh");
    assert_eq!(fixture.read("lib64/ld.so"), "ld");
    for name in ["bin", "sbin", "lib", "lib64"] {
        assert_eq!(fs_err::read_link(fixture.root().join(name)).unwrap(), Path::new("usr").join(name));
    }
    assert!(fixture.read("var/lib/dpkg/info/a.list").contains("/bin/sh\n"), "dpkg knows the path as it was shipped");

    fixture = Fixture::new(&packages[..1]);
    fixture.has_merged_usr = false;
    fixture.unpack().unwrap();
    assert_eq!(fixture.read("bin/sh"), "sh");
    assert!(!fixture.root().join("usr/bin").exists());
}

#[test]
fn two_packages_with_different_files_at_one_path_are_named() {
    for (one, other) in [
        (Package::new("a", "1").file("./x", "a", 0o644), Package::new("b", "1").file("./x", "b", 0o644)),
        (Package::new("a", "1").file("./x", "a", 0o644), Package::new("b", "1").file("./x", "a", 0o755)),
        (Package::new("a", "1").link("./x", "a"), Package::new("b", "1").link("./x", "b")),
        (Package::new("a", "1").link("./x", "a"), Package::new("b", "1").file("./x", "b", 0o644)),
        (Package::new("a", "1").directory("./x", 0o755), Package::new("b", "1").file("./x", "b", 0o644)),
        (Package::new("a", "1").file("./usr/bin/x", "a", 0o644), Package::new("b", "1").file("./bin/x", "b", 0o644)),
    ] {
        let error = Fixture::new(&[("a", one), ("b", other)]).unpack().unwrap_err();
        assert!(
            matches!(&error, UnpackError::Conflict { first, second, .. } if first == "a" && second == "b"),
            "{error}"
        );
    }
}

#[test]
fn a_path_with_a_parent_directory_is_refused() {
    for package in [
        Package::new("a", "1").file("./../x", "", 0o644),
        Package::new("a", "1").directory("./d/../../x", 0o755),
        Package::new("a", "1").hard_link("./x", "../../etc/passwd"),
        Package::new("a", "1").hard_link("./x", "./etc/passwd"),
    ] {
        let fixture = Fixture::new(&[("a", package)]);
        let error = fixture.unpack().unwrap_err();
        assert!(matches!(error, UnpackError::UnsafePath { .. }), "{error}");
        assert!(!fixture.dir.path().join("x").exists());
    }
}

#[test]
fn nothing_is_written_through_a_link() {
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().to_str().unwrap();
    for packages in [
        vec![named("a", |package| package.link("./d", target).file("./d/x", "", 0o644))],
        vec![named("a", |package| package.link("./d", target)), named("b", |package| package.file("./d/x", "", 0o644))],
        vec![named("a", |package| package.link("./etc", target))],
        vec![named("a", |package| package.link("./var", target))],
    ] {
        let error = Fixture::new(&packages).unpack().unwrap_err();
        assert!(matches!(error, UnpackError::Through { .. } | UnpackError::Conflict { .. }), "{error}");
        assert_eq!(fs_err::read_dir(outside.path()).unwrap().count(), 0);
    }
}

#[test]
fn devices_and_wrong_files_are_refused() {
    let error = Fixture::new(&[named("a", |package| package.device("./dev/null"))]).unpack().unwrap_err();
    assert!(matches!(error, UnpackError::UnsupportedEntry { .. }), "{error}");

    let error = Fixture::new(&[("a", Package::new("b", "1"))]).unpack().unwrap_err();
    assert_eq!(error.to_string(), "the file of `a 1 amd64` holds `b 1 amd64`");
    let error = Fixture::new(&[("../a", Package::new("../a", "1"))]);
    assert!(matches!(error.unpack().unwrap_err(), UnpackError::OtherPackage { .. }));

    let fixture = Fixture::new(&[named("a", |package| package.file("./x", &"x".repeat(1 << 16), 0o644))]);
    let bytes = fs_err::read(&fixture.debs[0].1).unwrap();
    fs_err::write(&fixture.debs[0].1, &bytes[..bytes.len() - 40]).unwrap();
    let error = fixture.unpack().unwrap_err();
    assert!(matches!(error, UnpackError::Data { .. } | UnpackError::Deb { .. }), "{error}");
}

#[test]
fn what_nobody_wants_any_more_is_not_unpacked() {
    let fixture = Fixture::new(&[named("a", |package| package.file("./etc/a", "text", 0o644))]);
    assert!(matches!(fixture.unpack_unless(&AtomicBool::new(true)).unwrap_err(), UnpackError::Cancelled));
    assert!(!fixture.root().join("etc/a").exists());
}

#[test]
fn a_target_that_holds_something_is_refused() {
    let fixture = Fixture::new(&[named("a", |package| package)]);
    fixture.unpack().unwrap();
    assert!(matches!(fixture.unpack().unwrap_err(), UnpackError::NotEmpty { .. }));
}

#[test]
fn packages_are_registered_as_unpacked() {
    let fixture = Fixture::new(&[
        named("libx1", |package| {
            package
                .field("Multi-Arch", "same")
                .field("Description", "a library\n with a second line")
                .control_file("triggers", "activate-noawait ldconfig\n", 0o644)
                .file("./usr/lib/x86_64-linux-gnu/libx.so.1", "elf", 0o644)
        }),
        named("tool", |package| {
            package
                .control_file("postinst", "#!/bin/sh\n", 0o755)
                .control_file("conffiles", "/etc/tool\nremove-on-upgrade /etc/old\n", 0o644)
                .control_file("triggers", "# why\ninterest-noawait /usr/lib/tool\ninterest ldconfig\n", 0o644)
                .directory("./", 0o755)
                .directory("./etc/", 0o755)
                .file("./etc/tool", "abc", 0o644)
        }),
    ]);
    fixture.unpack().unwrap();
    assert_eq!(
        fixture.read("var/lib/dpkg/status"),
        "Package: libx1\nStatus: install ok unpacked\nVersion: 1\nArchitecture: amd64\nMulti-Arch: same\n\
         Description: a library\n with a second line\n\n\
         Package: tool\nStatus: install ok unpacked\nVersion: 1\nArchitecture: amd64\nConffiles:\n \
         /etc/tool 900150983cd24fb0d6963f7d28e17f72\n\n"
    );
    assert_eq!(fixture.read("var/lib/dpkg/info/tool.list"), "/.\n/etc\n/etc/tool\n");
    assert_eq!(fixture.read("var/lib/dpkg/info/libx1:amd64.triggers"), "activate-noawait ldconfig\n");
    assert_eq!(fixture.mode("var/lib/dpkg/info/tool.postinst"), 0o755);
    assert!(!fixture.root().join("var/lib/dpkg/info/tool.control").exists());
    assert_eq!(fixture.read("var/lib/dpkg/triggers/File"), "/usr/lib/tool tool/noawait\n");
    assert_eq!(fixture.read("var/lib/dpkg/triggers/ldconfig"), "tool\n");
    assert_eq!(fixture.read("var/lib/dpkg/arch"), "amd64\n");
    assert_eq!(find_soname_owner(&fixture.root(), "libx.so.1").as_deref(), Some("libx1"));
}

#[test]
fn accounts_come_from_base_passwd_and_have_the_build_user() {
    let fixture = Fixture::new(&[named("base-passwd", |package| {
        package
            .file("./usr/share/base-passwd/passwd.master", "root:*:0:0::/root:/bin/sh\n", 0o644)
            .file("./usr/share/base-passwd/group.master", "root:*:0:\n", 0o644)
            .file("./etc/hosts", "shipped", 0o600)
    })]);
    fixture.unpack().unwrap();
    assert_eq!(fixture.read("etc/passwd"), "root:*:0:0::/root:/bin/sh\nvb:x:1000:1000::/tmp:/bin/sh\n");
    assert_eq!(fixture.read("etc/group"), "root:*:0:\nvb:x:1000:\n");
    assert!(fixture.read("etc/hosts").starts_with("127.0.0.1 localhost"));
    assert_eq!(fixture.mode("etc/hosts"), 0o644);
    assert_eq!(fixture.mode("usr/sbin/policy-rc.d"), 0o755);
}

#[test]
fn a_finished_root_has_no_trace_of_the_run_and_nothing_outside_is_touched() {
    let fixture = Fixture::new(&[named("a", |package| {
        package.directory("./var/log/apt/", 0o755).directory("./var/cache/ldconfig/", 0o755).file("./x", "x", 0o644)
    })]);
    fixture.unpack().unwrap();
    let root = fixture.root();
    let outside = tempfile::tempdir().unwrap();
    fs_err::write(outside.path().join("precious"), "").unwrap();
    for path in ["var/log/dpkg.log", "var/log/apt/term.log", "var/cache/ldconfig/aux-cache", "etc/made"] {
        fs_err::write(root.join(path), "made by a script").unwrap();
    }
    fs_err::os::unix::fs::symlink(outside.path(), root.join("var/log/link")).unwrap();
    fs_err::os::unix::fs::symlink(outside.path(), root.join("run")).unwrap();
    finish(&root).unwrap();
    for path in ["var/log/dpkg.log", "var/log/apt/term.log", "var/log/link", "var/cache/ldconfig/aux-cache"] {
        assert!(!root.join(path).exists(), "{path}");
    }
    assert!(!root.join("usr/sbin/policy-rc.d").exists());
    assert!(root.join("var/log/apt").is_dir() && root.join("etc/made").exists());
    assert!(outside.path().join("precious").exists());
    for line in list(&root) {
        assert!(line.contains(&format!(" {ROOT_TIME} ")), "{line}");
    }
}
