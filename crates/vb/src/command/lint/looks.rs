//! The actions of `vb lint`: one for each package, whether a recipe makes it or it is a file.

use std::{
    io,
    path::{Path, PathBuf},
};

use fs_err as fs;
use sha2::{Digest, Sha256 as Hasher};
use vb_graph::{ActionIndex, Checker, Fetch, Graph, Kind, Origin, Provenance, Sha256};
use vb_recipe::{Evaluated, Lock, Platform, Recipe, lower_lint};

use crate::{
    checkers,
    command::inspect,
    display::FREE_SPACE,
    exit::Exit,
    fatal::Fatal,
    published::put_file,
    session::{Session, Target, spec_of, unknown_platform},
    workbench::Workbench,
};

/// A graph with looks at packages.
pub(super) struct Looks {
    pub(super) graph: Graph,
    pub(super) looks: Vec<Look>,
}

/// The look of a checker at one package.
pub(super) struct Look {
    pub(super) action: ActionIndex,
    pub(super) checker: Checker,
    /// What it is called: `whois bookworm lint vrmd-whois`.
    pub(super) label: String,
    /// The file of the recipe that the package is of, if there is one.
    pub(super) recipe: Option<PathBuf>,
}

/// Is it the path of a package, and not of a recipe?
pub(super) fn is_package(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "deb" || extension == "rpm")
}

impl Looks {
    /// Looks at everything that recipes make.
    pub(super) fn of_bench(bench: &mut Workbench) -> Result<Self, Fatal> {
        let graph = std::mem::take(&mut bench.graph);
        let answers = bench.answers.iter().map(|(target, _)| target);
        Self::of_targets(&bench.session, graph, bench.targets.iter().chain(answers))
    }

    /// Looks at some packages of a graph.
    pub(super) fn of_targets<'a>(
        session: &Session,
        graph: Graph,
        targets: impl Iterator<Item = &'a Target>,
    ) -> Result<Self, Fatal> {
        let lock = checkers::read(&session.root)?;
        let mut made = Self { graph, looks: vec![] };
        for target in targets {
            made.add_target(session, &lock, target)?;
        }
        Ok(made)
    }

    fn add_target(&mut self, session: &Session, lock: &Lock, target: &Target) -> Result<(), Fatal> {
        let spec = spec_of(&self.graph, target.package);
        let Some(checker) = Checker::of(spec.format) else { return Ok(()) };
        let recipe = session.recipe_at(&target.pair.0).expect("every target is of a recipe");
        let platform = &session.platforms.get(&target.platform).expect("every target is of a platform").value;
        let kind = if target.is_own { String::new() } else { format!("{} ", spec.format) };
        let label = format!("{} {} lint {kind}{}", recipe.value.name, platform.name, spec.name);
        self.add(lock, platform, (checker, target.package), label, Some(recipe))
    }

    fn add(
        &mut self,
        lock: &Lock,
        platform: &Platform,
        (checker, package): (Checker, ActionIndex),
        label: String,
        recipe: Option<&Evaluated<Recipe>>,
    ) -> Result<(), Fatal> {
        let locked = checkers::fitting(lock, platform, checker)?;
        let declared_at = recipe.map(|recipe| recipe.place("name"));
        let provenance = Provenance { label: label.clone(), declared_at };
        let action = lower_lint(&mut self.graph, (platform, locked), checker, package, provenance);
        let recipe = recipe.map(|recipe| recipe.path().to_owned());
        self.looks.push(Look { action, checker, label, recipe });
        Ok(())
    }

    /// Looks at files, each for the platform that its directory is named after, or for the one that was asked for.
    pub(super) fn of_files(bench: &Workbench, files: &[PathBuf]) -> Result<Self, Fatal> {
        let session = &bench.session;
        let lock = checkers::read(&session.root)?;
        let mut made = Self { graph: Graph::default(), looks: vec![] };
        for path in files {
            let facts = inspect::read(path)?;
            let Some(checker) = Checker::of(facts.format) else { continue };
            let platform = platform_of(session, path)?;
            let recipe = session.recipe_of_package(&facts.name, &platform.name);
            let package = made.add_file(bench, path)?;
            let label = format!("{} lint {}", platform.name, path.display());
            made.add(&lock, platform, (checker, package), label, recipe)?;
        }
        Ok(made)
    }

    /// Adds a file as what is fetched, and puts it into the store, so that it need not be.
    fn add_file(&mut self, bench: &Workbench, path: &Path) -> Result<ActionIndex, Fatal> {
        let failed = |error: io::Error| {
            Fatal::caused(Exit::Environment, "vb::lint::file", "cannot take in a package", FREE_SPACE, error)
        };
        let mut hasher = Hasher::new();
        let size = io::copy(&mut fs::File::open(path).map_err(failed)?, &mut hasher).map_err(failed)?;
        let sha256 = Sha256::from_bytes(hasher.finalize().into());
        put_file(bench.builder.store(), path, &sha256).map_err(failed)?;
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let origin = Origin::Archive { platform: String::new(), path: file.clone() };
        let provenance = Provenance { label: format!("fetch {file}"), declared_at: None };
        Ok(self.graph.add(Kind::Fetch(Fetch { sha256, size: Some(size), file, origin }), vec![], provenance))
    }
}

fn platform_of<'a>(session: &'a Session, path: &Path) -> Result<&'a Platform, Fatal> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let directory = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
    let name = match session.only.as_slice() {
        [one] => one,
        _ => &directory,
    };
    match session.platforms.get(name) {
        Some(platform) => Ok(&platform.value),
        None => Err(unknown_platform(name, session.platforms.names())),
    }
}
