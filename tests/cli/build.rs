//! A build, and a build after it.

use expect_test::expect;

use crate::support::TestEnv;

#[test]
fn a_second_build_executes_nothing() {
    let env = TestEnv::new();
    env.vb(&["build", "recipes/whois.ncl"]).ok();
    let second = env.vb(&["build", "recipes/whois.ncl"]).ok();
    assert_eq!(second.executed(), Vec::<String>::new());
    assert!(second.stderr.contains("1 package, 0 actions executed"), "{}", second.stderr);
    assert_eq!(second.stdout, "dist/bookworm/vrmd-whois_1.0.0_amd64.deb\n");
}

#[test]
fn what_a_local_run_leaves_in_a_source_changes_nothing() {
    let env = TestEnv::new();
    // Git would count them as a change, as no commit has them.
    fs_err::remove_dir_all(env.workspace().join(".git")).unwrap();
    env.vb(&["build", "recipes/whois.ncl"]).ok();
    for name in ["whois_server/__pycache__/domain.cpython-311.pyc", "old.pyc", ".venv/bin/tool", ".ruff_cache/0"] {
        env.write(&format!("recipes/apps/whois/{name}"), "left behind");
    }
    assert_eq!(env.vb(&["build", "recipes/whois.ncl"]).ok().executed(), Vec::<String>::new());
}

#[test]
fn one_changed_line_of_the_application_builds_only_what_reads_it() {
    let env = TestEnv::new();
    env.vb(&["build", "recipes/whois.ncl"]).ok();
    // A line that no earlier run has built: the tests' store stays between runs.
    let line = format!("\n# {}\n", env.directory().display());
    env.edit("recipes/apps/whois/whois_server/__init__.py", "\n", &line);
    let run = env.vb(&["build", "recipes/whois.ncl"]).ok();
    let expected = ["whois bookworm import check", "whois bookworm package", "whois bookworm stage", "whois source"];
    assert_eq!(run.executed(), expected);
}

#[test]
fn a_platform_that_no_selected_recipe_is_for_is_told_and_nothing_is_built() {
    let env = TestEnv::new();
    let run = env.vb(&["build", "recipes/whois.ncl", "--platform", "bookworm", "--platform", "el9"]);
    expect![[r#"
        exit code 2
        vb::usage::nothing_selected

          x no recipe that is selected is built for `el9`
          help: leave that `--platform` out, or add it to `platforms` of a recipe
    "#]]
    .assert_eq(&format!("exit code {}\n{}", run.code, run.stderr));
    assert!(!env.workspace().join("dist").exists());
}
