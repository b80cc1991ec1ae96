//! One run over a workspace: its recipes, platforms and locks, and the graph that they lower to.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use fs_err as fs;
use vb_graph::{ActionIndex, Format, Graph, Kind, Machine, PackageSpec};
use vb_package::RpmVersion;
use vb_recipe::{
    Application, CHANGELOG, CommitLock, DeclaredVersion, Evaluated, Loaded, Loader, Lock, LockRequest, Memory, Older,
    Platform, PlatformLock, Platforms, Provider, Recipe, RecipeErrors, Source, SourceFacts, Version, VersionSubject,
    Workspace, find_root, lock_path, lower, lower_tests, package_lock_file, read_releases, requirement_files,
    source_facts,
};
use vb_repo::Repository;
use vb_store::Store;

use crate::{
    arguments::{Common, Place, Selection, VersionChoice},
    checkout::{CheckoutStore, Commits, GitSources},
    display,
    exit::Exit,
    fatal::Fatal,
    machine::{helper, index_of},
    published::{PairKey, key_of, open_to_read},
};

/// The recipes of one run, with all that they refer to.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) root: PathBuf,
    pub(crate) workspace: Evaluated<Workspace>,
    pub(crate) platforms: Platforms,
    pub(crate) recipes: Vec<Evaluated<Recipe>>,
    /// The recipes of interpreters that these name, by the paths of their files.
    interpreters: BTreeMap<PathBuf, Evaluated<Recipe>>,
    pub(crate) store: Store,
    /// The platforms that are asked for; all where there are none.
    pub(crate) only: Vec<String>,
    formats: Vec<Format>,
    forced: Option<String>,
    numbers: BTreeMap<PairKey, String>,
    /// Where packages are published to, if it is not where the workspace says.
    location: Option<String>,
    /// The commits of sources that are in git, by the recipe's file and the path of its field.
    pub(crate) commits: BTreeMap<PathBuf, BTreeMap<String, CommitLock>>,
}

/// One package that is to be built.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) platform: String,
    pub(crate) package: ActionIndex,
    /// The recipe's file, and the platform.
    pub(crate) pair: PairKey,
    /// The package's name.
    pub(crate) name: String,
    /// Is it of the platform's own format?
    pub(crate) is_own: bool,
}

/// What a session is lowered to.
#[derive(Debug)]
pub(crate) struct Lowered {
    pub(crate) graph: Graph,
    pub(crate) targets: Vec<Target>,
    /// The tests of all packages.
    pub(crate) tests: Vec<ActionIndex>,
}

/// What belongs to a recipe beside itself.
#[derive(Debug)]
struct RecipeFiles {
    lock: Lock,
    facts: SourceFacts,
    version: DeclaredVersion,
}

impl Session {
    /// Loads and checks what is selected, and opens the store. All recipes are those of applications.
    pub(crate) fn open(common: &Common, selection: &Selection) -> Result<Self, Fatal> {
        Self::open_with(common, selection, |_| Ok(vec![]), Commits::Locked)
    }

    /// Does the same to lock what is selected. All recipes are those of interpreters, too, which come first.
    pub(crate) fn open_to_lock(common: &Common, selection: &Selection, commits: Commits) -> Result<Self, Fatal> {
        Self::open_with(common, selection, Loader::interpreter_paths, commits)
    }

    fn open_with(
        common: &Common,
        selection: &Selection,
        others: impl Fn(&Loader) -> Result<Vec<PathBuf>, RecipeErrors>,
        commits: Commits,
    ) -> Result<Self, Fatal> {
        let root = workspace_root(selection)?;
        let (loader, store) = loader_and_store(common, &root)?;
        let all = || Ok([others(&loader)?, loader.recipe_paths()?].concat());
        let paths = if selection.all { all().map_err(recipe_errors)? } else { absolute(selection)? };
        // What does not evaluate is told with all other errors.
        let sources = match (loader.recipes(&paths), &store) {
            (Ok(recipes), Ok(store)) => {
                let store = CheckoutStore::new(store.checkouts(), common.offline);
                GitSources::check_out(&recipes, &store, commits)?
            }
            _ => GitSources::default(),
        };
        let loaded = loader.load(&paths, &sources.checkouts).map_err(recipe_errors)?;
        let Loaded { workspace, recipes, interpreters, platforms } = loaded;
        // Only after the recipes, because a recipe's error is nearer to the user than the store's.
        let session = Self {
            root,
            workspace,
            platforms,
            recipes,
            interpreters,
            store: store?,
            only: selection.platform.clone(),
            formats: selection.format.clone(),
            forced: None,
            numbers: BTreeMap::new(),
            location: None,
            commits: sources.commits,
        };
        session.check_platform_arguments()?;
        session.check_selection()?;
        Ok(session)
    }

