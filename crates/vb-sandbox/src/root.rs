//! Builds the file system of a sandbox and makes it the root of this process's mount namespace.
//!
//! Invariants: all sources are opened before anything is mounted, so that no mount can hide one; everything inside the root
//! is mounted after it has been entered, so that no symlink of it can lead outside.

use std::os::fd::OwnedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, open, openat};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::{Mode, fstat, mkdirat};
use nix::unistd::{chdir, pivot_root, symlinkat};

use crate::error::{AtStep, Failure};
use crate::machine::CONTROL_GROUPS;
use crate::mountpoint::{Kind, MountPoint, is_directory};
use crate::overlay::Overlay;
use crate::syscall::{attach_mount, open_tree, restrict_mount};
use crate::{Access, GuestPath, HostPath, Identity, Root, Spec, Step, Upper};

const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
const DEVICE_LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

const TMPFS_FLAGS: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV);
const NO_TEXT: Option<&str> = None;

/// Replaces everything that this process sees by the file system that the spec asks for.
pub(crate) fn enter(spec: &Spec) -> Result<(), Failure> {
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(NO_TEXT, "/", NO_TEXT, private, NO_TEXT).at(Step::DetachMounts)?;
    let sources = Sources::open(spec)?;
    let place = attach_root(&spec.root)?;
    chdir(place).at(Step::EnterRoot)?;
    // The old root ends up mounted on top of the working directory, out of reach of absolute paths.
    pivot_root(".", ".").at(Step::EnterRoot)?;
    // The kernel allows a fresh /proc only while another complete one, the host's, is still mounted.
    mount_proc()?;
    umount2(".", MntFlags::MNT_DETACH).at(Step::EnterRoot)?;
    chdir("/").at(Step::EnterRoot)?;
    protect_host_controls()?;
    mount_dev(sources.devices)?;
    mount_tmpfs(&guest("/tmp"), "mode=1777")?;
    if let Identity::Machine { .. } = spec.identity {
        mount_system_directory()?;
    }
    for target in &spec.tmpfs {
        mount_tmpfs(target, "mode=755")?;
    }
    for (bind, source) in spec.binds.iter().zip(&sources.binds) {
        attach(source, &bind.target).at(Step::Bind { target: bind.target.clone() })?;
    }
    Ok(())
}

/// Copies of the host's mounts, attached nowhere yet.
struct Sources {
    binds: Vec<OwnedFd>,
    devices: Vec<(&'static str, OwnedFd)>,
}

impl Sources {
    fn open(spec: &Spec) -> Result<Self, Failure> {
        let mut binds = Vec::new();
        for bind in &spec.binds {
            let restrictions = match bind.access {
                Access::ReadOnly => libc::MOUNT_ATTR_RDONLY,
                Access::ReadWrite => 0,
            };
            let step = Step::OpenSource { path: bind.source.clone() };
            binds.push(open_restricted(bind.source.as_path(), restrictions | libc::MOUNT_ATTR_NODEV).at(step)?);
        }
        let mut devices = Vec::new();
        for name in DEVICES {
            let path = HostPath::new(Path::new("/dev").join(name)).expect("a constant path");
            // Read-only keeps mode and owner of the host's node out of reach; writing to the device still works.
            let mount = open_restricted(path.as_path(), libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOEXEC)
                .at(Step::OpenDevice { path })?;
            devices.push((name, mount));
        }
        Ok(Self { binds, devices })
    }
}

fn open_restricted(path: &Path, attributes: u64) -> Result<OwnedFd, Errno> {
    let tree = open_tree(path)?;
    restrict_mount(&tree, attributes | libc::MOUNT_ATTR_NOSUID)?;
    Ok(tree)
}

/// Mounts the root over a directory that it is made of, and returns that place.
fn attach_root(root: &Root) -> Result<&Path, Failure> {
    match root {
        Root::Writable(directory) => {
            let step = || Step::OpenLayer { path: directory.clone() };
            let tree = open_restricted(directory.as_path(), libc::MOUNT_ATTR_NODEV).at(step())?;
            let place = open_directory(directory.as_path()).at(step())?;
            attach_mount(tree, place).at(Step::MountRoot)?;
            Ok(directory.as_path())
        }
        Root::Layers { lowers, upper } => {
            let place = lowers.first().ok_or(Errno::EINVAL).at(Step::MountRoot)?;
            let overlay = open_overlay(lowers, upper)?;
            overlay.mount_on(&overlay.lowers[0]).at(Step::MountRoot)?;
            Ok(place.as_path())
        }
    }
}

fn open_overlay(lowers: &[HostPath], upper: &Upper) -> Result<Overlay, Failure> {
    let open_layer = |path: &HostPath| open_directory(path.as_path()).at(Step::OpenLayer { path: path.clone() });
    let place = lowers.first().ok_or(Errno::EINVAL).at(Step::MountRoot)?;
    let lowers = lowers.iter().map(open_layer).collect::<Result<Vec<_>, _>>()?;
    let (upper, work) = match upper {
        Upper::Keep { upper, work } => (open_layer(upper)?, open_layer(work)?),
        Upper::Discard => make_upper_in_memory(place.as_path()).at(Step::MountUpper)?,
    };
    Ok(Overlay { lowers, upper, work })
}

/// Mounts memory over a directory and makes an upper and a work directory in it.
fn make_upper_in_memory(place: &Path) -> Result<(OwnedFd, OwnedFd), Errno> {
    mount(Some("tmpfs"), place, Some("tmpfs"), TMPFS_FLAGS, Some("mode=755"))?;
    let memory = open_directory(place)?;
    let make = |name: &str| {
        mkdirat(&memory, name, Mode::from_bits_truncate(0o755))?;
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        openat(&memory, name, flags, Mode::empty())
    };
    Ok((make("upper")?, make("work")?))
}

fn open_directory(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    open(path, flags, Mode::empty())
}

fn mount_proc() -> Result<(), Failure> {
    let target = guest("/proc");
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    MountPoint::prepare(&target, Kind::Directory)
        .and_then(|_| mount(Some("proc"), target.as_path(), Some("proc"), flags, NO_TEXT))
        .at(Step::Mount { target })
}

/// Makes everything in `/proc` that is not a process read-only. It is the host's: the host's uid 0, which a sandbox started
/// by root has, may write to it and change its modes without any capability.
fn protect_host_controls() -> Result<(), Failure> {
    for name in host_controls().at(Step::Mount { target: guest("/proc") })? {
        let target = guest(&format!("/proc/{name}"));
        let protect = || match open_restricted(target.as_path(), libc::MOUNT_ATTR_RDONLY) {
            Ok(tree) => attach(&tree, &target),
            // A module of the kernel has been unloaded meanwhile.
            Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(errno),
        };
        protect().at(Step::Protect { target: target.clone() })?;
    }
    Ok(())
}

/// Lists what is in `/proc` beside processes and the links to what belongs to one.
fn host_controls() -> Result<Vec<String>, Errno> {
    let errno = |error: std::io::Error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO));
    let mut names = Vec::new();
    for entry in fs_err::read_dir("/proc").map_err(errno)? {
        let entry = entry.map_err(errno)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_process = name.bytes().all(|byte| byte.is_ascii_digit());
        if !is_process && !entry.file_type().map_err(errno)?.is_symlink() {
            names.push(name);
        }
    }
    Ok(names)
}

