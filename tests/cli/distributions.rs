//! Distributions that are hard to install: what vb makes of them is what uv and pip make of them, and can be imported.
//!
//! `vb-bench compare` does this for hundreds of them.

use std::path::PathBuf;

use vb_recipe::Lock;
use vb_store::Store;
use vb_testkit::{
    installed::differences,
    installers::{Installer, Installers},
};

use crate::support::{TestEnv, build_whois_once, helper};

#[test]
fn an_environment_is_what_uv_and_pip_install_and_everything_in_it_can_be_imported() {
    // It builds an sdist, so the store has uv after it.
    build_whois_once();
    let env = TestEnv::corpus("hard");
    let output = |action: &str| PathBuf::from(env.vb(&["output", "recipes/hard.ncl", action]).ok().stdout.trim());
    let (environment, root) = (output("environment"), output("root run"));

    let lock = Lock::read(&env.workspace().join("recipes/hard.lock")).unwrap();
    let wheels: Vec<_> = lock.platforms["bookworm"].distributions.iter().map(|one| one.distribution.clone()).collect();
    let store = Store::open(env.store()).unwrap();
    let installers = Installers::new(helper(), &root, "/usr/bin/python3.11", "/vrmd/hard", &store, &wheels).unwrap();
    for installer in [Installer::Uv, Installer::Pip] {
        let target = tempfile::tempdir_in(env.directory()).unwrap();
        installers.install(installer, target.path()).unwrap();
        let found: Vec<String> =
            differences(&environment, target.path()).unwrap().iter().map(ToString::to_string).collect();
        assert!(found.is_empty(), "vb beside {}: {found:#?}", installer.name());
    }
    let (count, failures) = installers.import_all(&environment).unwrap();
    assert!(count > 20 && failures.is_empty(), "{count} modules: {failures:#?}");
}
