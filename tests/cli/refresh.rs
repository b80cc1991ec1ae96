//! A locked package that has left its archive: what a build says, what `vb lock --refresh` moves, and what a dated snapshot
//! spares.

use fs_err as fs;
use vb_graph::LockedPackage;
use vb_recipe::Lock;
use vb_store::Store;
use vb_testkit::{archive::Package, repack::with_control};

use crate::support::{Mirror, TestEnv, repository, sha256};

const LOCK: &str = "recipes/whois.lock";

/// A workspace with `whois` for all of its platforms, and a store that has fetched nothing.
fn workspace() -> TestEnv {
    let env = TestEnv::new();
    for file in ["recipes/whois.ncl", LOCK] {
        env.write(file, &fs::read_to_string(repository().join(file)).unwrap());
    }
    let store = env.directory().join("store");
    env.with_store(store)
}

/// Publishes the next state of an archive: another grep, which needs a package that is new.
fn publish_next_state(mirror: &mut Mirror) {
    let old = fs::read(mirror.deb("grep")).unwrap();
    let next = with_control(&old, |control| {
        control.replace("Version: 3.8-5\n", "Version: 3.8-6\n").replace("Pre-Depends: ", "Pre-Depends: grep-words, ")
    });
    let words = Package::new("grep-words", "1.0-1")
        .field("Maintainer", "fixture <fixture@example.org>")
        .field("Description", "what grep needs")
        .control_file("md5sums", "60b725f10c9c85c70d97880dfe8191b3  usr/words\n", 0o644)
        .directory("./usr", 0o755)
        .file("./usr/words", "a\n", 0o644)
        .to_deb();
    for (name, version, deb) in [("grep", "3.8-6", next), ("grep-words", "1.0-1", words)] {
        let path = format!("pool/main/g/grep/{name}_{version}_amd64.deb");
        let file = mirror.path().join(name);
        fs::write(&file, &deb).unwrap();
        let package = LockedPackage {
            name: name.to_owned(),
            version: version.to_owned(),
            architecture: "amd64".to_owned(),
            path,
            size: deb.len() as u64,
            sha256: sha256(&file).parse().unwrap(),
        };
        mirror.update(package, &deb, "Mon, 23 Nov 2026 10:00:00 UTC");
    }
}

#[test]
fn a_package_that_left_its_archive_is_told_and_a_refresh_moves_that_platform_alone() {
    let (env, mut mirror) = (workspace(), Mirror::of_whois());
    mirror.use_in(&env);
    publish_next_state(&mut mirror);
    let old = Lock::read(&env.workspace().join(LOCK)).unwrap();

    let run = env.vb(&["build", "recipes/whois.ncl", "--platform", "bookworm"]).expect(4);
    let told = [
        "error[vb::fetch::gone]: fetch grep_3.8-5_amd64.deb failed".to_owned(),
        "  locked        `grep 3.8-5` for `bookworm`, in `recipes/whois.lock`".to_owned(),
        format!("  locked from   `bookworm` of {}", old.platforms["bookworm"].archive["bookworm"]),
        "run `vb lock --refresh --platform bookworm recipes/whois.ncl`".to_owned(),
    ];
    told.iter().for_each(|line| assert!(run.stderr.contains(line), "`{line}` is not in:\n{}", run.stderr));

    let refresh = ["lock", "--refresh", "--platform", "bookworm", "recipes/whois.ncl"];
    let run = env.vb(&refresh).ok();
    assert_eq!(run.stdout, "whois bookworm:\n  ~ grep 3.8-5 → 3.8-6\n  + grep-words 1.0-1\nrecipes/whois.lock\n");
    let new = Lock::read(&env.workspace().join(LOCK)).unwrap();
    assert_eq!(new.platforms["trixie"], old.platforms["trixie"]);
    let [before, after] = [&old, &new].map(|lock| &lock.platforms["bookworm"]);
    assert_eq!(
        (&after.distributions, &after.tools, &after.request),
        (&before.distributions, &before.tools, &before.request)
    );
    assert_eq!(after.archive["bookworm"], "Mon, 23 Nov 2026 10:00:00 UTC");
    assert_eq!(env.vb(&refresh).ok().stdout, "whois bookworm:\n  nothing has moved\nrecipes/whois.lock\n");

    let tree = env.vb(&["output", "recipes/whois.ncl", "whois bookworm root interpreter"]).ok().stdout;
    assert_eq!(fs::read_to_string(format!("{}/usr/words", tree.trim())).unwrap(), "a\n");
}

#[test]
fn a_refresh_does_not_answer_what_the_recipe_asks_otherwise() {
    let (env, mirror) = (TestEnv::new(), Mirror::of_whois());
    mirror.use_in(&env);
    env.edit("recipes/whois.ncl", "[\"adduser\", \"libpq5\", \"runit\"]", "[\"adduser\", \"libpq5\"]");
    let before = env.read(LOCK);
    let run = env.vb(&["lock", "--refresh", "recipes/whois.ncl"]).expect(3);
    assert!(run.stderr.contains("vb::lock::mismatch") && run.stderr.contains("run `vb lock recipes/whois.ncl`"));
    assert_eq!(env.read(LOCK), before);
}

#[test]
fn a_dated_snapshot_in_the_platforms_file_still_has_what_is_locked() {
    let (env, snapshot, mut mirror) = (workspace(), Mirror::of_whois(), Mirror::of_whois());
    publish_next_state(&mut mirror);
    mirror.use_in(&env);
    let locked = Lock::read(&env.workspace().join(LOCK)).unwrap();
    let mut packages = locked.platforms["bookworm"].packages.iter().map(|locked| &locked.package);
    let grep = packages.find(|package| package.name == "grep").unwrap();
    let is_fetched = || Store::open(env.store()).unwrap().fetched_file(&grep.sha256).is_some();
    let fetch = || env.vb(&["output", "recipes/whois.ncl", "fetch grep_3.8-5_amd64.deb"]);
    fetch().expect(4);
    assert!(!is_fetched());

    // The workspace's word would count before the platform's.
    snapshot.use_in(&env);
    let location = format!("file://{}", snapshot.archive().display());
    env.edit("recipes/workspace.ncl", &format!("archives = {{ bookworm = [\"{location}\"] }}"), "archives = {}");
    env.edit("recipes/platforms/bookworm.ncl", "  keyring =", &format!("  archives = [\"{location}\"],\n  keyring ="));
    // A file is fetched, and has no directory to show.
    assert!(fetch().stderr.contains("vb::usage::no_directory") && is_fetched());
    let run = env.vb(&["lock", "--refresh", "--platform", "bookworm", "recipes/whois.ncl"]).ok();
    assert_eq!(run.stdout, "whois bookworm:\n  nothing has moved\nrecipes/whois.lock\n");
}
