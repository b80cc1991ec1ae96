//! An application on the platform's Python 2.7: what is locked for it, how it is built, and that it runs where it is
//! installed.

use std::path::Path;

use vb_package::read_deb;
use vb_recipe::Lock;
use vb_sandbox::{Access, Filter, HostPath, Identity, Root, Upper};

use crate::support::{Run, TestEnv, bind, run_spec, test_root};

const RECIPE: &str = "recipes/old.ncl";
const PACKAGE: &str = "dist/bullseye/vrmd-old_1.0_amd64.deb";

const TEXT: &str = r#"let vb = import "vb.ncl" in
{
  name = "old",
  version = 'Fixed "1.0",
  source = 'Path "apps/old",
  python = "2.7",
  platforms = ["bullseye"],
} | vb.Recipe
"#;

/// Pure as a wheel, pure as an sdist alone, and compiled as a wheel for wide Unicode.
const REQUIREMENTS: &str = "six==1.16.0\ndocopt==0.6.2\nMarkupSafe==1.1.1\n";

fn workspace(requirements: &str, module: &str) -> TestEnv {
    let env = TestEnv::new();
    env.write(RECIPE, TEXT);
    env.write("recipes/apps/old/requirements.txt", requirements);
    env.write("recipes/apps/old/old.py", module);
    env
}

/// Runs a script where the package is, in a root of what a server has.
fn on_server(env: &TestEnv, script: &str) -> Run {
    let run_root = env.vb(&["output", RECIPE, "root run"]).ok();
    let script = format!("set -e; cd /; test ! -e /usr/bin/python3; {script}");
    let mut spec = test_root("rpm").spec(&["/bin/sh", "-c", &script], Identity::Root);
    let lowers = vec![HostPath::new(Path::new(run_root.stdout.trim())).unwrap()];
    spec.root = Root::Layers { lowers, upper: Upper::Discard };
    spec.filter = Filter::PretendOwnership;
    spec.binds = vec![bind(&env.workspace().join("dist/bullseye"), "/packages", Access::ReadOnly)];
    run_spec(&spec)
}

fn locked_files(env: &TestEnv) -> Vec<String> {
    let lock = Lock::read(&env.workspace().join("recipes/old.lock")).unwrap();
    lock.platforms["bullseye"].distributions.iter().map(|locked| locked.distribution.file.file.clone()).collect()
}

#[test]
fn an_application_of_python_2_is_locked_built_installed_and_started() {
    let module = "import docopt, markupsafe._speedups, six, sys\n\
                  print 'hello from', sys.version_info[:2], sys.prefix, six.text_type(u'x')\n";
    let env = workspace(REQUIREMENTS, module);
    env.vb(&["lock", RECIPE]).ok();
    let files = [
        "docopt-0.6.2.tar.gz",
        "MarkupSafe-1.1.1-cp27-cp27mu-manylinux1_x86_64.whl",
        "six-1.16.0-py2.py3-none-any.whl",
    ];
    assert_eq!(locked_files(&env), files);
    env.vb(&["lock", RECIPE]).ok();
    assert_eq!(locked_files(&env), files);

    env.vb(&["build", RECIPE]).ok();
    let package = read_deb(&env.workspace().join(PACKAGE)).unwrap();
    assert_eq!(package.field("Depends"), Some("python2.7"));
    let script = "dpkg --install /packages/vrmd-old_*.deb > /dev/null; export PATH=/vrmd/old/bin:$PATH\n\
                  python -m old\n\
                  python -c 'import subprocess, sys; subprocess.check_call([sys.executable, \"-m\", \"old\"])'\n\
                  ln -s /vrmd/old/bin/python2.7 /usr/local/bin/from-elsewhere; from-elsewhere -c 'import old'\n\
                  mkdir -p /tmp/home/.local/lib/python2.7/site-packages\n\
                  echo 'raise SystemExit(\"not this one\")' > /tmp/home/.local/lib/python2.7/site-packages/six.py\n\
                  HOME=/tmp/home python -c 'import six'\n\
                  python -v -c 'import docopt' 2>&1 | grep -c '^# /vrmd/old/.*pyc matches'\n\
                  python -c 'import site, os; print site.getsitepackages(), os.__file__'\n\
                  dpkg --verify vrmd-old; dpkg --purge vrmd-old > /dev/null; test ! -e /vrmd";
    let said = on_server(&env, script).ok();
    let hello = "hello from (2, 7) /vrmd/old x\n";
    assert_eq!(
        said.stdout,
        format!("{hello}{hello}{hello}2\n['/vrmd/old/lib/python2.7/site-packages'] /usr/lib/python2.7/os.pyc\n")
    );
    let refused = env.vb(&["test", RECIPE]).expect(3);
    assert!(refused.stderr.contains("vb::test::old_python"), "{}", refused.stderr);
}