    /// Returns the workspace, and where its root is.
    pub(crate) fn place(&self) -> (&Workspace, &Path) {
        (&self.workspace.value, &self.root)
    }

    /// Gives all packages the version that is forced, if one is.
    pub(crate) fn with_version(mut self, choice: &VersionChoice) -> Self {
        self.forced.clone_from(&choice.force_version);
        self
    }

    /// Counts in another repository than the workspace's, if one is named.
    pub(crate) fn with_repository(mut self, place: &Place) -> Self {
        self.location.clone_from(&place.repository);
        self
    }

    /// Gives packages their build numbers.
    pub(crate) fn number(&mut self, numbers: BTreeMap<PairKey, String>) {
        self.numbers = numbers;
    }

    /// Opens the repository that packages are published to, if there is one.
    pub(crate) fn repository(&self) -> Result<Option<Repository>, Fatal> {
        let own = self.workspace.value.repository.as_ref().map(|repository| repository.location(&self.root));
        self.location.clone().or(own).map_or(Ok(None), |location| open_to_read(&location))
    }

    /// Returns each recipe that has a build number, with each platform.
    pub(crate) fn numbered_pairs(&self) -> Vec<(&Evaluated<Recipe>, &Platform)> {
        let mut pairs = self.pairs();
        let workspace = &self.workspace.value;
        pairs.retain(|(recipe, _)| self.forced.is_none() && *recipe.value.version(workspace) == Version::BuildNumber);
        pairs
    }

    /// Lowers the packages of the platform's own format as they are whatever their version, and whatever commit they are
    /// of. Returns them by name, the main one first.
    pub(crate) fn graph_without_version(
        &self,
        recipe: &Evaluated<Recipe>,
        platform: &Platform,
    ) -> Result<(Graph, Vec<(String, ActionIndex)>), Fatal> {
        let path = display::relative(&lock_path(recipe.path()));
        let lock = Lock::read(&path).map_err(|error| Fatal::new(Exit::Recipe, error))?;
        let provider = self.provider(recipe, platform)?;
        let application = Application {
            workspace: &self.workspace.value,
            recipe,
            platform,
            lock: self.fitting_lock(recipe, platform, &lock)?,
            provider: provider.as_ref(),
            facts: &SourceFacts::NONE,
            version: "0",
            formats: Some(&[platform.family.format()]),
        };
        let mut graph = Graph::default();
        let packages = lower(&mut graph, application).map_err(|error| Fatal::new(Exit::Recipe, error))?;
        let named = packages.into_iter().map(|package| (spec_of(&graph, package).name.clone(), package)).collect();
        Ok((graph, named))
    }

    fn check_platform_arguments(&self) -> Result<(), Fatal> {
        match self.only.iter().find(|name| !self.platforms.has(name)) {
            None => Ok(()),
            Some(unknown) => Err(unknown_platform(unknown, self.platforms.names())),
        }
    }

    /// Something is selected, and each platform that is named is one of some recipe: what was asked for is never left out
    /// without a word.
    fn check_selection(&self) -> Result<(), Fatal> {
        let pairs = self.pairs();
        let is_idle = |name: &&String| pairs.iter().all(|(_, platform)| platform.name != **name);
        let idle: Vec<String> = self.only.iter().filter(is_idle).map(|name| format!("`{name}`")).collect();
        if !pairs.is_empty() && idle.is_empty() {
            return Ok(());
        }
        let platforms = if idle.is_empty() { "any platform".to_owned() } else { idle.join(" and ") };
        Err(Fatal::message(
            Exit::Usage,
            "vb::usage::nothing_selected",
            format!("no recipe that is selected is built for {platforms}"),
            "leave that `--platform` out, or add it to `platforms` of a recipe",
        ))
    }

