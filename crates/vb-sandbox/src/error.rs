//! What can go wrong before a command runs, and at which step.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use nix::errno::Errno;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{GuestPath, HostPath};

/// Why [`run`](crate::run) has no outcome. A command that ran and failed is not an error.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// The spec has no program.
    #[error("the sandbox has no command to run")]
    NoCommand,
    /// The spec's root has no layer.
    #[error("the sandbox has no layer for its root")]
    NoLayer,
    /// The spec could not be encoded for the helper.
    #[error("the spec of the sandbox cannot be encoded")]
    Encode {
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The pipes to the helper could not be made or read.
    #[error("the pipes to the sandbox helper failed")]
    Pipe {
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The helper program could not be started.
    #[error("the sandbox helper `{}` could not be started", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The helper ended without saying how the command ended: it was killed, or the program is not a sandbox helper.
    #[error("the sandbox helper ended without a report ({status})")]
    HelperDied {
        /// How it ended.
        status: ExitStatus,
    },
    /// The first process of a machine ended, and with it every other.
    #[error("the first process of the machine ended before its command")]
    MachineEnded,
    /// A step of the set-up failed. The command did not run, except for [`Step::WriteLog`].
    #[error("the sandbox could not {step}")]
    Setup {
        /// The step.
        step: Step,
        /// The system's answer.
        #[source]
        errno: Errno,
    },
    /// The kernel is configured to refuse what every sandbox needs.
    #[error("the sandbox could not {step} because the kernel setting `{setting}` is `{value}`")]
    Refused {
        /// The setting that is in the way.
        setting: KernelSetting,
        /// Its value.
        value: String,
        /// The step that was refused.
        step: Step,
        /// The system's answer.
        #[source]
        errno: Errno,
    },
    /// The caller asked to stop. No process of the sandbox is left.
    #[error("the sandbox was cancelled")]
    Cancelled,
}

/// A step of setting a sandbox up; its text completes "could not ...".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// The helper reads its request.
    ReadRequest,
    /// The helper prepares its own process: session, pipes.
    PrepareHelper,
    /// `unshare` of all namespaces.
    CreateNamespaces,
    /// One uid and one gid are mapped to the caller's.
    MapUser,
    /// The uids and gids of a machine are mapped to the same ones outside, as only root may.
    MapUsers,
    /// A control group of the machine's own, below the caller's in a hierarchy of version 2.
    MakeControlGroup,
    /// The host name, which is also the first use of a capability in the user namespace.
    SetHostname,
    /// The loopback interface.
    RaiseLoopback,
    /// The mounts are cut off from the host's.
    DetachMounts,
    /// A directory of the root.
    OpenLayer {
        /// The directory.
        path: HostPath,
    },
    /// The source of a bind.
    OpenSource {
        /// The source.
        path: HostPath,
    },
    /// A device of the host.
    OpenDevice {
        /// Its path on the host.
        path: HostPath,
    },
    /// Memory for the writes to a root.
    MountUpper,
    /// The root itself.
    MountRoot,
    /// `pivot_root`.
    EnterRoot,
    /// A mount inside the root.
    Mount {
        /// Its mount point.
        target: GuestPath,
    },
    /// Part of `/proc` is made read-only.
    Protect {
        /// The part.
        target: GuestPath,
    },
    /// A bind appears at its target.
    Bind {
        /// The target.
        target: GuestPath,
    },
    /// A process is made.
    Fork,
    /// The end of a process is waited for.
    Watch,
    /// The command's user namespace.
    TakeIdentity,
    /// The command's session or process group.
    TakeTerminal,
    /// The working directory.
    EnterDirectory {
        /// The directory.
        path: GuestPath,
    },
    /// Privileges are given up and the filter is installed.
    Confine,
    /// The program starts.
    Execute {
        /// The program as the spec names it.
        program: String,
    },
    /// The command's output is written to the log. The command itself ran to its end.
    WriteLog,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReadRequest => f.write_str("read its request"),
            Self::PrepareHelper => f.write_str("prepare its helper process"),
            Self::CreateNamespaces => f.write_str("create its namespaces"),
            Self::MapUser => f.write_str("map its user"),
            Self::MapUsers => f.write_str("map the users of a machine, as only root may"),
            Self::MakeControlGroup => f.write_str("make a control group (cgroup2) for a machine"),
            Self::SetHostname => f.write_str("set its host name"),
            Self::RaiseLoopback => f.write_str("raise its loopback interface"),
            Self::DetachMounts => f.write_str("detach its mounts from the host"),
            Self::OpenLayer { path } => write!(f, "open the layer `{path}`"),
            Self::OpenSource { path } => write!(f, "open the bind source `{path}`"),
            Self::OpenDevice { path } => write!(f, "open the device `{path}`"),
            Self::MountUpper => f.write_str("mount the memory for its writes"),
            Self::MountRoot => f.write_str("mount its root"),
            Self::EnterRoot => f.write_str("enter its root"),
            Self::Mount { target } => write!(f, "mount `{target}`"),
            Self::Protect { target } => write!(f, "make `{target}` read-only"),
            Self::Bind { target } => write!(f, "bind `{target}`"),
            Self::Fork => f.write_str("fork"),
            Self::Watch => f.write_str("watch over its processes"),
            Self::TakeIdentity => f.write_str("take the identity of the command"),
            Self::TakeTerminal => f.write_str("give the command its terminal"),
            Self::EnterDirectory { path } => write!(f, "enter the working directory `{path}`"),
            Self::Confine => f.write_str("give up its privileges"),
            Self::Execute { program } => write!(f, "execute `{program}`"),
            Self::WriteLog => f.write_str("write the log"),
        }
    }
}

/// A kernel setting that can keep ordinary users (and, the last one, everybody) from making sandboxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KernelSetting {
    /// Ubuntu since 23.10: user namespaces of programs without an AppArmor profile have no capabilities. Must be 0.
    ApparmorRestrictUnprivilegedUserns,
    /// Debian's kernels: whether ordinary users may make user namespaces at all. Must be 1.
    UnprivilegedUsernsClone,
    /// How many user namespaces may exist. Each sandbox needs two.
    MaxUserNamespaces,
}

impl KernelSetting {
    /// The name as `sysctl` knows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ApparmorRestrictUnprivilegedUserns => "kernel.apparmor_restrict_unprivileged_userns",
            Self::UnprivilegedUsernsClone => "kernel.unprivileged_userns_clone",
            Self::MaxUserNamespaces => "user.max_user_namespaces",
        }
    }
}

impl fmt::Display for KernelSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A step that failed inside the helper, as it is reported to the caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) step: Step,
    pub(crate) errno: i32,
}

/// Names the step that an answer of the system belongs to.
pub(crate) trait AtStep<T> {
    fn at(self, step: Step) -> Result<T, Failure>;
}

impl<T> AtStep<T> for Result<T, Errno> {
    fn at(self, step: Step) -> Result<T, Failure> {
        self.map_err(|errno| Failure { step, errno: errno as i32 })
    }
}
