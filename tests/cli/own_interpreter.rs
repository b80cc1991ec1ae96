//! An application on an interpreter that the workspace builds from the distribution's source.

use std::{
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use vb_package::read_deb;
use vb_sandbox::{Access, Filter, HostPath, Identity, Root, Upper};

use crate::push::with_repository;
use crate::support::{Run, TestEnv, bind, repository, run_spec, test_root, write_hello};

const RECIPE: &str = "recipes/hello.ncl";
const INTERPRETER: &str = "recipes/interpreters/python313.ncl";
const PACKAGES: [&str; 2] =
    ["dist/bookworm/vrmd-python3.13_3.13.5-1_amd64.deb", "dist/bookworm/vrmd-hello_1.0_amd64.deb"];

/// What the interpreter's modules are linked with.
const LIBRARIES: [&str; 7] = [
    "libc6 (>= ",
    "libexpat1 (>= ",
    "libffi8 (>= ",
    "liblzma5 (>= ",
    "libsqlite3-0 (>= ",
    "libssl3 (>= ",
    "zlib1g (>= ",
];

/// The application `hello`, for bookworm, on the repository's own Python 3.13.
fn workspace() -> TestEnv {
    let env = with_repository("");
    for file in [INTERPRETER, "recipes/interpreters/python313.lock"] {
        env.write(file, &fs_err::read_to_string(repository().join(file)).unwrap());
    }
    // It has to run, and not fast: neither optimisation nor all its tests.
    env.edit(INTERPRETER, "-O2", "-O0 -w");
    let fields = "tests = [\"test_ctypes\", \"test_zlib\"] },\n  \
                  checks = [{ command = [\"bin/python3\", \"-c\", \"import ssl\"] }]";
    env.edit(INTERPRETER, "version = \"3.13\" }", &format!("version = \"3.13\", {fields}"));
    write_hello(&env, "markupsafe==3.0.3\nstructlog==26.1.0\nwheel==0.45.1\n");
    env.edit(RECIPE, "python = \"3.11\"", "python = 'Package \"python313\"");
    let check = "no_binary = [\"markupsafe\"],\n  \
                 checks = [{ command = [\"bin/python\", \"-m\", \"hello\"], expect = \"hello\" }],\n";
    env.edit(RECIPE, "run_deps = [\"libpq5\", \"runit\"],\n", check);
    env.write(
        "recipes/apps/hello/hello.py",
        "import ctypes, lzma, markupsafe._speedups, sqlite3, ssl, structlog, sys, zlib\nprint('hello')\n",
    );
    env
}

/// Runs a script in a root that has no Python but what the packages bring.
fn installed(env: &TestEnv, root: &str, script: &str) -> Run {
    let run_root = env.vb(&["output", RECIPE, root]).ok();
    let script = format!("set -e; test ! -e /usr/bin/python3; cd /; {script}");
    let mut spec = test_root("rpm").spec(&["/bin/sh", "-c", &script], Identity::Root);
    let lowers = vec![HostPath::new(Path::new(run_root.stdout.trim())).unwrap()];
    spec.root = Root::Layers { lowers, upper: Upper::Discard };
    spec.filter = Filter::PretendOwnership;
    spec.binds = vec![bind(&env.workspace().join("dist/bookworm"), "/packages", Access::ReadOnly)];
    run_spec(&spec).ok()
}

// One test, because all of it is about one interpreter, which takes minutes to compile.
#[test]
fn an_application_runs_on_an_interpreter_that_the_workspace_builds_beside_it_or_in_its_package() {
    let env = workspace();
    env.vb(&["lock", RECIPE]).ok();
    let built = env.vb(&["build", RECIPE]).ok();
    assert_eq!(built.stdout.lines().collect::<Vec<_>>(), PACKAGES);
    let application = read_deb(&env.workspace().join(PACKAGES[1])).unwrap();
    assert_eq!(application.field("Depends"), Some("vrmd-python3.13 (= 3.13.5-1)"));
    the_interpreter_is_a_package_without_its_tests(&env);
    let script = "dpkg --install /packages/vrmd-python3.13_*.deb /packages/vrmd-hello_*.deb; \
                  /vrmd/hello/bin/python -B -m hello; \
                  /vrmd/hello/bin/python -c 'import sys; print(sys.base_prefix, sys.version)'";
    let run = installed(&env, "hello bookworm root run", script);
    assert!(run.stdout.contains("\nhello\n/vrmd/python3.13 3.13.5 (main, "), "{}", run.stdout);

    // Both are installed on machines of their own.
    let tested = env.vb(&["test", RECIPE, INTERPRETER, "--platform", "bookworm"]).ok();
    assert_eq!(tested.stdout.matches("passed  ").count(), 8, "{}", tested.stdout);

    env.commit();
    let pushed = env.vb(&["push", RECIPE]).ok();
    assert_eq!(pushed.stdout, "bookworm-development  0  add vrmd-python3.13 3.13.5-1, vrmd-hello 1.0\n");

    // Another version of its package is another dependency, and nothing else.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    // Tests share a store: one that no other run has built.
    env.edit(INTERPRETER, "3.13.5-1", &format!("3.13.5-2.{}", since.as_nanos()));
    let again = env.vb(&["build", RECIPE]).ok();
    assert_eq!(again.executed(), ["hello bookworm package", "python3.13 bookworm package"]);
    the_interpreter_is_a_part_of_the_package(&env);
}

fn the_interpreter_is_a_package_without_its_tests(env: &TestEnv) {
    let interpreter = read_deb(&env.workspace().join(PACKAGES[0])).unwrap();
    let depends = interpreter.field("Depends").unwrap();
    assert!(LIBRARIES.iter().all(|library| depends.contains(library)), "{depends}");
    let paths: Vec<&str> = interpreter.entries.iter().map(|entry| entry.path.as_str()).collect();
    assert!(paths.contains(&"./vrmd/python3.13/bin/python3.13"), "{paths:?}");
    assert!(!paths.iter().any(|path| path.contains("/test/test_") || path.contains(".opt-")), "{paths:?}");

    let looked_at = env.vb(&["lint", PACKAGES[0]]).ok();
    assert!(looked_at.stdout.contains(": 0 errors, 0 warnings, "), "{}", looked_at.stdout);
}

/// The same interpreter, which is not compiled again, at the application's prefix: where it looks for its modules, what it
/// says to those who build for it, and what is written in its files.
fn the_interpreter_is_a_part_of_the_package(env: &TestEnv) {
    env.edit(RECIPE, "'Package", "'Bundled");
    let built = env.vb(&["build", RECIPE]).ok();
    assert_eq!(built.stdout.lines().collect::<Vec<_>>(), [PACKAGES[1]]);
    let executed = built.executed();
    let is_again = |label: &&String| {
        label.starts_with("python3.13 ") || [" wheel ", " unpack "].iter().any(|kind| label.contains(kind))
    };
    assert_eq!(executed.iter().filter(is_again).collect::<Vec<_>>(), Vec::<&String>::new(), "{executed:?}");
    let package = read_deb(&env.workspace().join(PACKAGES[1])).unwrap();
    let depends = package.field("Depends").unwrap();
    assert!(LIBRARIES.iter().all(|library| depends.contains(library)), "{depends}");
    assert!(!depends.contains("python") && package.scripts.is_empty(), "{depends}");

    let script = "dpkg --install /packages/vrmd-hello_1.0_amd64.deb; \
                  /vrmd/hello/bin/python -B -m hello; /vrmd/hello/bin/wheel version; readlink /vrmd/hello/bin/python; \
                  /vrmd/hello/bin/python -c 'import sys, sysconfig; print(sys.base_prefix, *sysconfig.get_config_vars(\"LIBDIR\", \"INCLUDEPY\"))'; \
                  /vrmd/hello/python/bin/python3.13-config --prefix; \
                  bash -c 'exec -a elsewhere /vrmd/hello/python/bin/python3.13 -c \"import os; print(os.__file__)\"'; \
                  grep --after-context 2 ^CPython /usr/share/doc/vrmd-hello/copyright; \
                  ! grep --recursive --files-with-matches /vrmd/python3.13 /vrmd/hello";
    let run = installed(env, "root run", script);
    let (_, told) = run.stdout.split_once("\nhello\n").unwrap_or_else(|| panic!("{}", run.stdout));
    let expect = "wheel 0.45.1\n../python/bin/python3.13\n\
                  /vrmd/hello/python /vrmd/hello/python/lib /vrmd/hello/python/include/python3.13\n\
                  /vrmd/hello/python\n/vrmd/hello/python/lib/python3.13/os.py\n\
                  CPython 3.13.5\n  Licence: PSF-2.0\n  Text: /vrmd/hello/python/lib/python3.13/LICENSE.txt\n";
    assert_eq!(told, expect);
}

// One compilation more than the other test has: that for trixie.
#[test]
fn what_checkers_find_in_an_interpreter_is_accepted_on_each_platform_and_in_each_format() {
    let run = workspace().vb(&["lint", INTERPRETER, "--format", "deb,rpm"]).ok();
    let looks: Vec<&str> = run.stdout.lines().map(|line| line.split_once(':').unwrap().0).collect();
    let look = |platform: &str, kind: &str| format!("python3.13 {platform} lint {kind}vrmd-python3.13");
    let expect = [look("bookworm", ""), look("bookworm", "rpm "), look("trixie", ""), look("trixie", "rpm ")];
    assert_eq!(looks, expect);
    assert!(run.stdout.lines().all(|line| line.contains(": 0 errors, 0 warnings, ")), "{}", run.stdout);
    assert!(!run.stderr.contains("warning:"), "{}", run.stderr);
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
