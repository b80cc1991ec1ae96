//! A repository in a bucket, behind a server that speaks the protocol of S3.

use std::{collections::BTreeSet, path::Path, process::Command};

use fs_err as fs;
use vb_fetch::{FetchOptions, Fetcher};
use vb_repo::{ObjectStorage, Storage};
use vb_testkit::archive::{Compression, Package};

use crate::support::{Run, S3Server, SECRET, TestEnv};

const PUBLISHERS: usize = 8;
const PACKAGES: usize = 50;
/// Each publisher comes so often.
const CALLS: usize = 1;
const BUCKET: &str = "s3://packages/some/where";
const PASSPHRASE: &str = "bm90IHRoaXMgZWl0aGVy";

fn write_package(directory: &Path, name: &str) {
    let package = Package::new(name, "1.0")
        .field("Maintainer", "test <test@example.org>")
        .field("Description", "one of many")
        .compression(Compression::Plain);
    fs::write(directory.join(format!("{name}_1.0_amd64.deb")), package.to_deb()).unwrap();
}

fn command(env: &TestEnv, server: &S3Server, arguments: &[&str]) -> Command {
    let mut command = env.command(arguments);
    command.envs(server.variables()).env("VB_REPO", BUCKET).env("VB_KEY_PASSPHRASE", PASSPHRASE);
    command
}

#[test]
fn eight_publishers_with_a_view_of_their_own_lose_no_package_in_a_bucket() {
    let env = TestEnv::new();
    let server = S3Server::start();
    let vb = |arguments: &[&str]| Run::of(&mut command(&env, &server, arguments));
    vb(&["key", "new", "key.asc", "--user", "test <test@example.org>"]).ok();
    vb(&["repo", "init", "--key", "key.asc"]).ok();
    vb(&["repo", "init", "--key", "key.asc"]).expect(2);
    let mut expected = BTreeSet::new();
    let mut calls: Vec<Vec<Vec<String>>> = Vec::new();
    let directory = env.workspace().join("dist/bookworm");
    fs::create_dir_all(&directory).unwrap();
    for publisher in 0..PUBLISHERS {
        let names: Vec<String> = (0..PACKAGES).map(|index| format!("package-{publisher}-{index:02}")).collect();
        names.iter().for_each(|name| write_package(&directory, name));
        let path = |name: &String| format!("dist/bookworm/{name}_1.0_amd64.deb");
        calls.push(names.chunks(PACKAGES / CALLS).map(|some| some.iter().map(path).collect()).collect());
        expected.extend(names);
    }
    // Each call is a process of its own, which knows of the others what the bucket says.
    std::thread::scope(|scope| {
        for calls in &calls {
            let vb = &vb;
            scope.spawn(move || {
                for packages in calls {
                    let mut arguments = vec!["repo", "add"];
                    arguments.extend(packages.iter().map(String::as_str));
                    vb(&arguments).ok();
                }
            });
        }
    });
    let list = vb(&["repo", "list", "--channel", "development"]).ok().stdout;
    let name = |line: &str| line.split_whitespace().nth(1).map(str::to_owned);
    assert_eq!(list.lines().filter_map(name).collect::<BTreeSet<String>>(), expected);
    let history = vb(&["repo", "history", "--channel", "development"]).ok().stdout;
    assert_eq!(history.lines().count(), PUBLISHERS * CALLS, "{history}");

    let promote = ["repo", "promote", "package-0-00", "--from", "development", "--to", "production"];
    vb(&promote).ok();
    // Everything that clients see is of the last generation, and whole.
    vb(&["repo", "verify"]).ok();
    vb(&["repo", "remove", "package-0-00", "--channel", "production"]).ok();
    vb(&["repo", "rollback", "--channel", "production"]).ok();
    assert!(vb(&["repo", "list"]).ok().stdout.contains("bookworm-production  package-0-00 1.0 amd64"));
    let garbage = vb(&["repo", "gc", "--dry-run"]).ok().stdout;
    assert!(garbage.ends_with("would remove 0 objects, 0 bytes\n"), "{garbage}");
    assert_nothing_secret(&env, &server);
}

/// Credentials are in the environment, and nowhere else: not in an object, and not in a file.
fn assert_nothing_secret(env: &TestEnv, server: &S3Server) {
    let has_secret = |bytes: &[u8]| {
        [SECRET, PASSPHRASE].iter().any(|secret| bytes.windows(secret.len()).any(|part| part == secret.as_bytes()))
    };
    let variables = server.variables().map(|(name, value)| (name.to_owned(), value)).into();
    let fetcher = Fetcher::new(&FetchOptions::default()).unwrap();
    let storage = Storage::Object(ObjectStorage::open(BUCKET, &variables, &fetcher).unwrap());
    let objects = ["state", "dists"].map(|directory| storage.list(directory).unwrap()).concat();
    assert!(objects.iter().any(|object| object.name == "state/settings.json"));
    for object in &objects {
        let (bytes, _) = storage.get(&object.name).unwrap().unwrap();
        assert!(!has_secret(&bytes), "{}", object.name);
    }
    let mut pending = vec![env.directory().to_owned()];
    let mut files = 0;
    while let Some(path) = pending.pop() {
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            pending.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            assert!(!has_secret(&fs::read(&path).unwrap()), "{}", path.display());
            files += 1;
        }
    }
    assert!(files > PUBLISHERS * PACKAGES);
}
