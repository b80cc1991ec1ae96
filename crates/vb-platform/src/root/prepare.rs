//! The few files that a root needs before any maintainer script can run, and that no package ships.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::assembly::OwnFile;

/// Keeps maintainer scripts from starting services (invoke-rc.d(8)).
pub(crate) const POLICY: &str = "usr/sbin/policy-rc.d";

/// Where a distribution keeps the users and groups that every machine has.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Masters {
    /// Debian: in the files of `base-passwd`, which its maintainer script copies.
    BasePasswd,
    /// RPM: in `/etc` itself, from the package `setup`.
    Setup,
}

impl Masters {
    fn paths(self) -> [&'static Path; 2] {
        match self {
            Self::BasePasswd => ["usr/share/base-passwd/passwd.master", "usr/share/base-passwd/group.master"],
            Self::Setup => ["etc/passwd", "etc/group"],
        }
        .map(Path::new)
    }
}

/// Stands for the masters in a root without `base-passwd`.
const MINIMAL_PASSWD: &str =
    "root:*:0:0:root:/root:/bin/bash\nnobody:*:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
const MINIMAL_GROUP: &str = "root:*:0:\nnogroup:*:65534:\n";

/// Returns the files; `read` gives the content of a file that a package shipped, if one did.
pub(crate) fn files(masters: Masters, read: impl Fn(&Path) -> io::Result<Option<Vec<u8>>>) -> io::Result<Vec<OwnFile>> {
    let [passwd, group] = masters.paths();
    let mut passwd = read(passwd)?.unwrap_or_else(|| MINIMAL_PASSWD.into());
    passwd.extend(b"vb:x:1000:1000::/tmp:/bin/sh\n");
    let mut group = read(group)?.unwrap_or_else(|| MINIMAL_GROUP.into());
    group.extend(b"vb:x:1000:\n");
    Ok(vec![
        own_file("etc/passwd", passwd, 0o644),
        own_file("etc/group", group, 0o644),
        own_file("etc/hostname", b"vb-build\n", 0o644),
        own_file("etc/hosts", b"127.0.0.1 localhost vb-build\n::1 localhost\n", 0o644),
        own_file("etc/resolv.conf", b"", 0o644),
    ])
}

/// Returns the file that keeps Debian's services from starting.
pub(crate) fn policy() -> OwnFile {
    own_file(POLICY, b"#!/bin/sh\nexit 101\n", 0o755)
}

fn own_file(path: &str, content: impl Into<Vec<u8>>, mode: u32) -> OwnFile {
    OwnFile { path: PathBuf::from(path), content: content.into(), mode }
}
