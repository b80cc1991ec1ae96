//! An application on an interpreter that the workspace builds from the distribution's source.

use std::{
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use vb_package::read_deb;
use vb_sandbox::{Access, Filter, HostPath, Identity, Root, Upper};

use crate::support::{TestEnv, bind, repository, run_spec, test_root, write_hello};

const RECIPE: &str = "recipes/hello.ncl";
const INTERPRETER: &str = "recipes/interpreters/python313.ncl";

/// The application `hello`, for bookworm, on the repository's own Python 3.13.
fn workspace() -> TestEnv {
    let env = TestEnv::new();
    for file in [INTERPRETER, "recipes/interpreters/python313.lock"] {
        env.write(file, &fs_err::read_to_string(repository().join(file)).unwrap());
    }
    // It has to run, and not fast: neither optimisation nor all its tests.
    env.edit(INTERPRETER, "-O2", "-O0 -w");
    env.edit(INTERPRETER, "version = \"3.13\" }", "version = \"3.13\", tests = [\"test_ctypes\", \"test_zlib\"] }");
    write_hello(&env, "structlog==26.1.0\n");
    env.edit(RECIPE, "python = \"3.11\"", "python = 'Package \"python313\"");
    env.edit(RECIPE, "run_deps = [\"libpq5\", \"runit\"],\n", "");
    env.write(
        "recipes/apps/hello/hello.py",
        "import ctypes, lzma, sqlite3, ssl, structlog, sys, zlib\nprint('hello')\n",
    );
    env
}

#[test]
fn an_application_runs_on_an_interpreter_that_the_workspace_builds_and_dpkg_installs_both() {
    let env = workspace();
    env.vb(&["lock", RECIPE]).ok();
    let built = env.vb(&["build", RECIPE]).ok();
    let packages = ["dist/bookworm/vrmd-python3.13_3.13.5-1_amd64.deb", "dist/bookworm/vrmd-hello_1.0_all.deb"];
    assert_eq!(built.stdout.lines().collect::<Vec<_>>(), packages);
    let [interpreter, application] = packages.map(|path| read_deb(&env.workspace().join(path)).unwrap());
    assert_eq!(application.field("Depends"), Some("vrmd-python3.13 (= 3.13.5-1)"));
    let depends = interpreter.field("Depends").unwrap();
    for library in [
        "libc6 (>= ",
        "libexpat1 (>= ",
        "libffi8 (>= ",
        "liblzma5 (>= ",
        "libsqlite3-0 (>= ",
        "libssl3 (>= ",
        "zlib1g (>= ",
    ] {
        assert!(depends.contains(library), "{depends}");
    }
    let paths: Vec<&str> = interpreter.entries.iter().map(|entry| entry.path.as_str()).collect();
    assert!(paths.contains(&"./vrmd/python3.13/bin/python3.13"), "{paths:?}");
    assert!(!paths.iter().any(|path| path.contains("/test/test_") || path.contains(".opt-")), "{paths:?}");

    // The root of a server that has what the interpreter's package depends on.
    let run_root = env.vb(&["output", RECIPE, "python3.13 bookworm root run"]).ok();
    let script = "set -e; dpkg --install /packages/vrmd-python3.13_*.deb /packages/vrmd-hello_*.deb; cd /; \
                  /vrmd/hello/bin/python -B -m hello; /vrmd/hello/bin/python -c 'import sys; print(sys.base_prefix, sys.version)'";
    let mut spec = test_root("rpm").spec(&["/bin/sh", "-c", script], Identity::Root);
    let lowers = vec![HostPath::new(Path::new(run_root.stdout.trim())).unwrap()];
    spec.root = Root::Layers { lowers, upper: Upper::Discard };
    spec.filter = Filter::PretendOwnership;
    spec.binds = vec![bind(&env.workspace().join("dist/bookworm"), "/packages", Access::ReadOnly)];
    let run = run_spec(&spec).ok();
    assert!(run.stdout.contains("\nhello\n/vrmd/python3.13 3.13.5 (main, "), "{}", run.stdout);

    let refused = env.vb(&["test", RECIPE]).expect(3);
    assert!(refused.stderr.contains("vb::test::interpreter"), "{}", refused.stderr);

    // Another version of its package is another dependency, and nothing else.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    // Tests share a store: one that no other run has built.
    env.edit(INTERPRETER, "3.13.5-1", &format!("3.13.5-2.{}", since.as_nanos()));
    let again = env.vb(&["build", RECIPE]).ok();
    assert_eq!(again.executed(), ["hello bookworm package", "python3.13 bookworm package"]);

    let looked_at = env.vb(&["lint", packages[0]]).ok();
    assert!(looked_at.stdout.contains(": 0 errors, 0 warnings, "), "{}", looked_at.stdout);
}

#[test]
fn what_is_no_interpreter_or_not_for_the_platform_is_refused() {
    let env = workspace();
    let refused = |text: &str| {
        let run = env.vb(&["plan", RECIPE]).expect(3);
        assert!(run.stderr.contains("vb::recipe::unknown_interpreter") && run.stderr.contains(text), "{}", run.stderr);
    };
    env.edit(INTERPRETER, "platforms = [\"bookworm\", \"trixie\"]", "platforms = [\"trixie\"]");
    refused("the interpreter of `interpreters/python313.ncl` is not built for `bookworm`");
    env.edit(RECIPE, "python313", "python314");
    refused("there is no recipe `interpreters/python314.ncl`");
    // An application that runs on another one is no cycle that could be built either.
    env.write("recipes/interpreters/hello.ncl", &env.read(RECIPE));
    env.edit(RECIPE, "python314", "hello");
    refused("`interpreters/hello.ncl` is the recipe of an application, and not of an interpreter");
    env.edit(
        INTERPRETER,
        "source = 'Distribution { package = \"python3.13\", suite = \"trixie\" }",
        "source = 'Path \".\"",
    );
    let run = env.vb(&["plan", INTERPRETER]).expect(3);
    assert!(run.stderr.contains("vb::recipe::wrong_interpreter"), "{}", run.stderr);
}
