//! The first process of the sandbox: builds it, starts the command, reaps. Its end is the end of every process inside.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::{self, ForkResult, Pid, sethostname};

use crate::command::become_command;
use crate::error::{AtStep, Failure};
use crate::machine::Machine;
use crate::spec::HOSTNAME;
use crate::syscall::{SingleThreaded, exit_now, fork_single, raise_loopback, set_domain_name, wait_any};
use crate::terminal::Foreground;
use crate::wire::{Report, Request, Streams, send};
use crate::{Identity, Network, Status, Step, root};

/// Runs the command to its end, reports how it ended, and ends.
pub(crate) fn main(
    request: &Request,
    reports: &OwnedFd,
    foreground: Foreground,
    machine: Option<Machine>,
    proof: SingleThreaded,
) -> ! {
    match build_and_run(request, reports, foreground, machine, proof) {
        Ok(status) => send(reports.as_fd(), &Report::Ended(status)),
        Err(failure) => send(reports.as_fd(), &Report::Failed(failure)),
    }
    exit_now(0)
}

fn build_and_run(
    request: &Request,
    reports: &OwnedFd,
    foreground: Foreground,
    machine: Option<Machine>,
    proof: SingleThreaded,
) -> Result<Status, Failure> {
    // The helper kills this process when the caller is gone; this is for a helper that is killed itself.
    prctl::set_pdeathsig(Signal::SIGKILL).at(Step::PrepareHelper)?;
    sethostname(HOSTNAME).at(Step::SetHostname)?;
    set_domain_name("(none)").at(Step::SetHostname)?;
    if request.spec.network == Network::Isolated {
        raise_loopback().at(Step::RaiseLoopback)?;
    }
    root::enter(&request.spec)?;
    if request.streams == Streams::Log {
        // The helper's own standard input is a device of the host.
        open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())
            .and_then(unistd::dup2_stdin)
            .at(Step::PrepareHelper)?;
    }
    if let (Some(machine), Identity::Machine { first }) = (machine, &request.spec.identity) {
        return machine.become_first(first, request, reports, foreground).map(|never| match never {});
    }
    match fork_single(proof).at(Step::Fork)? {
        ForkResult::Parent { child } => reap_until(child).at(Step::Watch),
        ForkResult::Child => {
            let Err(failure) = become_command(request, foreground);
            send(reports.as_fd(), &Report::Failed(failure));
            exit_now(1)
        }
    }
}

/// Reaps whatever ends until the command does.
pub(crate) fn reap_until(command: Pid) -> Result<Status, Errno> {
    loop {
        let (child, status) = wait_any()?;
        if child == command {
            return Ok(ended(status));
        }
    }
}

fn ended(status: ExitStatus) -> Status {
    match (status.code(), status.signal()) {
        (Some(code), _) => Status::Exited(code),
        (None, signal) => Status::Signaled(signal.expect("not exited, so signaled")),
    }
}
