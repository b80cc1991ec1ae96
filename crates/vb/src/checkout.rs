//! Checkouts of sources that are in git.
//!
//! One way: a branch or tag → a commit, asked of the repository by `vb lock` alone → a mirror of the repository in the
//! store → a checkout of the commit beside it, which is made once. The machine's git does it, with the user's
//! configuration where the network is concerned (credentials, proxies), and without it where files are written.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};

use fs_err as fs;
use vb_fetch::without_credentials;
use vb_recipe::{Checkouts, CommitLock, Evaluated, GitSource, Lock, Recipe, git_command, lock_path};

use crate::{display, exit::Exit, fatal::Fatal};

/// All branches and tags. Commits that have a checkout are kept by references of their own.
const EVERYTHING: [&str; 2] = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];

/// A source in git could not be had. Locations in it have no user name and no password.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub(crate) enum CheckoutError {
    /// There is no git.
    #[error("there is no git, which the source `{url}` needs")]
    #[diagnostic(code(vb::git::missing), help("install git"))]
    NoGit { url: String },
    /// git failed.
    #[error("cannot {what} of `{url}`\n{message}")]
    #[diagnostic(code(vb::git::failed), help("see that `git ls-remote {url}` works here without questions"))]
    Git { what: String, url: String, message: String },
    /// The repository has no such branch or tag.
    #[error("`{url}` has no {reference}")]
    #[diagnostic(code(vb::git::reference), help("name one that it has: `git ls-remote {url}`"))]
    NoReference { url: String, reference: String },
    /// The commit is not here and may not be fetched.
    #[error("commit {commit} of `{url}` has not been fetched")]
    #[diagnostic(code(vb::git::offline), help("run `vb fetch` where there is a network"))]
    Offline { url: String, commit: String },
    /// The commit has no such directory.
    #[error("commit {commit} of `{url}` has no directory `{subdir}`")]
    #[diagnostic(code(vb::git::subdir), help("give a directory of the repository in `subdir`"))]
    NoDirectory { url: String, commit: String, subdir: String },
    /// The store cannot be written.
    #[error("cannot keep a checkout in `{}`", path.display())]
    #[diagnostic(code(vb::git::store))]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Which commit of a branch or tag is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Commits {
    /// The one that is locked, and no other.
    Locked,
    /// The one that is locked, or else the latest.
    Kept,
    /// The latest.
    Latest,
}

/// The sources of some recipes that are in git.
#[derive(Clone, Debug, Default)]
pub(crate) struct GitSources {
    /// Where they are checked out.
    pub(crate) checkouts: Checkouts,
    /// What the locks have to say, by the recipe's file and the path of its field.
    pub(crate) commits: BTreeMap<PathBuf, BTreeMap<String, CommitLock>>,
}

impl GitSources {
    /// Checks out what recipes name. Nothing happens where no source is in git.
    ///
    /// # Errors
    /// When a commit is not locked and has to be, or cannot be had.
    pub(crate) fn check_out(
        recipes: &[Evaluated<Recipe>],
        store: &CheckoutStore,
        commits: Commits,
    ) -> Result<Self, Fatal> {
        let mut found = Self::default();
        for recipe in recipes {
            let sources = recipe.value.git_sources();
            if sources.is_empty() {
                continue;
            }
            let lock = locked_commits(recipe, commits)?;
            for (field, source) in sources {
                let commit = commit_of(recipe, (&field, source), &lock, (store, commits))?;
                if !store.has(source, recipe.path(), &commit) {
                    let url = without_credentials(&source.url);
                    display::note(&format!("checkout {} {url} {commit}", recipe.value.name));
                }
                let directory = store.get(source, recipe.path(), &commit).map_err(fatal)?;
                let directory = directory.to_string_lossy().into_owned();
                found.checkouts.entry(recipe.path().to_owned()).or_default().insert(field.clone(), directory);
                if source.commit.is_none() {
                    let known = found.commits.entry(recipe.path().to_owned()).or_default();
                    known.insert(field, source.locked(commit));
                }
            }
        }
        Ok(found)
    }
}

fn locked_commits(recipe: &Evaluated<Recipe>, commits: Commits) -> Result<BTreeMap<String, CommitLock>, Fatal> {
    match Lock::read(&display::relative(&lock_path(recipe.path()))) {
        Ok(lock) => Ok(lock.commits),
        // A recipe that names commits itself has its error where the rest of the lock is asked for.
        Err(_) if commits != Commits::Locked || names_commits(recipe) => Ok(BTreeMap::new()),
        Err(error) => Err(Fatal::new(Exit::Recipe, error)),
    }
}

fn names_commits(recipe: &Evaluated<Recipe>) -> bool {
    recipe.value.git_sources().iter().all(|(_, source)| source.commit.is_some())
}

