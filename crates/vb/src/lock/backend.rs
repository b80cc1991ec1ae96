//! What builds a project: what its `pyproject.toml` says, and what its back end asks for when it runs.

use std::path::{Path, PathBuf};

use fs_err as fs;
use vb_graph::{Graph, LockedDistribution};
use vb_python::{SdistError, backend_of_pyproject, requires_of_pyproject, unpack_sdist};
use vb_recipe::{Application, DistributionLock, LowerError, SourceFacts, lower_wheels};
use vb_store::Scratch;

use super::python::{Resolver, fetch, scratch_error};
use crate::{
    command::{build::build_or_fail, wheels::wheel_files},
    display::Surroundings,
    exit::Exit,
    fatal::Fatal,
};

/// A project in a directory that may be written.
#[derive(Debug)]
pub(super) struct Project {
    _scratch: Scratch,
    directory: PathBuf,
    /// How it is called in messages.
    name: String,
    pyproject: Option<Vec<u8>>,
}

impl Project {
    /// Unpacks an sdist.
    pub(super) fn of_sdist(resolver: &Resolver<'_>, distribution: &LockedDistribution) -> Result<Self, Fatal> {
        let file = fetch(resolver.uv.builder, resolver.display, distribution)?;
        let scratch = resolver.uv.builder.store().scratch().map_err(scratch_error)?;
        let named = scratch.path().join(&distribution.file.file);
        fs::copy(file, &named).map_err(scratch_error)?;
        let directory = unpack_sdist(&named, &scratch.path().join("source")).map_err(|error: SdistError| {
            let message = format!("cannot read the build requirements of `{}`", distribution.file.file);
            Fatal::caused(Exit::Recipe, "vb::lock::sdist", message, "choose another version of it", error)
        })?;
        Self::in_directory(scratch, directory, &distribution.name)
    }

    /// Copies the application's source.
    pub(super) fn of_application(resolver: &Resolver<'_>) -> Result<Self, Fatal> {
        let scratch = resolver.uv.builder.store().scratch().map_err(scratch_error)?;
        let directory = scratch.path().join("source");
        copy_tree(&resolver.recipe.source_dir(), &directory).map_err(scratch_error)?;
        Self::in_directory(scratch, directory, &resolver.recipe.value.name)
    }

    fn in_directory(scratch: Scratch, directory: PathBuf, name: &str) -> Result<Self, Fatal> {
        let path = directory.join("pyproject.toml");
        let pyproject = path.is_file().then(|| fs::read(&path)).transpose().map_err(scratch_error)?;
        Ok(Self { _scratch: scratch, directory, name: name.to_owned(), pyproject })
    }

    /// Returns what `pyproject.toml` requires.
    pub(super) fn requires(&self) -> Result<Vec<String>, Fatal> {
        requires_of_pyproject(self.pyproject.as_deref()).map_err(|error| self.unreadable(error))
    }

    /// Returns what the back end asks for, which runs with what has been resolved so far.
    pub(super) fn asks_for(&self, resolver: &Resolver<'_>, build: &[DistributionLock]) -> Result<Vec<String>, Fatal> {
        let backend = backend_of_pyproject(self.pyproject.as_deref()).map_err(|error| self.unreadable(error))?;
        let wheels = resolver.wheels(build)?;
        let locked: Vec<LockedDistribution> = build.iter().map(|lock| lock.distribution.clone()).collect();
        let variables = resolver.recipe.value.for_platform(&resolver.session.workspace.value, &resolver.platform.name);
        let answer = resolver.uv.ask_backend(&self.directory, &backend, (&locked, &wheels), &variables.variables)?;
        answer.map_err(|failure| {
            resolver.display.finish();
            let usual = "it may need another of `build_deps`; else choose another version of it";
            let help = resolver.missing(&failure).unwrap_or_else(|| usual.to_owned());
            let lines: Vec<String> = failure.last_lines.iter().map(|line| format!("  {line}")).collect();
            Fatal::message(
                Exit::Recipe,
                "vb::lock::backend",
                format!("`{}` cannot say what its build needs\n{}", self.name, lines.join("\n")),
                help,
            )
        })
    }

    fn unreadable(&self, error: impl std::error::Error + Send + Sync + 'static) -> Fatal {
        let message = format!("cannot read `pyproject.toml` of `{}`", self.name);
        Fatal::caused(Exit::Recipe, "vb::lock::sdist", message, "mend the file, or choose another version", error)
    }
}

impl Resolver<'_> {
    /// Gives the wheels of what builds something: fetched, or built.
    fn wheels(&self, build: &[DistributionLock]) -> Result<Vec<(String, PathBuf)>, Fatal> {
        let provider = self.session.provider(self.recipe, self.platform)?;
        let application = Application {
            workspace: &self.session.workspace.value,
            recipe: self.recipe,
            platform: self.platform,
            lock: &self.packages,
            provider: provider.as_ref(),
            facts: &SourceFacts::NONE,
            version: "0",
            formats: None,
        };
        let mut graph = Graph::default();
        let actions = lower_wheels(&mut graph, application, build)
            .map_err(|error: LowerError| Fatal::new(Exit::Recipe, error))?;
        let outputs = build_or_fail(self.uv.builder, &graph, &actions, self.display, &Surroundings::none())?;
        wheel_files(self.uv.builder, &graph, &actions, outputs)
    }
}

/// Copies files and directories; what git keeps for itself is no part of a source.
fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() && entry.file_name() != ".git" {
            copy_tree(&source, &target)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&source)?, &target)?;
        } else if kind.is_file() {
            fs::copy(&source, &target)?;
        }
    }
    Ok(())
}
