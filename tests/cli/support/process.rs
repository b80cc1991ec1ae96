//! Runs of the program that are watched, signalled and killed, and what they leave behind.

use std::{
    io::{BufRead, BufReader},
    os::{fd::AsFd, unix::process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::{Duration, Instant},
};

use fs_err as fs;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open},
};

use super::env::TestEnv;

/// How long the processes of a sandbox may take to end after the program was killed.
const ENDING: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// The program under a path of the test's own, so that its processes can be told from those of other tests.
#[derive(Debug)]
pub(crate) struct OwnProgram {
    pub(crate) path: PathBuf,
}

impl OwnProgram {
    pub(crate) fn new(env: &TestEnv) -> Self {
        let built = Path::new(env!("CARGO_BIN_EXE_vb"));
        let path = fs::canonicalize(env.directory()).unwrap().join("own-vb");
        fs::hard_link(built, &path).or_else(|_| fs::copy(built, &path).map(drop)).unwrap();
        Self { path }
    }

    /// Prepares a run in the workspace that knows of no registry.
    pub(crate) fn command(&self, env: &TestEnv, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.path);
        command.args(arguments).current_dir(env.workspace()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", env.home()).env("VB_STORE", env.store());
        command
    }

    /// Returns the processes of this program, and those that see the store in their sandbox.
    pub(crate) fn processes(&self, store: &Path) -> Vec<Pid> {
        let store = store.to_str().unwrap();
        let is_ours = |process: &Path| {
            let is_program = fs::read_link(process.join("exe")).is_ok_and(|exe| exe == self.path);
            is_program || fs::read_to_string(process.join("mountinfo")).is_ok_and(|mounts| mounts.contains(store))
        };
        let pid = |process: &Path| Pid::from_raw(process.file_name()?.to_str()?.parse().ok()?);
        let entries = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
        entries.filter_map(|process| pid(&process).filter(|_| is_ours(&process))).collect()
    }

    /// Asserts that every process ends soon.
    pub(crate) fn assert_ends(&self, store: &Path) {
        for process in self.processes(store) {
            // One that is gone already cannot be opened.
            let Ok(fd) = pidfd_open(process, PidfdFlags::empty()) else { continue };
            let ready = poll(&mut [PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)], Some(&ENDING)).unwrap();
            assert_eq!(ready, 1, "process {process:?} is left");
        }
        assert_eq!(self.processes(store), []);
    }
}

/// A run that goes on while the test watches what it prints on standard error.
#[derive(Debug)]
pub(crate) struct Started {
    child: Child,
    lines: Receiver<String>,
}

impl Started {
    /// Starts a command in a process group of its own, as a shell does.
    pub(crate) fn new(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines }
    }

    /// Collects lines until the time is over, or the run has ended, which the second value says.
    pub(crate) fn watch(&self, time: Duration) -> (Vec<String>, bool) {
        let end = Instant::now() + time;
        let mut seen = Vec::new();
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => seen.push(line),
                Err(RecvTimeoutError::Timeout) => return (seen, false),
                Err(RecvTimeoutError::Disconnected) => return (seen, true),
            }
        }
    }

    /// Waits for a line that begins with a text.
    pub(crate) fn wait_for(&self, begin: &str) {
        let seen: Vec<String> = self.lines.iter().take_while(|line| !line.starts_with(begin)).collect();
        // What was found is gone from the channel; an end without it leaves a channel without a sender.
        assert!(self.child_is_running(), "no line begins with `{begin}`:\n{}", seen.join("\n"));
    }

    fn child_is_running(&self) -> bool {
        !matches!(self.lines.try_recv(), Err(std::sync::mpsc::TryRecvError::Disconnected))
    }

    /// Does what Ctrl-C does in a shell.
    pub(crate) fn interrupt(&self) {
        kill_process_group(Pid::from_child(&self.child), Signal::INT).unwrap();
    }

    /// Kills the program and nothing else.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// Waits for the end; returns what was printed since the last look.
    pub(crate) fn finish(mut self) -> (ExitStatus, Vec<String>) {
        let lines = self.lines.iter().collect();
        (self.child.wait().unwrap(), lines)
    }
}