    /// Returns each recipe with each platform that is asked of it.
    pub(crate) fn pairs(&self) -> Vec<(&Evaluated<Recipe>, &Platform)> {
        let wanted = |name: &&String| self.only.is_empty() || self.only.contains(name);
        let platforms = |recipe: &Evaluated<Recipe>| -> Vec<&Platform> {
            let names = recipe.value.platforms(&self.workspace.value).iter().filter(wanted);
            names.filter_map(|name| Some(&self.platforms.get(name)?.value)).collect()
        };
        self.recipes
            .iter()
            .flat_map(|recipe| platforms(recipe).into_iter().map(move |platform| (recipe, platform)))
            .collect()
    }

    /// Lowers everything that is selected to one graph; with tests, where it is said what was published before.
    pub(crate) fn graph(&self, before: Option<&BTreeMap<PairKey, Vec<Older>>>) -> Result<Lowered, Fatal> {
        let mut graph = Graph::default();
        let (mut targets, mut tests) = (Vec::new(), Vec::new());
        let mut files: BTreeMap<PathBuf, RecipeFiles> = BTreeMap::new();
        let is_bootable = before.is_some() && vb_sandbox::probe_machine(&helper()).is_ok();
        let machine = if is_bootable { Machine::Booted } else { Machine::Sandbox };
        for (recipe, platform) in self.pairs() {
            if !files.contains_key(recipe.path()) {
                files.insert(recipe.path().to_owned(), self.read_recipe_files(recipe)?);
            }
            let RecipeFiles { lock, facts, version } = &files[recipe.path()];
            let lock = self.fitting_lock(recipe, platform, lock)?;
            let formats = (!self.formats.is_empty()).then_some(self.formats.as_slice());
            let pair = key_of(&(recipe, platform));
            let version = match version {
                DeclaredVersion::Known(version) => version.as_str(),
                DeclaredVersion::BuildNumber => self.numbers.get(&pair).map_or("1", String::as_str),
            };
            let workspace = &self.workspace.value;
            let provider = self.provider(recipe, platform)?;
            let provider = provider.as_ref();
            let application = Application { workspace, recipe, platform, lock, provider, facts, version, formats };
            // Nobody could install the application without its interpreter, which is a package of its own.
            let is_needed = self.needed_interpreter(recipe, platform).is_some();
            if let Some(Provider { recipe, lock, version }) = provider.filter(|_| is_needed) {
                let facts = &SourceFacts::NONE;
                let own = Application { recipe, lock, provider: None, facts, version, ..application };
                self.add_targets(&mut graph, own, &mut targets)?;
            }
            let packages = self.add_targets(&mut graph, application, &mut targets)?;
            if let Some(before) = before {
                let older = before.get(&pair).map_or(&[][..], Vec::as_slice);
                let added = lower_tests(&mut graph, application, &packages, older, machine);
                tests.extend(added.map_err(|error| Fatal::new(Exit::Recipe, error))?);
            }
        }
        Ok(Lowered { graph, targets, tests })
    }

    /// Lowers the packages of one recipe, takes those that are new as targets, and returns all.
    fn add_targets(
        &self,
        graph: &mut Graph,
        application: Application<'_>,
        targets: &mut Vec<Target>,
    ) -> Result<Vec<ActionIndex>, Fatal> {
        let Application { recipe, platform, .. } = application;
        let packages = lower(graph, application).map_err(|error| Fatal::new(Exit::Recipe, error))?;
        self.check_version(graph, &packages, recipe)?;
        for package in &packages {
            if targets.iter().all(|known| known.package != *package) {
                let spec = spec_of(graph, *package);
                let (name, is_own) = (spec.name.clone(), spec.format == platform.family.format());
                let pair = key_of(&(recipe, platform));
                targets.push(Target { platform: platform.name.clone(), package: *package, pair, name, is_own });
            }
        }
        Ok(packages)
    }

