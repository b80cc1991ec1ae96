//! Mapping one uid and one gid of a fresh user namespace to the process's own outside of it.

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::{getegid, geteuid};
use std::os::fd::AsFd;

use crate::Identity;
use crate::wire::write_all;

/// The uid and gid of an [`Identity`].
pub(crate) fn inside_id(identity: Identity) -> u32 {
    match identity {
        Identity::User => 1000,
        Identity::Root => 0,
    }
}

/// The uid and gid of a process outside of the user namespace that it is about to enter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outside {
    uid: u32,
    gid: u32,
}

impl Outside {
    /// Has to be asked before the namespace is entered: without a map, every id reads as "nobody".
    pub(crate) fn current() -> Self {
        Self { uid: geteuid().as_raw(), gid: getegid().as_raw() }
    }

    /// Makes this process `inside` in its user namespace, for uid and gid alike.
    pub(crate) fn map_to(self, inside: u32) -> Result<(), Errno> {
        // The kernel lets an ordinary user map a gid only after that.
        write_file("/proc/self/setgroups", "deny")?;
        write_file("/proc/self/uid_map", &format!("{inside} {} 1", self.uid))?;
        write_file("/proc/self/gid_map", &format!("{inside} {} 1", self.gid))
    }
}

fn write_file(path: &str, text: &str) -> Result<(), Errno> {
    let file = open(path, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    write_all(file.as_fd(), text.as_bytes())
}
