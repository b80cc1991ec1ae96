//! Loads recipes, platforms and the workspace file, on one thread that owns the Nickel context.
//!
//! Nickel's values cannot leave their thread, and evaluating recurses: the thread has a large stack, and gives back
//! plain data. The thread starts with the first file that is loaded.

use std::{
    any::Any,
    io,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock, mpsc},
    thread,
};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    check::INTERPRETERS_DIR,
    diagnostic::{Code, RecipeDiagnostic, RecipeErrors, did_you_mean, quote_all},
    evaluate::Evaluator,
    fields::FileKind,
    load::Platforms,
    memory::Memory,
    platform::Platform,
    position::Evaluated,
    recipe::Recipe,
    workspace::{PLATFORMS_DIR, WORKSPACE_FILE, Workspace},
};

/// Twice what files nested as deeply as [`crate::scan`] lets them be need without optimisation; only what is used of it
/// takes memory.
const STACK_SIZE: usize = 128 << 20;

type Job = Box<dyn FnOnce(&mut Evaluator) + Send>;

/// The files could not be loaded, for a reason that is not in them.
#[derive(Debug, thiserror::Error)]
pub enum LoaderError {
    /// The root cannot be found.
    #[error("cannot open the workspace")]
    Root(#[source] io::Error),
}

/// Loads the files of one workspace in one run; a file is read once, however often it is loaded.
#[derive(Debug)]
pub struct Loader {
    root: PathBuf,
    memory: Arc<Memory>,
    jobs: OnceLock<mpsc::Sender<Job>>,
}

impl Loader {
    /// Makes a loader for the workspace with a root: the directory that holds `recipes/workspace.ncl`.
    ///
    /// # Errors
    /// When there is no such directory.
    pub fn new(root: &Path) -> Result<Self, LoaderError> {
        let root = fs_err::canonicalize(root).map_err(LoaderError::Root)?;
        Ok(Self { root, memory: Arc::default(), jobs: OnceLock::new() })
    }

    /// Makes the loader evaluate only what it does not remember.
    #[must_use]
    pub fn with_memory(mut self, memory: Memory) -> Self {
        self.memory = Arc::new(memory);
        self
    }

    /// Returns the workspace's root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Loads recipes, in the order given. A relative path is relative to the current directory.
    ///
    /// # Errors
    /// All errors of all these files.
    pub fn recipes(&self, paths: &[PathBuf]) -> Result<Vec<Evaluated<Recipe>>, RecipeErrors> {
        self.load_all(FileKind::Recipe, paths.to_vec())
    }

    /// Loads one recipe.
    pub(crate) fn recipe(&self, path: &Path) -> Result<Evaluated<Recipe>, RecipeErrors> {
        self.check_is_recipe(path)?;
        self.load_one(FileKind::Recipe, path.to_owned())
    }

    /// Refuses what is another file of the workspace, or the name of a recipe in the place of its file.
    fn check_is_recipe(&self, path: &Path) -> Result<(), RecipeErrors> {
        let is = |path: &Path, own: &str| fs_err::canonicalize(self.root.join(own)).is_ok_and(|own| own == *path);
        let Ok(real) = fs_err::canonicalize(path) else { return self.check_is_no_name(path) };
        let what = if is(&real, WORKSPACE_FILE) {
            "the workspace's file"
        } else if real.parent().is_some_and(|directory| is(directory, PLATFORMS_DIR)) {
            "a platform"
        } else {
            return Ok(());
        };
        let shown = real.strip_prefix(&self.root).unwrap_or(&real).display();
        let diagnostic = RecipeDiagnostic::new(Code::NoRecipe, format!("`{shown}` is {what}, and no recipe"));
        Err(diagnostic.help("leave it out; `--all` selects every recipe").into())
    }

    fn check_is_no_name(&self, path: &Path) -> Result<(), RecipeErrors> {
        let Some(name) = path.file_stem().and_then(|stem| stem.to_str()) else { return Ok(()) };
        let meant = format!("recipes/{name}.ncl");
        if !self.root.join(&meant).is_file() {
            return Ok(());
        }
        let message = format!("cannot read `{}`: it does not exist", path.file_name().unwrap_or_default().display());
        Err(RecipeDiagnostic::new(Code::Unreadable, message).help(format!("did you mean `{meant}`?")).into())
    }

    /// Loads the workspace file.
    ///
    /// # Errors
    /// All errors of that file.
    pub fn workspace(&self) -> Result<Evaluated<Workspace>, RecipeErrors> {
        self.load_one(FileKind::Workspace, self.root.join(WORKSPACE_FILE))
    }

    /// Loads the platform of a name.
    ///
    /// # Errors
    /// When there is no such platform, or all errors of its file.
    pub fn platform(&self, name: &str) -> Result<Evaluated<Platform>, RecipeErrors> {
        let names = self.platform_names()?;
        if !names.iter().any(|known| known == name) {
            let known = names.iter().map(String::as_str);
            let diagnostic = RecipeDiagnostic::new(Code::UnknownPlatform, format!("there is no platform `{name}`"));
            return Err(diagnostic.help(platform_help(name, known)).into());
        }
        let path = self.platform_path(name);
        self.load_one(FileKind::Platform, path).map(|platform| named(platform, name))
    }

