//! Binds and extra writable directories.

use std::os::unix::fs::symlink;

use vb_sandbox::{Access, Identity};

use crate::harness::{bind, for_each_caller, guest, host};

#[test]
fn a_read_only_bind_cannot_be_written_even_by_root() {
    for_each_caller(|bench| {
        let source = bench.make_layer("source", &["file"]);
        let mut spec = bench.shell(
            "cat /src/file; ! echo x > /src/file; ! touch /src/other; ! rm /src/file;\n\
             ! unshare -m mount -o remount,rw,bind /src && ! unshare -m umount /src && unshare -m true",
        );
        spec.identity = Identity::Root;
        spec.binds.push(bind(&source, "/src", Access::ReadOnly));
        assert!(bench.output(&spec).starts_with("source:file\n"));
        let kept = fs_err::read_to_string(source.as_path().join("file")).unwrap();
        assert_eq!(kept, "source:file\n");
        assert!(!source.as_path().join("other").exists());
    });
}

#[test]
fn what_is_written_to_a_bind_arrives() {
    for_each_caller(|bench| {
        let source = bench.make_dir("source");
        let mut spec = bench.shell("echo made > /build/out/file");
        spec.binds.push(bind(&source, "/build/out", Access::ReadWrite));
        bench.output(&spec);
        let made = fs_err::read_to_string(source.as_path().join("file")).unwrap();
        assert_eq!(made, "made\n");
    });
}

#[test]
fn a_file_can_be_bound() {
    for_each_caller(|bench| {
        let source = bench.make_layer("source", &["file"]);
        let file = host(source.as_path().join("file"));
        let mut spec = bench.shell("cat /deep/er/name; ls /deep/er");
        spec.binds.push(bind(&file, "/deep/er/name", Access::ReadOnly));
        assert_eq!(bench.output(&spec), "source:file\nname\n");
    });
}

#[test]
fn a_later_bind_covers_an_earlier_one() {
    for_each_caller(|bench| {
        let one = bench.make_layer("one", &["file", "inner/file"]);
        let two = bench.make_layer("two", &["file"]);
        let mut spec = bench.shell("cat /src/file /src/inner/file");
        spec.binds.push(bind(&one, "/src", Access::ReadOnly));
        spec.binds.push(bind(&two, "/src/inner", Access::ReadOnly));
        assert_eq!(bench.output(&spec), "one:file\ntwo:file\n");
    });
}

#[test]
fn symlinks_of_the_root_lead_nowhere_outside() {
    for_each_caller(|bench| {
        let outside = bench.make_dir("outside");
        let link = bench.path("skeleton/link");
        symlink(outside.as_path(), link).unwrap();
        let source = bench.make_layer("source", &["file"]);
        let mut spec = bench.shell("cat /link/made/file");
        // Inside, the symlink's target does not exist; outside it does, and nothing may appear there.
        spec.binds.push(bind(&source, outside.as_path().to_str().unwrap(), Access::ReadOnly));
        spec.binds.push(bind(&source, "/link/made", Access::ReadOnly));
        let done = bench.run(&spec);
        assert!(done.error().contains("bind `/link/made`: EROFS"), "{}", done.error());
        assert_eq!(fs_err::read_dir(outside.as_path()).unwrap().count(), 0);
        assert_eq!(fs_err::read_dir(source.as_path()).unwrap().count(), 1);
    });
}

#[test]
fn a_bind_over_a_dangling_symlink_lands_where_it_points() {
    for_each_caller(|bench| {
        let source = bench.make_layer("source", &["file"]);
        let etc = bench.make_layer("skeleton/etc", &[]);
        symlink("/run/resolver/conf", etc.as_path().join("resolv.conf")).unwrap();
        let file = host(source.as_path().join("file"));
        let mut spec = bench.shell("cat /etc/resolv.conf /run/resolver/conf");
        spec.binds.push(bind(&file, "/etc/resolv.conf", Access::ReadOnly));
        assert_eq!(bench.output(&spec), "source:file\nsource:file\n");
    });
}

#[test]
fn extra_directories_are_empty_and_writable() {
    for_each_caller(|bench| {
        let layer = bench.make_layer("skeleton/var", &["cache/old"]);
        let mut spec = bench.shell("ls -A /var/cache; echo x > /var/cache/made; echo x > /build/made; ls /build /tmp");
        spec.tmpfs = vec![guest("/var/cache"), guest("/build")];
        assert_eq!(bench.output(&spec), "/build:\nmade\n\n/tmp:\n");
        assert!(layer.as_path().join("cache/old").exists());
        assert!(!layer.as_path().join("cache/made").exists());
    });
}

#[test]
fn a_bind_may_land_in_an_extra_directory() {
    for_each_caller(|bench| {
        let source = bench.make_layer("source", &["file"]);
        let mut spec = bench.shell("echo x > /build/beside; cat /build/src/file");
        spec.tmpfs = vec![guest("/build")];
        spec.binds.push(bind(&source, "/build/src", Access::ReadOnly));
        assert_eq!(bench.output(&spec), "source:file\n");
    });
}
