//! A platform whose archive is as old as Ubuntu 14.04's: from its indexes to packages, for every recipe at once.

use std::path::Path;

use expect_test::expect;
use fs_err as fs;
use vb_sandbox::{Access, Filter, Identity};

use crate::support::{Mirror, Release, TestEnv, TestRoot, bind, run_spec, write_hello};

/// Returns the names of the members of a `.deb`.
fn members(deb: &[u8]) -> Vec<String> {
    let mut rest = deb.strip_prefix(b"!<arch>\n").unwrap();
    let mut names = vec![];
    while !rest.is_empty() {
        let text = |range: std::ops::Range<usize>| std::str::from_utf8(&rest[range]).unwrap().trim().to_owned();
        names.push(text(0..16));
        let size: usize = text(48..58).parse().unwrap();
        rest = &rest[60 + size + size % 2..];
    }
    names
}

#[test]
fn every_recipe_is_locked_and_built_for_trusty_from_an_archive_of_its_age() {
    let (env, mirror) = (TestEnv::new(), Mirror::of_whois_as(Release::Trusty));
    mirror.use_in(&env);
    write_hello(&env, "attrs\n");
    write_scripts(&env, "1.0");
    env.edit("recipes/whois.ncl", "platforms = [\"bookworm\"]", "platforms = [\"bookworm\", \"trusty\"]");
    env.edit("recipes/hello.ncl", "  python =", "  platforms = [\"trusty\"],\n  python =");
    let bookworm = env.read("recipes/whois.lock");

    let run = env.vb(&["lock", "--all", "--platform", "trusty"]).ok();
    assert_eq!(run.stdout, "recipes/hello.lock\nrecipes/whois.lock\n");
    let lock = env.read("recipes/whois.lock");
    assert!(lock.starts_with(bookworm.trim_end()), "another platform's part of the lock is not as it was");
    let date = "[trusty.archive]\ntrusty = \"Thu, 08 May 2014 14:19:09 UTC\"\n";
    assert!(lock.contains(date) && lock.contains("/universe/p/python3.11/python3.11-dev_"), "{lock}");

    let run = env.vb(&["build", "--all", "--platform", "trusty"]).ok();
    let packages = ["dist/trusty/vrmd-hello_1.0_all.deb", "dist/trusty/vrmd-whois_1.0.0_amd64.deb"];
    assert_eq!(run.stdout.lines().collect::<Vec<_>>(), packages);
    for package in packages {
        // dpkg 1.17.5 reads no `control.tar.xz`, and no dpkg of that time reads zstd.
        let deb = fs::read(env.workspace().join(package)).unwrap();
        assert_eq!(members(&deb), ["debian-binary", "control.tar.gz", "data.tar.xz"], "{package}");
    }
    let run = env.vb(&["build", "--all", "--platform", "trusty"]).ok();
    assert_eq!(run.executed(), Vec::<String>::new());

    write_scripts(&env, "1.1");
    env.edit("recipes/hello.ncl", "'Fixed \"1.0\"", "'Fixed \"1.1\"");
    env.vb(&["build", "recipes/hello.ncl"]).ok();
    go_through_life(&env);
}

/// Makes the maintainer scripts of `hello` write down which they are and what they are given.
fn write_scripts(env: &TestEnv, version: &str) {
    for script in ["preinst", "postinst", "prerm", "postrm"] {
        let text = format!("#!/bin/sh\nset -e\n#VB#\necho \"{version} {script} $*\"\n");
        env.write(&format!("recipes/apps/hello/debian/{script}"), &text);
    }
}

/// dpkg installs, upgrades, downgrades, removes and purges `hello`, on a machine that is the platform's root.
fn go_through_life(env: &TestEnv) {
    let tree = env.vb(&["output", "recipes/hello.ncl", "hello trusty root run"]).ok().stdout;
    let script = "set -e; for step in --install:1.0 --install:1.1 --install:1.0 --remove --purge; do echo \"== $step\"; \
                  case $step in *:*) what=/packages/vrmd-hello_${step#*:}_all.deb ;; *) what=vrmd-hello ;; esac; \
                  dpkg ${step%:*} $what > /tmp/told; grep -E '^1[.]' /tmp/told; dpkg --audit; done";
    let mut spec = TestRoot::of(Path::new(tree.trim())).spec(&["/bin/sh", "-c", script], Identity::Root);
    spec.filter = Filter::PretendOwnership;
    spec.binds = vec![bind(&env.workspace().join("dist/trusty"), "/packages", Access::ReadOnly)];
    let run = run_spec(&spec).ok();
    expect![[r#"
        == --install:1.0
        1.0 preinst install
        1.0 postinst configure 
        == --install:1.1
        1.0 prerm upgrade 1.1
        1.1 preinst upgrade 1.0 1.1
        1.0 postrm upgrade 1.1
        1.1 postinst configure 1.0
        == --install:1.0
        dpkg: warning: downgrading vrmd-hello from 1.1 to 1.0
        1.1 prerm upgrade 1.0
        1.0 preinst upgrade 1.1 1.0
        1.1 postrm upgrade 1.0
        1.0 postinst configure 1.1
        == --remove
        1.0 prerm remove
        1.0 postrm remove
        == --purge
        1.0 postrm purge
    "#]]
    .assert_eq(&run.stdout);
}
