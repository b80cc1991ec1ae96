//! What a sandbox is made of and how a run of it ended: plain data, no effects.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{GuestPath, HostPath};

/// The host name inside every sandbox.
pub const HOSTNAME: &str = "vb";

/// Everything that the sandbox of one command is made of.
///
/// `/proc`, `/dev` and `/tmp` are mounted in every sandbox; their mount points are created in the root when missing,
/// which shows in [`Upper::Keep`] and [`Root::Writable`]. Then come `tmpfs`, then `binds`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// The root file system.
    pub root: Root,
    /// Paths of the host to show, in this order, after everything else is mounted. Targets are created when missing.
    pub binds: Vec<Bind>,
    /// Further empty writable directories, created when missing.
    pub tmpfs: Vec<GuestPath>,
    /// The command. A program without a `/` is looked for in the `PATH` of `env`, inside.
    pub argv: Vec<String>,
    /// The complete environment of the command: nothing is inherited.
    pub env: BTreeMap<String, String>,
    /// The command's working directory. It has to exist.
    pub cwd: GuestPath,
    /// Who the command is.
    pub identity: Identity,
    /// What the command can reach.
    pub network: Network,
    /// Which system calls only pretend.
    pub filter: Filter,
    /// How long the run may take, set-up included.
    pub timeout: Option<Duration>,
}

/// Where the root file system comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Root {
    /// An overlay of directories that are never written.
    Layers {
        /// At least one directory without mounts below it, topmost first.
        lowers: Vec<HostPath>,
        /// Where writes go.
        upper: Upper,
    },
    /// A private directory, mounted read-write as `/`.
    Writable(HostPath),
}

/// Where writes to a layered root go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Upper {
    /// Into memory; they are gone with the sandbox. Before Linux 6.6 memory has no user attributes, and a directory of a
    /// lower cannot be replaced: there, keep the upper on disk.
    Discard,
    /// Into a directory that stays. Removed names are there as overlayfs whiteouts (character device 0:0), replaced
    /// directories carry the attribute `user.overlay.opaque`.
    Keep {
        /// An existing directory.
        upper: HostPath,
        /// An existing empty directory on the file system of `upper`, for overlayfs' own use.
        work: HostPath,
    },
}

/// One path of the host and where it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bind {
    /// A directory or a file of the host, with all that is mounted below it. A symlink is followed.
    pub source: HostPath,
    /// Where it is shown. A symlink at this place is followed, inside.
    pub target: GuestPath,
    /// Whether the command may write to it.
    pub access: Access,
}

/// Whether a bind may be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    /// Never, not even by a command that is root inside.
    ReadOnly,
    /// As far as the caller may.
    ReadWrite,
}

/// Who the command is inside. Outside it is always the caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Identity {
    /// Uid and gid 1000, without any capability.
    User,
    /// Uid and gid 0, with the capabilities of a user namespace that owns nothing but itself.
    Root,
    /// Root of a machine, whose first process is a program of its own beside the command: uids and gids 0 to 65535 are there,
    /// and change hands as on a machine; the user namespace owns the network, the mounts and a control group, which is at
    /// `/sys/fs/cgroup`. Only root can call for one.
    Machine {
        /// The first process and its arguments: a service manager. Its environment is `container=vb`.
        first: Vec<String>,
    },
}

/// What the command can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// Its own loopback interface, which is up.
    Isolated,
    /// The caller's network. `resolv.conf` and the like are the caller's to bind.
    Host,
}

/// Which system calls only pretend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Filter {
    /// None.
    None,
    /// Changes of owner, of uid, gid, groups and capabilities, the creation of device nodes, and the fsync family answer
    /// "done" and do nothing: enough for package tools to believe that they are root although one uid is mapped.
    PretendOwnership,
}

/// Where the command's standard streams go.
#[derive(Debug)]
pub enum Stdio {
    /// Standard output and error to this file in the order of writing; standard input is `/dev/null`.
    /// The command itself holds a pipe: opening `/dev/stderr` anew does not truncate the file.
    Log(File),
    /// The caller's own streams, for an interactive shell. It stays in the caller's session, because a terminal cannot
    /// change sessions, and gets the terminal's foreground for as long as it runs.
    Inherit,
}

/// How to start the helper process: a program that does nothing but call [`helper_main`](crate::helper_main).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Helper {
    /// The program, usually the caller's own.
    pub program: PathBuf,
    /// The arguments that make it the helper.
    pub args: Vec<String>,
}

/// How a run ended and what it cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// How the command ended.
    pub status: Status,
    /// Time on the clock, set-up included.
    pub wall: Duration,
    /// Processor time of all processes of the sandbox that ended before it, set-up included.
    pub cpu: Duration,
    /// The largest resident set of any one process. The helper's own size is the least that can be seen.
    pub max_rss_bytes: u64,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// With this exit code.
    Exited(i32),
    /// By this signal.
    Signaled(i32),
    /// It was killed because [`Spec::timeout`] had passed.
    TimedOut,
}
