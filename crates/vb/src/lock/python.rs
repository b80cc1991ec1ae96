//! Python distributions: uv resolves inside the build root, so that what the host has installed counts for nothing.

use std::collections::BTreeMap;

use fs_err as fs;
use vb_build::{Builder, CommandRun, PRIVATE_DIRECTORY};
use vb_graph::{DirectoryDigest, Graph, LockedDistribution, Node, Provenance};
use vb_python::{
    BinaryPolicy, CompileRequest, IndexConfig, PylockError, SdistError, Target, UV, build_requires, read_pylock,
};
use vb_recipe::{
    DistributionLock, Evaluated, LowerError, Platform, PlatformLock, Recipe, RootKind, lower_fetch, lower_root,
};

use crate::{
    command::build::build_or_fail,
    display::{self, Display, Surroundings},
    exit::Exit,
    fatal::Fatal,
    session::Session,
};

/// Returns the pinned uv, as a lock names it.
pub(super) fn uv() -> LockedDistribution {
    LockedDistribution { name: "uv".to_owned(), version: UV.version.to_owned(), file: UV.locked_file() }
}

/// Resolves the requirements of one recipe on one platform.
pub(super) struct Resolver<'a> {
    session: &'a Session,
    builder: &'a Builder,
    display: &'a Display,
    recipe: &'a Evaluated<Recipe>,
    platform: &'a Platform,
    policy: BinaryPolicy,
    target: Target,
    command: String,
    root: DirectoryDigest,
}

impl<'a> Resolver<'a> {
    /// Makes the build root and fetches uv.
    pub(super) fn new(
        session: &'a Session,
        builder: &'a Builder,
        display: &'a Display,
        recipe: &'a Evaluated<Recipe>,
        platform: &'a Platform,
        lock: &PlatformLock,
    ) -> Result<Self, Fatal> {
        let python = &lock.request.python;
        let interpreter = platform.interpreter(python).ok_or_else(|| {
            let error = LowerError::Interpreter { platform: platform.name.clone(), python: python.clone() };
            Fatal::new(Exit::Recipe, error)
        })?;
        let mut graph = Graph::default();
        let provenance = Provenance {
            label: format!("{} {} root build", recipe.value.name, platform.name),
            declared_at: Some(recipe.place("build_deps")),
        };
        let root = lower_root(&mut graph, platform, &lock.root(RootKind::Build), provenance);
        let outputs = build_or_fail(builder, &graph, &[root], display, &Surroundings::none())?;
        let [Node::Directory { digest, .. }] = outputs.as_slice() else { unreachable!("a root is a directory") };
        let policy =
            BinaryPolicy { no_binary: lock.request.no_binary.clone(), only_binary: lock.request.only_binary.clone() };
        let target = target(platform, python)?;
        let command = interpreter.command.clone();
        Ok(Self { session, builder, display, recipe, platform, policy, target, command, root: *digest })
    }

    /// Resolves the recipe's requirements, and for each sdist the requirements of its build.
    pub(super) fn resolve(&self) -> Result<Vec<DistributionLock>, Fatal> {
        let source = self.recipe.source_dir();
        let mut files = BTreeMap::new();
        for path in self.session.request(self.recipe, self.platform)?.requirements.into_keys() {
            let bytes = fs::read(source.join(&path)).map_err(|error| unreadable(&path, error))?;
            files.insert(path, bytes);
        }
        let main = self.recipe.value.requirements.clone();
        let distributions = self.compile(&main, &main, files, &self.policy)?;
        distributions.into_iter().map(|distribution| self.with_build(distribution)).collect()
    }

    fn with_build(&self, distribution: LockedDistribution) -> Result<DistributionLock, Fatal> {
        if distribution.file.is_wheel() {
            return Ok(DistributionLock { distribution, build: vec![] });
        }
        let requires = self.build_requires(&distribution)?;
        let text = requires.iter().map(|line| format!("{line}\n")).collect::<String>();
        let files = BTreeMap::from([("build.txt".to_owned(), text.into_bytes())]);
        // What builds a wheel comes as wheels: a back end that is built itself would need a lock below this one.
        let wheels_only = BinaryPolicy { no_binary: vec![], only_binary: vec![":all:".to_owned()] };
        let what = format!("the build requirements of {}", distribution.name);
        let build = self.compile(&what, "build.txt", files, &wheels_only)?;
        Ok(DistributionLock { distribution, build })
    }

    /// Fetches an sdist and reads what it needs to be built.
    fn build_requires(&self, distribution: &LockedDistribution) -> Result<Vec<String>, Fatal> {
        let file = self.fetch(distribution)?;
        let scratch = self.builder.store().scratch().map_err(scratch_error)?;
        let named = scratch.path().join(&distribution.file.file);
        fs::copy(file, &named).map_err(scratch_error)?;
        build_requires(&named).map_err(|error: SdistError| {
            let message = format!("cannot read the build requirements of `{}`", distribution.file.file);
            Fatal::caused(Exit::Recipe, "vb::lock::sdist", message, "choose another version of it", error)
        })
    }

    fn fetch(&self, distribution: &LockedDistribution) -> Result<std::path::PathBuf, Fatal> {
        let mut graph = Graph::default();
        let action = lower_fetch(&mut graph, &distribution.name, &distribution.file);
        build_or_fail(self.builder, &graph, &[action], self.display, &Surroundings::none())?;
        let file = self.builder.store().fetched_file(&distribution.file.sha256);
        Ok(self.builder.store().blob_path(&file.expect("it was fetched just above").blob))
    }

