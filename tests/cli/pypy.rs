//! An application on the platform's PyPy: what is locked for it, what is compiled for it, and that it runs.

use std::path::Path;

use vb_package::read_deb;
use vb_recipe::Lock;
use vb_sandbox::{Access, Filter, HostPath, Identity, Root, Upper};

use crate::support::{TestEnv, bind, run_spec, test_root, write_hello};

const RECIPE: &str = "recipes/hello.ncl";
const PACKAGE: &str = "dist/bookworm/vrmd-hello_1.0_amd64.deb";

#[test]
fn an_application_runs_on_pypy_with_the_wheels_that_are_compiled_for_it() {
    let env = TestEnv::new();
    let requirements = "bcrypt==4.0.1\npydantic==2.11.7\ntomli==2.0.1 ; platform_python_implementation == 'CPython'\n";
    write_hello(&env, requirements);
    env.edit(RECIPE, "python = \"3.11\"", "python = \"pypy3.9\"");
    env.edit(RECIPE, "  build_deps = [\"libpq-dev\"],\n  run_deps = [\"libpq5\", \"runit\"],\n", "");
    let toolchain = "toolchain = [\"gcc\", \"g++\", \"libc6-dev\", \"make\", \"pkgconf\"]";
    env.edit("recipes/platforms/bookworm.ncl", toolchain, "toolchain = []");
    let module = "import bcrypt, platform, pydantic\nprint('hello from', platform.python_implementation())\n";
    env.write("recipes/apps/hello/hello.py", module);

    env.vb(&["lock", RECIPE]).ok();
    let lock = Lock::read(&env.workspace().join("recipes/hello.lock")).unwrap();
    let files: Vec<&str> =
        lock.platforms["bookworm"].distributions.iter().map(|locked| locked.distribution.file.file.as_str()).collect();
    assert!(
        files.iter().any(|file| file.starts_with("pydantic_core-") && file.contains("-pp39-pypy39_pp73-")),
        "{files:?}"
    );
    assert!(!files.iter().any(|file| file.starts_with("tomli-") || file.contains("-cp")), "{files:?}");

    env.vb(&["build", RECIPE]).ok();
    let package = read_deb(&env.workspace().join(PACKAGE)).unwrap();
    assert_eq!(package.field("Depends"), Some("pypy3 (>= 7.3.11), pypy3 (<< 7.4~)"));
    let bytecode = "./vrmd/hello/lib/pypy3.9/site-packages/pydantic/__pycache__/main.pypy39.pyc";
    assert!(package.entries.iter().any(|entry| entry.path == bytecode));

    let run_root = env.vb(&["output", RECIPE, "root run"]).ok();
    let script = "set -e; dpkg --install /packages/vrmd-hello_*.deb; cd /; /vrmd/hello/bin/python -m hello; \
                  /vrmd/hello/bin/pypy3 -c 'import sys; print(sys.prefix, sys.version_info[:2])'";
    let mut spec = test_root("rpm").spec(&["/bin/sh", "-c", script], Identity::Root);
    let lowers = vec![HostPath::new(Path::new(run_root.stdout.trim())).unwrap()];
    spec.root = Root::Layers { lowers, upper: Upper::Discard };
    spec.filter = Filter::PretendOwnership;
    spec.binds = vec![bind(&env.workspace().join("dist/bookworm"), "/packages", Access::ReadOnly)];
    let run = run_spec(&spec).ok();
    assert!(run.stdout.ends_with("\nhello from PyPy\n/vrmd/hello (3, 9)\n"), "{}", run.stdout);
}
