//! The root: layers, upper, and writable directories.

use std::path::Path;

use vb_sandbox::{Access, HostPath, Identity, Root, Spec, Upper};

use crate::harness::{Bench, bind, for_each_caller, guest, host};

/// Puts layers over the skeleton.
fn over_skeleton(bench: &Bench, spec: &mut Spec, above: &[HostPath], upper: Upper) {
    let mut lowers = above.to_vec();
    lowers.push(host(bench.path("skeleton")));
    spec.root = Root::Layers { lowers, upper };
}

fn keep(bench: &Bench, name: &str) -> (HostPath, Upper) {
    let upper = bench.make_dir(name);
    let work = bench.make_dir(&format!("{name}-work"));
    let kept = Upper::Keep { upper: upper.clone(), work };
    (upper, kept)
}

/// All paths below a directory with the contents of files.
fn snapshot(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut pending = vec![dir.to_owned()];
    while let Some(dir) = pending.pop() {
        for entry in fs_err::read_dir(&dir).unwrap() {
            let entry = entry.unwrap();
            let kind = entry.file_type().unwrap();
            let content = if kind.is_file() { fs_err::read_to_string(entry.path()).unwrap() } else { String::new() };
            found.push(format!("{} {kind:?} {content}", entry.path().display()));
            if kind.is_dir() {
                pending.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_topmost_layer_comes_first() {
    for_each_caller(|bench| {
        let top = bench.make_layer("top", &["etc/both", "etc/top"]);
        let bottom = bench.make_layer("bottom", &["etc/both", "etc/bottom"]);
        let mut spec = bench.shell("cat /etc/both /etc/top /etc/bottom");
        over_skeleton(bench, &mut spec, &[top, bottom], Upper::Discard);
        assert_eq!(bench.output(&spec), "top:etc/both\ntop:etc/top\nbottom:etc/bottom\n");
    });
}

#[test]
fn layers_with_odd_names_and_many_layers_work() {
    for_each_caller(|bench| {
        let mut layers = vec![bench.make_layer("a,b:c\\d e", &["odd"])];
        for index in 0..100 {
            layers.push(bench.make_layer(&format!("layer-{index}"), &[&format!("many/{index}")]));
        }
        let mut spec = bench.shell("ls /many | wc -l; test -e /odd");
        over_skeleton(bench, &mut spec, &layers, Upper::Discard);
        assert_eq!(bench.output(&spec).trim(), "100");
    });
}

/// Every way of changing a layer that overlayfs has to turn into something else.
const CHANGES: &str = "echo changed > /data/file; rm /data/gone; rm -rf /data/dir; mkdir /data/dir; \
                       echo fresh > /data/dir/fresh; mv /data/moved /data/elsewhere; chmod 600 /data/mode; ls -R /data";
const CHANGED: &str = "/data:\ndir\nelsewhere\nfile\nmode\n\n/data/dir:\nfresh\n\n/data/elsewhere:\ninner\n";
const CHANGEABLE: [&str; 6] = ["data/file", "data/gone", "data/dir/a", "data/dir/b/c", "data/moved/inner", "data/mode"];

#[test]
fn layers_are_never_written() {
    for_each_caller(|bench| {
        let layer = bench.make_layer("layer", &CHANGEABLE);
        let before = snapshot(layer.as_path());
        for identity in [Identity::User, Identity::Root] {
            let (_, kept) = keep(bench, &format!("upper-{identity:?}"));
            for upper in [Upper::Discard, kept] {
                let mut spec = bench.shell(CHANGES);
                spec.identity = identity.clone();
                over_skeleton(bench, &mut spec, std::slice::from_ref(&layer), upper);
                assert_eq!(bench.output(&spec), CHANGED);
                assert_eq!(snapshot(layer.as_path()), before);
            }
        }
    });
}

#[test]
fn a_kept_upper_serves_as_a_layer() {
    for_each_caller(|bench| {
        let layer = bench.make_layer("layer", &CHANGEABLE);
        let (changed, upper) = keep(bench, "changed");
        let mut spec = bench.shell(CHANGES);
        over_skeleton(bench, &mut spec, std::slice::from_ref(&layer), upper);
        bench.output(&spec);
        let mut spec = bench.shell("ls -R /data; cat /data/file /data/dir/fresh");
        over_skeleton(bench, &mut spec, &[changed, layer], Upper::Discard);
        assert_eq!(bench.output(&spec), format!("{CHANGED}changed\nfresh\n"));
    });
}

#[test]
fn the_work_directory_of_a_kept_upper_can_be_removed() {
    for_each_caller(|bench| {
        let (_, upper) = keep(bench, "upper");
        let mut spec = bench.shell("echo x > /file");
        over_skeleton(bench, &mut spec, &[], upper);
        bench.output(&spec);
        let work = bench.path("upper-work");
        let argv = ["rm", "-r", work.to_str().unwrap()].map(str::to_owned);
        assert!(bench.command(&argv).status().unwrap().success());
    });
}

#[test]
fn what_is_discarded_leaves_no_trace() {
    for_each_caller(|bench| {
        let layer = bench.make_dir("layer");
        let mut spec = bench.shell("echo x > /file; test -s /file");
        over_skeleton(bench, &mut spec, std::slice::from_ref(&layer), Upper::Discard);
        bench.output(&spec);
        assert_eq!(snapshot(layer.as_path()), Vec::<String>::new());
    });
}

#[test]
fn a_writable_root_is_written_in_place() {
    for_each_caller(|bench| {
        for identity in [Identity::User, Identity::Root] {
            let mut spec = bench.shell("mkdir -p /made; echo here > /made/file; ls -A /");
            spec.root = Root::Writable(host(bench.path("skeleton")));
            spec.identity = identity;
            let log = bench.output(&spec);
            assert_eq!(
                log.split_whitespace().collect::<Vec<_>>().join(" "),
                "bin dev lib lib64 made proc sbin tmp usr"
            );
            let written = bench.path("skeleton/made/file");
            assert_eq!(fs_err::read_to_string(&written).unwrap(), "here\n");
            fs_err::remove_file(written).unwrap();
        }
    });
}

#[test]
fn the_older_mount_interface_gives_the_same_root() {
    // Installs a seccomp filter under which fsopen (430) does not exist, as on an old kernel.
    let without_fsopen = "\
import ctypes, os, struct, sys
code = struct.pack('HBBI' * 4, 0x20, 0, 0, 0, 0x15, 0, 1, 430, 0x06, 0, 0, 0x50026, 0x06, 0, 0, 0x7fff0000)
buffer = ctypes.create_string_buffer(code)
program = struct.pack('HP', 4, ctypes.addressof(buffer))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, program, 0, 0) == 0
assert libc.syscall(430, b'overlay', 0) == -1 and ctypes.get_errno() == 38
os.execv(sys.argv[1], sys.argv[1:])
";
    for_each_caller(|bench| {
        let layer = bench.make_layer("a,b:c\\d e", &CHANGEABLE);
        let mut spec = bench.shell(CHANGES);
        over_skeleton(bench, &mut spec, &[layer], Upper::Discard);
        let mut argv = ["/usr/bin/python3", "-I", "-c", without_fsopen].map(str::to_owned).to_vec();
        argv.extend(bench.runner_args(&spec, bench.log_path().to_str().unwrap()));
        let done = bench.run_command(&argv);
        assert!(done.result.is_ok(), "{:?}", done.result);
        assert_eq!(done.log, CHANGED);
    });
}

#[test]
fn the_root_may_not_lie_in_the_way_of_its_own_binds() {
    // The root is mounted over its first layer: a bind source below that layer has to be found all the same.
    for_each_caller(|bench| {
        let layer = bench.make_layer("layer", &["inner/file"]);
        let inner = host(layer.as_path().join("inner"));
        let mut spec = bench.shell("cat /elsewhere/file");
        over_skeleton(bench, &mut spec, &[layer], Upper::Discard);
        spec.binds.push(bind(&inner, "/elsewhere", Access::ReadOnly));
        spec.cwd = guest("/elsewhere");
        assert_eq!(bench.output(&spec), "layer:inner/file\n");
    });
}