    /// Runs uv in the build root, with the machine's network and indexes.
    fn compile(
        &self,
        what: &str,
        main: &str,
        files: BTreeMap<String, Vec<u8>>,
        policy: &BinaryPolicy,
    ) -> Result<Vec<LockedDistribution>, Fatal> {
        let uv_wheel = self.fetch(&uv())?;
        let scratch = self.builder.store().scratch().map_err(scratch_error)?;
        let [input, output] = ["in", "out"].map(|name| scratch.path().join(name));
        fs::create_dir(&output).map_err(scratch_error)?;
        for (path, bytes) in files {
            let target = input.join("requirements").join(path);
            fs::create_dir_all(target.parent().unwrap_or(&input)).map_err(scratch_error)?;
            fs::write(target, bytes).map_err(scratch_error)?;
        }
        UV.extract(&uv_wheel, &input.join("uv")).map_err(|error| {
            Fatal::caused(Exit::Environment, "vb::lock::uv", "cannot unpack uv", "run `vb cache verify`", error)
        })?;
        let private = |name: &str| format!("{PRIVATE_DIRECTORY}/{name}");
        let indexes = self.builder.indexes();
        let request = CompileRequest {
            uv: &private("in/uv"),
            python: &self.command,
            target: &self.target,
            indexes,
            policy,
            requirements: &[private(&format!("in/requirements/{main}"))],
            output: &private("out/pylock.toml"),
            cache: "/tmp/uv",
        };
        let run = CommandRun {
            root: self.root,
            argv: request.arguments(),
            variables: variables(&request),
            read_only: shown_paths(indexes, &input, &private("in")),
            read_write: vec![(output.clone(), private("out"))],
        };
        self.run(what, &run)?;
        let text = fs::read_to_string(output.join("pylock.toml")).map_err(scratch_error)?;
        read_pylock(&text, &self.target, policy).map_err(|error: PylockError| {
            let message = format!("cannot lock {what} for `{}`", self.platform.name);
            Fatal::caused(
                Exit::Recipe,
                "vb::lock::python",
                message,
                "change the requirements, or `no_binary` and `only_binary` in the recipe",
                error,
            )
        })
    }

    fn run(&self, what: &str, run: &CommandRun) -> Result<(), Fatal> {
        let cancel = crate::command::interrupt_flag();
        match self.builder.run_with_network(run, cancel) {
            Ok(()) => Ok(()),
            Err(vb_build::ExecuteError::Command(failure)) => {
                self.display.finish();
                let lines: Vec<String> = failure.last_lines.iter().map(|line| format!("  {line}")).collect();
                Err(Fatal::message(
                    Exit::Recipe,
                    "vb::lock::resolve",
                    format!("uv cannot resolve {what} for `{}`\n{}", self.platform.name, lines.join("\n")),
                    "change the requirements; a failing build of metadata may need another of `build_deps`",
                ))
            }
            Err(vb_build::ExecuteError::Cancelled) => Err(Fatal::interrupted()),
            Err(error) => {
                Err(Fatal::caused(Exit::Environment, "vb::lock::sandbox", "cannot run uv", "run `vb doctor`", error))
            }
        }
    }
}

/// uv's variables, and where the machine's certificates are shown.
fn variables(request: &CompileRequest<'_>) -> BTreeMap<String, String> {
    let mut variables = request.variables();
    variables.insert("SSL_CERT_FILE".to_owned(), format!("{PRIVATE_DIRECTORY}/certificates.pem"));
    for name in ["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"] {
        if let Ok(value) = std::env::var(name) {
            variables.insert(name.to_owned(), value);
        }
    }
    variables
}

/// What of the host uv sees: its input, how names are resolved, certificates, and local directories of files.
fn shown_paths(indexes: &IndexConfig, input: &std::path::Path, target: &str) -> Vec<(std::path::PathBuf, String)> {
    let mut shown = vec![(input.to_owned(), target.to_owned())];
    let same = |path: &str| (std::path::PathBuf::from(path), path.to_owned());
    for path in ["/etc/resolv.conf", "/etc/hosts"] {
        if std::path::Path::new(path).exists() {
            shown.push(same(path));
        }
    }
    if let Some(certificates) = crate::machine::certificates() {
        shown.push((certificates, format!("{PRIVATE_DIRECTORY}/certificates.pem")));
    }
    for link in &indexes.find_links {
        let path = link.strip_prefix("file://").unwrap_or(link);
        if path.starts_with('/') && std::path::Path::new(path).is_dir() {
            shown.push(same(path));
        }
    }
    shown
}

fn target(platform: &Platform, python: &str) -> Result<Target, Fatal> {
    let pair = |text: &str| {
        let (major, minor) = text.split_once('.')?;
        Some((major.parse::<u16>().ok()?, minor.parse::<u16>().ok()?))
    };
    let small = |text: &str| {
        let (major, minor) = pair(text)?;
        Some((u8::try_from(major).ok()?, u8::try_from(minor).ok()?))
    };
    match (small(python), pair(&platform.glibc)) {
        (Some(python), Some(glibc)) => Ok(Target { python, glibc, machine: platform.machine.clone() }),
        _ => Err(Fatal::message(
            Exit::Recipe,
            "vb::recipe::platform_version",
            format!("`{}` has a Python or glibc version that is not `major.minor`", platform.name),
            format!("mend `recipes/platforms/{}.ncl`", platform.name),
        )),
    }
}

fn scratch_error(error: std::io::Error) -> Fatal {
    Fatal::caused(Exit::Environment, "vb::store::write", "cannot write to the store", display::FREE_SPACE, error)
}

fn unreadable(path: &str, error: std::io::Error) -> Fatal {
    let message = format!("cannot read the requirements file `{path}`");
    Fatal::caused(Exit::Recipe, "vb::source::requirements", message, "check the file", error)
}
