//! Who the command is, and what it may pretend to be.

use vb_sandbox::{Filter, Identity, Spec};

use crate::harness::{Bench, for_each_caller};

fn field<'a>(status: &'a str, name: &str) -> &'a str {
    let line = status.lines().find(|line| line.starts_with(name));
    line.unwrap_or_else(|| panic!("{name}\n{status}")).split_once(':').unwrap().1.trim()
}

fn as_root(bench: &Bench, script: &str) -> Spec {
    let mut spec = bench.shell(script);
    spec.identity = Identity::Root;
    spec
}

#[test]
fn a_user_has_uid_1000_and_no_capability() {
    for_each_caller(|bench| {
        let status = bench.output(&bench.program(&["cat", "/proc/self/status"]));
        assert_eq!(field(&status, "Uid"), "1000\t1000\t1000\t1000");
        assert_eq!(field(&status, "Gid"), "1000\t1000\t1000\t1000");
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(field(&status, set), "0000000000000000", "{set}");
        }
        assert_eq!(field(&status, "NoNewPrivs"), "1");
    });
}

#[test]
fn root_has_uid_0_and_no_power_outside_its_own_namespace() {
    for_each_caller(|bench| {
        let status = bench.output(&as_root(bench, "cat /proc/self/status"));
        assert_eq!(field(&status, "Uid"), "0\t0\t0\t0");
        assert_eq!(field(&status, "Gid"), "0\t0\t0\t0");
        assert_eq!(field(&status, "NoNewPrivs"), "1");
        assert_ne!(field(&status, "CapEff"), "0000000000000000");
        // Each of these is allowed to the owner of the namespace it touches.
        bench.output(&as_root(
            bench,
            "! hostname other && ! ip link set lo down 2>&1 && ! umount /tmp && ! mknod /tmp/disk b 8 0 &&\n\
             ! chroot /proc/1/root true",
        ));
    });
}

#[test]
fn one_uid_and_one_gid_are_mapped_whoever_calls() {
    for_each_caller(|bench| {
        for (identity, id) in [(Identity::User, "1000"), (Identity::Root, "0")] {
            let mut spec = bench.shell("cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups");
            spec.identity = identity;
            let log = bench.output(&spec);
            let words: Vec<&str> = log.split_whitespace().collect();
            assert_eq!(words, [id, "0", "1", id, "0", "1", "deny"]);
        }
    });
}

#[test]
fn what_the_command_makes_belongs_to_it_inside() {
    for_each_caller(|bench| {
        for (identity, owner) in [(Identity::User, "1000:1000"), (Identity::Root, "0:0")] {
            let mut spec = bench.shell("touch /file; stat -c %u:%g / /file /tmp /dev");
            spec.identity = identity;
            for line in bench.output(&spec).lines() {
                assert_eq!(line, owner);
            }
        }
    });
}

#[test]
fn the_first_process_cannot_be_killed_or_read() {
    for_each_caller(|bench| {
        bench.output(&as_root(
            bench,
            "kill -9 1; ! echo forged > /proc/1/fd/5 && ! cat /proc/1/environ && ! head -c1 /proc/1/mem && test -d /proc/1",
        ));
    });
}

/// Every system call that the filter answers, and what it must not change.
const PRETENDED: &str = "
import os, stat, ctypes
libc = ctypes.CDLL(None, use_errno=True)
open('/tmp/f', 'w').write('x')
fd = os.open('/tmp/f', os.O_RDWR)
os.chown('/tmp/f', 12, 34); os.lchown('/tmp/f', 12, 34); os.fchown(fd, 12, 34)
os.setgroups([5, 6]); os.setgid(34); os.setuid(12); os.setreuid(12, 12); os.setregid(34, 34)
os.setresuid(12, 12, 12); os.setresgid(34, 34, 34)
os.fsync(fd); os.fdatasync(fd); os.sync(); assert libc.syncfs(fd) == 0
assert libc.syscall(126, None, None) == 0 or os.uname().machine != 'x86_64'
os.mknod('/tmp/disk', stat.S_IFBLK | 0o600, os.makedev(8, 0))
os.mknod('/tmp/console', stat.S_IFCHR | 0o600, os.makedev(5, 1))
os.mkfifo('/tmp/fifo')
print(os.stat('/tmp/f').st_uid == os.getuid(), sorted(os.listdir('/tmp')))
";

#[test]
fn the_filter_pretends_changes_of_ownership() {
    for_each_caller(|bench| {
        for identity in [Identity::User, Identity::Root] {
            let mut spec = bench.python(PRETENDED);
            spec.identity = identity;
            spec.filter = Filter::PretendOwnership;
            assert_eq!(bench.output(&spec), "True ['f', 'fifo']\n");
        }
    });
}

#[test]
fn without_the_filter_a_change_of_ownership_fails() {
    for_each_caller(|bench| {
        let mut spec = as_root(bench, "touch /tmp/f; ! chown 12:34 /tmp/f");
        assert!(bench.output(&spec).contains("Invalid argument"));
        spec.filter = Filter::PretendOwnership;
        spec.argv[2] = "touch /tmp/f; chown 12:34 /tmp/f".to_owned();
        assert_eq!(bench.output(&spec), "");
    });
}
