//! An application on the platform's PyPy: what is locked for it, what is compiled for it, and that it runs.

use std::path::Path;

use vb_package::read_deb;
use vb_recipe::Lock;
use vb_sandbox::{Access, Filter, HostPath, Identity, Root, Upper};

use crate::support::{Run, TestEnv, bind, run_spec, test_root, write_hello};

const RECIPE: &str = "recipes/hello.ncl";

/// What is the same for each platform: a wheel with compiled code, pure ones, and one for CPython alone.
const REQUIREMENTS: &str = "pydantic==2.11.7\ntomli==2.0.1 ; platform_python_implementation == 'CPython'\n";

/// A platform, its PyPy as a recipe names it, and what the platform's file says to compile with there.
struct Pypy {
    platform: &'static str,
    python: &'static str,
    toolchain: &'static str,
}

impl Pypy {
    /// Makes an application that imports modules on this PyPy.
    fn application(&self, requirements: &str, modules: &str) -> TestEnv {
        let env = TestEnv::new();
        write_hello(&env, &format!("{REQUIREMENTS}{requirements}"));
        let python = format!("python = \"{}\",\n  platforms = [\"{}\"]", self.python, self.platform);
        env.edit(RECIPE, "python = \"3.11\"", &python);
        env.edit(RECIPE, "  build_deps = [\"libpq-dev\"],\n  run_deps = [\"libpq5\", \"runit\"],\n", "");
        let toolchain = "toolchain = [\"gcc\", \"g++\", \"libc6-dev\", \"make\", \"pkgconf\"]";
        let needed = format!("toolchain = {}", self.toolchain);
        env.edit(&format!("recipes/platforms/{}.ncl", self.platform), toolchain, &needed);
        let module = format!(
            "import platform, pydantic, sys, {modules}\n\
             if platform.python_implementation() == 'CPython' or sys.implementation.name != 'pypy':\n    import tomli\n\
             print('hello from', platform.python_implementation())\n"
        );
        env.write("recipes/apps/hello/hello.py", &module);
        env
    }

    fn locked_files(&self, env: &TestEnv) -> Vec<String> {
        let lock = Lock::read(&env.workspace().join("recipes/hello.lock")).unwrap();
        let locked = lock.platforms[self.platform].distributions.iter();
        locked.map(|locked| locked.distribution.file.file.clone()).collect()
    }

    /// Builds, and looks at what the package needs, and has below `site-packages`.
    fn build(&self, env: &TestEnv, depends: &str, files: &[&str]) {
        env.vb(&["build", RECIPE]).ok();
        let package = env.workspace().join("dist").join(self.platform).join("vrmd-hello_1.0_amd64.deb");
        let package = read_deb(&package).unwrap();
        assert_eq!(package.field("Depends"), Some(depends));
        for file in files {
            let path = format!("./vrmd/hello/lib/{}/site-packages/{file}", self.python);
            assert!(package.entries.iter().any(|entry| entry.path == path), "{path}");
        }
    }

    /// Installs the package in a root of what a server has, and starts the application.
    fn run(&self, env: &TestEnv) -> Run {
        let run_root = env.vb(&["output", RECIPE, "root run"]).ok();
        let script = "set -e; dpkg --install /packages/vrmd-hello_*.deb; cd /; /vrmd/hello/bin/python -m hello; \
                      /vrmd/hello/bin/pypy3 -c 'import sys; print(sys.prefix, sys.version_info[:2])'";
        let mut spec = test_root("rpm").spec(&["/bin/sh", "-c", script], Identity::Root);
        let lowers = vec![HostPath::new(Path::new(run_root.stdout.trim())).unwrap()];
        spec.root = Root::Layers { lowers, upper: Upper::Discard };
        spec.filter = Filter::PretendOwnership;
        spec.binds = vec![bind(&env.workspace().join("dist").join(self.platform), "/packages", Access::ReadOnly)];
        run_spec(&spec).ok()
    }
}

#[test]
fn an_application_runs_on_pypy_with_the_wheels_that_are_compiled_for_it() {
    let pypy = Pypy { platform: "bookworm", python: "pypy3.9", toolchain: "[]" };
    let env = pypy.application("bcrypt==4.0.1\n", "bcrypt");

    env.vb(&["lock", RECIPE]).ok();
    let files = pypy.locked_files(&env);
    assert!(
        files.iter().any(|file| file.starts_with("pydantic_core-") && file.contains("-pp39-pypy39_pp73-")),
        "{files:?}"
    );
    assert!(!files.iter().any(|file| file.starts_with("tomli-") || file.contains("-cp")), "{files:?}");

    pypy.build(&env, "pypy3 (>= 7.3.11), pypy3 (<< 7.3.17~)", &["pydantic/__pycache__/main.pypy39.pyc"]);
    let run = pypy.run(&env);
    assert!(run.stdout.ends_with("\nhello from PyPy\n/vrmd/hello (3, 9)\n"), "{}", run.stdout);
}

#[test]
fn an_application_runs_on_pypy_with_what_is_compiled_here() {
    let pypy = Pypy { platform: "trixie", python: "pypy3.11", toolchain: "[\"gcc\", \"libc6-dev\"]" };
    let env = pypy.application("ciso8601==2.3.3\n", "ciso8601");
    env.edit(RECIPE, "} | vb.Recipe", "  no_binary = [\"ciso8601\"],\n} | vb.Recipe");

    env.vb(&["lock", RECIPE]).ok();
    let files = pypy.locked_files(&env);
    assert!(
        files.iter().any(|file| file.starts_with("pydantic_core-") && file.contains("-pp311-pypy311_pp73-")),
        "{files:?}"
    );
    assert!(files.iter().any(|file| file == "ciso8601-2.3.3.tar.gz"), "{files:?}");
    assert!(!files.iter().any(|file| file.starts_with("tomli-") || file.contains("-cp")), "{files:?}");

    let files = ["pydantic/__pycache__/main.pypy311.pyc", "ciso8601.pypy311-pp73-x86_64-linux-gnu.so"];
    pypy.build(&env, "pypy3 (>= 7.3.19), pypy3 (<< 7.4~)", &files);
    let run = pypy.run(&env);
    assert!(run.stdout.ends_with("\nhello from PyPy\n/vrmd/hello (3, 11)\n"), "{}", run.stdout);
}
