//! Distribution packages: from the signed index to the exact list of each root.

use std::{collections::BTreeMap, rc::Rc, time::SystemTime};

use vb_fetch::Fetcher;
use vb_platform::{Index, IndexError, ResolveError, Suite, ValidUntil, load, resolve};
use vb_recipe::{Evaluated, Platform, PlatformLock, Recipe, RootKind, Workspace};

use crate::{exit::Exit, fatal::Fatal, machine::Machine};

/// The package indexes of one run, each platform's loaded once.
pub(super) struct Indexes<'a> {
    machine: &'a Machine,
    workspace: &'a Workspace,
    fetcher: &'a Fetcher,
    loaded: BTreeMap<String, Rc<Index>>,
}

impl<'a> Indexes<'a> {
    pub(super) fn new(machine: &'a Machine, workspace: &'a Workspace, fetcher: &'a Fetcher) -> Self {
        Self { machine, workspace, fetcher, loaded: BTreeMap::new() }
    }

    fn of(&mut self, platform: &Platform) -> Result<Rc<Index>, Fatal> {
        if let Some(index) = self.loaded.get(&platform.name) {
            return Ok(Rc::clone(index));
        }
        let suites = platform
            .suites
            .iter()
            .map(|suite| Suite {
                name: suite.name.clone(),
                components: suite.components.clone(),
                locations: self.machine.archive(self.workspace, platform, &suite.name),
                valid_until: if platform.check_valid_until { ValidUntil::Checked } else { ValidUntil::Ignored },
            })
            .collect::<Vec<_>>();
        let index = load(self.fetcher, &suites, &platform.architecture, SystemTime::now())
            .map_err(|error| index_error(platform, error))?;
        let index = Rc::new(index);
        self.loaded.insert(platform.name.clone(), Rc::clone(&index));
        Ok(index)
    }
}

/// Fills in the packages of the three roots.
pub(super) fn lock_roots(
    indexes: &mut Indexes<'_>,
    recipe: &Evaluated<Recipe>,
    platform: &Platform,
    lock: &mut PlatformLock,
) -> Result<(), Fatal> {
    let index = indexes.of(platform)?;
    let request = lock.request.clone();
    let roots = [
        (RootKind::Interpreter, vec![&request.base], "python"),
        (RootKind::Build, vec![&request.base, &request.toolchain, &request.build_deps], "build_deps"),
        (RootKind::Run, vec![&request.base, &request.run_deps], "run_deps"),
    ];
    for (kind, lists, field) in roots {
        let names: Vec<String> = lists.into_iter().flatten().cloned().collect();
        let packages = resolve(&index, &names).map_err(|error| resolve_error(recipe, platform, field, error))?;
        packages.into_iter().for_each(|package| lock.add_to_root(kind, package));
    }
    Ok(())
}

fn index_error(platform: &Platform, error: IndexError) -> Fatal {
    Fatal::caused(
        Exit::Environment,
        "vb::lock::index",
        format!("cannot load the package index of `{}`", platform.name),
        "check the machine's apt sources and keyrings, or `archives` and `keyring` in the workspace and the platform",
        error,
    )
}

fn resolve_error(recipe: &Evaluated<Recipe>, platform: &Platform, field: &str, error: ResolveError) -> Fatal {
    Fatal::caused(
        Exit::Recipe,
        "vb::lock::packages",
        format!("cannot resolve the packages of `{}` for `{}`", recipe.place(field), platform.name),
        format!("change `{field}` in the recipe"),
        error,
    )
}
