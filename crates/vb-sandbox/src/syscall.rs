//! The system calls that `nix` does not wrap, or not safely, each behind a function that is safe to call.
//!
//! Must not be here: any decision. This is the only file of the project with `unsafe` in it.
#![expect(unsafe_code, reason = "raw system calls and fork; everything else of the project is safe code")]

use std::ffi::{CStr, CString};
use std::mem;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::ptr;

use libc::{c_int, c_long, c_uint};
use nix::NixPath;
use nix::errno::Errno;
use nix::sched::{self, CloneFlags};
use nix::unistd::{ForkResult, Pid};

use crate::wire::{LIVENESS_FD, REPORT_FD, REQUEST_FD};

/// The helper's ends of the pipes between it and the caller.
#[derive(Debug)]
pub(crate) struct HelperPipes {
    pub(crate) request: OwnedFd,
    pub(crate) liveness: OwnedFd,
    pub(crate) reports: OwnedFd,
}

impl HelperPipes {
    /// Makes the child that `command` will start find the pipes at their numbers.
    pub(crate) fn pass_to(self, command: &mut Command) {
        let place = move || {
            // Lifted above the target numbers first: one of the pipes may itself sit at such a number.
            let lifted =
                [duplicate_above(&self.request)?, duplicate_above(&self.liveness)?, duplicate_above(&self.reports)?];
            for (fd, target) in lifted.iter().zip([REQUEST_FD, LIVENESS_FD, REPORT_FD]) {
                // SAFETY: dup2 takes plain numbers and is async-signal-safe.
                Errno::result(unsafe { libc::dup2(fd.as_raw_fd(), target) })?;
            }
            Ok(())
        };
        // SAFETY: the closure runs between fork and exec and only makes the async-signal-safe calls fcntl, dup2 and
        // close; it allocates nothing.
        unsafe { command.pre_exec(place) };
    }

    /// Takes the pipes that the caller has passed; none when the program was started in another way.
    /// All other descriptors above the standard streams are closed.
    pub(crate) fn inherited() -> Option<Self> {
        let is_open = |fd: RawFd| {
            // SAFETY: F_GETFD only asks whether the number is in use.
            unsafe { libc::fcntl(fd, libc::F_GETFD) >= 0 }
        };
        if ![REQUEST_FD, LIVENESS_FD, REPORT_FD].into_iter().all(is_open) {
            return None;
        }
        let last = c_uint::try_from(REPORT_FD).expect("a small constant");
        close_range(last + 1, 0).ok()?;
        // SAFETY: the three numbers are open, and nothing else in this freshly started program owns them.
        unsafe {
            Some(Self {
                request: OwnedFd::from_raw_fd(REQUEST_FD),
                liveness: OwnedFd::from_raw_fd(LIVENESS_FD),
                reports: OwnedFd::from_raw_fd(REPORT_FD),
            })
        }
    }
}

fn duplicate_above(fd: &OwnedFd) -> Result<OwnedFd, Errno> {
    const ABOVE: c_int = REPORT_FD + 1;
    // SAFETY: fcntl takes plain numbers; the result is a fresh descriptor that nobody else owns.
    unsafe {
        let copy = Errno::result(libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, ABOVE))?;
        Ok(OwnedFd::from_raw_fd(copy))
    }
}

/// Moves the process into fresh namespaces, among them a user namespace. The next fork makes the first process of the
/// fresh process namespace.
///
/// The kernel refuses a user namespace to a process with several threads; [`fork_single`] relies on that.
pub(crate) fn unshare_with_user(flags: CloneFlags) -> Result<SingleThreaded, Errno> {
    sched::unshare(flags | CloneFlags::CLONE_NEWUSER)?;
    Ok(SingleThreaded(()))
}

/// Makes sure that this process has one thread: the kernel refuses to part it from others that there are.
pub(crate) fn prove_single_threaded() -> Result<SingleThreaded, Errno> {
    sched::unshare(CloneFlags::CLONE_THREAD)?;
    Ok(SingleThreaded(()))
}

/// The proof that this process has one thread. The helper never starts another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SingleThreaded(());

