//! The caller's side: starts the helper, waits for the command's end, and sees to it that nothing is left.

use std::fs::{File, Permissions};
use std::io::{self, PipeReader, PipeWriter, Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::syscall::HelperPipes;
use crate::wire::{Reports, Request, Streams};
use crate::{Helper, Identity, Outcome, Root, SandboxError, Spec, Status, Stdio, Upper, refusal};

/// How long a cancel may go unnoticed.
const CANCEL_INTERVAL: Duration = Duration::from_millis(25);

/// Runs the command of a spec and waits for its end, from any thread.
///
/// When this returns, in whatever way, no process of the sandbox is left. Setting `cancel` ends the run within 50 ms.
///
/// # Errors
/// When the sandbox could not be set up, the program not executed, the log not written, or `cancel` was set. A command that
/// fails is not an error but an [`Outcome`].
pub fn run(helper: &Helper, spec: &Spec, stdio: Stdio, cancel: &AtomicBool) -> Result<Outcome, SandboxError> {
    check(spec)?;
    if cancel.load(Ordering::Relaxed) {
        return Err(SandboxError::Cancelled);
    }
    let started = Instant::now();
    let deadline = spec.timeout.and_then(|limit| started.checked_add(limit));
    let mut running = Running::start(helper, spec, stdio)?;
    let end = running.wait(deadline, cancel);
    let (reports, exit) = running.finish()?;
    release_work_directory(&spec.root);
    let end = end?;
    if end == End::Cancelled {
        return Err(SandboxError::Cancelled);
    }
    if let Some(failure) = reports.failure {
        let errno = Errno::from_raw(failure.errno);
        return Err(refusal::explain(failure.step, errno, Path::new("/proc/sys")));
    }
    let status = match (reports.status, end) {
        (Some(status), _) => status,
        (None, End::DeadlinePassed) => Status::TimedOut,
        (None, _) if exit.success() && matches!(spec.identity, Identity::Machine { .. }) => {
            return Err(SandboxError::MachineEnded);
        }
        (None, _) => return Err(SandboxError::HelperDied { status: exit }),
    };
    Ok(Outcome {
        status,
        wall: started.elapsed(),
        cpu: Duration::from_micros(reports.cpu_micros),
        max_rss_bytes: reports.max_rss_bytes,
    })
}

fn check(spec: &Spec) -> Result<(), SandboxError> {
    if spec.argv.is_empty() {
        return Err(SandboxError::NoCommand);
    }
    match &spec.root {
        Root::Layers { lowers, .. } if lowers.is_empty() => Err(SandboxError::NoLayer),
        _ => Ok(()),
    }
}

/// Overlayfs leaves a directory of mode 000 in its work directory, which an ordinary user could not remove.
fn release_work_directory(root: &Root) {
    if let Root::Layers { upper: Upper::Keep { work, .. }, .. } = root {
        let mode = Permissions::from_mode(0o700);
        // It is not there when the root was never mounted.
        let _ = fs_err::set_permissions(work.as_path().join("work"), mode);
    }
}

/// Why the caller stopped waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    HelperEnded,
    DeadlinePassed,
    Cancelled,
}

/// A helper process at work.
struct Running {
    child: Child,
    /// Closing this kills the sandbox.
    liveness: Option<PipeWriter>,
    reports: PipeReader,
    received: Vec<u8>,
}

impl Running {
    fn start(helper: &Helper, spec: &Spec, stdio: Stdio) -> Result<Self, SandboxError> {
        let pipe_error = |source| SandboxError::Pipe { source };
        let mut command = Command::new(&helper.program);
        command.args(&helper.args).env_clear();
        let streams = apply_stdio(&mut command, stdio).map_err(pipe_error)?;
        let request = Request { spec: spec.clone(), streams };
        let request = serde_json::to_vec(&request).map_err(|source| SandboxError::Encode { source })?;
        let request = hold_in_memory(&request).map_err(pipe_error)?;
        let (liveness_reader, liveness) = io::pipe().map_err(pipe_error)?;
        let (reports, reports_writer) = io::pipe().map_err(pipe_error)?;
        HelperPipes { request: request.into(), liveness: liveness_reader.into(), reports: reports_writer.into() }
            .pass_to(&mut command);
        let child =
            command.spawn().map_err(|source| SandboxError::Start { program: helper.program.clone(), source })?;
        // The command still holds the helper's ends; the report pipe must end with the helper.
        drop(command);
        Ok(Self { child, liveness: Some(liveness), reports, received: Vec::new() })
    }

    /// Waits until the helper ends or has to be ended.
    fn wait(&mut self, deadline: Option<Instant>, cancel: &AtomicBool) -> Result<End, SandboxError> {
        loop {
            if cancel.load(Ordering::Relaxed) {
                return Ok(End::Cancelled);
            }
            let now = Instant::now();
            let left = deadline.map(|deadline| deadline.saturating_duration_since(now));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(End::DeadlinePassed);
            }
            let pause = left.map_or(CANCEL_INTERVAL, |left| left.min(CANCEL_INTERVAL));
            if self.is_readable_within(pause)? && self.receive()? == 0 {
                return Ok(End::HelperEnded);
            }
        }
    }

    fn is_readable_within(&self, pause: Duration) -> Result<bool, SandboxError> {
        let mut fds = [PollFd::new(self.reports.as_fd(), PollFlags::POLLIN)];
        // Rounded up: a pause of less than a millisecond must not become a busy loop.
        let pause = pause.as_micros().div_ceil(1000);
        let pause = PollTimeout::try_from(pause).expect("at most the cancel interval");
        match poll(&mut fds, pause) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::EINTR) => Ok(false),
            Err(errno) => Err(SandboxError::Pipe { source: errno.into() }),
        }
    }

    fn receive(&mut self) -> Result<usize, SandboxError> {
        let mut buffer = [0; 4096];
        let count = self.reports.read(&mut buffer).map_err(|source| SandboxError::Pipe { source })?;
        self.received.extend_from_slice(&buffer[..count]);
        Ok(count)
    }

    /// Ends the helper if it has not ended, and hands out what it reported.
    fn finish(mut self) -> Result<(Reports, ExitStatus), SandboxError> {
        let pipe_error = |source| SandboxError::Pipe { source };
        self.liveness = None;
        let exit = self.child.wait().map_err(pipe_error)?;
        self.reports.read_to_end(&mut self.received).map_err(pipe_error)?;
        Ok((Reports::parse(&self.received), exit))
    }
}

fn apply_stdio(command: &mut Command, stdio: Stdio) -> io::Result<Streams> {
    match stdio {
        Stdio::Inherit => Ok(Streams::Inherited),
        Stdio::Log(file) => {
            command.stdin(std::process::Stdio::null()).stdout(file.try_clone()?).stderr(file);
            Ok(Streams::Log)
        }
    }
}

/// A file in memory, to be read from its start: unlike a pipe it takes any amount without waiting for a reader.
fn hold_in_memory(bytes: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create("sandbox-request", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file)
}
