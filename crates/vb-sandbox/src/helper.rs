//! The re-executed helper process: enters fresh namespaces, starts their first process, and watches over it.
//!
//! Runs with one thread and ends with the sandbox. It uses nothing but the standard library (through `fs_err`), `nix`, and JSON
//! for the request, so that it can be built as a small program of its own.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::CloneFlags;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::stat::{Mode, umask};
use nix::sys::time::TimeValLike;
use nix::unistd::{ForkResult, Pid, setsid};

use crate::error::{AtStep, Failure};
use crate::identity::{Outside, unshare_with_users};
use crate::log::LogPipe;
use crate::machine::Machine;
use crate::syscall::{
    HelperPipes, SingleThreaded, close_on_exec_from, exit_now, fork_single, pidfd_open, unshare_with_user, wait_any,
};
use crate::terminal::Foreground;
use crate::wire::{Report, Request, Streams, send};
use crate::{Identity, Network, Spec, Step, init};

/// The exit code of a helper that was not started by [`run`](crate::run).
const NOT_STARTED_BY_RUN: i32 = 2;

/// What the program named by [`Helper`](crate::Helper) does, and all that it does.
///
/// It finds its request, a pipe that ends when the caller does, and a pipe for reports at fixed file descriptors. Started in
/// another way, it ends at once.
pub fn helper_main() -> ! {
    let Some(pipes) = HelperPipes::inherited() else { exit_now(NOT_STARTED_BY_RUN) };
    let reports = pipes.reports;
    if let Err(failure) = supervise(pipes.request, &pipes.liveness, &reports) {
        send(reports.as_fd(), &Report::Failed(failure));
    }
    exit_now(0)
}

fn supervise(request: OwnedFd, liveness: &OwnedFd, reports: &OwnedFd) -> Result<(), Failure> {
    close_on_exec_from(3).at(Step::PrepareHelper)?;
    let request = read_request(request).at(Step::ReadRequest)?;
    // A signal from the terminal is the caller's to judge; this process ends with the sandbox.
    SigSet::all().thread_block().at(Step::PrepareHelper)?;
    umask(Mode::from_bits_truncate(0o022));
    let foreground = match request.streams {
        Streams::Inherited => Foreground::current(),
        Streams::Log => {
            setsid().at(Step::PrepareHelper)?;
            Foreground::Elsewhere
        }
    };
    let mut log = match request.streams {
        Streams::Inherited => None,
        Streams::Log => Some(LogPipe::new().at(Step::PrepareHelper)?),
    };
    let (mut machine, proof) = enter_namespaces(&request.spec)?;
    match fork_single(proof).at(Step::Fork)? {
        ForkResult::Child => {
            if let Some(Err(errno)) = log.map(LogPipe::become_output) {
                exit_with(reports, errno);
            }
            init::main(&request, reports, foreground, machine, proof)
        }
        ForkResult::Parent { child } => {
            if let Some(log) = &mut log {
                log.close_writer();
            }
            let mut ends = vec![liveness.as_fd()];
            ends.extend(machine.as_mut().map(Machine::over));
            let watched = watch(child, ends, log.as_mut());
            foreground.restore();
            machine.map_or(Ok(()), Machine::clear_away).at(Step::Watch)?;
            report_usage(reports).at(Step::PrepareHelper)?;
            watched.at(Step::Watch)?;
            log.map_or(Ok(()), LogPipe::finish).at(Step::WriteLog)
        }
    }
}

fn exit_with(reports: &OwnedFd, errno: Errno) -> ! {
    let failure = Failure { step: Step::PrepareHelper, errno: errno as i32 };
    send(reports.as_fd(), &Report::Failed(failure));
    exit_now(0)
}

fn read_request(fd: OwnedFd) -> Result<Request, Errno> {
    let mut text = Vec::new();
    File::from(fd)
        .read_to_end(&mut text)
        .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))?;
    serde_json::from_slice(&text).map_err(|_| Errno::EBADMSG)
}

/// Enters the namespaces that the sandbox is built in.
fn enter_namespaces(spec: &Spec) -> Result<(Option<Machine>, SingleThreaded), Failure> {
    let namespaces = namespaces(spec.network);
    if let Identity::Machine { .. } = spec.identity {
        let proof = unshare_with_users(namespaces)?;
        return Ok((Some(Machine::prepare().at(Step::MakeControlGroup)?), proof));
    }
    let outside = Outside::current();
    let proof = unshare_with_user(namespaces).at(Step::CreateNamespaces)?;
    outside.map_to(0).at(Step::MapUser)?;
    Ok((None, proof))
}

fn namespaces(network: Network) -> CloneFlags {
    let always = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWCGROUP;
    match network {
        Network::Isolated => always | CloneFlags::CLONE_NEWNET,
        Network::Host => always,
    }
}

/// Copies the log and waits until the sandbox's first process, and with it every other, has ended. Kills it when one of `ends`
/// is reached: the caller is gone, or the command of a machine has ended.
fn watch(init: Pid, mut ends: Vec<BorrowedFd<'_>>, mut log: Option<&mut LogPipe>) -> Result<(), Errno> {
    let ended = pidfd_open(init)?;
    loop {
        let mut fds = vec![PollFd::new(ended.as_fd(), PollFlags::POLLIN)];
        fds.extend(ends.iter().map(|end| PollFd::new(*end, PollFlags::POLLIN)));
        let log_index = fds.len();
        if let Some(reader) = log.as_deref().and_then(LogPipe::reader) {
            fds.push(PollFd::new(reader, PollFlags::POLLIN));
        }
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
        let is_ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap_or(true)).collect();
        if is_ready[1..log_index].contains(&true) {
            ends.clear();
            kill(init, Signal::SIGKILL)?;
        }
        if let Some(log) = log.as_deref_mut()
            && is_ready.get(log_index) == Some(&true)
        {
            log.copy_some();
        }
        if is_ready[0] {
            return wait_any().map(drop);
        }
    }
}

fn report_usage(reports: &OwnedFd) -> Result<(), Errno> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let cpu_micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    let report = Report::Used {
        cpu_micros: u64::try_from(cpu_micros).unwrap_or(0),
        max_rss_bytes: u64::try_from(usage.max_rss()).unwrap_or(0) * 1024,
    };
    send(reports.as_fd(), &report);
    Ok(())
}
