//! `vb platform check`: is the file right, can its archive be read and trusted, and has it the packages that are named?

use std::collections::BTreeSet;

use vb_recipe::{Evaluated, Interpreter, Loader, Platform, RecipeErrors, check_platform as check_contract};
use vb_store::Store;

use super::load;
use crate::{
    arguments::Common,
    display,
    exit::Exit,
    fatal::Fatal,
    lock::{Indexes, resolver},
    machine::Machine,
    session::recipe_errors,
};

/// Runs the command: all of the platforms, and the exit code of the first that fails.
pub(super) fn run(common: &Common, loader: &Loader, store: Store, names: &[String]) -> Result<Exit, Fatal> {
    let workspace = loader.workspace().map_err(recipe_errors)?;
    let machine = Machine::read()?;
    let builder = machine.builder(common, store, &workspace.value, std::iter::empty())?;
    let mut indexes = Indexes::new(&machine, &workspace.value, &builder);
    let mut exit = Exit::Success;
    for name in names {
        if let Err(fatal) = load(loader, name).and_then(|platform| check_platform(&mut indexes, &platform)) {
            display::diagnostics::print(&fatal);
            exit = if exit == Exit::Success { fatal.exit } else { exit };
        }
    }
    Ok(exit)
}

fn check_platform(indexes: &mut Indexes<'_>, platform: &Evaluated<Platform>) -> Result<(), Fatal> {
    let value = &platform.value;
    let said = |text: String| display::lines(&[format!("{}: {text}", value.name)]);
    RecipeErrors::check(check_contract(platform)).map_err(recipe_errors)?;
    said(format!("`{}` keeps to its contract", display::relative(platform.path()).display()));
    let index = indexes.of(value)?;
    said("its archive can be read, and is signed by a known key".to_owned());
    let resolver = resolver(&index, value)?;
    for version in value.python_versions() {
        let interpreter = &value.interpreters[version];
        let [run, build] = requests(value, interpreter).map(|names| {
            resolver.resolve(&names).map(|packages| packages.len()).map_err(|error| {
                let message = format!("`{}` has not all packages for Python {version}", value.name);
                let help = format!("mend `base`, `toolchain` or `interpreters` in `{}`", platform.files[0].shown);
                Fatal::caused(Exit::Recipe, "vb::platform::packages", message, help, error)
            })
        });
        said(format!("Python {version}: {} packages to run, {} to build", run?, build?));
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
