//! A machine: a sandbox whose first process is a service manager of its own, with users, mounts, a network and a control
//! group that it may command. The command runs beside it.
//!
//! Invariants: the manager's user namespace lies below the one that made the mounts, and has a copy of them, so that it can
//! undo none; the first process joins its control group before it makes a namespace of it, so that the group is all that
//! it sees.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::mount::{MsFlags, mount};
use nix::sched::CloneFlags;
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{ForkResult, fchdir, getpid, pipe2};

use crate::command::{become_command, become_fresh, execute};
use crate::error::{AtStep, Failure};
use crate::identity::unshare_with_users;
use crate::init::reap_until;
use crate::overlay::fd_path;
use crate::syscall::{FsContext, exit_now, fork_single, raise_loopback};
use crate::terminal::Foreground;
use crate::wire::{Report, Request, send, write_all};
use crate::{GuestPath, Step};

/// Where a machine finds its control group.
pub(crate) const CONTROL_GROUPS: &str = "/sys/fs/cgroup";

/// What the name of each control group begins with; the helper's process id follows.
const NAME: &str = "vb-machine-";

const OWN_NAMESPACES: CloneFlags = CloneFlags::CLONE_NEWNS
    .union(CloneFlags::CLONE_NEWNET)
    .union(CloneFlags::CLONE_NEWIPC)
    .union(CloneFlags::CLONE_NEWUTS)
    .union(CloneFlags::CLONE_NEWCGROUP);

/// What the helper keeps of a machine.
#[derive(Debug)]
pub(crate) struct Machine {
    group: ControlGroup,
    over: OwnedFd,
    /// Held by the process that waits for the command, and by no other once the machine runs.
    running: Option<OwnedFd>,
}

impl Machine {
    /// Makes the control group below the caller's own.
    pub(crate) fn prepare() -> Result<Self, Errno> {
        let (over, running) = pipe2(OFlag::O_CLOEXEC)?;
        Ok(Self { group: ControlGroup::make()?, over, running: Some(running) })
    }

    /// Returns what ends when the command has ended. This process holds it up no longer.
    pub(crate) fn over(&mut self) -> BorrowedFd<'_> {
        self.running = None;
        self.over.as_fd()
    }

    /// Removes the control group, once no process is left.
    pub(crate) fn clear_away(self) -> Result<(), Errno> {
        self.group.remove()
    }

    /// Makes the first process of a sandbox that of a machine. Returns only when that failed.
    pub(crate) fn become_first(
        self,
        first: &[String],
        request: &Request,
        reports: &OwnedFd,
        foreground: Foreground,
    ) -> Result<Infallible, Failure> {
        self.group.enter().at(Step::MakeControlGroup)?;
        let proof = unshare_with_users(OWN_NAMESPACES)?;
        raise_loopback().at(Step::RaiseLoopback)?;
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        mount(Some("cgroup2"), CONTROL_GROUPS, Some("cgroup2"), flags, None::<&str>)
            .at(Step::Mount { target: GuestPath::new(CONTROL_GROUPS).expect("a constant path") })?;
        if let ForkResult::Child = fork_single(proof).at(Step::Fork)? {
            let command = || match fork_single(proof).at(Step::Fork)? {
                ForkResult::Parent { child } => reap_until(child).at(Step::Watch),
                ForkResult::Child => become_command(request, foreground).map(|never| match never {}),
            };
            send(reports.as_fd(), &command().map_or_else(Report::Failed, Report::Ended));
            exit_now(0)
        }
        become_fresh().at(Step::Confine)?;
        let env = BTreeMap::from([("container".to_owned(), "vb".to_owned())]);
        execute(first, &env).at(Step::Execute { program: first.first().cloned().unwrap_or_default() })
    }
}

/// A control group below the caller's own, in the hierarchy of version 2, wherever or whether that is mounted.
#[derive(Debug)]
struct ControlGroup {
    /// The hierarchy from the caller's own group on, attached nowhere.
    hierarchy: OwnedFd,
    name: String,
}

impl ControlGroup {
    fn make() -> Result<Self, Errno> {
        let restrictions = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC;
        let hierarchy = FsContext::open(c"cgroup2")?.mount(restrictions)?;
        remove_orphans(Path::new(&fd_path(&hierarchy)));
        let name = format!("{NAME}{}", getpid());
        mkdirat(&hierarchy, name.as_str(), Mode::from_bits_truncate(0o755))?;
        Ok(Self { hierarchy, name })
    }

    /// Moves this process in.
    fn enter(&self) -> Result<(), Errno> {
        let list = format!("{}/cgroup.procs", self.name);
        let list = openat(&self.hierarchy, list.as_str(), OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
        write_all(list.as_fd(), b"0")
    }

    fn remove(&self) -> Result<(), Errno> {
        // A path of the sandbox may be what this process sees as its root.
        fchdir(&self.hierarchy)?;
        remove_groups(Path::new(&self.name)).map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
    }
}

/// Removes what helpers that were killed have left. A group in which there is a process cannot be removed.
fn remove_orphans(hierarchy: &Path) {
    for entry in fs_err::read_dir(hierarchy).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let helper = name.to_str().and_then(|name| name.strip_prefix(NAME));
        if helper.is_some_and(|helper| !Path::new("/proc").join(helper).exists()) {
            // Another helper may do the same.
            let _ = remove_groups(&entry.path());
        }
    }
}

/// Removes a group and all below it; the files in it go with it.
fn remove_groups(group: &Path) -> std::io::Result<()> {
    for entry in fs_err::read_dir(group)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_groups(&entry.path())?;
        }
    }
    fs_err::remove_dir(group)
}
