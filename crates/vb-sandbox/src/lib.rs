//! Runs one command in fresh Linux namespaces from a plain spec.
//!
//! Must not be here: what the command is for, where layers come from, what is done with the outcome. All `unsafe` of the
//! project is in `syscall.rs`.
//!
//! Three processes: the caller; a helper, which is a program executed afresh so that it has one thread and no history; and
//! the first process of the sandbox, which the command is a child of. The helper's user namespace owns the mounts and all
//! other namespaces, the command's own user namespace below it owns nothing. Needs Linux 5.12.
//!
//! The contract, each sentence of which is a test in `tests/contract`:
//!
//! - *Isolation.* User, mount, process, network, IPC, host name and cgroup namespaces are fresh, for root and for an ordinary
//!   user alike, with one mapped uid and gid, without a setuid program and without subordinate uids.
//! - The command sees only its root, its binds, a minimal `/dev`, a fresh `/proc` and an empty `/tmp`. No mount of the host is
//!   left, and no control of the host in `/dev` and `/proc` can be changed, even when root calls.
//! - Without [`Network::Host`] there is a loopback interface, which is up, and nothing else.
//! - *Root.* The topmost layer comes first. Layers are never written, whatever is changed above them. A kept upper serves as a
//!   layer. A writable root is written in place. Kernels without `lowerdir+` give the same root.
//! - *Files.* A read-only bind cannot be written, even by a root inside. Binds apply in their order, their targets are created,
//!   and no symlink of the root leads outside.
//! - *Identity.* [`Identity::User`] has uid 1000 and no capability; [`Identity::Root`] has uid 0 and no power outside of its
//!   own user namespace. There are no new privileges. With [`Filter::PretendOwnership`] changes of ownership pretend to succeed.
//! - *Machine.* [`Identity::Machine`] has the first process of its own, ids 0 to 65535, `/sys` with nothing in it but its control
//!   group, which goes when it ends, and a loopback interface. What is read-only stays so. There the command may gain privileges.
//! - *Process.* Environment and working directory are the spec's; umask 022, a session of its own, default signal
//!   dispositions, no blocked signal, no descriptor but 0, 1 and 2, standard input from `/dev/null`. Both outputs arrive in
//!   the log, whole and in order. An interactive command keeps the caller's streams and gets the terminal's foreground.
//! - *Ending.* The exit code is the command's own, a signal is told apart. A set-up failure names its step, a program that
//!   cannot be executed is one, and neither is ever an exit code.
//! - No process outlives the command, a timeout, a cancel, the caller, or the helper.
//! - *Refusal.* When the kernel refuses, the error names the setting.

mod command;
mod error;
mod filter;
mod helper;
mod identity;
mod init;
mod log;
mod machine;
mod mountpoint;
mod overlay;
mod path;
mod probe;
mod refusal;
mod root;
mod run;
mod spec;
mod syscall;
mod terminal;
mod wire;

pub use error::{KernelSetting, SandboxError, Step};
pub use helper::helper_main;
pub use nix::errno::Errno;
pub use path::{GuestPath, HostPath, PathError};
pub use probe::{probe, probe_machine};
pub use run::run;
pub use spec::{Access, Bind, Filter, HOSTNAME, Helper, Identity, Network, Outcome, Root, Spec, Status, Stdio, Upper};
