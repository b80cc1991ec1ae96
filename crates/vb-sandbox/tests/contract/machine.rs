//! What a machine has beyond a sandbox, and what it has not.
//!
//! Where the kernel or the caller's container refuses machines, the refusal has to be a named one, and is printed.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use vb_sandbox::{Access, Identity, Spec, Status, probe_machine};

use crate::harness::{Bench, Witness, bind};

/// Runs a check where there can be machines.
fn on_a_machine(check: impl Fn(&Bench)) {
    let bench = Bench::new(None);
    match probe_machine(&bench.helper()) {
        Ok(()) => check(&bench),
        Err(refusal) => {
            let text = refusal.to_string();
            assert!(["map the users", "make a control group"].iter().any(|step| text.contains(step)), "{text}");
            nix::unistd::write(std::io::stderr(), format!("NOT TESTED: {text}\n").as_bytes()).unwrap();
        }
    }
}

fn machine(mut spec: Spec) -> Spec {
    spec.identity = Identity::Machine { first: vec!["/bin/sleep".to_owned(), "infinity".to_owned()] };
    spec
}

#[test]
fn a_machine_has_its_own_first_process_users_network_and_control_group() {
    on_a_machine(|bench| {
        let script = r#"
import os, socket
read = lambda path: open(path).read()
assert read("/proc/1/comm") == "sleep\n"
assert read("/proc/self/uid_map").split() == read("/proc/self/gid_map").split() == ["0", "0", "65536"]
assert "NoNewPrivs:\t0" in read("/proc/self/status")
assert read("/proc/self/cgroup").splitlines()[-1] == "0::/"
os.mkdir("/sys/fs/cgroup/below")
assert os.listdir("/sys") == ["fs"]
server = socket.create_server(("127.0.0.1", 43))
socket.create_connection(("127.0.0.1", 43))
open("/tmp/file", "w").close()
os.chown("/tmp/file", 7, 8)
os.setgroups([65535])
os.setresgid(8, 8, 8)
os.setresuid(7, 7, 7)
assert os.stat("/tmp/file").st_uid == os.getuid() == 7
try:
    os.chown("/tmp/file", 0, 0)
except PermissionError:
    print("done")
"#;
        assert_eq!(bench.output(&machine(bench.python(script))), "done\n");
    });
}

#[test]
fn what_is_read_only_stays_so_on_a_machine() {
    on_a_machine(|bench| {
        let kept = bench.make_layer("kept", &["file"]);
        let script = "for path in /usr /kept /proc/sys /sys; do\n\
             umount $path || mount -o remount,rw,bind $path || touch $path/new && echo $path is not safe\n\
             done 2>/dev/null\n\
             mkdir /tmp/proc; mount -t proc proc /tmp/proc 2>/dev/null && echo another proc\n\
             mknod /tmp/disk b 8 0 2>/dev/null && echo a disk\n\
             mount -t tmpfs memory /tmp && echo what is its own it may mount";
        let mut spec = machine(bench.shell(script));
        spec.binds.push(bind(&kept, "/kept", Access::ReadOnly));
        assert_eq!(bench.output(&spec), "what is its own it may mount\n");
    });
}

#[test]
fn a_machine_ends_with_its_command_and_its_control_group_with_it() {
    on_a_machine(|bench| {
        let mut witness = Witness::new(bench);
        let hold = format!("{} (sleep 1000 &);", Witness::HOLD);
        let mut spec =
            machine(bench.shell(&format!("{hold} mkdir -p /sys/fs/cgroup/a/b; stat -c %i /sys/fs/cgroup; exit 7")));
        spec.binds.push(witness.bind());
        let done = bench.run(&spec);
        assert_eq!(done.status(), Status::Exited(7));
        witness.wait_until_ready();
        assert!(witness.is_alone());
        let group: u64 = done.log.trim().parse().unwrap();
        let left =
            groups(&own_group()).into_iter().find(|path| fs_err::metadata(path).is_ok_and(|it| it.ino() == group));
        assert_eq!(left, None);
    });
}

#[test]
fn a_killed_caller_or_helper_of_a_machine_leaves_no_process() {
    on_a_machine(|bench| {
        for is_helper in [false, true] {
            let mut witness = Witness::new(bench);
            let mut spec = machine(bench.shell(&format!("{} sleep 1000 & wait", Witness::HOLD)));
            spec.binds.push(witness.bind());
            let mut caller = bench.start(&spec);
            witness.wait_until_ready();
            if is_helper {
                let children = format!("/proc/{0}/task/{0}/children", caller.id());
                let helper: i32 = fs_err::read_to_string(children).unwrap().trim().parse().unwrap();
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(helper), nix::sys::signal::Signal::SIGKILL).unwrap();
            } else {
                caller.kill().unwrap();
            }
            caller.wait().unwrap();
            witness.wait_until_alone();
            fs_err::remove_dir_all(bench.path("witness")).unwrap();
        }
    });
}

#[test]
fn a_first_process_that_ends_before_the_command_is_an_error() {
    on_a_machine(|bench| {
        let mut spec = bench.shell("sleep 1000");
        spec.identity = Identity::Machine { first: vec!["/bin/true".to_owned()] };
        assert_eq!(bench.run(&spec).error(), "the first process of the machine ended before its command");
        spec.identity = Identity::Machine { first: vec!["/bin/missing".to_owned()] };
        let error = bench.run(&spec);
        assert!(error.error().contains("could not execute `/bin/missing`"), "{error:?}");
    });
}

#[test]
fn only_root_can_call_for_a_machine() {
    if nix::unistd::geteuid().is_root() {
        let bench = Bench::new(Some(12345));
        let done = bench.run(&machine(bench.shell("true")));
        assert!(done.error().contains("could not map the users of a machine, as only root may"), "{done:?}");
    }
}

/// The directory of this process's own control group.
fn own_group() -> PathBuf {
    let mounts = fs_err::read_to_string("/proc/self/mountinfo").unwrap();
    let mount = mounts.lines().find(|line| line.contains(" - cgroup2 "));
    let mount = mount.and_then(|line| line.split(' ').nth(4)).unwrap();
    let groups = fs_err::read_to_string("/proc/self/cgroup").unwrap();
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/")).unwrap();
    Path::new(mount).join(own)
}

fn groups(group: &Path) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(group).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.to_str().unwrap().contains("vb-machine-")).collect()
}
