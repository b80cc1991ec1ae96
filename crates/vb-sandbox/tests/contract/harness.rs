//! A place to run sandboxes in, for one calling user, and a witness of processes that should be gone.

use std::collections::BTreeMap;
use std::fs::{File, Permissions};
use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tempfile::TempDir;
use vb_sandbox::{
    Access, Bind, Filter, GuestPath, Helper, HostPath, Identity, Network, Outcome, Root, Spec, Status, Upper,
};

const HELPER: &str = env!("CARGO_BIN_EXE_vb-sandbox-helper");
const RUNNER: &str = env!("CARGO_BIN_EXE_vb-sandbox-run");

/// A user without any privilege and without an entry in any file.
const ORDINARY: u32 = 12345;

/// How long to wait for what has to happen, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a check as the present user and, when that is root, as an ordinary user.
pub(crate) fn for_each_caller(check: impl Fn(&Bench)) {
    check(&Bench::new(None));
    if nix::unistd::geteuid().is_root() {
        check(&Bench::new(Some(ORDINARY)));
    }
}

pub(crate) fn host(path: impl AsRef<Path>) -> HostPath {
    HostPath::new(path.as_ref()).unwrap()
}

pub(crate) fn guest(path: &str) -> GuestPath {
    GuestPath::new(path).unwrap()
}

pub(crate) fn bind(source: &HostPath, target: &str, access: Access) -> Bind {
    Bind { source: source.clone(), target: guest(target), access }
}

/// A directory that belongs to the calling user, with a layer that has the host's `/usr` bound into it.
#[derive(Debug)]
pub(crate) struct Bench {
    dir: TempDir,
    uid: Option<u32>,
}

/// What a run gave.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) result: Result<Outcome, String>,
    pub(crate) log: String,
}

impl Done {
    pub(crate) fn status(&self) -> Status {
        match &self.result {
            Ok(outcome) => outcome.status,
            Err(message) => panic!("{message}\n{}", self.log),
        }
    }

    pub(crate) fn error(&self) -> &str {
        match &self.result {
            Ok(outcome) => panic!("no error but {outcome:?}\n{}", self.log),
            Err(message) => message,
        }
    }
}