/// Forks. The child may do whatever the parent might have done.
pub(crate) fn fork_single(_proof: SingleThreaded) -> Result<ForkResult, Errno> {
    // SAFETY: with one thread, no lock can be held by a thread that the child does not have.
    unsafe { nix::unistd::fork() }
}

/// Ends the process at once, without running exit handlers that belong to the program and not to the helper.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: _exit has no preconditions.
    unsafe { libc::_exit(code) }
}

/// Waits for any child to end. Unlike `nix`, this understands real-time signals.
pub(crate) fn wait_any() -> Result<(Pid, ExitStatus), Errno> {
    loop {
        let mut status: c_int = 0;
        // SAFETY: the pointer is to a local that outlives the call.
        let result = Errno::result(unsafe { libc::waitpid(-1, &raw mut status, 0) });
        match result {
            Ok(pid) => return Ok((Pid::from_raw(pid), ExitStatus::from_raw(status))),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// A descriptor that becomes readable when the child has ended.
pub(crate) fn pidfd_open(child: Pid) -> Result<OwnedFd, Errno> {
    // SAFETY: the call takes plain numbers and returns a fresh descriptor.
    unsafe { owned(libc::syscall(libc::SYS_pidfd_open, child.as_raw(), 0)) }
}

/// Closes the descriptors from `first` on when the process executes another program.
pub(crate) fn close_on_exec_from(first: c_uint) -> Result<(), Errno> {
    close_range(first, libc::CLOSE_RANGE_CLOEXEC)
}

fn close_range(first: c_uint, flags: c_uint) -> Result<(), Errno> {
    // SAFETY: callers either only set a flag on descriptors, or close numbers that nothing in the process owns.
    Errno::result(unsafe { libc::syscall(libc::SYS_close_range, first, c_uint::MAX, flags) }).map(drop)
}

/// Sets every signal to its default disposition.
pub(crate) fn reset_signals() {
    const SET_BYTES: usize = mem::size_of::<u64>();
    // The kernel's `struct sigaction`, larger than on any architecture: all zero is the default disposition.
    let default = [0_u64; 8];
    for signal in 1..=64 {
        // Not through the C library, which refuses to touch the two signals that it uses itself.
        // SAFETY: the pointer is to a local that is large enough and outlives the call; the default disposition runs no
        // code. SIGKILL and SIGSTOP answer with an error, which is right for them.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, &raw const default, ptr::null::<u64>(), SET_BYTES) };
    }
}

/// Sets the name of the NIS domain, which shows in `uname`.
pub(crate) fn set_domain_name(name: &str) -> Result<(), Errno> {
    // SAFETY: pointer and length describe `name`.
    Errno::result(unsafe { libc::setdomainname(name.as_ptr().cast(), name.len()) }).map(drop)
}

/// Brings up the loopback interface of the process's network namespace.
pub(crate) fn raise_loopback() -> Result<(), Errno> {
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
    // SAFETY: the call takes plain numbers and returns a fresh descriptor.
    let socket = unsafe { owned(c_long::from(libc::socket(libc::AF_INET, kind, 0)))? };
    // SAFETY: all bytes zero is a valid `ifreq`: a name of no characters and a union of plain numbers.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(c"lo".to_bytes()) {
        *to = libc::c_char::try_from(*from).expect("ASCII");
    }
    request.ifr_ifru.ifru_flags = libc::c_short::try_from(libc::IFF_UP | libc::IFF_RUNNING).expect("small constants");
    // SAFETY: SIOCSIFFLAGS reads one `ifreq`, which outlives the call.
    let answer = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as libc::Ioctl, &raw const request) };
    Errno::result(answer).map(drop)
}

