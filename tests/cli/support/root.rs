//! Roots with real tools, made by vb itself from the locks in `tests/roots`.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
    time::Duration,
};

use fs_err as fs;
use vb_sandbox::{
    Access, Bind, Filter, GuestPath, Helper, HostPath, Identity, Network, Root, Spec, Status, Stdio, Upper,
};

use super::{
    env::{TestEnv, repository, shared_store},
    run::Run,
};

/// How long a tool may take.
const TIMEOUT: Duration = Duration::from_secs(900);

/// A root file system with some tools, never written.
#[derive(Clone, Debug)]
pub(crate) struct TestRoot {
    tree: PathBuf,
}

/// Makes the root that a recipe of `tests/roots` locks, or finds it in the shared store.
pub(crate) fn test_root(name: &str) -> TestRoot {
    test_root_of(name, "bookworm")
}

/// Makes the root that a recipe of `tests/roots` locks for a platform, or finds it in the shared store.
pub(crate) fn test_root_of(name: &str, platform: &str) -> TestRoot {
    test_output(name, &format!("{name} {platform} root run"))
}

/// Makes what an action of a recipe of `tests/roots` gives, or finds it in the shared store.
pub(crate) fn test_output(name: &str, action: &str) -> TestRoot {
    let recipe = repository().join(format!("tests/roots/recipes/{name}.ncl"));
    let env = TestEnv::new();
    let arguments = ["output", recipe.to_str().unwrap(), action];
    let run = env.with_store(shared_store()).vb(&arguments).ok();
    TestRoot::of(Path::new(run.stdout.trim()))
}

impl TestRoot {
    /// Takes a root that some action gave.
    pub(crate) fn of(tree: &Path) -> Self {
        Self { tree: tree.to_owned() }
    }

    /// Returns where its files are, only to be read.
    pub(crate) fn tree(&self) -> &Path {
        &self.tree
    }

    /// Returns the spec of a command over the root; writes go to memory.
    pub(crate) fn spec(&self, argv: &[&str], identity: Identity) -> Spec {
        Spec {
            root: Root::Layers { lowers: vec![HostPath::new(&self.tree).unwrap()], upper: Upper::Discard },
            binds: vec![],
            tmpfs: vec![],
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            env: BTreeMap::from(
                [
                    ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
                    ("HOME", "/tmp"),
                    ("LC_ALL", "C.UTF-8"),
                    ("DEBIAN_FRONTEND", "noninteractive"),
                ]
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
            ),
            cwd: GuestPath::new("/").unwrap(),
            identity,
            network: Network::Isolated,
            filter: Filter::None,
            timeout: Some(TIMEOUT),
        }
    }

    /// Runs a command over the root as an ordinary user, with some paths of the host shown read-only.
    pub(crate) fn run(&self, argv: &[&str], shown: &[(&Path, &str)]) -> Run {
        let mut spec = self.spec(argv, Identity::User);
        spec.binds = shown.iter().map(|(source, target)| bind(source, target, Access::ReadOnly)).collect();
        run_spec(&spec)
    }
}

/// Shows a path of the host inside.
pub(crate) fn bind(source: &Path, target: &str, access: Access) -> Bind {
    Bind { source: HostPath::new(source).unwrap(), target: GuestPath::new(target).unwrap(), access }
}

/// Shows the scripts of the tests at `/scripts`.
pub(crate) fn scripts() -> Bind {
    bind(&repository().join("tests/cli"), "/scripts", Access::ReadOnly)
}

/// Returns how to start the sandbox: the program itself does.
pub(crate) fn helper() -> Helper {
    Helper { program: PathBuf::from(env!("CARGO_BIN_EXE_vb")), args: vec!["__sandbox".to_owned()] }
}

/// Says why systemd cannot be booted here, and prints that it is not tested; none where it can.
pub(crate) fn systemd_refusal() -> Option<String> {
    let refusal = vb_sandbox::probe_machine(&helper()).err()?.to_string();
    let notice = format!("NOT TESTED on a machine with users and systemd: {refusal}: they are pretended\n");
    std::io::stderr().write_all(notice.as_bytes()).unwrap();
    Some(refusal)
}

/// Runs a spec to its end; standard output and error are one text.
pub(crate) fn run_spec(spec: &Spec) -> Run {
    let mut log: File = tempfile::tempfile().unwrap();
    let never = AtomicBool::new(false);
    let outcome = vb_sandbox::run(&helper(), spec, Stdio::Log(log.try_clone().unwrap()), &never).unwrap();
    let mut text = String::new();
    log.rewind().unwrap();
    log.read_to_string(&mut text).unwrap();
    let code = match outcome.status {
        Status::Exited(code) => code,
        Status::Signaled(signal) => 128 + signal,
        Status::TimedOut => panic!("{:?} did not end in {TIMEOUT:?}:\n{text}", spec.argv),
    };
    Run { code, stdout: text, stderr: String::new() }
}

/// Copies a file, because a store's own file must never be written.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::write(to, fs::read(from).unwrap()).unwrap();
}
