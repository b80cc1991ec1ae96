//! Many publishers at once, in threads and in processes, while clients read.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use vb_repo::{Changed, ObjectStorage, PublicKeys, Repository, Settings, Signer, Signers, Storage};
use vb_testkit::archive::{Compression, Package};

use crate::fixture::{Fixture, channel, open, publisher, read_as_client, signer, write_package};

const PUBLISHERS: usize = 8;
const PACKAGES: usize = 50;
/// Each publisher comes back so often.
const CALLS: usize = 5;
const DIRECTORY: &str = "VB_TEST_REPOSITORY";

fn packages_of(directory: &Path, publisher: usize) -> Vec<PathBuf> {
    let package = |index: usize| {
        let name = format!("package-{publisher}-{index:02}");
        write_package(directory, &Package::new(&name, "1.0").compression(Compression::Plain))
    };
    (0..PACKAGES).map(package).collect()
}

fn publish(repository: &Repository, packages: &[PathBuf]) {
    for some in packages.chunks(PACKAGES / CALLS) {
        let changed = repository.add(&channel("development"), "main", some, &publisher(1_700_000_000)).unwrap();
        assert!(matches!(changed, Changed::To { .. }));
    }
}

fn all_packages() -> BTreeSet<String> {
    let of = |publisher| (0..PACKAGES).map(move |index| format!("package-{publisher}-{index:02} 1.0"));
    (0..PUBLISHERS).flat_map(of).collect()
}

/// This test again in a process of its own.
fn again(directory: &Path) -> Child {
    let test = "together::nobody_loses_a_package_and_no_client_sees_half_a_repository";
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(DIRECTORY, directory).stdout(Stdio::null());
    command.spawn().unwrap()
}

/// Four publishers of this process, each with a repository that it opened itself.
fn publish_in_threads(directory: &Path, publishers: std::ops::Range<usize>) {
    thread::scope(|scope| {
        for publisher in publishers {
            scope.spawn(move || publish(&open(directory), &packages_of(directory, publisher)));
        }
    });
}

#[test]
fn nobody_loses_a_package_and_no_client_sees_half_a_repository() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        return publish_in_threads(Path::new(&directory), PUBLISHERS / 2..PUBLISHERS);
    }
    let fixture = Fixture::new();
    // A client needs an index to begin with.
    let first = fixture.package(&Package::new("first", "1.0"));
    fixture.repository.add(&channel("development"), "main", &[first], &publisher(1_700_000_000)).unwrap();
    let is_done = AtomicBool::new(false);
    let reads = thread::scope(|scope| {
        let client = scope.spawn(|| {
            let mut reads = 0;
            while !is_done.load(Ordering::Relaxed) {
                assert!(!read_as_client(&fixture.root(), "bookworm-development").is_empty());
                reads += 1;
            }
            reads
        });
        let mut other = again(fixture.directory.path());
        publish_in_threads(fixture.directory.path(), 0..PUBLISHERS / 2);
        assert!(other.wait().unwrap().success());
        is_done.store(true, Ordering::Relaxed);
        client.join().unwrap()
    });
    assert!(reads > 0);
    let mut found: BTreeSet<String> = read_as_client(&fixture.root(), "bookworm-development").into_iter().collect();
    assert!(found.remove("first 1.0"));
    assert_eq!(found, all_packages());
    let development = channel("development");
    let history = fixture.repository.history(&development).unwrap();
    assert_eq!(history.len(), 1 + PUBLISHERS * CALLS);
    assert!(fixture.repository.verify(&[development]).unwrap().problems.is_empty());
}

#[test]
fn an_object_store_without_locks_loses_no_package_either() {
    let armor = vb_repo::generate_key("test <test@example.org>", vb_repo::KeyAlgorithm::Ed25519).unwrap();
    let signers = || Signers::new(vec![Signer::Key(signer(&armor))]);
    let store = ObjectStorage::in_memory().unwrap();
    let storage = || Storage::Object(store.clone());
    let mut keys = PublicKeys::default();
    keys.extend(signer(&armor).public());
    let mut repository = Repository::init(storage(), Settings::usual(), signers(), &keys).unwrap();
    let platform = vb_repo::PlatformSettings::usual(vb_repo::Format::Deb, "amd64");
    repository.add_platform("bookworm", &platform).unwrap();

    let directory = tempfile::tempdir().unwrap();
    thread::scope(|scope| {
        for publisher in 0..PUBLISHERS {
            let (storage, signers, directory) = (storage(), signers(), directory.path());
            scope.spawn(move || {
                let repository = Repository::open(storage, signers).unwrap();
                publish(&repository, &packages_of(directory, publisher));
            });
        }
    });
    let development = channel("development");
    let found = repository.packages(&development).unwrap();
    let found: BTreeSet<String> =
        found.into_iter().map(|(_, record)| format!("{} {}", record.key.name, record.key.version)).collect();
    assert_eq!(found, all_packages());
    // What clients see is of the last generation, all of it.
    let report = repository.verify(&[development]).unwrap();
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    assert!(report.files > 8);
}