impl Bench {
    pub(crate) fn new(uid: Option<u32>) -> Self {
        let bench = Self { dir: tempfile::tempdir().unwrap(), uid };
        fs_err::set_permissions(bench.dir.path(), Permissions::from_mode(0o755)).unwrap();
        bench.own(bench.dir.path());
        // The build directory may be out of an ordinary user's reach. Copied by another process: a descriptor open for
        // writing here could be inherited by what another test starts, and the copy would be "text file busy".
        let copied = Command::new("cp").args([HELPER, RUNNER]).arg(bench.dir.path()).status();
        assert!(copied.unwrap().success());
        bench.make_layer("skeleton", &["usr/"]);
        for name in ["bin", "lib", "lib64", "sbin"] {
            let link = bench.dir.path().join("skeleton").join(name);
            symlink(format!("usr/{name}"), link).unwrap();
        }
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn helper(&self) -> Helper {
        Helper { program: self.path(file_name(HELPER)), args: Vec::new() }
    }

    /// Makes an empty directory that belongs to the calling user.
    pub(crate) fn make_dir(&self, name: &str) -> HostPath {
        let path = self.path(name);
        fs_err::create_dir_all(&path).unwrap();
        self.own(&path);
        host(path)
    }

    /// Makes a directory with files that hold their own names, or directories where a name ends in a slash.
    pub(crate) fn make_layer(&self, name: &str, entries: &[&str]) -> HostPath {
        let layer = self.make_dir(name);
        for entry in entries {
            let path = layer.as_path().join(entry);
            let dir = if entry.ends_with('/') { path.as_path() } else { path.parent().unwrap() };
            fs_err::create_dir_all(dir).unwrap();
            for made in dir.ancestors().take_while(|made| *made != layer.as_path()) {
                self.own(made);
            }
            if !entry.ends_with('/') {
                fs_err::write(&path, format!("{name}:{entry}\n")).unwrap();
                self.own(&path);
            }
        }
        layer
    }

    pub(crate) fn own(&self, path: &Path) {
        if let Some(uid) = self.uid {
            chown(path, Some(uid), Some(uid)).unwrap();
        }
    }

    /// A sandbox over the skeleton with the host's `/usr`, that runs a shell script.
    pub(crate) fn shell(&self, script: &str) -> Spec {
        self.program(&["/bin/sh", "-c", script])
    }

    /// The same for a script in Python.
    pub(crate) fn python(&self, script: &str) -> Spec {
        self.program(&["/usr/bin/python3", "-I", "-c", script])
    }

    pub(crate) fn program(&self, argv: &[&str]) -> Spec {
        Spec {
            root: Root::Layers { lowers: vec![host(self.path("skeleton"))], upper: Upper::Discard },
            binds: vec![bind(&host("/usr"), "/usr", Access::ReadOnly)],
            tmpfs: Vec::new(),
            argv: argv.iter().map(|&arg| arg.to_owned()).collect(),
            env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/usr/sbin".to_owned())]),
            cwd: guest("/"),
            identity: Identity::User,
            network: Network::Isolated,
            filter: Filter::None,
            timeout: Some(Duration::from_secs(60)),
        }
    }

    /// The command that runs a spec as the calling user. `log` is `-` for the command's own streams.
    pub(crate) fn runner_args(&self, spec: &Spec, log: &str) -> Vec<String> {
        let file = self.path("spec.json");
        fs_err::write(&file, serde_json::to_vec(spec).unwrap()).unwrap();
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        vec![text(self.path(file_name(RUNNER))), text(self.helper().program), text(file), log.to_owned()]
    }

    /// Prepares a command for the calling user.
    pub(crate) fn command(&self, argv: &[String]) -> Command {
        let mut command = Command::new(&argv[0]);
        command.args(&argv[1..]);
        if let Some(uid) = self.uid {
            command.uid(uid).gid(uid);
        }
        command
    }

    pub(crate) fn log_path(&self) -> PathBuf {
        self.path("log")
    }

    /// Starts a run without waiting for it.
    pub(crate) fn start(&self, spec: &Spec) -> Child {
        let log = self.log_path();
        let args = self.runner_args(spec, log.to_str().unwrap());
        self.command(&args).spawn().unwrap()
    }

    pub(crate) fn run(&self, spec: &Spec) -> Done {
        let log = self.log_path();
        let args = self.runner_args(spec, log.to_str().unwrap());
        self.run_command(&args)
    }

    /// Runs a command that ends with the runner's report on standard output.
    pub(crate) fn run_command(&self, argv: &[String]) -> Done {
        let output = self.command(argv).output().unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout);
        let report = stdout.lines().last().unwrap_or_else(|| panic!("{output:?}"));
        Done {
            result: serde_json::from_str(report).unwrap(),
            log: fs_err::read_to_string(self.log_path()).unwrap_or_default(),
        }
    }

    /// The log of a command that has to succeed.
    pub(crate) fn output(&self, spec: &Spec) -> String {
        let done = self.run(spec);
        assert_eq!(done.status(), Status::Exited(0), "{}", done.log);
        done.log
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

/// A named pipe that processes of a sandbox hold open, so that their end shows as its end.
#[derive(Debug)]
pub(crate) struct Witness {
    reader: File,
    pub(crate) dir: HostPath,
}

impl Witness {
    /// A script's first line: the shell and all its children hold the pipe, and it says that it is running.
    pub(crate) const HOLD: &str = "exec 9>/witness/pipe; echo ready >&9;";

    pub(crate) fn new(bench: &Bench) -> Self {
        let dir = bench.make_dir("witness");
        let path = dir.as_path().join("pipe");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
        bench.own(&path);
        let mut options = std::fs::OpenOptions::new();
        options.read(true).custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits());
        let reader = options.open(&path).unwrap();
        Self { reader, dir }
    }

    pub(crate) fn bind(&self) -> Bind {
        bind(&self.dir, "/witness", Access::ReadWrite)
    }

    pub(crate) fn wait_until_ready(&mut self) {
        let mut text = [0; 6];
        self.wait_for_event();
        self.reader.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"ready\n");
    }

    /// Whether no process holds the pipe any more, right at this moment.
    pub(crate) fn is_alone(&mut self) -> bool {
        match self.reader.read(&mut [0; 64]) {
            Ok(count) => count == 0,
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) fn wait_until_alone(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.is_alone() {
            assert!(Instant::now() < deadline, "a process is left");
            self.wait_for_event();
        }
    }

    fn wait_for_event(&self) {
        let mut fds = [PollFd::new(self.reader.as_fd(), PollFlags::POLLIN)];
        let patience = PollTimeout::try_from(PATIENCE).unwrap();
        assert!(poll(&mut fds, patience).unwrap() > 0, "nothing has happened");
    }
}
