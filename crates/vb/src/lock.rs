//! `vb lock`: the only command that asks an index anything.
//!
//! One way, for each recipe and platform: the signed package index → the packages of the three roots → the build root
//! itself → uv, resolving inside it → one file for each distribution → for each sdist, uv again for what builds it.

mod packages;
mod python;
mod repositories;

use std::collections::BTreeMap;

use vb_recipe::{Evaluated, Family, Lock, LockError, Platform, PlatformLock, Recipe, lock_path};

pub(crate) use self::packages::{Indexes, resolver};
use self::repositories::Repositories;
use crate::{
    arguments::{self, Common},
    display::{self, Display},
    exit::Exit,
    fatal::Fatal,
    machine::Machine,
    session::Session,
};

/// Runs the command.
pub(crate) fn run(common: &Common, arguments: &arguments::Lock) -> Result<Exit, Fatal> {
    let session = Session::open(common, &arguments.selection)?;
    let machine = Machine::read()?;
    let platforms = session.pairs().into_iter().map(|(_, platform)| platform);
    let builder = machine.builder(common, session.store.clone(), &session.workspace.value, platforms)?;
    let display = Display::new(common.json);
    let mut locks: BTreeMap<&str, (Lock, &Evaluated<Recipe>)> = BTreeMap::new();
    for (recipe, _) in session.pairs() {
        locks.insert(&recipe.value.name, (existing(recipe)?, recipe));
    }
    let mut indexes = Indexes::new(&machine, &session.workspace.value, &builder);
    let mut repositories = Repositories::new(&session.workspace.value, builder.fetcher());
    if !arguments.allow_older {
        locks.values().for_each(|(lock, _)| indexes.know(lock));
    }
    for (recipe, platform) in session.pairs() {
        let name = recipe.value.name.as_str();
        display::note(&format!("lock    {name} {}", platform.name));
        let locked = lock_platform(&session, (&mut indexes, &mut repositories), &builder, &display, recipe, platform)?;
        let (lock, _) = locks.get_mut(name).expect("inserted above");
        lock.platforms.insert(platform.name.clone(), locked);
    }
    display.finish();
    for (lock, recipe) in locks.values() {
        let path = lock_path(recipe.path());
        lock.write(&path).map_err(|error| Fatal::new(Exit::Environment, error))?;
        display::lines(&[display::relative(&path).display().to_string()]);
    }
    Ok(Exit::Success)
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

fn lock_platform(
    session: &Session,
    (indexes, repositories): (&mut Indexes<'_>, &mut Repositories<'_>),
    builder: &vb_build::Builder,
    display: &Display,
    recipe: &Evaluated<Recipe>,
    platform: &Platform,
) -> Result<PlatformLock, Fatal> {
    let request = session.request(recipe, platform)?;
    let mut lock =
        PlatformLock { request, archive: BTreeMap::new(), packages: vec![], distributions: vec![], tools: vec![] };
    match (&platform.image, platform.family) {
        (Some(image), _) => repositories::lock_image(builder.fetcher(), platform, image, &mut lock)?,
        (None, Family::Deb) => packages::lock_roots(indexes, recipe, platform, &mut lock)?,
        (None, Family::Rpm) => repositories.lock_roots(recipe, platform, &mut lock)?,
    }
    let resolver = python::Resolver::new(session, builder, display, recipe, platform, &lock)?;
    lock.distributions = resolver.resolve()?;
    lock.tools = vec![python::uv()];
    Ok(lock)
}
