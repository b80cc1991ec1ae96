//! A platform whose archive is as old as Ubuntu 14.04's: from its indexes to packages, for every recipe at once.

use fs_err as fs;

use crate::support::{Mirror, Release, TestEnv, write_hello};

/// Returns the names of the members of a `.deb`.
fn members(deb: &[u8]) -> Vec<String> {
    let mut rest = deb.strip_prefix(b"!<arch>\n").unwrap();
    let mut names = vec![];
    while !rest.is_empty() {
        let text = |range: std::ops::Range<usize>| std::str::from_utf8(&rest[range]).unwrap().trim().to_owned();
        names.push(text(0..16));
        let size: usize = text(48..58).parse().unwrap();
        rest = &rest[60 + size + size % 2..];
    }
    names
}

#[test]
fn every_recipe_is_locked_and_built_for_trusty_from_an_archive_of_its_age() {
    let (env, mirror) = (TestEnv::new(), Mirror::of_whois_as(Release::Trusty));
    mirror.use_in(&env);
    write_hello(&env, "attrs\n");
    env.edit("recipes/whois.ncl", "platforms = [\"bookworm\"]", "platforms = [\"bookworm\", \"trusty\"]");
    env.edit("recipes/hello.ncl", "  python =", "  platforms = [\"trusty\"],\n  python =");
    let bookworm = env.read("recipes/whois.lock");

    let run = env.vb(&["lock", "--all", "--platform", "trusty"]).ok();
    assert_eq!(run.stdout, "recipes/hello.lock\nrecipes/whois.lock\n");
    let lock = env.read("recipes/whois.lock");
    assert!(lock.starts_with(bookworm.trim_end()), "another platform's part of the lock is not as it was");
    let date = "[trusty.archive]\ntrusty = \"Thu, 08 May 2014 14:19:09 UTC\"\n";
    assert!(lock.contains(date) && lock.contains("/universe/p/python3.11/python3.11-dev_"), "{lock}");

    let run = env.vb(&["build", "--all", "--platform", "trusty"]).ok();
    let packages = ["dist/trusty/vrmd-hello_1.0_all.deb", "dist/trusty/vrmd-whois_1.0.0_amd64.deb"];
    assert_eq!(run.stdout.lines().collect::<Vec<_>>(), packages);
    for package in packages {
        // dpkg 1.17.5 reads no `control.tar.xz`, and no dpkg of that time reads zstd.
        let deb = fs::read(env.workspace().join(package)).unwrap();
        assert_eq!(members(&deb), ["debian-binary", "control.tar.gz", "data.tar.xz"], "{package}");
    }
    let run = env.vb(&["build", "--all", "--platform", "trusty"]).ok();
    assert_eq!(run.executed(), Vec::<String>::new());
}