fn commit_of(
    recipe: &Evaluated<Recipe>,
    (field, source): (&str, &GitSource),
    lock: &BTreeMap<String, CommitLock>,
    (store, commits): (&CheckoutStore, Commits),
) -> Result<String, Fatal> {
    let known = source.commit(lock.get(field).filter(|_| commits != Commits::Latest));
    match known {
        Some(commit) => Ok(commit.to_owned()),
        None if commits == Commits::Locked => {
            let shown = display::relative(recipe.path());
            let shown = shown.display();
            Err(Fatal::message(
                Exit::Recipe,
                "vb::lock::commit",
                format!("the lock of `{shown}` has no commit for the {} of `{field}`", source.reference()),
                format!("run `vb lock {shown}`"),
            ))
        }
        None => store.latest(source, recipe.path()).map_err(fatal),
    }
}

fn fatal(error: CheckoutError) -> Fatal {
    let exit = match error {
        CheckoutError::NoReference { .. } | CheckoutError::NoDirectory { .. } => Exit::Recipe,
        CheckoutError::NoGit { .. }
        | CheckoutError::Git { .. }
        | CheckoutError::Offline { .. }
        | CheckoutError::Io { .. } => Exit::Environment,
    };
    Fatal::new(exit, error)
}

/// Where checkouts are kept.
#[derive(Clone, Debug)]
pub(crate) struct CheckoutStore {
    directory: PathBuf,
    is_offline: bool,
}

/// One repository, as one recipe names it.
#[derive(Clone, Debug)]
struct Remote<'a> {
    source: &'a GitSource,
    /// What git is told; a directory is absolute.
    url: String,
}

impl Remote<'_> {
    fn shown(&self) -> String {
        without_credentials(&self.source.url)
    }

    fn failed(&self, what: &str, message: &str) -> CheckoutError {
        // git repeats the location that it was given.
        let message = message.trim_end().replace(&self.url, &without_credentials(&self.url));
        CheckoutError::Git { what: what.to_owned(), url: self.shown(), message }
    }
}

impl CheckoutStore {
    /// Keeps checkouts in a directory, and fetches nothing where it is offline.
    pub(crate) fn new(directory: PathBuf, is_offline: bool) -> Self {
        Self { directory, is_offline }
    }

    /// Asks the repository for the commit of a branch or tag.
    ///
    /// # Errors
    /// [`CheckoutError`] when it does not answer or has none.
    pub(crate) fn latest(&self, source: &GitSource, recipe: &Path) -> Result<String, CheckoutError> {
        let remote = remote(source, recipe);
        let (kind, name) = match (&source.branch, &source.tag) {
            (Some(branch), _) => ("heads", branch),
            (None, Some(tag)) => ("tags", tag),
            (None, None) => return Ok(source.commit.clone().unwrap_or_default()),
        };
        let wanted = format!("refs/{kind}/{name}");
        // A tag that is an object of its own leads to the commit.
        let peeled = format!("{wanted}^{{}}");
        let mut command = self.network_command();
        command.args(["ls-remote", "--", &remote.url, &wanted, &peeled]);
        let text = run(&mut command, &remote, &format!("ask for the {}", source.reference()))?;
        let commit_of = |reference: &str| {
            let mut lines = text.lines().filter_map(|line| line.split_once('\t'));
            lines.find(|(_, name)| *name == reference).map(|(commit, _)| commit.to_owned())
        };
        let missing = || CheckoutError::NoReference { url: remote.shown(), reference: source.reference() };
        commit_of(&peeled).or_else(|| commit_of(&wanted)).ok_or_else(missing)
    }

    /// Is the checkout of a commit there?
    pub(crate) fn has(&self, source: &GitSource, recipe: &Path, commit: &str) -> bool {
        self.checkout(&remote(source, recipe), commit).is_dir()
    }

    /// Returns the directory of a source in the checkout of a commit, which is made where it is not there.
    ///
    /// # Errors
    /// [`CheckoutError`] when the commit cannot be had, or has no such directory.
    pub(crate) fn get(&self, source: &GitSource, recipe: &Path, commit: &str) -> Result<PathBuf, CheckoutError> {
        let remote = remote(source, recipe);
        let checkout = self.checkout(&remote, commit);
        if !checkout.is_dir() {
            self.make(&remote, commit, &checkout)?;
        }
        for used in [&checkout, &self.mirror(&remote)] {
            // Only garbage collection asks for it.
            drop(fs::File::open(used).and_then(|file| file.file().set_modified(SystemTime::now())));
        }
        let Some(subdir) = &source.subdir else { return Ok(checkout) };
        let inside = checkout.join(subdir);
        let is_inside = fs::canonicalize(&inside).is_ok_and(|path| path.is_dir() && path.starts_with(&self.directory));
        let missing =
            || CheckoutError::NoDirectory { url: remote.shown(), commit: commit.to_owned(), subdir: subdir.clone() };
        if is_inside { Ok(inside) } else { Err(missing()) }
    }