/// Gives up every capability of the bounding set: no program executed later can have one.
pub(crate) fn drop_capability_bounds() -> Result<(), Errno> {
    for capability in 0..64 {
        // SAFETY: the call takes plain numbers.
        let answer = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
        match Errno::result(answer) {
            Ok(_) => {}
            // The kernel has no capability of that number, nor of a higher one.
            Err(Errno::EINVAL) => break,
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Installs a seccomp filter for this process and its descendants. Needs `no_new_privs`.
pub(crate) fn install_filter(program: &mut [libc::sock_filter]) -> Result<(), Errno> {
    let program =
        libc::sock_fprog { len: u16::try_from(program.len()).map_err(|_| Errno::E2BIG)?, filter: program.as_mut_ptr() };
    // SAFETY: length and pointer describe a slice that outlives the call; the kernel checks the program itself.
    let answer = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
    Errno::result(answer).map(drop)
}

/// A file system that is being configured (`fsopen`).
#[derive(Debug)]
pub(crate) struct FsContext(OwnedFd);

impl FsContext {
    /// Starts configuring a file system of this type.
    pub(crate) fn open(kind: &CStr) -> Result<Self, Errno> {
        // SAFETY: the string is NUL-terminated; the result is a fresh descriptor.
        unsafe { owned(libc::syscall(libc::SYS_fsopen, kind.as_ptr(), libc::FSOPEN_CLOEXEC)).map(Self) }
    }

    /// Sets an option that has a value. An option like `lowerdir+` may be set repeatedly.
    pub(crate) fn set(&self, key: &CStr, value: &str) -> Result<(), Errno> {
        let value = CString::new(value).map_err(|_| Errno::EINVAL)?;
        self.configure(libc::FSCONFIG_SET_STRING, key.as_ptr(), value.as_ptr())
    }

    /// Sets an option that has no value.
    pub(crate) fn set_flag(&self, key: &CStr) -> Result<(), Errno> {
        self.configure(libc::FSCONFIG_SET_FLAG, key.as_ptr(), ptr::null())
    }

    /// Makes the file system and a mount of it that is attached nowhere yet.
    pub(crate) fn mount(&self, attributes: u64) -> Result<OwnedFd, Errno> {
        self.configure(libc::FSCONFIG_CMD_CREATE, ptr::null(), ptr::null())?;
        // SAFETY: the call takes plain numbers and returns a fresh descriptor.
        unsafe { owned(libc::syscall(libc::SYS_fsmount, self.0.as_raw_fd(), libc::FSMOUNT_CLOEXEC, attributes)) }
    }

    fn configure(
        &self,
        command: libc::fsconfig_command,
        key: *const libc::c_char,
        value: *const libc::c_char,
    ) -> Result<(), Errno> {
        // SAFETY: both pointers are null or NUL-terminated strings that outlive the call, as each command wants.
        Errno::result(unsafe { libc::syscall(libc::SYS_fsconfig, self.0.as_raw_fd(), command, key, value, 0) })
            .map(drop)
    }
}

/// Copies the mounts at and below a path, attached nowhere yet.
pub(crate) fn open_tree(path: &Path) -> Result<OwnedFd, Errno> {
    let recursive = c_uint::try_from(libc::AT_RECURSIVE).expect("a positive constant");
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | recursive;
    path.with_nix_path(|path| {
        // SAFETY: the path is NUL-terminated; the result is a fresh descriptor.
        unsafe { owned(libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags)) }
    })?
}

/// Adds attributes to a mount and to all mounts below it.
pub(crate) fn restrict_mount(mount: impl AsFd, attributes: u64) -> Result<(), Errno> {
    let change = libc::mount_attr { attr_set: attributes, attr_clr: 0, propagation: 0, userns_fd: 0 };
    // SAFETY: the path is NUL-terminated, pointer and size describe `change`, which outlives the call.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_fd().as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_RECURSIVE,
            &raw const change,
            mem::size_of_val(&change),
        )
    };
    Errno::result(answer).map(drop)
}

/// Attaches a mount to what `target` is open at, on top of what is mounted there.
pub(crate) fn attach_mount(mount: impl AsFd, target: impl AsFd) -> Result<(), Errno> {
    // SAFETY: both paths are NUL-terminated, the rest are plain numbers.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            mount.as_fd().as_raw_fd(),
            c"".as_ptr(),
            target.as_fd().as_raw_fd(),
            c"".as_ptr(),
            libc::MOVE_MOUNT_F_EMPTY_PATH | libc::MOVE_MOUNT_T_EMPTY_PATH,
        )
    };
    Errno::result(answer).map(drop)
}

/// Takes the descriptor that a system call has returned.
///
/// # Safety
/// `answer` is negative, or a descriptor that nobody else owns.
unsafe fn owned(answer: c_long) -> Result<OwnedFd, Errno> {
    let fd = RawFd::try_from(Errno::result(answer)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the caller vouches for it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
