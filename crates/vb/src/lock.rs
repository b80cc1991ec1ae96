//! `vb lock`: the only command that asks an index anything.
//!
//! One way, for each recipe and platform: the signed package index → the packages of the three roots → the build root
//! itself → uv, resolving inside it → one file for each distribution → for each sdist, uv again for what builds it.
//! The packages of a `package-lock.json` are fetched, held against it, and locked by their SHA-256.
//! `--refresh` goes its first two steps alone, and so does `--lint`, for the checkers of packages.

mod backend;
mod checkers;
mod difference;
mod npm;
mod packages;
mod pip;
mod policy;
mod python;
mod relay;
mod repositories;
mod requirements;
mod upgrade;
mod uv;

use std::collections::{BTreeMap, BTreeSet};

use vb_build::Builder;
use vb_recipe::{Evaluated, Family, Lock, LockError, PackageLock, Platform, PlatformLock, Recipe, Source, lock_path};

use self::{
    difference::{difference, moved_commits},
    packages::KnownDates,
    upgrade::Upgrade,
};
pub(crate) use self::{
    packages::{Indexes, resolver},
    repositories::{Repositories, check_image},
};
use crate::{
    arguments::{self, Common},
    checkout::Commits,
    command::offline,
    display::{self, Display},
    exit::Exit,
    fatal::Fatal,
    machine::Machine,
    session::Session,
};

/// Runs the command.
pub(crate) fn run(common: &Common, arguments: &arguments::Lock) -> Result<Exit, Fatal> {
    offline::refuse(common, "lock")?;
    let commits = if arguments.source { Commits::Latest } else { Commits::Kept };
    let session = Session::open_to_lock(common, &arguments.selection, commits)?;
    let machine = Machine::read()?;
    let platforms = session.pairs().into_iter().map(|(_, platform)| platform);
    let builder = machine.builder(common, session.store.clone(), session.place(), platforms)?;
    let display = Display::new(common.json);
    if arguments.lint {
        return checkers::run(&mut Locker::new(&session, &machine, &builder, &display));
    }
    let mut locks: BTreeMap<&str, (Lock, &Evaluated<Recipe>)> = BTreeMap::new();
    for (recipe, _) in session.pairs() {
        locks.insert(&recipe.value.name, (existing(recipe)?, recipe));
    }
    let mut locker = Locker::new(&session, &machine, &builder, &display);
    let upgrade = Upgrade::new(arguments.upgrade.as_deref());
    upgrade.check(locks.values().map(|(lock, _)| lock))?;
    if !arguments.allow_older {
        let mut known = KnownDates::default();
        locks.values().for_each(|(lock, _)| known.know(lock));
        locker.indexes.know(known.clone());
        locker.repositories.know(known);
    }
    let mut told = Vec::new();
    for (lock, recipe) in locks.values_mut() {
        let commits = session.commits.get(recipe.path()).cloned().unwrap_or_default();
        told.extend(moved_commits(&recipe.value.name, &lock.commits, &commits));
        lock.commits = commits;
    }
    for (recipe, platform) in session.pairs() {
        let name = recipe.value.name.as_str();
        display::note(&format!("lock    {name} {}", platform.name));
        let (lock, _) = locks.get_mut(name).expect("inserted above");
        let old = if arguments.refresh {
            Some(session.fitting_lock(recipe, platform, lock)?)
        } else {
            lock.platforms.get(&platform.name)
        };
        let locked = match old.filter(|_| arguments.refresh) {
            Some(old) => locker.refresh(recipe, platform, old)?,
            None => locker.lock(recipe, platform, (&upgrade, old))?,
        };
        let lines = old.map(|old| difference(old, &locked)).unwrap_or_default();
        if arguments.refresh || !lines.is_empty() {
            told.push(format!("{name} {}:", platform.name));
            told.extend(if lines.is_empty() { vec!["  nothing has moved".to_owned()] } else { lines });
        }
        lock.platforms.insert(platform.name.clone(), locked);
        if recipe.value.interpreter.is_some() {
            // What runs on it is locked with what is on the disk.
            write(lock, recipe)?;
        }
    }
    display.finish();
    display.moved(&told);
    for (lock, recipe) in locks.values() {
        write(lock, recipe)?;
        display.made("lock", &display::relative(&lock_path(recipe.path())));
    }
    Ok(Exit::Success)
}

