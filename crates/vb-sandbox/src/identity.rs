//! Mapping one uid and one gid of a fresh user namespace to the process's own outside of it, or all of a machine to the
//! same ones.

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sched::CloneFlags;
use nix::sys::stat::Mode;
use nix::unistd::{ForkResult, Pid, getegid, geteuid, getpid, pipe2, read};
use std::os::fd::AsFd;

use crate::Step;
use crate::error::{AtStep, Failure};
use crate::syscall::{SingleThreaded, exit_now, fork_single, prove_single_threaded, unshare_with_user, wait_any};
use crate::wire::write_all;

/// The ids of a machine: as many as distributions use.
const MACHINE_IDS: &str = "0 0 65536";

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

/// Moves the process into fresh namespaces, among them a user namespace with the ids of a machine.
pub(crate) fn unshare_with_users(flags: CloneFlags) -> Result<SingleThreaded, Failure> {
    let proof = prove_single_threaded().at(Step::PrepareHelper)?;
    let (ready, done) = pipe2(OFlag::O_CLOEXEC).at(Step::PrepareHelper)?;
    let process = getpid();
    // Only a process that stays outside may map more than its own ids.
    match fork_single(proof).at(Step::Fork)? {
        ForkResult::Child => {
            drop(done);
            let answer = read(&ready, &mut [0; 1]).and_then(|_| map_machine(process));
            exit_now(answer.map_or_else(|errno| errno as i32, |()| 0))
        }
        ForkResult::Parent { .. } => {
            let proof = unshare_with_user(flags).at(Step::CreateNamespaces);
            drop(done);
            let (_, status) = wait_any().at(Step::MapUsers)?;
            match status.code() {
                Some(0) => proof,
                code => Err(Errno::from_raw(code.unwrap_or(libc::EINTR))).at(Step::MapUsers),
            }
        }
    }
}

fn map_machine(process: Pid) -> Result<(), Errno> {
    write_file(&format!("/proc/{process}/uid_map"), MACHINE_IDS)?;
    write_file(&format!("/proc/{process}/gid_map"), MACHINE_IDS)
}

fn write_file(path: &str, text: &str) -> Result<(), Errno> {
    let file = open(path, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    write_all(file.as_fd(), text.as_bytes())
}
