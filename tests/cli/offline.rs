//! Builds without a network: they are made of what is there, or say all that is missing.

use fs_err as fs;

use crate::support::{Desk, Mirror, TestEnv, repository};

const RECIPE: &str = Desk::RECIPE;

#[test]
fn a_build_without_a_network_names_all_that_is_missing_and_is_made_after_a_fetch() {
    let desk = Desk::new("");
    let private = desk.serve();
    let url = private.url();
    desk.run(&["lock", RECIPE], &url).ok();
    let missing = desk.run(&["build", "--offline", RECIPE], &url).expect(4);
    for words in [
        "vb::fetch::offline",
        "3 files of the lock would have to be fetched",
        "  acme_base-1.0-py3-none-any.whl",
        "  acme_tool-1.0-py3-none-any.whl",
        "  one-1.0-py3-none-any.whl",
    ] {
        assert!(missing.stderr.contains(words), "{}", missing.stderr);
    }
    assert_eq!(missing.executed(), Vec::<String>::new());
    for command in ["lock", "fetch"] {
        let refused = desk.run(&["--offline", command, RECIPE], &url).expect(2);
        assert!(refused.stderr.contains("vb::usage::offline"), "{}", refused.stderr);
    }
    let fetched = desk.run(&["fetch", RECIPE], &url).ok();
    assert!(fetched.stderr.contains("of which 3 had to be fetched, and 0 failed"), "{}", fetched.stderr);
    let again = desk.run(&["fetch", RECIPE], &url).ok();
    assert!(again.stderr.contains("of which 0 had to be fetched"), "{}", again.stderr);
    drop(private);
    // Nobody listens there any more, and a build that asked would fail.
    desk.run(&["build", "--offline", RECIPE], &url).ok();
    assert!(desk.env.workspace().join("dist/bookworm").is_dir());
}

#[test]
fn checkers_are_fetched_where_they_are_asked_for_and_named_where_they_are_missing() {
    let greeter = |command: &[&'static str]| [command, &["recipes/greeter.ncl", "--platform", "bookworm"]].concat();
    TestEnv::greeter().vb(&greeter(&["fetch", "--lint"])).ok();
    let locks = ["tests/greeter/greeter.lock", "recipes/workspace.lock"];
    let mirror = Mirror::of_locks(&locks.map(|lock| repository().join(lock)));
    let env = TestEnv::greeter();
    mirror.use_in(&env);
    let store = env.directory().join("store");
    let env = env.with_store(store);

    env.vb(&greeter(&["fetch"])).ok();
    let aside = env.directory().join("aside");
    fs::rename(mirror.archive(), &aside).unwrap();
    let missing = env.vb(&greeter(&["lint", "--offline"])).expect(4);
    assert!(missing.stderr.contains("  lintian_") && !missing.stderr.contains("  python3.11_"), "{}", missing.stderr);
    assert!(missing.stderr.contains("run `vb fetch --lint` for these recipes"), "{}", missing.stderr);
    assert_eq!(missing.executed(), Vec::<String>::new());
    fs::rename(&aside, mirror.archive()).unwrap();
    env.vb(&greeter(&["fetch", "--lint"])).ok();
    let plan = env.vb(&greeter(&["plan", "--lint"])).ok();
    assert!(plan.stdout.contains("run?  greeter bookworm lint vrmd-greeter"), "{}", plan.stdout);
    assert!(plan.stdout.ends_with(", 0 files to fetch\n"), "{}", plan.stdout);
}
