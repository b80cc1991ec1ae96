//! What the command can see and reach.

use vb_sandbox::{Identity, Network};

use crate::harness::for_each_caller;

#[test]
fn every_namespace_is_a_fresh_one() {
    for_each_caller(|bench| {
        let inside = bench.output(&bench.shell("cd /proc/self/ns; readlink user mnt pid net ipc uts cgroup; true"));
        let inside: Vec<&str> = inside.lines().collect();
        assert_eq!(inside.len(), 7);
        for namespace in inside {
            let kind = namespace.split(':').next().unwrap();
            let outside = fs_err::read_link(format!("/proc/self/ns/{kind}")).unwrap();
            assert_ne!(outside.to_str(), Some(namespace));
        }
    });
}

#[test]
fn the_command_sees_only_its_root_and_its_binds() {
    for_each_caller(|bench| {
        let log = bench.output(&bench.shell("ls -A /; ls /tmp /sys 2>&1; ls /proc | grep -c '^[0-9]'"));
        let lines: Vec<&str> = log.lines().collect();
        let expected = [
            "bin",
            "dev",
            "lib",
            "lib64",
            "proc",
            "sbin",
            "tmp",
            "usr",
            "ls: cannot access '/sys': No such file or directory",
            "/tmp:",
        ];
        assert_eq!(lines[..expected.len()], expected, "{log}");
        // The sandbox's first process, the shell, ls and grep at most.
        let processes: u32 = lines[expected.len()].parse().unwrap();
        assert!((2..=4).contains(&processes), "{processes}");
    });
}

#[test]
fn no_mount_of_the_host_is_left() {
    for_each_caller(|bench| {
        let log = bench.output(&bench.shell("cut -d' ' -f5 /proc/self/mountinfo"));
        for target in log.lines() {
            let is_known = ["/", "/usr", "/tmp", "/proc", "/dev"].contains(&target)
                || ["/dev/", "/proc/", "/usr/"].iter().any(|above| target.starts_with(above));
            assert!(is_known, "{target}");
        }
    });
}

#[test]
fn the_devices_are_the_harmless_ones() {
    for_each_caller(|bench| {
        let log = bench.output(&bench.shell("ls /dev; stat -c %a /dev /dev/shm; readlink /dev/stderr"));
        let expected = "fd full null ptmx pts random shm stderr stdin stdout tty urandom zero 755 1777 \
                        /proc/self/fd/2";
        assert_eq!(log.split_whitespace().collect::<Vec<_>>().join(" "), expected);
    });
}

#[test]
fn the_devices_work() {
    for_each_caller(|bench| {
        for identity in [Identity::User, Identity::Root] {
            let mut spec = bench.python(
                "import os, pty\n\
                 open('/dev/null', 'w').write('gone')\n\
                 assert open('/dev/zero', 'rb').read(3) == bytes(3)\n\
                 assert len(open('/dev/urandom', 'rb').read(8)) == 8\n\
                 open('/dev/shm/file', 'w').write('shared')\n\
                 master, slave = pty.openpty()\n\
                 print(os.ttyname(slave))\n\
                 try: open('/dev/full', 'wb', 0).write(b'x')\n\
                 except OSError as error: print(error.strerror)\n",
            );
            spec.identity = identity;
            assert_eq!(bench.output(&spec), "/dev/pts/0\nNo space left on device\n");
        }
    });
}

#[test]
fn the_hosts_device_nodes_cannot_be_changed() {
    for_each_caller(|bench| {
        // The mode that it has already: a failure of this test must not harm the machine.
        let mut spec = bench.shell("! chmod 666 /dev/null && ! rm /dev/zero");
        spec.identity = Identity::Root;
        bench.output(&spec);
    });
}

#[test]
fn the_hosts_controls_in_proc_cannot_be_written() {
    for_each_caller(|bench| {
        // The value that it has already, and the key that only prints a help text.
        let mut spec = bench.shell(
            "value=$(cat /proc/sys/vm/swappiness) && ! echo $value > /proc/sys/vm/swappiness &&\n\
             ! echo h > /proc/sysrq-trigger && ! mount -o remount,rw,bind /proc/sys && ! umount /proc/sys &&\n\
             ! unshare -m mount -o remount,rw,bind /proc/sys && ! unshare -m umount /proc/sys && unshare -m true &&\n\
             ! mount -t proc proc /tmp && ! unshare -Urmpf mount -t proc proc /tmp",
        );
        spec.identity = Identity::Root;
        bench.output(&spec);
    });
}

#[test]
fn nothing_of_the_host_in_proc_can_be_changed() {
    for_each_caller(|bench| {
        // The mode that each has already: a failure of this test must not harm the machine.
        let mut spec = bench.shell(
            "cd /proc && for name in [!0-9]*; do\n\
             if [ ! -L $name ] && chmod $(stat -c %a $name) $name 2> /dev/null; then echo $name; fi; done",
        );
        spec.identity = Identity::Root;
        assert_eq!(bench.output(&spec), "");
    });
}

#[test]
fn the_isolated_network_is_a_loopback_that_is_up() {
    for_each_caller(|bench| {
        let log = bench.output(&bench.python(
            "import socket, errno\n\
             print([name for _, name in socket.if_nameindex()])\n\
             server = socket.create_server(('127.0.0.1', 0))\n\
             socket.create_connection(server.getsockname(), 5).close()\n\
             try: socket.create_connection(('192.0.2.1', 80), 5)\n\
             except OSError as error: print(errno.errorcode[error.errno])\n",
        ));
        assert_eq!(log, "['lo']\nENETUNREACH\n");
    });
}

#[test]
fn the_network_of_the_host_is_there_when_asked_for() {
    for_each_caller(|bench| {
        let mut spec = bench.shell("readlink /proc/self/ns/net");
        spec.network = Network::Host;
        let outside = fs_err::read_link("/proc/self/ns/net").unwrap();
        assert_eq!(bench.output(&spec).trim(), outside.to_str().unwrap());
    });
}

#[test]
fn the_host_has_one_name() {
    for_each_caller(|bench| {
        let log = bench.output(&bench.shell("uname -n; cat /proc/sys/kernel/domainname"));
        assert_eq!(log, format!("{}\n(none)\n", vb_sandbox::HOSTNAME));
    });
}
