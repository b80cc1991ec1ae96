//! Imports that fail where the application will run, and what else is built then.

use expect_test::expect;

use crate::support::{Mirror, Run, TestEnv, redact, write_hello};

fn failure(env: &TestEnv, run: &Run) -> String {
    let (_, told) = run.stderr.split_once("\nerror[").unwrap_or_else(|| panic!("{}", run.stderr));
    let told: Vec<&str> = told.lines().collect();
    redact(env, &format!("error[{}\n", told[..told.len() - 1].join("\n")))
}

#[test]
fn a_module_that_nobody_brings_is_told_with_the_line_that_imports_it() {
    let env = TestEnv::new();
    env.edit("recipes/apps/whois/whois_server/domain.py", "import re\n", "import re\nimport rainbows\n");
    let run = env.vb(&["build", "recipes/whois.ncl"]).expect(1);
    expect![[r#"
        error[vb::import_check::failed]: whois bookworm import check failed: 1 of the application's imports cannot succeed with the run dependencies alone
          asked for at  recipes/whois.ncl:19
          `rainbows` cannot be imported: it is not in the environment (needed by `whois_server/domain.py:4`)
          help          add what is missing to the requirements or to run_deps, or delete the import
    "#]].assert_eq(&failure(&env, &run));
}

#[test]
fn a_module_that_is_no_python_fails_with_its_line_and_can_be_skipped() {
    let env = TestEnv::new();
    env.write("recipes/apps/whois/whois_server/notes.py", "import json\nprint 'two'\n");
    let run = env.vb(&["build", "recipes/whois.ncl"]).expect(1);
    expect![[r#"
        error[vb::import_check::failed]: whois bookworm import check failed: 1 of the application's imports cannot succeed with the run dependencies alone
          asked for at  recipes/whois.ncl:19
          `whois_server.notes` cannot be imported: SyntaxError: Missing parentheses in call to 'print'. Did you mean print(...)? (notes.py, line 2) (needed by `whois_server/notes.py`)
          help          correct the source; if it is for another Python, name it in `import_check.skip` with the reason
    "#]].assert_eq(&failure(&env, &run));
    let skip =
        "  import_check.skip = [{ module = \"whois_server.notes\", reason = \"for Python 2\" }],\n  platforms = ";
    env.edit("recipes/whois.ncl", "  platforms = ", skip);
    env.vb(&["build", "recipes/whois.ncl"]).ok();
}

#[test]
fn what_needs_a_server_is_told_with_the_line_that_raises() {
    let env = TestEnv::new();
    env.write("recipes/apps/whois/whois_server/port.py", "import os\n\nPORT = int(os.environ[\"PORT\"])\n");
    env.write("recipes/apps/whois/whois_server/quits.py", "import sys\nsys.exit(\"no configuration\")\n");
    let run = env.vb(&["build", "recipes/whois.ncl"]).expect(1);
    expect![[r#"
        error[vb::import_check::failed]: whois bookworm import check failed: 2 of the application's imports cannot succeed with the run dependencies alone
          asked for at  recipes/whois.ncl:19
          `whois_server.port` cannot be imported: ValueError: invalid literal for int() with base 10: 'a stub for the build' at `whois_server/port.py:3` (needed by `whois_server/port.py`)
          `whois_server.quits` cannot be imported: it ends the interpreter (SystemExit: no configuration) at `whois_server/quits.py:2` (needed by `whois_server/quits.py`)
          help          if a module needs what only a server has, name it in `import_check.skip` with the reason
    "#]].assert_eq(&failure(&env, &run));
}

#[test]
fn keep_going_builds_the_recipe_beside_the_one_that_fails() {
    let (env, mirror) = (TestEnv::new(), Mirror::of_whois());
    mirror.use_in(&env);
    write_hello(&env, "structlog==26.1.0\n");
    env.vb(&["lock", "recipes/hello.ncl"]).ok();
    env.write("recipes/apps/whois/whois_server/broken.py", "import rainbows\n");
    let run = env.vb(&["build", "--all", "--keep-going"]).expect(1);
    assert_eq!(run.stdout, "dist/bookworm/vrmd-hello_1.0_all.deb\n");
    assert!(run.stderr.contains("whois bookworm import check failed"), "{}", run.stderr);
    let summary = run.stderr.lines().last().unwrap();
    assert!(summary.starts_with("1 package, ") && summary.contains("1 failed, 1 skipped"), "{summary}");
    assert!(!env.workspace().join("dist/bookworm/vrmd-whois_1.0.0_amd64.deb").exists());
}
