//! Python distributions: uv resolves inside the build root, so that what the host has installed counts for nothing.

use std::{collections::BTreeMap, path::PathBuf};

use vb_build::{Builder, CommandFailure};
use vb_graph::{Graph, LockedDistribution, Node, Provenance};
use vb_python::{BinaryPolicy, Dependencies, Implementation, Target, UV, python2::PIP};
use vb_recipe::{
    DistributionLock, Evaluated, LowerError, Platform, PlatformLock, Provider, Recipe, RootKind, lower_fetch,
    lower_interpreter, lower_overlay, lower_root,
};

use super::{
    backend::Project,
    relay::Relay,
    requirements,
    upgrade::Upgrade,
    uv::{Answer, Question, Uv},
};
use crate::{
    command::{build::build_or_fail, missing_header},
    display::{self, Display, Surroundings},
    exit::Exit,
    fatal::Fatal,
    session::Session,
};

/// Returns the pinned uv, as a lock names it; for Python 2 it is pip.
pub(super) fn tool(python: &str) -> LockedDistribution {
    if python.starts_with("2.") {
        return LockedDistribution { name: "pip".to_owned(), version: PIP.version.to_owned(), file: PIP.locked_file() };
    }
    LockedDistribution { name: "uv".to_owned(), version: UV.version.to_owned(), file: UV.locked_file() }
}

/// Resolves the requirements of one recipe on one platform.
pub(super) struct Resolver<'a> {
    pub(super) session: &'a Session,
    pub(super) display: &'a Display,
    pub(super) recipe: &'a Evaluated<Recipe>,
    pub(super) platform: &'a Platform,
    /// What is locked so far: the distribution's packages, and uv.
    pub(super) packages: PlatformLock,
    policy: BinaryPolicy,
    pub(super) uv: Uv<'a>,
    upgrade: &'a Upgrade,
    /// What was locked before.
    previous: Option<&'a PlatformLock>,
}

impl<'a> Resolver<'a> {
    /// Makes the build root and fetches uv.
    pub(super) fn new(
        session: &'a Session,
        (builder, display): (&'a Builder, &'a Display),
        (recipe, platform): (&'a Evaluated<Recipe>, &'a Platform),
        lock: &PlatformLock,
        (upgrade, previous): (&'a Upgrade, Option<&'a PlatformLock>),
    ) -> Result<Self, Fatal> {
        let python = &lock.request.python;
        let failed = |error: LowerError| Fatal::new(Exit::Recipe, error);
        let mut graph = Graph::default();
        let provenance = Provenance {
            label: format!("{} {} root build", recipe.value.name, platform.name),
            declared_at: Some(recipe.place("build_deps")),
        };
        let root = lower_root(&mut graph, platform, &lock.root(RootKind::Build), provenance.clone());
        let workspace = &session.workspace.value;
        let (root, command) = match session.provider(recipe, platform)? {
            Some(provider) => {
                let Provider { recipe, lock, .. } = &provider;
                let built = lower_interpreter(&mut graph, workspace, platform, recipe, lock).map_err(failed)?;
                (lower_overlay(&mut graph, root, built, provenance), provider.command(workspace))
            }
            None => {
                let unknown = LowerError::Interpreter { platform: platform.name.clone(), python: python.clone() };
                (root, platform.interpreter(python).ok_or_else(|| failed(unknown))?.command.clone())
            }
        };
        let outputs = build_or_fail(builder, &graph, &[root], display, &Surroundings::none())?;
        let [Node::Directory { digest, .. }] = outputs.as_slice() else { unreachable!("a root is a directory") };
        let policy =
            BinaryPolicy { no_binary: lock.request.no_binary.clone(), only_binary: lock.request.only_binary.clone() };
        let uv = Uv {
            builder,
            wheel: fetch(builder, display, &tool(python))?,
            root: *digest,
            target: target(platform, python)?,
            command,
            platform: &platform.name,
            relay: if python.starts_with("2.") { Some(Relay::for_pip(builder)?) } else { Relay::start(builder)? },
        };
        let packages = PlatformLock { tools: vec![tool(python)], ..lock.clone() };
        Ok(Self { session, display, recipe, platform, packages, policy, uv, upgrade, previous })
    }

