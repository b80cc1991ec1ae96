//! What each platform's file says of its package manager, before that package manager.

use std::path::Path;

use vb_sandbox::{Access, Filter, Identity};

use crate::support::{TestEnv, TestRoot, bind, repository, run_spec};

const GREETER: &str = "recipes/greeter.ncl";

/// A release with the dpkg and the Python that it has.
struct Release {
    name: &'static str,
    dpkg: &'static str,
    python: &'static str,
    /// What its dpkg says of a package whose data is compressed with zstd.
    zstd: &'static str,
}

const RELEASES: [Release; 3] = [
    Release {
        name: "bullseye",
        dpkg: "1.20",
        python: "3.9",
        zstd: "uses unknown compression for member 'data.tar.zst', giving up\n",
    },
    Release { name: "bookworm", dpkg: "1.21", python: "3.11", zstd: "-- it can read what is for another release\n" },
    Release { name: "trixie", dpkg: "1.22", python: "3.13", zstd: "-- it can read what is for another release\n" },
];

#[test]
fn dpkg_of_each_debian_release_installs_and_removes_what_its_platform_says_it_can_read() {
    let env = TestEnv::greeter();
    let run = env.vb(&["build", GREETER]).ok();
    let packages = ["bullseye", "bookworm", "trixie"].map(|name| format!("dist/{name}/vrmd-greeter_1.0_all.deb\n"));
    assert_eq!(run.stdout, packages.concat());

    let later = TestEnv::greeter();
    later.edit("recipes/platforms/bookworm.ncl", "compression = 'Xz", "compression = 'Zstd");
    later.vb(&["build", GREETER, "--platform", "bookworm"]).ok();
    let later = later.workspace().join("dist/bookworm");

    for release in RELEASES {
        // What a server has: the base system and the interpreter that the package depends on.
        let action = format!("greeter {} root interpreter", release.name);
        let tree = env.vb(&["output", GREETER, &action]).ok().stdout;
        let root = TestRoot::of(Path::new(tree.trim()));
        let argv = ["/bin/sh", "/policy.sh", release.dpkg, release.python];
        let mut spec = root.spec(&argv, Identity::Root);
        spec.filter = Filter::PretendOwnership;
        spec.binds = vec![
            bind(&repository().join("tests/cli/policy.sh"), "/policy.sh", Access::ReadOnly),
            bind(&env.workspace().join("dist").join(release.name), "/packages", Access::ReadOnly),
            bind(&later, "/later", Access::ReadOnly),
        ];
        let run = run_spec(&spec).ok();
        let end = format!("{}== done\n", release.zstd);
        assert!(run.stdout.ends_with(&end), "{}:\n{}", release.name, run.stdout);
    }
}
