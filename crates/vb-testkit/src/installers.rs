//! Other installers of wheels, run in a sandbox with the interpreter and below the prefix that vb has, and the import of
//! what is installed.
//!
//! Must not be here: comparing, which is `installed`; fetching: the wheels are given.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read, Seek},
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
    time::Duration,
};

use fs_err as fs;
use vb_graph::LockedDistribution;
use vb_python::UV;
use vb_sandbox::{
    Access, Bind, Filter, GuestPath, Helper, HostPath, Identity, Network, Root, SandboxError, Spec, Status, Stdio,
    Upper,
};
use vb_store::Store;

/// How long one command may take.
const TIMEOUT: Duration = Duration::from_secs(1200);

/// Where wheels and uv are inside.
const INPUTS: &str = "/.installers";

const IMPORT_ALL: &str = include_str!("import_all.py");

/// Another installer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Installer {
    /// `uv pip install --compile-bytecode`.
    Uv,
    /// pip, run from its wheel, which is one of those that are installed.
    Pip,
}

impl Installer {
    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uv => "uv",
            Self::Pip => "pip",
        }
    }
}

/// An installer cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum InstallerError {
    /// A file that the lock names is not in the store.
    #[error("`{file}` is not in the store")]
    Missing {
        /// The file.
        file: String,
    },
    /// The command failed.
    #[error("`{}` failed:\n{output}", argv.join(" "))]
    Command {
        /// Its words.
        argv: Vec<String>,
        /// What it printed.
        output: String,
    },
    /// The sandbox could not be made.
    #[error("cannot run a command")]
    Sandbox(#[source] SandboxError),
    /// The program of uv cannot be taken out of its wheel.
    #[error("cannot take uv out of its wheel")]
    Uv(#[source] vb_python::ArchiveError),
    /// The system refused.
    #[error("cannot prepare an installation")]
    Io(#[from] io::Error),
}

/// An interpreter, a prefix, and wheels to install there.
#[derive(Debug)]
pub struct Installers {
    helper: Helper,
    root: PathBuf,
    python: String,
    prefix: String,
    inputs: tempfile::TempDir,
    pip: Option<String>,
}

impl Installers {
    /// Links the wheels of a lock and uv out of a store into a directory beside it.
    ///
    /// `root` is the interpreter's root file system, `python` the path of the interpreter in it.
    ///
    /// # Errors
    /// [`InstallerError`] when the store lacks a file.
    pub fn new(
        helper: Helper,
        root: &Path,
        python: &str,
        prefix: &str,
        store: &Store,
        wheels: &[LockedDistribution],
    ) -> Result<Self, InstallerError> {
        let inputs = tempfile::tempdir_in(store.path())?;
        let mut requirements = String::new();
        for wheel in wheels {
            place(store, wheel, inputs.path())?;
            requirements.push_str(&format!("{}=={}\n", wheel.name, wheel.version));
        }
        fs::write(inputs.path().join("requirements.txt"), requirements)?;
        let uv = LockedDistribution { name: "uv".into(), version: UV.version.into(), file: UV.locked_file() };
        let tools = inputs.path().join("tools");
        fs::create_dir(&tools)?;
        UV.extract(&place(store, &uv, &tools)?, &tools.join("uv")).map_err(InstallerError::Uv)?;
        let pip = wheels.iter().find(|wheel| wheel.name == "pip").map(|wheel| wheel.file.file.clone());
        Ok(Self { helper, root: root.to_owned(), python: python.to_owned(), prefix: prefix.to_owned(), inputs, pip })
    }

    /// Installs all wheels below `target`, an empty directory that stands for the prefix.
    ///
    /// # Errors
    /// [`InstallerError`] when a command fails; pip is missing where it is none of the wheels.
    pub fn install(&self, installer: Installer, target: &Path) -> Result<(), InstallerError> {
        let (uv, python) = (format!("{INPUTS}/tools/uv"), format!("{}/bin/python", self.prefix));
        let requirements = format!("{INPUTS}/requirements.txt");
        let bind = bind(target, &self.prefix, Access::ReadWrite);
        self.run(&[&uv, "venv", "--quiet", "--offline", "--python", &self.python, &self.prefix], bind.clone())?;
        let pip = format!("{INPUTS}/{}/pip", self.pip.as_deref().unwrap_or("no pip"));
        let install: Vec<&str> = match installer {
            Installer::Uv => {
                vec![
                    &uv,
                    "pip",
                    "install",
                    "--quiet",
                    "--offline",
                    "--compile-bytecode",
                    "--link-mode",
                    "copy",
                    "--python",
                    &python,
                ]
            }
            Installer::Pip => vec![&python, &pip, "install", "--quiet", "--no-warn-script-location", "--no-cache-dir"],
        };
        let of_both = ["--no-index", "--no-deps", "--find-links", INPUTS, "-r", &requirements];
        self.run(&[&install[..], &of_both].concat(), bind).map(drop)
    }

    /// Imports every top-level module below a tree that stands for the prefix, and returns those that fail with why, by
    /// name; and how many there are.
    ///
    /// # Errors
    /// [`InstallerError`] when the command fails.
    pub fn import_all(&self, tree: &Path) -> Result<(usize, BTreeMap<String, String>), InstallerError> {
        let python = format!("{}/bin/python", self.prefix);
        let output = self.run(&[&python, "-c", IMPORT_ALL], bind(tree, &self.prefix, Access::ReadOnly))?;
        let (mut count, mut failures) = (0, BTreeMap::new());
        for line in output.lines().filter_map(|line| line.strip_prefix("IMPORT ")) {
            count += 1;
            let (module, error) = line.split_once(' ').unwrap_or((line, ""));
            if !error.is_empty() {
                failures.insert(module.to_owned(), error.to_owned());
            }
        }
        Ok((count, failures))
    }

    fn run(&self, argv: &[&str], prefix: Bind) -> Result<String, InstallerError> {
        let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
        let variables = [("PATH", "/usr/bin:/bin"), ("HOME", "/tmp"), ("LC_ALL", "C.UTF-8"), ("UV_NO_CONFIG", "1")];
        let spec = Spec {
            root: Root::Layers { lowers: vec![host(&self.root)], upper: Upper::Discard },
            binds: vec![bind(self.inputs.path(), INPUTS, Access::ReadOnly), prefix],
            tmpfs: vec![],
            argv: argv.clone(),
            env: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            cwd: guest("/"),
            identity: Identity::User,
            network: Network::Isolated,
            filter: Filter::None,
            timeout: Some(TIMEOUT),
        };
        let mut log: File = tempfile::tempfile()?;
        let outcome = vb_sandbox::run(&self.helper, &spec, Stdio::Log(log.try_clone()?), &AtomicBool::new(false));
        let (mut output, status) = (Vec::new(), outcome.map_err(InstallerError::Sandbox)?.status);
        log.rewind()?;
        log.read_to_end(&mut output)?;
        let output = String::from_utf8_lossy(&output).into_owned();
        if status == Status::Exited(0) { Ok(output) } else { Err(InstallerError::Command { argv, output }) }
    }
}

/// Shows a fetched file under its own name in a directory.
fn place(store: &Store, wheel: &LockedDistribution, directory: &Path) -> Result<PathBuf, InstallerError> {
    let file = &wheel.file.file;
    let known = store.fetched_file(&wheel.file.sha256);
    let known = known.ok_or_else(|| InstallerError::Missing { file: file.clone() })?;
    let target = directory.join(file);
    fs::hard_link(store.blob_path(&known.blob), &target)?;
    Ok(target)
}

fn bind(source: &Path, target: &str, access: Access) -> Bind {
    Bind { source: host(source), target: guest(target), access }
}

fn host(path: &Path) -> HostPath {
    HostPath::new(path).expect("paths of stores and of temporary directories are absolute")
}

fn guest(path: &str) -> GuestPath {
    GuestPath::new(path).expect("paths inside are absolute")
}