    /// Resolves the recipe's requirements, and for each sdist the requirements of its build.
    pub(super) fn resolve(&self) -> Result<Vec<DistributionLock>, Fatal> {
        let request = self.session.request(self.recipe, self.platform)?;
        let requirements = requirements::read(self.recipe, &request, &self.uv)?;
        let previous = self.previous.map_or(&[][..], |lock| &lock.distributions);
        let question = Question {
            what: &self.recipe.value.requirements,
            main: &requirements.main,
            files: &requirements.files,
            dependencies: requirements.dependencies,
            extras: &requirements.extras,
            groups: &requirements.groups,
            policy: &self.policy,
            preferred: &self.upgrade.preferred(previous),
        };
        let distributions = self.answer(&question)?;
        self.with_builds(distributions, previous, &[])
    }

    /// Resolves what the application itself is built with.
    pub(super) fn resolve_application(&self) -> Result<Vec<DistributionLock>, Fatal> {
        let previous = self.previous.map_or(&[][..], |lock| &lock.application);
        let project = Project::of_application(self)?;
        self.resolve_project(&project, &self.recipe.value.name, previous, &[])
    }

    /// Resolves what a project is built with: what it says, and then what its back end asks for.
    fn resolve_project(
        &self,
        project: &Project,
        name: &str,
        previous: &[DistributionLock],
        chain: &[&str],
    ) -> Result<Vec<DistributionLock>, Fatal> {
        let mut requires = project.requires()?;
        let build = self.resolve_build(name, &requires, previous, chain)?;
        let asked = project.asks_for(self, &build)?;
        if asked.iter().all(|line| requires.contains(line)) {
            return Ok(build);
        }
        requires.extend(asked);
        self.resolve_build(name, &requires, previous, chain)
    }

    fn with_builds(
        &self,
        distributions: Vec<LockedDistribution>,
        previous: &[DistributionLock],
        chain: &[&str],
    ) -> Result<Vec<DistributionLock>, Fatal> {
        let known = |name: &str| previous.iter().find(|lock| lock.distribution.name == name);
        distributions
            .into_iter()
            .map(|distribution| {
                let before = known(&distribution.name).map_or(&[][..], |lock| &lock.build);
                self.with_build(distribution, before, chain)
            })
            .collect()
    }

    /// Adds what an sdist is built with; `chain` are the sdists that are built with it.
    fn with_build(
        &self,
        distribution: LockedDistribution,
        previous: &[DistributionLock],
        chain: &[&str],
    ) -> Result<DistributionLock, Fatal> {
        let index = self.uv.builder.indexes().index_of(&distribution.name).map(|index| index.name.clone());
        if distribution.file.is_wheel() {
            return Ok(DistributionLock { distribution, index, build: vec![] });
        }
        if chain.contains(&distribution.name.as_str()) {
            let whole: Vec<&str> = chain.iter().copied().chain([distribution.name.as_str()]).collect();
            return Err(Fatal::message(
                Exit::Recipe,
                "vb::lock::build_cycle",
                format!("what builds `{}` is built with it: {}", distribution.name, whole.join(" -> ")),
                "put a wheel of one of them into an index or a directory of `find_links`",
            ));
        }
        let project = Project::of_sdist(self, &distribution)?;
        let build = self.resolve_project(&project, &distribution.name, previous, chain)?;
        Ok(DistributionLock { distribution, index, build })
    }

