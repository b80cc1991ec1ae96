//! `vb cache gc`: what a build needs again stays, the rest goes.

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use fs_err as fs;

use crate::support::{TestEnv, seeded_store};

const BUILD: [&str; 2] = ["build", "recipes/whois.ncl"];

/// Makes every record one of forty days ago. The shared store's are the same files: nothing reads their times there.
fn age(store: &Path) {
    let time = SystemTime::now() - Duration::from_secs(40 * 24 * 3600);
    for kind in ["results", "files", "memory", "sources"] {
        for outer in fs::read_dir(store.join(kind)).unwrap() {
            for inner in fs::read_dir(outer.unwrap().path()).unwrap() {
                let file = fs::OpenOptions::new().write(true).open(inner.unwrap().path()).unwrap();
                file.file().set_modified(time).unwrap();
            }
        }
    }
}

#[test]
fn what_a_used_package_was_made_of_stays_and_what_nobody_has_used_goes() {
    let env = TestEnv::new();
    let store = seeded_store(env.directory().join("store"));
    let env = env.with_store(store);
    env.vb(&BUILD).ok();
    age(env.store());
    // This looks at the package alone.
    assert_eq!(env.vb(&BUILD).ok().executed(), Vec::<String>::new());
    assert!(env.vb(&["cache", "gc", "--dry-run"]).ok().stdout.starts_with("would remove "));
    assert!(env.vb(&["cache", "gc"]).ok().stdout.starts_with("removed "));
    assert!(env.vb(&["cache", "verify"]).ok().stdout.starts_with("the store is intact: "));
    let line = format!("\n# {}\n", env.directory().display());
    env.edit("recipes/apps/whois/whois_server/__init__.py", "\n", &line);
    let expected = ["whois bookworm import check", "whois bookworm package", "whois bookworm stage", "whois source"];
    assert_eq!(env.vb(&BUILD).ok().executed(), expected);

    age(env.store());
    env.vb(&["cache", "gc"]).ok();
    let left = env.vb(&["cache", "verify"]).ok().stdout;
    assert_eq!(left, "the store is intact: 0 blobs, 0 directories, 0 trees, 0 action results\n");
}
