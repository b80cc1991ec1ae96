//! `vb platform check`: is the file right, can its archive be read and trusted, and has it the packages that are named?

use std::{collections::BTreeSet, error::Error};

use vb_fetch::Fetcher;
use vb_graph::LockedPackage;
use vb_platform::rpm::resolve;
use vb_recipe::{Evaluated, Family, Interpreter, Loader, Platform, RecipeErrors, check_platform as check_contract};
use vb_store::Store;

use super::load;
use crate::{
    arguments::Common,
    display,
    exit::Exit,
    fatal::Fatal,
    lock::{Indexes, Repositories, check_image, resolver},
    machine::Machine,
    session::recipe_errors,
};

/// Runs the command: all of the platforms, and the exit code of the first that fails.
pub(super) fn run(common: &Common, loader: &Loader, store: Store, names: &[String]) -> Result<Exit, Fatal> {
    let workspace = loader.workspace().map_err(recipe_errors)?;
    let machine = Machine::read()?;
    let builder = machine.builder(common, store, (&workspace.value, loader.root()), std::iter::empty())?;
    let mut checker = Checker {
        indexes: Indexes::new(&machine, &workspace.value, &builder),
        repositories: Repositories::new(&workspace.value, builder.fetcher()),
        fetcher: builder.fetcher(),
    };
    let mut exit = Exit::Success;
    for name in names {
        if let Err(fatal) = load(loader, name).and_then(|platform| checker.check(&platform)) {
            display::diagnostics::print(&fatal);
            exit = if exit == Exit::Success { fatal.exit } else { exit };
        }
    }
    Ok(exit)
}

/// What platforms are checked with.
struct Checker<'a> {
    indexes: Indexes<'a>,
    repositories: Repositories<'a>,
    fetcher: &'a Fetcher,
}

impl Checker<'_> {
    fn check(&mut self, platform: &Evaluated<Platform>) -> Result<(), Fatal> {
        let value = &platform.value;
        RecipeErrors::check(check_contract(platform)).map_err(recipe_errors)?;
        say(value, &format!("`{}` keeps to its contract", display::relative(platform.path()).display()));
        match (&value.image, value.family) {
            (Some(image), _) => {
                let count = check_image(self.fetcher, value, image)?;
                let what = if count == 1 { "layer has its digest" } else { "layers have their digests" };
                say(value, &format!("its image can be read: {count} {what}"));
                Ok(())
            }
            (None, Family::Deb) => {
                let index = self.indexes.of(value)?;
                say(value, SIGNED);
                let resolver = resolver(&index, value)?;
                check_packages(platform, |names| resolver.resolve(names))
            }
            (None, Family::Rpm) => {
                let index = self.repositories.of(value)?;
                say(value, SIGNED);
                check_packages(platform, |names| resolve(index, self.fetcher, names))
            }
        }
    }
}

const SIGNED: &str = "its archive can be read, and is signed by a known key";

fn say(platform: &Platform, text: &str) {
    display::lines(&[format!("{}: {text}", platform.name)]);
}

/// Resolves what each interpreter of a platform needs.
fn check_packages<E: Error + Send + Sync + 'static>(
    platform: &Evaluated<Platform>,
    mut resolve: impl FnMut(&[String]) -> Result<Vec<LockedPackage>, E>,
) -> Result<(), Fatal> {
    let value = &platform.value;
    for version in value.python_versions() {
        let mut count = |names: &Vec<String>| {
            resolve(names).map(|packages| packages.len()).map_err(|error| {
                let message = format!("`{}` has not all packages for Python {version}", value.name);
                let help = format!("mend `base`, `toolchain` or `interpreters` in `{}`", platform.files[0].shown);
                Fatal::caused(Exit::Recipe, "vb::platform::packages", message, help, error)
            })
        };
        let [run, build] = requests(value, &value.interpreters[version]);
        let (run, build) = (count(&run)?, count(&build)?);
        say(value, &format!("Python {version}: {run} packages to run, {build} to build"));
    }
    Ok(())
}

/// The packages of a root that runs, and of one that builds.
fn requests(platform: &Platform, interpreter: &Interpreter) -> [Vec<String>; 2] {
    let run = [&platform.base, &interpreter.packages];
    let build = [&platform.toolchain, &interpreter.build_packages];
    let names = |lists: &[&Vec<String>]| -> Vec<String> {
        lists.iter().copied().flatten().cloned().collect::<BTreeSet<_>>().into_iter().collect()
    };
    [names(&run), names(&[run, build].concat())]
}
