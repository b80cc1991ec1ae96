//! Mistakes in recipes, locks and arguments, as the user sees them.

use expect_test::{Expect, expect};

use crate::support::{Run, TestEnv, redact};

/// Runs the program and compares exit code and standard error.
fn check(env: &TestEnv, arguments: &[&str], expected: &Expect) {
    let run = env.vb(arguments);
    assert_eq!(run.stdout, "");
    expected.assert_eq(&format!("exit code {}\n{}", run.code, redact(env, &run.stderr)));
}

fn recipe_with(from: &str, to: &str) -> TestEnv {
    let env = TestEnv::new();
    env.edit("recipes/whois.ncl", from, to);
    env
}

#[test]
fn all_wrong_values_of_a_recipe_are_told_in_one_run() {
    let env = TestEnv::new();
    env.edit("recipes/whois.ncl", "python = \"3.11\"", "python = \"three\"");
    env.edit("recipes/whois.ncl", "run_deps = ", "run_dep = ");
    check(
        &env,
        &["build", "recipes/whois.ncl"],
        &expect![[r#"
        exit code 3
          x 2 errors in the recipes

        Error: vb::recipe::wrong_value

          x `three` is not a Python version
            ,-[recipes/whois.ncl:15:12]
         14 |   # The interpreter, exactly: the package depends on it.
         15 |   python = "three",
            :            ^^^|^^^
            :               `-- in `python`
         16 | 
            `----
          help: give major and minor version as in `"3.11"`, or `"3"` for the platform's own

        Error: vb::recipe::unknown_field

          x a recipe has no field `run_dep`
            ,-[recipes/whois.ncl:19:3]
         18 |   build_deps = ["libpq-dev"],
         19 |   run_dep = ["adduser", "libpq5", "runit"],
            :   ^^^^^^^
         20 | 
            `----
          help: did you mean `run_deps`?
    "#]],
    );
}

#[test]
fn a_platform_and_a_source_that_are_not_there_are_told_in_one_run() {
    let env = TestEnv::new();
    env.edit("recipes/whois.ncl", "platforms = [\"bookworm\"]", "platforms = [\"bokworm\"]");
    env.edit("recipes/whois.ncl", "apps/whois", "apps/whoami");
    check(
        &env,
        &["build", "recipes/whois.ncl"],
        &expect![[r#"
            exit code 3
              x 2 errors in the recipes

            Error: vb::recipe::missing_source

              x the source `apps/whoami` is not a directory
                ,-[recipes/whois.ncl:12:18]
             11 |   # Relative to this file. The version is that of debian/changelog in there.
             12 |   source = 'Path "apps/whoami",
                :                  ^^^^^^^^^^^^^
             13 | 
                `----
              help: give the directory of the application, relative to this file's

            Error: vb::recipe::unknown_platform

              x there is no platform `bokworm`
                ,-[recipes/whois.ncl:68:16]
             67 | 
             68 |   platforms = ["bokworm"],
                :                ^^^^^^^^^
             69 | } | vb.Recipe
                `----
              help: did you mean `bookworm`?
        "#]],
    );
}

#[test]
fn a_missing_field_is_told_where_the_recipe_is() {
    let env = recipe_with("source = 'Path \"apps/whois\",", "");
    check(
        &env,
        &["build", "recipes/whois.ncl"],
        &expect![[r#"
            exit code 3
              x one error in the recipes

            Error: vb::recipe::missing_field

              x a recipe has to have a field `source`
                ,-[recipes/whois.ncl:69:1]
             68 |   platforms = ["bookworm"],
             69 | } | vb.Recipe
                : |
                : `-- `source` is missing in this record
                `----
              help: add `source = …,` to this record
        "#]],
    );
}

#[test]
fn a_syntax_error_is_told_at_its_line() {
    let env = recipe_with("build_deps = [\"libpq-dev\"],", "build_deps = [\"libpq-dev\",");
    check(
        &env,
        &["build", "recipes/whois.ncl"],
        &expect![[r#"
        exit code 3
          x one error in the recipes

        Error: vb::recipe::syntax

          x unexpected token
            ,-[recipes/whois.ncl:19:12]
         18 |   build_deps = ["libpq-dev",
         19 |   run_deps = ["adduser", "libpq5", "runit"],
            :            ^
         20 | 
            `----
          help: look for a missing `,` or bracket before this place
    "#]],
    );
}

#[test]
fn two_bad_recipes_are_told_together() {
    let env = recipe_with("name = \"whois\"", "name = \"Who is\"");
    let other = env.read("recipes/whois.ncl").replace("Who is", "whoami");
    env.write("recipes/whoami.ncl", &other.replace("python = \"3.11\"", "python = 3.11"));
    check(
        &env,
        &["build", "--all"],
        &expect![[r#"
        exit code 3
          x 2 errors in the recipes

        Error: vb::recipe::wrong_value

          x expected a Python version, found a number
            ,-[recipes/whoami.ncl:15:12]
         14 |   # The interpreter, exactly: the package depends on it.
         15 |   python = 3.11,
            :            ^^|^
            :              `-- in `python`
         16 | 
            `----
          help: write it in double quotes: give major and minor version as in `"3.11"`, or `"3"` for the platform's own

        Error: vb::recipe::wrong_value

          x `Who is` is not an application name
           ,-[recipes/whois.ncl:4:10]
         3 | {
         4 |   name = "Who is",
           :          ^^^^|^^^
           :              `-- in `name`
         5 |   summary = "WHOIS server with a PostgreSQL table behind it",
           `----
          help: begin with a lower case letter, go on with lower case letters, digits, `+`, `.`, `_` or `-`
    "#]],
    );
}

#[test]
fn a_recipe_that_is_not_there_is_named() {
    check(
        &TestEnv::new(),
        &["build", "recipes/whoami.ncl"],
        &expect![[r#"
        exit code 3
          x one error in the recipes

        Error: vb::recipe::unreadable

          x cannot read `recipes/whoami.ncl`: it does not exist
          help: give the path of a recipe, such as `recipes/whois.ncl`
    "#]],
    );
}

#[test]
fn what_is_no_recipe_is_told_before_it_is_read_as_one() {
    check(
        &TestEnv::new(),
        &["build", "recipes/whois.ncl", "recipes/workspace.ncl", "recipes/platforms/trixie.ncl", "whois"],
        &expect![[r#"
            exit code 3
              x 3 errors in the recipes

            Error: vb::recipe::unreadable

              x cannot read `whois`: it does not exist
              help: did you mean `recipes/whois.ncl`?

            Error: vb::recipe::no_recipe

              x `recipes/platforms/trixie.ncl` is a platform, and no recipe
              help: leave it out; `--all` selects every recipe

            Error: vb::recipe::no_recipe

              x `recipes/workspace.ncl` is the workspace's file, and no recipe
              help: leave it out; `--all` selects every recipe
        "#]],
    );
}

#[test]
fn an_unknown_platform_argument_is_told_with_the_one_that_was_meant() {
    check(
        &TestEnv::new(),
        &["build", "--all", "--platform", "trusti"],
        &expect![[r#"
        exit code 2
        vb::usage::unknown_platform

          x there is no platform `trusti`
          help: did you mean `trusty`?
    "#]],
    );
}

#[test]
fn no_recipe_is_a_wrong_command_line() {
    check(
        &TestEnv::new(),
        &["build"],
        &expect![[r#"
        exit code 2
        error: the following required arguments were not provided:
          <RECIPE>...

        Usage: vb build --store <DIR> <RECIPE>...

        For more information, try '--help'.
    "#]],
    );
}

#[test]
fn a_directory_without_a_workspace_is_told() {
    let env = TestEnv::new();
    let mut command = env.command(&["build", "--all"]);
    let run = Run::of(command.current_dir(env.home()));
    expect![[r#"
        exit code 3
        vb::recipe::no_workspace

          x `[DIRECTORY]/home` is in no workspace: no directory above it holds `recipes/workspace.ncl`
          help: go to the workspace, or name a recipe that is in one; docs/recipe.md has a section "Your own workspace"
    "#]]
    .assert_eq(&format!("exit code {}\n{}", run.code, redact(&env, &run.stderr)));
}

#[test]
fn a_missing_lock_names_the_command_that_writes_it() {
    let env = TestEnv::new();
    fs_err::remove_file(env.workspace().join("recipes/whois.lock")).unwrap();
    check(
        &env,
        &["build", "recipes/whois.ncl"],
        &expect![[r#"
        exit code 3
        vb::lock::missing

          x there is no lock `recipes/whois.lock`
          help: run `vb lock recipes/whois.ncl`
    "#]],
    );
}

#[test]
fn a_lock_that_answers_another_recipe_says_where_it_differs() {
    let env = recipe_with(
        "run_deps = [\"adduser\", \"libpq5\", \"runit\"]",
        "run_deps = [\"adduser\", \"libpq5\", \"supervisor\"]",
    );
    env.edit("recipes/apps/whois/requirements.txt", "PyYAML==6.0.3", "PyYAML==6.0.2");
    check(
        &env,
        &["build", "recipes/whois.ncl"],
        &expect![[r#"
        exit code 3
        vb::lock::mismatch

          x the lock of `recipes/whois.ncl` does not fit its recipe for `bookworm`
          |   `run_deps`: the lock has `adduser, libpq5, runit`, the recipe has `adduser, libpq5, supervisor`
          |   `requirements.txt`: the file is not the one that was locked
          help: run `vb lock recipes/whois.ncl`
    "#]],
    );
}

#[test]
fn a_lock_that_was_changed_by_hand_is_told_at_its_line() {
    let env = TestEnv::new();
    env.edit("recipes/whois.lock", "python = \"3.11\"", "python = 3.11");
    let run = env.vb(&["build", "recipes/whois.ncl"]).expect(3);
    for words in [
        "`recipes/whois.lock`, line 5, is not as `vb lock` writes it",
        "invalid type: floating point `3.11`, expected a string",
        "run `vb lock recipes/whois.ncl`",
    ] {
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
}

#[test]
fn commands_in_messages_fit_the_current_directory() {
    let env = recipe_with("run_deps = [\"adduser\", \"libpq5\", \"runit\"]", "run_deps = [\"adduser\"]");
    let mut command = env.command(&["build", "whois.ncl"]);
    let run = Run::of(command.current_dir(env.workspace().join("recipes"))).expect(3);
    assert!(run.stderr.contains("run `vb lock whois.ncl`"), "{}", run.stderr);
}

#[test]
fn an_interpreter_that_the_platform_lacks_is_told_with_those_it_has() {
    let env = recipe_with("python = \"3.11\"", "python = \"3.12\"");
    check(
        &env,
        &["build", "recipes/whois.ncl"],
        &expect![[r#"
        exit code 3
          x one error in the recipes

        Error: vb::recipe::unknown_python

          x the platform `bookworm` has no Python `3.12`
            ,-[recipes/whois.ncl:15:12]
         14 |   # The interpreter, exactly: the package depends on it.
         15 |   python = "3.12",
            :            ^^^^^^
         16 | 
            `----
          help: use one of `3.11`, `pypy3.9`
    "#]],
    );
}

#[test]
fn an_action_that_does_not_exist_is_told() {
    check(
        &TestEnv::new(),
        &["output", "recipes/whois.ncl", "wheel psycopg3"],
        &expect![[r#"
        exit code 2
        vb::usage::unknown_action

          x there is no action `wheel psycopg3`
          help: `vb plan` lists the labels
    "#]],
    );
}

#[test]
fn the_end_of_several_labels_lists_them() {
    let env = TestEnv::new();
    env.edit("recipes/workspace.ncl", "platforms = [\"bookworm\"]", "platforms = [\"bookworm\", \"other\"]");
    let platform = env.read("recipes/platforms/bookworm.ncl");
    env.write("recipes/platforms/other.ncl", &platform);
    env.edit("recipes/whois.ncl", "  platforms = [\"bookworm\"],\n", "");
    let lock = env.read("recipes/whois.lock");
    let second = lock.split_once("[bookworm.request]").unwrap().1.replace("[bookworm", "[other");
    env.write("recipes/whois.lock", &format!("{lock}\n[other.request]{second}"));
    check(
        &env,
        &["output", "recipes/whois.ncl", "wheel psycopg2"],
        &expect![[r#"
        exit code 2
        vb::usage::ambiguous_action

          x `wheel psycopg2` is the end of several labels
          help: choose one of: whois bookworm wheel psycopg2, whois other wheel psycopg2
    "#]],
    );
}