    /// Returns the interpreter that a recipe names for a platform, where the workspace builds it.
    pub(crate) fn provider(
        &self,
        recipe: &Evaluated<Recipe>,
        platform: &Platform,
    ) -> Result<Option<Provider<'_>>, Fatal> {
        let Some(recipe) = self.interpreter_of(recipe, platform) else { return Ok(None) };
        let RecipeFiles { lock, version, .. } = self.read_recipe_files(recipe)?;
        let lock = self.fitting_lock(recipe, platform, &lock)?.clone();
        let DeclaredVersion::Known(version) = version else { unreachable!("an interpreter has a fixed version") };
        Ok(Some(Provider { recipe, lock, version }))
    }

    /// Returns a recipe that is selected, or an interpreter that one of these names, by the path of its file.
    pub(crate) fn recipe_at(&self, path: &Path) -> Option<&Evaluated<Recipe>> {
        let selected = self.recipes.iter().find(|recipe| recipe.path() == path);
        selected.or_else(|| self.interpreters.get(path))
    }

    /// Returns the recipe that makes a package of a name for a platform.
    pub(crate) fn recipe_of_package(&self, name: &str, platform: &str) -> Option<&Evaluated<Recipe>> {
        let workspace = &self.workspace.value;
        let is_of = |recipe: &Recipe| recipe.package_names(workspace, platform).iter().any(|known| known == name);
        self.recipes.iter().chain(self.interpreters.values()).find(|recipe| is_of(&recipe.value))
    }

    /// Returns the recipe of the interpreter whose package an application depends on.
    pub(crate) fn needed_interpreter(
        &self,
        recipe: &Evaluated<Recipe>,
        platform: &Platform,
    ) -> Option<&Evaluated<Recipe>> {
        let python = recipe.value.for_platform(&self.workspace.value, &platform.name).python;
        self.interpreter_of(recipe, platform).filter(|_| !python.is_bundled())
    }

    fn interpreter_of(&self, recipe: &Evaluated<Recipe>, platform: &Platform) -> Option<&Evaluated<Recipe>> {
        let python = recipe.value.for_platform(&self.workspace.value, &platform.name).python;
        self.interpreters.get(&recipe.interpreter_path(&python)?)
    }

    fn read_recipe_files(&self, recipe: &Evaluated<Recipe>) -> Result<RecipeFiles, Fatal> {
        let path = display::relative(&lock_path(recipe.path()));
        let lock = Lock::read(&path).map_err(|error| Fatal::new(Exit::Recipe, error))?;
        let facts = match recipe.value.source {
            Source::Path(_) => self.facts_of(recipe)?,
            Source::Git(_) | Source::Distribution { .. } => SourceFacts::NONE,
        };
        let version = match self.forced.as_ref().filter(|_| self.is_selected(recipe)) {
            Some(version) => DeclaredVersion::Known(version.clone()),
            None => self.subject(recipe).version().map_err(|error| Fatal::new(Exit::Recipe, error))?,
        };
        Ok(RecipeFiles { lock, facts, version })
    }

    /// An interpreter that was not asked for keeps its own version.
    fn is_selected(&self, recipe: &Evaluated<Recipe>) -> bool {
        self.recipes.iter().any(|selected| selected.path() == recipe.path())
    }

    fn facts_of(&self, recipe: &Evaluated<Recipe>) -> Result<SourceFacts, Fatal> {
        let source = recipe.source_dir();
        let mut facts = source_facts(&source).map_err(|error| Fatal::new(Exit::Recipe, error))?;
        if facts.commit.is_some() && !source.join(CHANGELOG).exists() {
            let tags = recipe.value.tags(&self.workspace.value);
            facts.releases =
                read_releases(&source, tags, &recipe.value.name).map_err(|error| Fatal::new(Exit::Recipe, error))?;
        }
        Ok(facts)
    }

    /// Returns what has a version.
    pub(crate) fn subject<'a>(&'a self, recipe: &'a Evaluated<Recipe>) -> VersionSubject<'a> {
        VersionSubject { workspace: &self.workspace, recipe, platforms: &self.platforms }
    }

    /// Checks that rpm orders the version of a package as dpkg does.
    fn check_version(&self, graph: &Graph, packages: &[ActionIndex], recipe: &Evaluated<Recipe>) -> Result<(), Fatal> {
        for package in packages {
            let spec = spec_of(graph, *package);
            if spec.format == Format::Rpm && RpmVersion::of_debian(&spec.version).is_err() {
                return Err(Fatal::new(Exit::Recipe, self.subject(recipe).unordered(&spec.version)));
            }
        }
        Ok(())
    }

    /// Returns what is locked for a recipe on a platform, if it answers what they ask.
    pub(crate) fn fitting_lock<'a>(
        &self,
        recipe: &Evaluated<Recipe>,
        platform: &Platform,
        lock: &'a Lock,
    ) -> Result<&'a PlatformLock, Fatal> {
        let request = self.request(recipe, platform)?;
        let mut mismatches = lock.mismatches(&platform.name, &request);
        let known = lock.platforms.get(&platform.name);
        let rebound = known.map(|lock| lock.rebound(|name| index_of(&self.workspace.value, name)));
        mismatches.extend(rebound.unwrap_or_default());
        match known {
            Some(lock) if mismatches.is_empty() => Ok(lock),
            _ => {
                let lines: Vec<String> = mismatches.iter().map(|mismatch| format!("  {mismatch}")).collect();
                let shown = display::relative(recipe.path());
                let shown = shown.display();
                Err(Fatal::message(
                    Exit::Recipe,
                    "vb::lock::mismatch",
                    format!(
                        "the lock of `{shown}` does not fit its recipe for `{}`\n{}",
                        platform.name,
                        lines.join("\n")
                    ),
                    format!("run `vb lock {shown}`"),
                ))
            }
        }
    }

    /// Returns what a lock has to answer for a recipe on a platform.
    pub(crate) fn request(&self, recipe: &Evaluated<Recipe>, platform: &Platform) -> Result<LockRequest, Fatal> {
        let value = recipe.value.for_platform(&self.workspace.value, &platform.name);
        let (mut base, mut toolchain) = (platform.base.clone(), platform.toolchain.clone());
        let own = recipe.value.interpreter.as_ref();
        let python = if let Some(own) = own {
            own.version.clone()
        } else if let Some(interpreter) = self.interpreter_of(recipe, platform) {
            // What it needs to run is in each root that it is in.
            base.extend(interpreter.value.for_platform(&self.workspace.value, &platform.name).run_deps);
            interpreter.value.interpreter.as_ref().map(|own| own.version.clone()).unwrap_or_default()
        } else {
            let system = value.python.system().unwrap_or_default();
            if let Some(interpreter) = platform.interpreter(system) {
                base.extend(interpreter.packages.iter().cloned());
                toolchain.extend(interpreter.build_packages.iter().cloned());
            }
            platform.python_version(system).to_owned()
        };
        if let Some(image) = &platform.image {
            // An image brings what it has, and nothing is added to it.
            (base, toolchain) = (vec![format!("image sha256:{}", image.sha256())], vec![]);
        }
        let (requirements, source) = match &recipe.value.source {
            Source::Path(_) | Source::Git(_) => {
                let files = requirement_files(&recipe.source_dir(), &recipe.value);
                (files.map_err(|error| Fatal::new(Exit::Recipe, error))?, None)
            }
            Source::Distribution { package, suite } => (BTreeMap::new(), Some(format!("{package} {suite}"))),
        };
        let npm = match &recipe.value.npm {
            Some(npm) => {
                package_lock_file(&recipe.source_dir(), &npm.lock).map_err(|error| Fatal::new(Exit::Recipe, error))?
            }
            None => BTreeMap::new(),
        };
        Ok(LockRequest {
            python,
            base,
            toolchain,
            run_deps: value.all_run_deps(),
            test_deps: value.test_deps,
            build_deps: value.build_deps,
            no_binary: value.no_binary,
            only_binary: value.only_binary,
            extras: value.extras,
            groups: value.groups,
            setup_install: recipe.value.setup_install,
            source,
            requirements,
            npm,
        })
    }
}

