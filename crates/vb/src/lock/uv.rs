//! Running uv in a root: what it is shown, and what it answered.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use fs_err as fs;
use vb_build::{Builder, CommandFailure, CommandRun, PRIVATE_DIRECTORY};
use vb_graph::{DirectoryDigest, LockedDistribution};
use vb_python::{
    ASK_BUILD_REQUIRES, AllowedHashes, BinaryPolicy, BuildBackend, CompileRequest, Dependencies, ExportRequest,
    HookRequest, IndexConfig, PylockError, Target, UV, allowed_hashes, exact_requirements, preferences, python2::PIP,
    read_pylock,
};
use vb_sandbox::Network;
use vb_store::Scratch;

use super::{python::scratch_error, relay::Relay};
use crate::{exit::Exit, fatal::Fatal};

/// What is to be resolved.
#[derive(Debug)]
pub(super) struct Question<'a> {
    /// How it is called in messages.
    pub(super) what: &'a str,
    /// The requirements file that is resolved, one of `files`.
    pub(super) main: &'a str,
    /// All files that uv is shown, by relative path.
    pub(super) files: &'a BTreeMap<String, Vec<u8>>,
    pub(super) dependencies: Dependencies,
    pub(super) extras: &'a [String],
    pub(super) groups: &'a [String],
    pub(super) policy: &'a BinaryPolicy,
    /// Names and versions that are taken where there is a choice.
    pub(super) preferred: &'a [(String, String)],
}

/// How a resolution ended.
#[derive(Debug)]
pub(super) enum Answer {
    Resolved(Vec<LockedDistribution>),
    /// uv says that there is no solution, or could not build metadata.
    Failed(Box<CommandFailure>),
}

/// uv in one root.
#[derive(Debug)]
pub(super) struct Uv<'a> {
    pub(super) builder: &'a Builder,
    /// The fetched wheel that holds the program; for Python 2 it is that of pip.
    pub(super) wheel: PathBuf,
    pub(super) root: DirectoryDigest,
    pub(super) target: Target,
    /// The interpreter's command in the root.
    pub(super) command: String,
    /// The platform's name, for messages.
    pub(super) platform: &'a str,
    /// What answers uv in the place of the indexes, where it must not ask them itself.
    pub(super) relay: Option<Relay>,
}