    fn make(&self, remote: &Remote<'_>, commit: &str, checkout: &Path) -> Result<(), CheckoutError> {
        let mirror = self.mirror(remote);
        let lock = fs::File::create(mirror.with_extension("lock")).map_err(|source| self.io(source))?;
        lock.file().lock().map_err(|source| self.io(source))?;
        if checkout.is_dir() {
            return Ok(());
        }
        self.fetch(remote, commit, &mirror)?;
        let scratch = tempfile::tempdir_in(&self.directory).map_err(|source| self.io(source))?;
        let made = scratch.path().join("checkout");
        let what = format!("check out {commit}");
        let mut clone = plain_command(&self.directory);
        clone.args(["clone", "--quiet", "--shared", "--no-checkout", "--"]).arg(&mirror).arg(&made);
        run(&mut clone, remote, &what)?;
        let mut command = plain_command(&made);
        command.args(["-c", "core.autocrlf=false", "-c", "advice.detachedHead=false", "checkout", "--quiet"]);
        match &remote.source.branch {
            Some(branch) => command.args(["-B", branch, commit, "--"]),
            None => command.args(["--detach", commit, "--"]),
        };
        run(&mut command, remote, &what)?;
        if made.join(".gitmodules").is_file() {
            let mut command = self.network_command();
            command.current_dir(&made).args(["-c", "core.autocrlf=false"]);
            command.args(["submodule", "--quiet", "update", "--init", "--recursive"]);
            run(&mut command, remote, "get the submodules")?;
        }
        fs::rename(&made, checkout).map_err(|source| self.io(source))
    }

    /// Sees to it that the mirror has a commit, and keeps it.
    fn fetch(&self, remote: &Remote<'_>, commit: &str, mirror: &Path) -> Result<(), CheckoutError> {
        let what = format!("fetch {commit}");
        if !mirror.is_dir() {
            let scratch = tempfile::tempdir_in(&self.directory).map_err(|source| self.io(source))?;
            let mut init = plain_command(&self.directory);
            init.args(["init", "--quiet", "--bare", "--"]).arg(scratch.path().join("mirror"));
            run(&mut init, remote, &what)?;
            fs::rename(scratch.path().join("mirror"), mirror).map_err(|source| self.io(source))?;
        }
        let object = format!("{commit}^{{commit}}");
        let has = || {
            let mut command = plain_command(mirror);
            run(command.args(["cat-file", "-e", &object]), remote, &what).is_ok()
        };
        if !has() {
            if self.is_offline {
                return Err(CheckoutError::Offline { url: remote.shown(), commit: commit.to_owned() });
            }
            let fetch = |references: &[&str]| {
                let mut command = self.network_command();
                command.current_dir(mirror).args([
                    "fetch",
                    "--quiet",
                    "--prune",
                    "--no-write-fetch-head",
                    "--",
                    &remote.url,
                ]);
                run(command.args(references), remote, &what)
            };
            fetch(&EVERYTHING)?;
            // A commit that no branch and no tag leads to; not every server gives it.
            if !has() {
                fetch(&[commit])?;
            }
        }
        let mut keep = plain_command(mirror);
        keep.args(["update-ref", &format!("refs/vb/{commit}"), &object]);
        run(&mut keep, remote, &what).map(drop)
    }

    /// Starts a command that may use the network: with the user's configuration, and without questions.
    fn network_command(&self) -> Command {
        let mut command = git_command(&self.directory);
        command.env("GIT_TERMINAL_PROMPT", "0");
        command
    }

    fn mirror(&self, remote: &Remote<'_>) -> PathBuf {
        self.directory.join(format!("{}.git", name(remote)))
    }

    fn checkout(&self, remote: &Remote<'_>, commit: &str) -> PathBuf {
        // One with a branch says which, so that the package can.
        let branch = remote.source.branch.as_ref().map(|branch| blake3::hash(branch.as_bytes()).to_hex());
        let branch = branch.map(|hex| format!("-{}", &hex[..16])).unwrap_or_default();
        self.directory.join(format!("{}-{commit}{branch}", name(remote)))
    }

    fn io(&self, source: io::Error) -> CheckoutError {
        CheckoutError::Io { path: self.directory.clone(), source }
    }
}

/// Returns the beginning of the names of all that belongs to a repository.
fn name(remote: &Remote<'_>) -> String {
    blake3::hash(remote.url.as_bytes()).to_hex()[..32].to_owned()
}

fn remote<'a>(source: &'a GitSource, recipe: &Path) -> Remote<'a> {
    let url = &source.url;
    let is_directory = !url.contains(':');
    let directory = recipe.parent().unwrap_or(recipe);
    let url = if is_directory { directory.join(url).to_string_lossy().into_owned() } else { url.clone() };
    Remote { source, url }
}

/// Starts a command that no configuration of the user or the machine changes.
fn plain_command(directory: &Path) -> Command {
    let mut command = git_command(directory);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    command.args(["-c", "safe.directory=*"]);
    command
}

/// Runs a command, and returns what it printed.
fn run(command: &mut Command, remote: &Remote<'_>, what: &str) -> Result<String, CheckoutError> {
    let output = command.output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => CheckoutError::NoGit { url: remote.shown() },
        _ => remote.failed(what, &error.to_string()),
    })?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(remote.failed(what, &String::from_utf8_lossy(&output.stderr)))
    }
}