/// Returns the spec of a package that was lowered.
pub(crate) fn spec_of(graph: &Graph, package: ActionIndex) -> &PackageSpec {
    match &graph.action(package).kind {
        Kind::Package(spec) => spec,
        other => unreachable!("lowering gives packages, not {}", other.name()),
    }
}

/// Makes the loader of a workspace, which remembers in the store; one that cannot be opened is nothing to it.
pub(crate) fn loader_and_store(common: &Common, root: &Path) -> Result<(Loader, Result<Store, Fatal>), Fatal> {
    let store = open_store(&common.store.clone().unwrap_or_else(|| root.join("cache")));
    let memory = store.as_ref().map(memory).unwrap_or_default();
    let loader = Loader::new(root)
        .map_err(|error| Fatal::caused(Exit::Environment, "vb::recipe::loader", "cannot load recipes", "", error))?;
    Ok((loader.with_memory(memory), store))
}

/// Keeps evaluated files in the store. One that cannot be kept is evaluated again.
fn memory(store: &Store) -> Memory {
    let (recalling, remembering) = (store.clone(), store.clone());
    Memory::new(move |name| recalling.recall(name), move |name, text| drop(remembering.remember(name, &text)))
}

/// Opens a store in a directory.
pub(crate) fn open_store(path: &Path) -> Result<Store, Fatal> {
    Store::open(path).map_err(|error| {
        Fatal::caused(
            Exit::Environment,
            "vb::store::open",
            "there is no store to work with",
            "name a directory that can be written with `--store`",
            error,
        )
    })
}

