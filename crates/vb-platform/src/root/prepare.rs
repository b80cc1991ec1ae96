//! The few files that a root needs before any maintainer script can run, and that no package ships.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::unpack::OwnFile;

/// Keeps maintainer scripts from starting services (invoke-rc.d(8)).
pub(super) const POLICY: &str = "usr/sbin/policy-rc.d";

const PASSWD_MASTER: &str = "usr/share/base-passwd/passwd.master";
const GROUP_MASTER: &str = "usr/share/base-passwd/group.master";

/// Stands for the masters in a root without `base-passwd`.
const MINIMAL_PASSWD: &str =
    "root:*:0:0:root:/root:/bin/bash\nnobody:*:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
const MINIMAL_GROUP: &str = "root:*:0:\nnogroup:*:65534:\n";

/// Returns the files; `read` gives the text of a file that a package shipped, if one did.
pub(super) fn files(read: impl Fn(&Path) -> io::Result<Option<String>>) -> io::Result<Vec<OwnFile>> {
    let master =
        |path: &str, minimal: &str| Ok::<_, io::Error>(read(Path::new(path))?.unwrap_or_else(|| minimal.to_owned()));
    let passwd = master(PASSWD_MASTER, MINIMAL_PASSWD)? + "vb:x:1000:1000::/tmp:/bin/sh\n";
    let group = master(GROUP_MASTER, MINIMAL_GROUP)? + "vb:x:1000:\n";
    Ok(vec![
        own_file("etc/passwd", &passwd, 0o644),
        own_file("etc/group", &group, 0o644),
        own_file("etc/hostname", "vb-build\n", 0o644),
        own_file("etc/hosts", "127.0.0.1 localhost vb-build\n::1 localhost\n", 0o644),
        own_file("etc/resolv.conf", "", 0o644),
        own_file(POLICY, "#!/bin/sh\nexit 101\n", 0o755),
    ])
}

fn own_file(path: &str, text: &str, mode: u32) -> OwnFile {
    OwnFile { path: PathBuf::from(path), content: text.as_bytes().to_vec(), mode }
}
