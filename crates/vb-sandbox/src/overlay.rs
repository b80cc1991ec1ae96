//! An overlay of opened directories, mounted over a given place.
//!
//! Directories are named to the kernel as `/proc/self/fd/N`: no character needs an escape, and hundreds of layers fit
//! into one page of mount options.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};

use crate::syscall::{FsContext, attach_mount};

/// The directories of an overlay.
#[derive(Debug)]
pub(crate) struct Overlay {
    /// Topmost first.
    pub(crate) lowers: Vec<OwnedFd>,
    pub(crate) upper: OwnedFd,
    pub(crate) work: OwnedFd,
}

impl Overlay {
    /// Mounts the overlay on top of `target`.
    pub(crate) fn mount_on(&self, target: &OwnedFd) -> Result<(), Errno> {
        // Kernels before 6.7 do not know `lowerdir+`; some container runtimes refuse `fsopen`. Whatever the reason was,
        // the older interface has the last word.
        self.mount_by_parts(target).or_else(|_| self.mount_by_options(target))
    }

    fn mount_by_parts(&self, target: &OwnedFd) -> Result<(), Errno> {
        let context = FsContext::open(c"overlay")?;
        for lower in &self.lowers {
            context.set(c"lowerdir+", &fd_path(lower))?;
        }
        context.set(c"upperdir", &fd_path(&self.upper))?;
        context.set(c"workdir", &fd_path(&self.work))?;
        context.set_flag(c"userxattr")?;
        let attached_nowhere = context.mount(libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV)?;
        attach_mount(attached_nowhere, target)
    }

    fn mount_by_options(&self, target: &OwnedFd) -> Result<(), Errno> {
        let lowers: Vec<String> = self.lowers.iter().map(fd_path).collect();
        let options = format!(
            "lowerdir={},upperdir={},workdir={},userxattr",
            lowers.join(":"),
            fd_path(&self.upper),
            fd_path(&self.work)
        );
        mount(
            Some("overlay"),
            fd_path(target).as_str(),
            Some("overlay"),
            MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
            Some(options.as_str()),
        )
    }
}

/// A path by which this process reaches what a descriptor is open at, whatever is mounted on top of it.
pub(crate) fn fd_path(fd: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}