/// Finds the one workspace that the recipes are in, or else the one around the current directory.
pub(crate) fn workspace_root(selection: &Selection) -> Result<PathBuf, Fatal> {
    let recipes = absolute(selection)?;
    let start = match recipes.first() {
        Some(recipe) => recipe.clone(),
        None => current_directory()?,
    };
    let root_of = |path: &Path| find_root(path).ok_or_else(|| no_workspace(path));
    let root = root_of(&start)?;
    for recipe in &recipes {
        // One workspace may be written in two ways: `..` and symbolic links.
        if fs::canonicalize(root_of(recipe)?).ok() != fs::canonicalize(&root).ok() {
            return Err(Fatal::message(
                Exit::Usage,
                "vb::usage::two_workspaces",
                format!("`{}` and `{}` are in two workspaces", start.display(), recipe.display()),
                "name the recipes of one workspace at a time",
            ));
        }
    }
    Ok(root)
}

fn no_workspace(path: &Path) -> Fatal {
    Fatal::message(
        Exit::Recipe,
        "vb::recipe::no_workspace",
        format!("`{}` is in no workspace: no directory above it holds `recipes/workspace.ncl`", path.display()),
        "go to the workspace, or name a recipe that is in one; docs/recipe.md has a section \"Your own workspace\"",
    )
}

fn absolute(selection: &Selection) -> Result<Vec<PathBuf>, Fatal> {
    let current = current_directory()?;
    Ok(selection.recipes.iter().map(|path| current.join(path)).collect())
}

fn current_directory() -> Result<PathBuf, Fatal> {
    std::env::current_dir().map_err(|error| {
        Fatal::caused(Exit::Environment, "vb::machine::directory", "there is no current directory", "", error)
    })
}

pub(crate) fn recipe_errors(errors: RecipeErrors) -> Fatal {
    Fatal::new(Exit::Recipe, errors)
}

/// Says that a platform of the command line is none of the workspace's.
pub(crate) fn unknown_platform<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Fatal {
    Fatal::message(
        Exit::Usage,
        "vb::usage::unknown_platform",
        format!("there is no platform `{name}`"),
        vb_recipe::platform_help(name, known),
    )
}

/// Says that no action is called what the command line says.
pub(crate) fn unknown_action(wanted: &str) -> Fatal {
    Fatal::message(
        Exit::Usage,
        "vb::usage::unknown_action",
        format!("there is no action `{wanted}`"),
        "`vb plan` lists the labels",
    )
}

/// Finds an action by its label, or by the end of it.
pub(crate) fn find_action(graph: &Graph, wanted: &str) -> Result<ActionIndex, Fatal> {
    let ending = format!(" {wanted}");
    if let Some((_, exact)) = graph.labels().find(|(label, _)| *label == wanted) {
        return Ok(exact);
    }
    let found: Vec<(&str, ActionIndex)> = graph.labels().filter(|(label, _)| label.ends_with(&ending)).collect();
    match found.split_first() {
        Some(((_, first), others)) if others.iter().all(|(_, other)| other == first) => Ok(*first),
        None => Err(unknown_action(wanted)),
        Some(_) => {
            let labels: Vec<&str> = found.iter().map(|(label, _)| *label).collect();
            Err(Fatal::message(
                Exit::Usage,
                "vb::usage::ambiguous_action",
                format!("`{wanted}` is the end of several labels"),
                format!("choose one of: {}", labels.join(", ")),
            ))
        }
    }
}