fn write(lock: &Lock, recipe: &Evaluated<Recipe>) -> Result<(), Fatal> {
    lock.write(&lock_path(recipe.path())).map_err(|error| Fatal::new(Exit::Environment, error))
}

/// The lock that is there keeps the platforms that are not asked for, unless the recipe has dropped them.
fn existing(recipe: &Evaluated<Recipe>) -> Result<Lock, Fatal> {
    let mut lock = match Lock::read(&display::relative(&lock_path(recipe.path()))) {
        Ok(lock) => lock,
        Err(error @ LockError::Read { .. }) => return Err(Fatal::new(Exit::Recipe, error)),
        // What is no lock of this vb is written anew, as the error's help says.
        Err(_) => Lock::default(),
    };
    if let Some(platforms) = &recipe.value.platforms {
        lock.platforms.retain(|name, _| platforms.contains(name));
    }
    Ok(lock)
}

/// What the platforms of one run are locked with.
struct Locker<'a> {
    session: &'a Session,
    builder: &'a Builder,
    display: &'a Display,
    indexes: Indexes<'a>,
    repositories: Repositories<'a>,
}

impl<'a> Locker<'a> {
    fn new(session: &'a Session, machine: &'a Machine, builder: &'a Builder, display: &'a Display) -> Self {
        let workspace = &session.workspace.value;
        let indexes = Indexes::new(machine, workspace, builder);
        let repositories = Repositories::new(workspace, builder.fetcher());
        Self { session, builder, display, indexes, repositories }
    }

    /// Resolves everything anew; Python's distributions keep the versions that they have, but for what is upgraded.
    fn lock(
        &mut self,
        recipe: &Evaluated<Recipe>,
        platform: &Platform,
        (upgrade, old): (&Upgrade, Option<&PlatformLock>),
    ) -> Result<PlatformLock, Fatal> {
        let mut lock = self.resolve_packages(recipe, platform)?;
        if recipe.value.interpreter.is_some() {
            return Ok(lock);
        }
        lock.npm = npm::lock(self.builder, recipe, platform)?;
        let run = (self.builder, self.display);
        let resolver = python::Resolver::new(self.session, run, (recipe, platform), &lock, (upgrade, old))?;
        lock.distributions = resolver.resolve()?;
        if recipe.value.setup_install {
            lock.application = resolver.resolve_application()?;
        }
        lock.tools = vec![python::tool(&lock.request.python)];
        policy::warn_of_unknown(recipe, platform, &lock);
        Ok(lock)
    }

    /// Resolves the distribution packages anew; Python's distributions stay what they are.
    fn refresh(
        &mut self,
        recipe: &Evaluated<Recipe>,
        platform: &Platform,
        old: &PlatformLock,
    ) -> Result<PlatformLock, Fatal> {
        let lock = self.resolve_packages(recipe, platform)?;
        let PlatformLock { distributions, application, tools, npm, .. } = old.clone();
        Ok(PlatformLock { distributions, application, tools, npm, ..lock })
    }

    fn resolve_packages(&mut self, recipe: &Evaluated<Recipe>, platform: &Platform) -> Result<PlatformLock, Fatal> {
        let request = self.session.request(recipe, platform)?;
        let mut lock = PlatformLock::new(request);
        match (&platform.image, platform.family) {
            (Some(image), _) => repositories::lock_image(self.builder.fetcher(), platform, image, &mut lock)?,
            (None, Family::Deb) => packages::lock_roots(&mut self.indexes, recipe, platform, &mut lock)?,
            (None, Family::Rpm) => self.repositories.lock_roots(recipe, platform, &mut lock)?,
        }
        if let Source::Distribution { package, suite } = &recipe.value.source {
            let source = packages::source(&self.indexes, recipe, platform, (package, suite))?;
            lock.packages.push(PackageLock { package: source, roots: BTreeSet::new() });
        }
        Ok(lock)
    }
}
