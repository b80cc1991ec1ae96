//! Applications of the package index, as packages that are installed and started. `vb-bench corpus` builds more of them.

use std::path::Path;

use vb_sandbox::{Access, Filter, Identity};

use crate::support::{TestEnv, TestRoot, bind, run_spec};

/// Builds an application of `tests/corpus`, installs it where only its dependencies are, and returns what a command prints.
fn install_and_run(name: &str, command: &str) -> String {
    let env = TestEnv::corpus(name);
    let recipe = format!("recipes/{name}.ncl");
    // Saves a minute.
    env.edit("recipes/platforms/bookworm.ncl", "compression = 'Xz", "compression = 'Zstd");
    env.vb(&["build", "--platform", "bookworm", &recipe]).ok();
    // Without `run_deps` it is the root of a server, too.
    let root = env.vb(&["output", "--platform", "bookworm", &recipe, "root interpreter"]).ok();
    let script = format!("dpkg --install /package.deb && cd /vrmd/{name} && {command}");
    let mut spec = TestRoot::of(Path::new(root.stdout.trim())).spec(&["/bin/sh", "-c", &script], Identity::Root);
    spec.filter = Filter::PretendOwnership;
    spec.binds = vec![bind(&env.package(), "/package.deb", Access::ReadOnly)];
    run_spec(&spec).ok().stdout
}

#[test]
fn an_application_with_extensions_that_are_built_here_runs_where_it_is_installed() {
    let said = install_and_run("sshtool", "bin/python -m sshtool");
    assert!(said.ends_with("SSH-2.0: a session with ecdsa-sha2-nistp256\n"), "{said}");
}

#[test]
fn an_application_that_is_only_a_distribution_runs_where_it_is_installed() {
    let said = install_and_run("supervisor", "bin/supervisord --version");
    assert!(said.ends_with("\n4.3.0\n"), "{said}");
}
