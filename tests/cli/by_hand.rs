//! From whois as it was packaged before services were declared, with run scripts and maintainer scripts that somebody wrote
//! and used, to whois as it is, and back: as those meet it who come with packages of their own.

use std::path::Path;

use fs_err as fs;
use vb_sandbox::{Access, Filter, Identity};

use crate::support::{TestEnv, TestRoot, bind, run_spec, scripts, systemd_refusal};

const RECIPE: &str = "recipes/whois.ncl";

/// The former package, whose version is the one before. Its scripts, in `tests/by_hand`, are as they were.
fn former() -> TestEnv {
    let env = TestEnv::by_hand();
    let recipe = env.read(RECIPE);
    let (before, rest) = recipe.split_once("  # What runs on a server, and as whom.").unwrap();
    let (_, after) = rest.split_once("\n\n").unwrap();
    env.write(RECIPE, &format!("{before}{after}"));
    env.edit("recipes/apps/whois/debian/changelog", "(1.0.0)", "(0.9.0)");
    env.edit("recipes/apps/whois/whois_server/protocol.py", "Malformed query.", "Malformed query, by hand.");
    env.commit();
    env
}

#[test]
fn whois_as_it_was_packaged_by_hand_is_upgraded_while_it_runs_and_gone_back_to() {
    let (former, declared) = (former(), TestEnv::new());
    let packages = former.directory().join("packages");
    fs::create_dir(&packages).unwrap();
    for (env, name) in [(&former, "former.deb"), (&declared, "declared.deb")] {
        env.vb(&["build", RECIPE]).ok();
        fs::copy(env.package(), packages.join(name)).unwrap();
    }
    let root = declared.vb(&["output", RECIPE, "whois bookworm root run"]).ok();
    let root = TestRoot::of(Path::new(root.stdout.trim()));
    let is_machine = systemd_refusal().is_none();
    let reaper = ["/usr/bin/perl", "-e", "while (1) { wait() < 0 and sleep 1 }"].map(str::to_owned);
    let identity = if is_machine { Identity::Machine { first: reaper.into() } } else { Identity::Root };
    let mut spec = root.spec(&["/bin/sh", "/scripts/by_hand.sh"], identity);
    spec.filter = if is_machine { Filter::None } else { Filter::PretendOwnership };
    spec.binds = vec![scripts(), bind(&packages, "/packages", Access::ReadOnly)];
    let run = run_spec(&spec).ok();
    assert!(run.stdout.ends_with("== done\n"), "the script ended early:\n{}", run.stdout);
}