impl Uv<'_> {
    /// Resolves with the machine's network and indexes.
    pub(super) fn compile(&self, question: &Question<'_>) -> Result<Answer, Fatal> {
        if self.is_for_python_2() {
            return self.compile_with_pip(question);
        }
        let place = self.place(question.files)?;
        if !question.preferred.is_empty() {
            let pins = question.preferred.iter().map(|(name, version)| (name.as_str(), version.as_str()));
            fs::write(place.output.join("pylock.toml"), preferences(pins)).map_err(scratch_error)?;
        }
        let relayed = self.relay.as_ref().map(Relay::config);
        let indexes = relayed.as_ref().unwrap_or_else(|| self.builder.indexes());
        let request = CompileRequest {
            uv: &private("in/uv"),
            python: &self.command,
            target: &self.target,
            indexes,
            policy: question.policy,
            requirements: &[private(&format!("in/requirements/{}", question.main))],
            dependencies: question.dependencies,
            extras: question.extras,
            groups: question.groups,
            output: &private("out/pylock.toml"),
            cache: "/tmp/uv",
        };
        let mut variables = request.variables();
        variables.extend(machine_variables());
        let mut read_only = place.shown();
        read_only.extend(network_paths(indexes));
        let ended = self.run(request.arguments(), variables, read_only, &place)?;
        // What an index did not tell might have been chosen, so that its failure counts more than what uv makes of it.
        self.relay.as_ref().map_or(Ok(()), Relay::check)?;
        if let Err(failure) = ended {
            return Ok(Answer::Failed(failure));
        }
        let text = fs::read_to_string(place.output.join("pylock.toml")).map_err(scratch_error)?;
        let hashes = hashes_of(question.files);
        read_pylock(&text, &self.target, question.policy, &hashes).map(Answer::Resolved).map_err(
            |error: PylockError| {
                let message = format!("cannot lock {} for `{}`", question.what, self.platform);
                let help = "change the requirements, or `no_binary` and `only_binary` in the recipe";
                Fatal::caused(Exit::Recipe, "vb::lock::python", message, help, error)
            },
        )
    }

    /// Turns a `uv.lock` and the project beside it into requirements.
    pub(super) fn export(
        &self,
        files: &BTreeMap<String, Vec<u8>>,
        lock: &str,
        (extras, groups): (&[String], &[String]),
    ) -> Result<Result<String, Box<CommandFailure>>, Fatal> {
        let place = self.place(files)?;
        let directory = Path::new(lock).parent().unwrap_or(Path::new(""));
        let request = ExportRequest {
            uv: &private("in/uv"),
            python: &self.command,
            project: &private(&format!("in/requirements/{}", directory.display())),
            extras,
            groups,
            output: &private("out/requirements.txt"),
            cache: "/tmp/uv",
        };
        if let Err(failure) = self.run_isolated(request.arguments(), request.variables(), &place)? {
            return Ok(Err(failure));
        }
        fs::read_to_string(place.output.join("requirements.txt")).map(Ok).map_err(scratch_error)
    }

    /// Asks a project's back end what its build needs beside what has been resolved; `project` is the place of the project,
    /// which may be written.
    pub(super) fn ask_backend(
        &self,
        project: &Path,
        backend: &BuildBackend,
        (locked, wheels): (&[LockedDistribution], &[(String, PathBuf)]),
        extra_variables: &BTreeMap<String, String>,
    ) -> Result<Result<Vec<String>, Box<CommandFailure>>, Fatal> {
        if self.is_for_python_2() {
            return self.ask_backend_of_python_2(project, backend, (locked, wheels), extra_variables);
        }
        let files = [("ask.py", ASK_BUILD_REQUIRES.to_owned()), ("exact.txt", exact_requirements(locked))];
        let files = files.into_iter().map(|(name, text)| (name.to_owned(), text.into_bytes())).collect();
        let place = self.place(&files)?;
        place.put_wheels(wheels)?;
        let request = HookRequest {
            uv: &private("in/uv"),
            python: &self.command,
            program: &private("in/requirements/ask.py"),
            project: &private("source"),
            backend,
            wheels: &private("in/wheels"),
            requirements: &private("in/requirements/exact.txt"),
            output: &private("out/requires.json"),
            cache: "/tmp/uv",
            extra_variables,
        };
        let place = Place { project: Some(project.to_owned()), ..place };
        if let Err(failure) = self.run_isolated(request.arguments(), request.variables(), &place)? {
            return Ok(Err(failure));
        }
        place.asked().map(Ok)
    }

    pub(super) fn run_isolated(
        &self,
        argv: Vec<String>,
        variables: BTreeMap<String, String>,
        place: &Place,
    ) -> Result<Result<(), Box<CommandFailure>>, Fatal> {
        let mut read_write = vec![(place.output.clone(), private("out"))];
        read_write.extend(place.project.iter().map(|project| (project.clone(), private("source"))));
        let read_only = place.shown();
        let network = Network::Isolated;
        self.run_command(&CommandRun { root: self.root, argv, variables, read_only, read_write, network })
    }

    /// Writes what uv, or pip, is shown.
    pub(super) fn place(&self, files: &BTreeMap<String, Vec<u8>>) -> Result<Place, Fatal> {
        let scratch = self.builder.store().scratch().map_err(scratch_error)?;
        let [input, output] = ["in", "out"].map(|name| scratch.path().join(name));
        fs::create_dir(&output).map_err(scratch_error)?;
        for (path, bytes) in files {
            let target = input.join("requirements").join(path);
            fs::create_dir_all(target.parent().unwrap_or(&input)).map_err(scratch_error)?;
            fs::write(target, bytes).map_err(scratch_error)?;
        }
        fs::create_dir_all(&input).map_err(scratch_error)?;
        if self.is_for_python_2() {
            PIP.unpack(&self.wheel, &input.join("pip"))
        } else {
            UV.extract(&self.wheel, &input.join("uv"))
        }
        .map_err(|error| {
            let message = "cannot unpack what resolves";
            Fatal::caused(Exit::Environment, "vb::lock::uv", message, "run `vb cache verify`", error)
        })?;
        Ok(Place { _scratch: scratch, input, output, project: None })
    }

    pub(super) fn run(
        &self,
        argv: Vec<String>,
        variables: BTreeMap<String, String>,
        read_only: Vec<(PathBuf, String)>,
        place: &Place,
    ) -> Result<Result<(), Box<CommandFailure>>, Fatal> {
        let read_write = vec![(place.output.clone(), private("out"))];
        let network = Network::Host;
        self.run_command(&CommandRun { root: self.root, argv, variables, read_only, read_write, network })
    }

    fn run_command(&self, run: &CommandRun) -> Result<Result<(), Box<CommandFailure>>, Fatal> {
        match self.builder.run_command(run, crate::command::interrupt_flag()) {
            Ok(()) => Ok(Ok(())),
            Err(vb_build::ExecuteError::Command(failure)) => Ok(Err(failure)),
            Err(vb_build::ExecuteError::Cancelled) => Err(Fatal::interrupted()),
            Err(error) => {
                Err(Fatal::caused(Exit::Environment, "vb::lock::sandbox", "cannot run uv", "run `vb doctor`", error))
            }
        }
    }
}

