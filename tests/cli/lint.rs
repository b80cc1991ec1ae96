//! `vb lint`: what the distributions' own checkers say of packages, and who has accepted what.

use expect_test::expect;
use fs_err as fs;

use crate::support::{Run, TestEnv, redact};

const WORKSPACE: &str = "recipes/workspace.ncl";
const DEB: [&str; 4] = ["lint", "recipes/greeter.ncl", "--platform", "bookworm"];

/// What an error or warning is told by, without the times of this run.
fn told(env: &TestEnv, run: &Run) -> String {
    let is_same = |line: &&str| !["run ", "done", "wait"].iter().any(|word| line.starts_with(word));
    let lines: Vec<&str> = run.stderr.lines().filter(is_same).filter(|line| !line.contains(" executed, ")).collect();
    redact(env, &format!("{}\n", lines.join("\n").trim()))
}

#[test]
fn the_repositorys_recipes_have_nothing_that_is_not_accepted_and_accept_nothing_that_is_gone() {
    let env = TestEnv::repository();
    let run = env.vb(&["lint", "--all", "--format", "deb,rpm"]).ok();
    let packages: Vec<&str> = run.stdout.lines().map(|line| line.split_once(':').unwrap().0).collect();
    assert_eq!(
        packages,
        [
            "somedjangoapp bookworm lint vrmd-somedjangoapp",
            "somedjangoapp bookworm lint rpm vrmd-somedjangoapp",
            "whois bookworm lint vrmd-whois",
            "whois bookworm lint rpm vrmd-whois",
            "whois trixie lint vrmd-whois",
            "whois trixie lint rpm vrmd-whois",
        ]
    );
    assert!(run.stdout.lines().all(|line| line.contains(": 0 errors, 0 warnings, ")), "{}", run.stdout);
    assert!(!run.stderr.contains("warning:"), "{}", run.stderr);
}