#[test]
fn an_application_of_python_2_with_a_setup_py_is_installed_with_what_is_compiled_for_it() {
    let env = workspace("", "");
    for file in ["old.py", "requirements.txt"] {
        fs_err::remove_file(env.workspace().join("recipes/apps/old").join(file)).unwrap();
    }
    let fields = "python = \"2.7\",\n  setup_install = true,\n  no_binary = [\"simplejson\"],\n  \
                  requirements = \"pyproject.toml\",\n  extras = [\"paths\"],";
    env.edit(RECIPE, "python = \"2.7\",", fields);
    let setup = "from setuptools import setup\n\
                 setup(name='oldtool', version='1.0', packages=['oldtool'],\n\
                 entry_points={'console_scripts': ['old-tool = oldtool.words:main']})\n";
    // What it needs in its turn, `scandir`, is compiled, too.
    let project = "[project]\nname = \"oldtool\"\nversion = \"1.0\"\ndependencies = [\"simplejson==3.19.3\"]\n\
                   [project.optional-dependencies]\npaths = [\"pathlib2==2.3.7.post1\"]\n";
    env.write("recipes/apps/old/pyproject.toml", project);
    let words = "import _scandir, pathlib2, simplejson._speedups, sys\nfrom simplejson import dumps\n\n\
                 def main():\n    print dumps({'argv': sys.argv[1:]}), __file__\n";
    env.write("recipes/apps/old/setup.py", setup);
    env.write("recipes/apps/old/oldtool/__init__.py", "");
    env.write("recipes/apps/old/oldtool/words.py", words);
    env.vb(&["lock", RECIPE]).ok();
    let files = locked_files(&env);
    for file in ["pathlib2-2.3.7.post1-py2.py3-none-any.whl", "scandir-1.10.0.tar.gz", "simplejson-3.19.3.tar.gz"] {
        assert!(files.iter().any(|locked| locked == file), "{file}: {files:?}");
    }
    env.vb(&["build", RECIPE]).ok();
    let said = on_server(&env, "dpkg --install /packages/vrmd-old_*.deb > /dev/null; /vrmd/old/bin/old-tool a").ok();
    let file = "/vrmd/old/lib/python2.7/site-packages/oldtool/words.pyc";
    assert_eq!(said.stdout, format!("{{\"argv\": [\"a\"]}} {file}\n"));

    let checked = env.vb(&["build", "--check", RECIPE]).ok();
    assert!(checked.executed().iter().any(|label| label.ends_with("wheel simplejson")), "{:?}", checked.executed());
}

#[test]
fn imports_that_fail_in_python_2_are_named() {
    let module = "import absent\nfrom six import nothing\nimport ending\nimport crashing\nimport hanging\nimport wrong\n\
                  import sys\nif sys.version_info[0] > 2:\n    import asyncio\ntry:\n    import other\nexcept ImportError:\n    \
                  pass\nimport needy\n";
    let env = workspace("six==1.16.0\n", module);
    for (name, text) in [
        ("ending", "import os\nos._exit(3)\n"),
        ("crashing", "import ctypes\nctypes.string_at(0)\n"),
        ("hanging", "while True:\n    pass\n"),
        ("wrong", "raise ValueError('wrong')\n"),
        ("needy", "import needed_elsewhere\n"),
        ("three", "def three(*, four): pass\n"),
    ] {
        env.write(&format!("recipes/apps/old/{name}.py"), text);
    }
    env.edit(RECIPE, "python = \"2.7\",", "python = \"2.7\",\n  import_check.seconds = 2,");
    env.vb(&["lock", RECIPE]).ok();
    let failed = env.vb(&["build", RECIPE]).expect(1);
    for line in [
        "`absent` cannot be imported: it is not in the environment (needed by `old.py:1`)",
        "`crashing` cannot be imported: the interpreter was killed by signal 11 (needed by `old.py:4`)",
        "`ending` cannot be imported: it ends the interpreter (Exit: the import ended the interpreter with exit status 3) \
         (needed by `old.py:3`)",
        "`hanging` cannot be imported: the import did not end within 2 seconds (needed by `old.py:5`)",
        "`needed_elsewhere` cannot be imported: it is not in the environment (needed by `needy.py:1`)",
        "`needy` cannot be imported: it needs `needed_elsewhere`, which is not in the environment (needed by `old.py:14`)",
        "`six` cannot be imported: ImportError: cannot import name nothing from six (needed by `old.py:2`)",
        "`wrong` cannot be imported: ValueError: wrong at `wrong.py:1` (needed by `old.py:6`)",
        "`three` cannot be imported: SyntaxError: invalid syntax (three.py, line 1) (needed by `three.py`)",
    ] {
        assert!(failed.stderr.contains(line), "{line}: {}", failed.stderr);
    }
    assert!(!failed.stderr.contains("asyncio") && !failed.stderr.contains("`other`"), "{}", failed.stderr);
}

#[test]
fn python_2_is_refused_where_nothing_is_made_for_it() {
    let env = workspace("six\n", "");
    env.edit(RECIPE, "[\"bullseye\"]", "[\"el7\"]");
    let refused = env.vb(&["plan", RECIPE]).expect(3);
    assert!(
        refused.stderr.contains("environments of Python `2.7` are made for platforms of the Debian family alone"),
        "{}",
        refused.stderr
    );
}