/// Files of one run, removed when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    _scratch: Scratch,
    pub(super) input: PathBuf,
    pub(super) output: PathBuf,
    /// A project that is built.
    pub(super) project: Option<PathBuf>,
}

impl Place {
    /// Shows wheels, under their names.
    pub(super) fn put_wheels(&self, wheels: &[(String, PathBuf)]) -> Result<(), Fatal> {
        let directory = self.input.join("wheels");
        fs::create_dir_all(&directory).map_err(scratch_error)?;
        for (name, blob) in wheels {
            fs::copy(blob, directory.join(name)).map_err(scratch_error)?;
        }
        Ok(())
    }

    /// Reads what a back end has asked for.
    pub(super) fn asked(&self) -> Result<Vec<String>, Fatal> {
        let text = fs::read_to_string(self.output.join("requires.json")).map_err(scratch_error)?;
        serde_json::from_str(&text).map_err(|error| {
            let message = "the answer of a build back end is no list of requirements";
            Fatal::caused(Exit::Recipe, "vb::lock::sdist", message, "choose another version of it", error)
        })
    }

    pub(super) fn shown(&self) -> Vec<(PathBuf, String)> {
        vec![(self.input.clone(), private("in"))]
    }
}

pub(super) fn private(name: &str) -> String {
    format!("{PRIVATE_DIRECTORY}/{name}")
}

/// Where the machine's certificates are shown, and its proxies.
fn machine_variables() -> BTreeMap<String, String> {
    let mut variables = BTreeMap::from([("SSL_CERT_FILE".to_owned(), private("certificates.pem"))]);
    for name in ["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"] {
        if let Ok(value) = std::env::var(name) {
            variables.insert(name.to_owned(), value);
        }
    }
    for name in ["no_proxy", "NO_PROXY"] {
        // The relay of indexes is on this machine.
        let own = variables.entry(name.to_owned()).or_default();
        *own = [own.as_str(), "127.0.0.1"].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(",");
    }
    variables
}

fn hashes_of(files: &BTreeMap<String, Vec<u8>>) -> AllowedHashes {
    let mut all = AllowedHashes::new();
    for bytes in files.values() {
        for (name, hashes) in allowed_hashes(&String::from_utf8_lossy(bytes)) {
            all.entry(name).or_default().extend(hashes);
        }
    }
    all
}

/// What of the host uv sees beside its input: how names are resolved, certificates, and local directories of files.
fn network_paths(indexes: &IndexConfig) -> Vec<(PathBuf, String)> {
    let same = |path: &str| (PathBuf::from(path), path.to_owned());
    let mut shown: Vec<_> =
        ["/etc/resolv.conf", "/etc/hosts"].into_iter().filter(|path| Path::new(path).exists()).map(same).collect();
    if let Some(certificates) = crate::machine::certificates() {
        shown.push((certificates, private("certificates.pem")));
    }
    for link in &indexes.find_links {
        let path = link.strip_prefix("file://").unwrap_or(link);
        if path.starts_with('/') && Path::new(path).is_dir() {
            shown.push(same(path));
        }
    }
    shown
}
