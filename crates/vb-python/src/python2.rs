//! Python 2.7: what its environments are, and the commands that other Pythons have uv and the standard library for.
//!
//! There is no `pyvenv.cfg` (PEP 405), so an environment has a copy of the interpreter's command, which finds its prefix by
//! its own path, and a `site` module that leads to the platform's standard library. Bytecode lies beside its source and
//! counts for one modification time (no PEP 3147, no PEP 552). pip resolves and installs, as uv runs with Python 3 alone.

mod download;
mod project;

use std::collections::BTreeMap;

use vb_graph::{Environment, LockedFile};

use crate::{
    check::{ImportCheckOptions, command_with_options},
    environment::{EnvironmentFile, activate, text},
    hook::BuildBackend,
    sdist::with_interpreters_flags,
};

pub use download::{DownloadError, DownloadRequest, exact_constraints, read_downloads};
pub use project::project_requirements;

const BYTECODE: &str = include_str!("python2/compile_bytecode.py");
const IMPORT_CHECK: &str = include_str!("python2/import_check.py");
const SITE: &str = include_str!("python2/site.py");

/// The program that runs a build back end, to be shown in the sandbox.
pub const BACKEND: &str = include_str!("python2/backend.py");

/// The tool that vb pins for Python 2.7: its last pip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PipTool {
    /// Its version.
    pub version: &'static str,
    /// The wheel that is it.
    pub file: &'static str,
    /// The wheel's SHA-256.
    pub sha256: [u8; 32],
    /// The wheel's size in bytes.
    pub size: u64,
}

/// The pinned pip.
pub const PIP: PipTool = PipTool {
    version: "20.3.4",
    file: "pip-20.3.4-py2.py3-none-any.whl",
    sha256: [
        0x21, 0x7a, 0xe5, 0x16, 0x1a, 0x0e, 0x08, 0xc0, 0xfb, 0x87, 0x38, 0x58, 0x80, 0x6e, 0x34, 0x78, 0xc9, 0x77,
        0x5c, 0xaf, 0xfc, 0xe5, 0x16, 0x8b, 0x50, 0xec, 0x88, 0x5e, 0x35, 0x8c, 0x19, 0x9d,
    ],
    size: 1_522_101,
};

impl PipTool {
    /// Returns the wheel as a lock names it; its project is `pip`.
    pub fn locked_file(&self) -> LockedFile {
        let sha256 = vb_graph::Sha256::from_bytes(self.sha256);
        LockedFile { file: self.file.to_owned(), size: Some(self.size), sha256 }
    }
}

/// Returns the files of an environment beside the unpacked wheels and `bin/python2.7`, by path below the prefix; sorted by
/// path. The last is a copy of the interpreter's command, and `lib/python2.7/site.py` has bytecode.
pub fn environment_files(environment: &Environment) -> Vec<(String, EnvironmentFile)> {
    let Environment { prefix, interpreter, module_paths, .. } = environment;
    let name = interpreter.versioned_name();
    let library = format!("lib/{name}");
    let real_prefix = interpreter.command.strip_suffix(&format!("/bin/{name}")).unwrap_or("/usr");
    let link = |target: String| EnvironmentFile::Symlink(target);
    let site = SITE.replace("@REAL_PREFIX@", real_prefix).replace("@VERSION@", interpreter.python_version());
    let mut files = vec![
        ("bin/activate".to_owned(), text(&activate(prefix))),
        ("bin/python".to_owned(), link(name.clone())),
        ("bin/python2".to_owned(), link(name.clone())),
        // By these two the interpreter knows its prefixes: getpath.c.
        (format!("{library}/lib-dynload"), link(format!("{real_prefix}/{library}/lib-dynload"))),
        (format!("{library}/os.py"), link(format!("{real_prefix}/{library}/os.py"))),
        (format!("{library}/site.py"), text(&site)),
        ("lib64".to_owned(), link("lib".to_owned())),
    ];
    if !module_paths.is_empty() {
        let paths: String = module_paths.iter().map(|path| format!("{path}\n")).collect();
        files.push((format!("{library}/site-packages/_vb_application.pth"), text(&paths)));
    }
    files.sort_by(|one, other| one.0.cmp(&other.0));
    files
}

/// Returns the command line that compiles all sources below `directories` for sources with the time `seconds` since 1970.
/// It writes nothing without a time, and lists what does not compile, as the command of other Pythons does.
pub fn bytecode_command(python: &str, seconds: Option<u64>, directories: &[String]) -> Vec<String> {
    let mode = if seconds.is_some() { "once" } else { "check" };
    compiler(python, mode, seconds.unwrap_or_default()).into_iter().chain(directories.iter().cloned()).collect()
}

/// Returns the command line that waits for trees in a named pipe, as that of other Pythons does.
pub fn bytecode_server_command(python: &str, seconds: u64, pipe: &str) -> Vec<String> {
    compiler(python, "serve", seconds).into_iter().chain([pipe.to_owned()]).collect()
}

fn compiler(python: &str, mode: &str, seconds: u64) -> [String; 6] {
    [python, "-S", "-c", BYTECODE, mode, &seconds.to_string()].map(str::to_owned)
}

/// Returns the command line of the import check, as that of other Pythons.
pub fn import_check_command(
    python: &str,
    application: &str,
    report: &str,
    options: &ImportCheckOptions,
) -> Vec<String> {
    command_with_options([python, "-c", IMPORT_CHECK, application, report], options)
}

/// What a back end is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendTask {
    /// It says what its build needs: a JSON list in a file.
    Ask,
    /// It builds a wheel, in a directory.
    Build,
}

/// One run of a build back end (PEP 517). All paths are those inside the sandbox.
#[derive(Clone, Debug)]
pub struct BackendRequest<'a> {
    /// The interpreter that the wheel is for.
    pub python: &'a str,
    /// [`BACKEND`].
    pub program: &'a str,
    /// What the run is for.
    pub task: BackendTask,
    /// The directory that [`PIP`] is unpacked in.
    pub pip: &'a str,
    /// The directory with the wheels of the build requirements.
    pub wheels: &'a str,
    /// The file that names these, and may have their hashes.
    pub requirements: &'a str,
    /// An empty directory that they are installed in.
    pub work: &'a str,
    /// The project's directory, writable.
    pub project: &'a str,
    /// The project's back end.
    pub backend: &'a BuildBackend,
    /// Where the answer is written: a file, or a directory for a wheel.
    pub output: &'a str,
    /// The recipe's build variables.
    pub extra_variables: &'a BTreeMap<String, String>,
}

impl BackendRequest<'_> {
    /// Returns the command line.
    pub fn arguments(&self) -> Vec<String> {
        let task = match self.task {
            BackendTask::Ask => "ask",
            BackendTask::Build => "build",
        };
        let mut arguments = vec![self.python, self.program, task, self.pip, self.wheels, self.requirements, self.work];
        arguments.extend([self.project, self.output, &self.backend.object]);
        arguments.extend(self.backend.paths.iter().map(String::as_str));
        arguments.into_iter().map(str::to_owned).collect()
    }

    /// Returns the environment variables, to be added to the sandbox's own.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::from([("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned())]);
        variables.extend(with_interpreters_flags(self.extra_variables));
        variables
    }
}

#[cfg(test)]
mod tests;
