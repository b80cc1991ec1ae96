//! Builds without a network: they are made of what is there, or say all that is missing.

use crate::support::Desk;

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