#[test]
fn what_nobody_accepts_fails_and_what_is_accepted_later_runs_no_checker_again() {
    let env = TestEnv::greeter();
    env.edit(WORKSPACE, "tag = \"non-standard-toplevel-dir\"", "tag = \"no-such-tag\"");
    let run = env.vb(&DEB).expect(1);
    expect![[r#"
        greeter bookworm lint vrmd-greeter: 1 error, 0 warnings, 91 accepted
          error    non-standard-toplevel-dir: The Filesystem Hierarchy Standard forbids the installation of new files or directories in the root directory
                   [vrmd/]
    "#]]
    .assert_eq(&run.stdout);
    expect![[r#"
        vb::lint::found

          x 1 error and 0 warnings that nobody has accepted
          help: mend what is found, or accept its tags in `lint` of the recipe or the workspace, each with its reason
    "#]]
    .assert_eq(&told(&env, &run));

    env.edit(WORKSPACE, "tag = \"no-such-tag\"", "tag = \"non-standard-toplevel-dir\"");
    env.edit(
        "recipes/greeter.ncl",
        "lint.lintian = [",
        "lint.lintian = [{ tag = \"embedded-library\", reason = \"old\" },",
    );
    env.edit("recipes/greeter.ncl", "[\"bullseye\", \"bookworm\", \"trixie\"]", "[\"bookworm\"]");
    let plan = env.vb(&["plan", "--lint", "recipes/greeter.ncl"]).ok();
    assert!(plan.stdout.contains("hit   greeter bookworm lint vrmd-greeter\n"), "{}", plan.stdout);
    let again = env.vb(&DEB[..2]).ok();
    assert_eq!(again.executed(), Vec::<String>::new());
    expect![[r#"
        warning: recipes/greeter.ncl:15: lintian no longer finds `embedded-library`, which is accepted there
    "#]]
    .assert_eq(&told(&env, &again));
}

#[test]
fn what_is_accepted_at_a_path_is_told_at_another_and_a_path_without_it_too() {
    let env = TestEnv::greeter();
    env.edit("recipes/greeter.ncl", "[\"bullseye\", \"bookworm\", \"trixie\"]", "[\"bookworm\"]");
    env.edit(WORKSPACE, "paths = [\"/vrmd\"]", "paths = [\"/vrmd/*\"]");
    let run = env.vb(&DEB).expect(1);
    assert!(run.stdout.contains("non-standard-toplevel-dir") && run.stdout.contains("[vrmd/]"), "{}", run.stdout);
    env.edit(WORKSPACE, "paths = [\"/vrmd/*\"]", "paths = [\"/vrmd\"]");
    env.vb(&DEB).ok();
    env.edit("recipes/greeter.ncl", "tag = \"no-changelog\"", "tag = \"no-changelog\", paths = [\"/srv/**\"]");
    env.edit(
        "recipes/greeter.ncl",
        "lint.lintian = [",
        "lint.lintian = [{ tag = \"no-changelog\", reason = \"nobody has written one\" },",
    );
    let unused = env.vb(&DEB[..2]).ok();
    assert!(
        unused.stderr.contains("lintian no longer finds `no-changelog` at such a path, which is accepted there"),
        "{}",
        unused.stderr
    );
    env.edit(WORKSPACE, "paths = [\"/vrmd\"]", "paths = [\"/vrmd/[a\"]");
    let refused = env.vb(&DEB).expect(3);
    assert!(refused.stderr.contains("vb::lint::paths"), "{}", refused.stderr);
}

#[test]
fn a_package_that_is_a_file_is_looked_at_as_its_recipe_says() {
    let env = TestEnv::greeter();
    env.vb(&["build", "recipes/greeter.ncl", "--platform", "bookworm"]).ok();
    let file = "dist/bookworm/vrmd-greeter_1.0_all.deb";
    let run = env.vb(&["lint", file]).ok();
    assert!(run.stdout.starts_with(&format!("bookworm lint {file}: 0 errors, 0 warnings, ")), "{}", run.stdout);

    fs::rename(env.workspace().join(file), env.workspace().join("greeter.deb")).unwrap();
    let refused = env.vb(&["lint", "greeter.deb"]).expect(2);
    assert!(refused.stderr.contains("vb::usage::unknown_platform"), "{}", refused.stderr);
    env.edit(WORKSPACE, "tag = \"non-standard-toplevel-dir\"", "tag = \"no-such-tag\"");
    let found = env.vb(&["lint", "greeter.deb", "--platform", "bookworm", "--json"]).expect(1);
    assert!(found.stdout.contains(r#""accepted":null"#), "{}", found.stdout);
    assert!(found.stderr.contains("vb::lint::found"), "{}", found.stderr);
}

#[test]
fn a_platform_without_a_checker_or_without_its_lock_is_told() {
    let env = TestEnv::greeter();
    let run = env.vb(&["lint", "recipes/greeter.ncl", "--platform", "bullseye"]).expect(3);
    expect![[r#"
        vb::lint::no_checker

          x `bullseye` names no `lintian` that could look at its packages
          help: add it to `lint` of `recipes/platforms/bullseye.ncl`, or choose other formats or platforms
    "#]]
    .assert_eq(&told(&env, &run));
    env.edit("recipes/platforms/bookworm.ncl", "\"lintian\", \"rpm\", ", "\"lintian\", ");
    let run = env.vb(&DEB).expect(3);
    expect![[r#"
        vb::lint::lock

          x the checkers of packages are not locked for `bookworm`
          |   `base`: the lock has `base-files, base-passwd, lintian, rpm, rpmlint, usr-is-merged`, the platform has `base-files, base-passwd, lintian, rpmlint, usr-is-merged`
          help: run `vb lock --lint --all`
    "#]]
    .assert_eq(&told(&env, &run));

    env.edit("recipes/platforms/bookworm.ncl", "lint = [\"lintian\", \"rpmlint\"]", "lint = [\"lintian\"]");
    let locked = env.vb(&["lock", "--lint", "recipes/greeter.ncl", "--platform", "bookworm"]).ok();
    assert!(locked.stdout.contains("  - rpmlint "), "{}", locked.stdout);
}