    /// Loads all platforms, by name.
    ///
    /// # Errors
    /// All errors of all platform files.
    pub fn platforms(&self) -> Result<Platforms, RecipeErrors> {
        let names = self.platform_names()?;
        let paths = names.iter().map(|name| self.platform_path(name)).collect();
        let platforms = self.load_all(FileKind::Platform, paths)?;
        Ok(names.into_iter().zip(platforms).map(|(name, platform)| named(platform, &name)).collect())
    }

    /// Returns the paths of all recipes, `recipes/*.ncl` but the workspace file, in order.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn recipe_paths(&self) -> Result<Vec<PathBuf>, RecipeErrors> {
        let dir = self.root.join("recipes");
        let names = list_stems(&dir)?;
        let workspace = self.root.join(WORKSPACE_FILE);
        let paths = names.into_iter().map(|name| dir.join(format!("{name}.ncl")));
        Ok(paths.filter(|path| *path != workspace).collect())
    }

    /// Returns the paths of the recipes of interpreters, in order; none where there is no directory of them.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn interpreter_paths(&self) -> Result<Vec<PathBuf>, RecipeErrors> {
        let dir = self.root.join("recipes").join(INTERPRETERS_DIR);
        let names = if dir.is_dir() { list_stems(&dir)? } else { vec![] };
        Ok(names.into_iter().map(|name| dir.join(format!("{name}.ncl"))).collect())
    }

    /// Returns the names of all platforms, in order.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn platform_names(&self) -> Result<Vec<String>, RecipeErrors> {
        list_stems(&self.root.join(PLATFORMS_DIR))
    }

    fn platform_path(&self, name: &str) -> PathBuf {
        self.root.join(PLATFORMS_DIR).join(format!("{name}.ncl"))
    }

    fn load_one<T: Serialize + DeserializeOwned + Send + 'static>(
        &self,
        kind: FileKind,
        path: PathBuf,
    ) -> Result<Evaluated<T>, RecipeErrors> {
        self.load_all(kind, vec![path]).map(|mut files| files.remove(0))
    }

    fn load_all<T: Serialize + DeserializeOwned + Send + 'static>(
        &self,
        kind: FileKind,
        paths: Vec<PathBuf>,
    ) -> Result<Vec<Evaluated<T>>, RecipeErrors> {
        let results = self.run(move |evaluator| {
            paths.iter().map(|path| evaluate_file(evaluator, path, kind)).collect::<Vec<Result<_, _>>>()
        });
        let mut evaluated = Vec::new();
        let mut diagnostics = Vec::new();
        for result in results {
            match result {
                Ok(file) => evaluated.push(file),
                Err(errors) => diagnostics.extend(errors),
            }
        }
        RecipeErrors::check(diagnostics)?;
        Ok(evaluated)
    }

    /// Runs a job on the evaluating thread; a panic there is a panic here.
    fn run<T: Send + 'static>(&self, job: impl FnOnce(&mut Evaluator) -> T + Send + 'static) -> T {
        let (answer, answered) = mpsc::channel::<Result<T, Box<dyn Any + Send>>>();
        let job: Job = Box::new(move |evaluator| {
            let result = catch_unwind(AssertUnwindSafe(|| job(evaluator)));
            // Nobody waits any more only when the caller's thread has ended, and then the answer is for nobody.
            drop(answer.send(result));
        });
        let jobs = self.jobs.get_or_init(|| start(self.root.clone(), Arc::clone(&self.memory)));
        jobs.send(job).expect("the evaluating thread lives as long as its loader");
        match answered.recv().expect("the evaluating thread answers each job") {
            Ok(value) => value,
            Err(panic) => resume_unwind(panic),
        }
    }
}

/// Starts the evaluating thread; it ends when the sender is dropped.
fn start(root: PathBuf, memory: Arc<Memory>) -> mpsc::Sender<Job> {
    let (sender, receiver) = mpsc::channel::<Job>();
    let body = move || {
        let mut evaluator = Evaluator::new(root, memory);
        for job in receiver {
            job(&mut evaluator);
        }
    };
    thread::Builder::new()
        .name("recipes".to_owned())
        .stack_size(STACK_SIZE)
        .spawn(body)
        .expect("the system can start a thread");
    sender
}

fn evaluate_file<T: Serialize + DeserializeOwned>(
    evaluator: &mut Evaluator,
    path: &Path,
    kind: FileKind,
) -> Result<Evaluated<T>, Vec<RecipeDiagnostic>> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    evaluator.evaluate(&absolute, kind)
}

fn named(mut platform: Evaluated<Platform>, name: &str) -> Evaluated<Platform> {
    platform.value.complete(name);
    platform
}

/// Lists the names of the `.ncl` files of a directory, without the extension.
fn list_stems(dir: &Path) -> Result<Vec<String>, RecipeErrors> {
    let unreadable = |error: io::Error| {
        RecipeErrors::from(
            RecipeDiagnostic::new(Code::Unreadable, format!("cannot list a directory: {error}"))
                .help("run vb in a workspace, a directory that holds `recipes/workspace.ncl`"),
        )
    };
    let mut stems = Vec::new();
    for entry in fs_err::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "ncl") {
            stems.extend(path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
        }
    }
    stems.sort();
    Ok(stems)
}

/// Says which platform was probably meant, and which there are.
pub fn platform_help<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let all = quote_all(known.clone());
    match did_you_mean(name, known) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if all.is_empty() => format!("write `{PLATFORMS_DIR}/{name}.ncl`"),
        None => format!("use one of {all}, or write `{PLATFORMS_DIR}/{name}.ncl`"),
    }
}
