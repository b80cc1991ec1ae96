//! What vb installs of hundreds of distributions, compared file by file with what uv and pip install, and imported.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use vb_graph::LockedDistribution;
use vb_recipe::Lock;
use vb_sandbox::Helper;
use vb_store::Store;
use vb_testkit::{
    installed::{Difference, differences},
    installers::{Installer, Installers},
};

use crate::{
    Common,
    error::BenchError,
    machine,
    run::{Program, output_of},
    workspace::Copy,
};

/// What is compared.
#[derive(Debug, clap::Args)]
pub(crate) struct Compare {
    /// An application of `tests/corpus`.
    #[arg(value_name = "NAME", default_value = "distributions")]
    name: String,
}

impl Compare {
    pub(crate) fn measure(&self, common: &Common) -> Result<String, BenchError> {
        let program = Program::beside_this_one(&common.platform)?;
        let workspace = Copy::of_corpus(&self.name)?;
        let store_path = std::env::current_dir()?.join(&common.store);
        let output = |action: &str| output_of(&mut program.output(&workspace, &store_path, action)).map(PathBuf::from);
        let (environment, root) = (output("environment")?, output("root run")?);

        let lock = workspace.root().join(workspace.recipe()).with_extension("lock");
        let mut lock = Lock::read(&lock).map_err(BenchError::from_library)?;
        let missing = || BenchError::Missing { name: common.platform.clone() };
        let lock = lock.platforms.remove(&common.platform).ok_or_else(missing)?;
        let wheels: Vec<LockedDistribution> = lock.distributions.into_iter().map(|one| one.distribution).collect();
        let python = format!("/usr/bin/python{}", lock.request.python);
        let helper = Helper { program: program.path().to_owned(), args: vec!["__sandbox".to_owned()] };
        let store = Store::open(&store_path).map_err(BenchError::from_library)?;
        let prefix = format!("/vrmd/{}", self.name);
        let installers = Installers::new(helper, &root, &python, &prefix, &store, &wheels)?;

        let header = machine::describe(&program)?;
        let mut text = format!("{header}\n{} distributions.\n", wheels.len());
        let peers: &[Installer] = if wheels.iter().any(|wheel| wheel.name == "pip") {
            &[Installer::Uv, Installer::Pip]
        } else {
            &[Installer::Uv]
        };
        for peer in peers {
            let target = tempfile::tempdir_in(workspace.root())?;
            installers.install(*peer, target.path())?;
            text.push_str(&differences_text(*peer, &differences(&environment, target.path())?));
            text.push_str(&imports_text(&installers, *peer, target.path())?);
        }
        text.push_str(&imports_of("vb", &installers.import_all(&environment)?));
        Ok(text)
    }
}

fn differences_text(peer: Installer, differences: &[Difference]) -> String {
    let lines: String = differences.iter().map(|difference| format!("- {difference}\n")).collect();
    format!("\nvb beside {}: {} differences.\n\n{lines}", peer.name(), differences.len())
}

fn imports_text(installers: &Installers, peer: Installer, tree: &Path) -> Result<String, BenchError> {
    Ok(imports_of(peer.name(), &installers.import_all(tree)?))
}

fn imports_of(name: &str, (count, failures): &(usize, BTreeMap<String, String>)) -> String {
    let lines: String = failures.iter().map(|(module, error)| format!("- `{module}`: {error}\n")).collect();
    format!("\nInstalled by {name}: {} of {count} top-level modules import.\n\n{lines}", count - failures.len())
}