fn mount_dev(devices: Vec<(&'static str, OwnedFd)>) -> Result<(), Failure> {
    // Not the default mode 1777: in a sticky directory that everybody may write to, `fs.protected_regular` refuses
    // `> /dev/null` to a root whose uid is not the node's owner.
    mount_tmpfs(&guest("/dev"), "mode=755,size=1m")?;
    for (name, device) in devices {
        let target = guest(&format!("/dev/{name}"));
        attach(&device, &target).at(Step::Mount { target })?;
    }
    for (name, to) in DEVICE_LINKS {
        let target = guest(&format!("/dev/{name}"));
        symlinkat(to, AT_FDCWD, target.as_path()).at(Step::Mount { target })?;
    }
    mount_tmpfs(&guest("/dev/shm"), "mode=1777")?;
    let target = guest("/dev/pts");
    MountPoint::prepare(&target, Kind::Directory)
        .and_then(|_| {
            mount(
                Some("devpts"),
                target.as_path(),
                Some("devpts"),
                MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC,
                Some("newinstance,ptmxmode=0666,mode=620"),
            )
        })
        .at(Step::Mount { target })
}

/// Makes a `/sys` with nothing of the host's kernel in it, but a place for the machine's control group.
fn mount_system_directory() -> Result<(), Failure> {
    let target = guest("/sys");
    mount_tmpfs(&target, "mode=755,size=1m")?;
    MountPoint::prepare(&guest(CONTROL_GROUPS), Kind::Directory)
        .and_then(|_| restrict_mount(open_directory(target.as_path())?, libc::MOUNT_ATTR_RDONLY))
        .at(Step::Mount { target })
}

fn mount_tmpfs(target: &GuestPath, options: &str) -> Result<(), Failure> {
    MountPoint::prepare(target, Kind::Directory)
        .and_then(|place| mount(Some("tmpfs"), place.as_path(), Some("tmpfs"), TMPFS_FLAGS, Some(options)))
        .at(Step::Mount { target: target.clone() })
}

/// Attaches an opened mount at a target that is created when missing.
fn attach(tree: &OwnedFd, target: &GuestPath) -> Result<(), Errno> {
    let kind = if is_directory(&fstat(tree)?) { Kind::Directory } else { Kind::File };
    let place = MountPoint::prepare(target, kind)?;
    let place = open(place.as_path(), OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
    attach_mount(tree, place)
}

fn guest(path: &str) -> GuestPath {
    GuestPath::new(path).expect("a constant path")
}