    /// Resolves the requirements of a build, as wheels where that is possible, else with sdists that are built, too.
    fn resolve_build(
        &self,
        name: &str,
        requires: &[String],
        previous: &[DistributionLock],
        chain: &[&str],
    ) -> Result<Vec<DistributionLock>, Fatal> {
        let text: String = requires.iter().map(|line| format!("{line}\n")).collect();
        let wheels_only = BinaryPolicy { no_binary: vec![], only_binary: vec![":all:".to_owned()] };
        let question = Question {
            what: &format!("the build requirements of {name}"),
            main: "build.txt",
            files: &BTreeMap::from([("build.txt".to_owned(), text.into_bytes())]),
            dependencies: Dependencies::Followed,
            extras: &[],
            groups: &[],
            policy: &wheels_only,
            preferred: &self.upgrade.preferred(previous),
        };
        let build = match self.uv.compile(&question)? {
            Answer::Resolved(build) => build,
            Answer::Failed(_) => self.answer(&Question { policy: &BinaryPolicy::default(), ..question })?,
        };
        let chain: Vec<&str> = chain.iter().copied().chain([name]).collect();
        self.with_builds(build, previous, &chain)
    }

    fn answer(&self, question: &Question<'_>) -> Result<Vec<LockedDistribution>, Fatal> {
        match self.uv.compile(question)? {
            Answer::Resolved(distributions) => Ok(distributions),
            Answer::Failed(failure) => {
                self.display.finish();
                let help = self.missing(&failure);
                let tool = if self.uv.is_for_python_2() { "pip" } else { "uv" };
                Err(unresolved_with(tool, (question.what, &self.platform.name), &failure, help))
            }
        }
    }
}

/// Fetches a file of a Python index, and says where its blob is.
pub(super) fn fetch(builder: &Builder, display: &Display, distribution: &LockedDistribution) -> Result<PathBuf, Fatal> {
    let mut graph = Graph::default();
    let action = lower_fetch(&mut graph, &distribution.name, &distribution.file);
    build_or_fail(builder, &graph, &[action], display, &Surroundings::none())?;
    let file = builder.store().fetched_file(&distribution.file.sha256);
    Ok(builder.store().blob_path(&file.expect("it was fetched just above").blob))
}

impl Resolver<'_> {
    /// Says which packages have what a build at lock time misses.
    pub(super) fn missing(&self, failure: &CommandFailure) -> Option<String> {
        missing_header::help(&self.session.workspace.value, self.uv.builder, self.platform, failure)
    }
}

/// Says what uv said of requirements that it cannot resolve.
pub(super) fn unresolved(what: &str, platform: &str, failure: &CommandFailure) -> Fatal {
    unresolved_with("uv", (what, platform), failure, None)
}

fn unresolved_with(
    tool: &str,
    (what, platform): (&str, &str),
    failure: &CommandFailure,
    help: Option<String>,
) -> Fatal {
    let lines: Vec<String> = failure.last_lines.iter().map(|line| format!("  {line}")).collect();
    let usual = "change the requirements; a failing build of metadata may need another of `build_deps`";
    Fatal::message(
        Exit::Recipe,
        "vb::lock::resolve",
        format!("{tool} cannot resolve {what} for `{platform}`\n{}", lines.join("\n")),
        help.unwrap_or_else(|| usual.to_owned()),
    )
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
    let (implementation, python) = match python.strip_prefix("pypy") {
        Some(version) => (Implementation::Pypy, version),
        None => (Implementation::Cpython, python),
    };
    match (small(python), pair(&platform.glibc)) {
        (Some(python), Some(glibc)) => Ok(Target { implementation, python, glibc, machine: platform.machine.clone() }),
        _ => Err(Fatal::message(
            Exit::Recipe,
            "vb::recipe::platform_version",
            format!("`{}` has a Python or glibc version that is not `major.minor`", platform.name),
            format!("mend `recipes/platforms/{}.ncl`", platform.name),
        )),
    }
}

pub(super) fn scratch_error(error: std::io::Error) -> Fatal {
    Fatal::caused(Exit::Environment, "vb::store::write", "cannot write to the store", display::FREE_SPACE, error)
}
