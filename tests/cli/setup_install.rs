//! Applications that are installed themselves, and build requirements that have to be built.

use crate::support::{Mirror, TestEnv, write_hello, write_sdist};

const RECIPE: &str = "recipes/hello.ncl";

#[test]
fn an_application_is_installed_with_its_entry_points_and_what_builds_its_dependency_is_built_first() {
    let (env, mirror) = (TestEnv::new(), Mirror::of_whois());
    mirror.use_in(&env);
    let system = |requires: &str| {
        format!("[build-system]\nrequires = [{requires}]\nbuild-backend = \"setuptools.build_meta\"\n")
    };
    let helper = "from setuptools import setup\nsetup(name='helper', version='1.0', py_modules=['helper'])\n";
    write_sdist(&mirror.links(), "helper", "1.0", &[("setup.py", helper), ("helper.py", "NAME = 'extra'\n")]);
    let extra =
        "import helper\nfrom setuptools import setup\nsetup(name=helper.NAME, version='1.0', py_modules=['extra'])\n";
    let files = [
        ("pyproject.toml", &*system("\"setuptools\", \"helper\"")),
        ("setup.py", extra),
        ("extra.py", "WORD = 'built'\n"),
    ];
    write_sdist(&mirror.links(), "extra", "1.0", &files);
    write_hello(&env, "extra\n");
    env.edit(RECIPE, "  python = \"3.11\",", "  python = \"3.11\",\n  setup_install = true,");
    let project =
        "[project]\nname = \"hello\"\nversion = \"3.2\"\n[project.scripts]\nsay-hello = \"greeting.words:main\"\n";
    env.write("recipes/apps/hello/pyproject.toml", &format!("{}{project}", system("\"setuptools\"")));
    env.write("recipes/apps/hello/src/greeting/__init__.py", "");
    env.write(
        "recipes/apps/hello/src/greeting/words.py",
        "import extra\ndef main():\n    print('hello', extra.WORD)\n",
    );
    fs_err::remove_file(env.workspace().join("recipes/apps/hello/hello.py")).unwrap();
    let stale = env.vb(&["lock", RECIPE]).ok();
    assert_eq!(stale.stdout, "recipes/hello.lock\n");

    // Which of them run depends on what the shared store has.
    let planned = env.vb(&["plan", RECIPE]).ok().stdout;
    for label in ["wheel helper", "wheel extra", "wheel application", "unpack application"] {
        assert!(planned.lines().any(|line| line.contains(&format!("hello bookworm {label}"))), "{label}: {planned}");
    }
    env.vb(&["build", RECIPE]).ok();
    let said = env.vb(&["shell", RECIPE, "import check", "--", "/vrmd/hello/bin/say-hello"]).ok();
    assert_eq!(said.stdout, "hello built\n");

    env.write("recipes/apps/hello/src/greeting/words.py", "def main():\n    print('bye')\n");
    let executed = env.vb(&["build", RECIPE]).ok().executed();
    assert!(
        !executed.iter().any(|done| done.ends_with("wheel extra") || done.ends_with("wheel helper")),
        "{executed:?}"
    );
    let said = env.vb(&["shell", RECIPE, "import check", "--", "/vrmd/hello/bin/say-hello"]).ok();
    assert_eq!(said.stdout, "bye\n");

    env.edit(RECIPE, "setup_install = true", "setup_install = false");
    let stale = env.vb(&["plan", RECIPE]).expect(3);
    assert!(stale.stderr.contains("`setup_install`: the lock has `true`, the recipe has `false`"), "{}", stale.stderr);
}
