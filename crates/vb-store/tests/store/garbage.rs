//! Garbage collection: what goes, what stays, and when nothing is done.

use std::time::{Duration, SystemTime};

use fs_err as fs;
use vb_graph::{InputDigest, Node, Part, PartValue, Sha256};
use vb_store::{ActionResult, FetchedFile, GarbageError, Store, Sweep};

use crate::fixture::{Entry, Fixture, result};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn tree(content: &str) -> Entry {
    let lib = Entry::directory([("module.py", Entry::file(content, 0o644))]);
    Entry::directory([("lib", lib), ("run", Entry::file(format!("run {content}"), 0o755))])
}

/// Records an action that reads inputs and gives a tree, which is materialized.
fn record(fixture: &Fixture, name: &str, inputs: &[InputDigest]) -> ActionResult {
    let mut result = result(name, fixture.ingest(name, &tree(name)), None);
    let parts = inputs
        .iter()
        .enumerate()
        .map(|(place, input)| Part { name: format!("input {place}"), value: PartValue::Input(input.clone()) });
    result.action.parts.extend(parts);
    result.log = Some(fixture.store.put_bytes(format!("log of {name}").as_bytes()).unwrap());
    fixture.store.put_action_result(&result.action.digest(), &result).unwrap();
    let Node::Directory { digest, .. } = &result.output else { unreachable!("it is a tree") };
    fixture.store.materialize(digest).unwrap();
    result
}

fn fetch(fixture: &Fixture, content: &[u8], sha256: [u8; 32]) -> InputDigest {
    let file = FetchedFile { blob: fixture.store.put_bytes(content).unwrap(), size: content.len() as u64 };
    let sha256 = Sha256::from_bytes(sha256);
    fixture.store.put_fetched_file(&sha256, &file).unwrap();
    InputDigest::File { file: "file".to_owned(), sha256 }
}

/// Makes a record one that was used in a month.
fn use_in_a_month(fixture: &Fixture, result: &ActionResult) {
    let file = fs::OpenOptions::new().write(true).open(fixture.place("results", &result.action.digest())).unwrap();
    file.file().set_modified(SystemTime::now() + DAY * 30).unwrap();
}

fn is_whole(fixture: &Fixture, result: &ActionResult) -> bool {
    let Node::Directory { digest, .. } = &result.output else { unreachable!("it is a tree") };
    let found = fixture.store.action_result(&result.action.digest());
    found.as_ref() == Some(result) && fixture.store.is_complete(&result.output) && fixture.tree(digest).exists()
}

#[test]
fn what_a_recent_result_was_made_of_stays_and_everything_else_goes() {
    let fixture = Fixture::new();
    let (wheel, other) = (fetch(&fixture, b"wheel", [1; 32]), fetch(&fixture, b"other wheel", [2; 32]));
    let unpacked = record(&fixture, "unpacked", std::slice::from_ref(&wheel));
    let environment = record(&fixture, "environment", &[InputDigest::Node(unpacked.output.clone())]);
    let package = record(&fixture, "package", &[InputDigest::Node(environment.output.clone())]);
    let abandoned = record(&fixture, "abandoned", &[other, InputDigest::Node(environment.output.clone())]);
    fixture.store.remember("segment", &abandoned.log).unwrap();
    use_in_a_month(&fixture, &package);

    let since = SystemTime::now() + DAY;
    let counted = fixture.store.collect_garbage(since, Sweep::Count).unwrap();
    assert!(is_whole(&fixture, &abandoned));
    let removed = fixture.store.collect_garbage(since, Sweep::Remove).unwrap();
    assert_eq!(counted, removed);
    // Two files of a tree, one of them with a twin, a log and a wheel.
    assert_eq!((removed.results, removed.files, removed.blobs, removed.trees), (1, 1, 5, 1));
    for kept in [&unpacked, &environment, &package] {
        assert!(is_whole(&fixture, kept), "{}", kept.label);
    }
    assert!(fixture.store.fetched_file(&Sha256::from_bytes([1; 32])).is_some());
    assert_eq!(fixture.store.action_result(&abandoned.action.digest()), None);
    assert_eq!(fixture.store.latest_action(&abandoned.label), None);
    assert_eq!(fixture.store.latest_action(&package.label), Some(package.action.digest()));
    assert_eq!(fixture.store.recall::<Option<vb_graph::BlobDigest>>("segment"), None);
    assert!(!fixture.store.is_complete(&abandoned.output));
    let report = fixture.store.verify().unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(fixture.store.collect_garbage(since, Sweep::Remove).unwrap(), Default::default());
}

#[test]
fn a_checkout_that_nobody_uses_any_more_goes() {
    let fixture = Fixture::new();
    let [young, old] = ["young", "old"].map(|name| fixture.store.checkouts().join(name));
    for checkout in [&young, &old] {
        fs::create_dir_all(checkout.join("application")).unwrap();
    }
    fs::File::open(&old).unwrap().file().set_modified(SystemTime::now() - DAY * 2).unwrap();
    let removed = fixture.store.collect_garbage(SystemTime::now() - DAY, Sweep::Remove).unwrap();
    assert_eq!(removed.trees, 1);
    assert!(young.is_dir() && !old.exists());
}

#[test]
fn what_is_young_stays() {
    let fixture = Fixture::new();
    let result = record(&fixture, "result", &[fetch(&fixture, b"wheel", [1; 32])]);
    let remembered = fixture.store.put_bytes(b"compressed").unwrap();
    fixture.store.remember("segment", &remembered).unwrap();
    let removed = fixture.store.collect_garbage(SystemTime::now() - DAY, Sweep::Remove).unwrap();
    assert_eq!(removed, Default::default());
    assert!(is_whole(&fixture, &result));
    assert_eq!(fixture.store.read_blob(&remembered).unwrap(), b"compressed");
}

#[test]
fn looking_up_is_use() {
    let fixture = Fixture::new();
    let results = ["used", "unused"].map(|name| record(&fixture, name, &[]));
    for result in &results {
        let file = fs::OpenOptions::new().write(true).open(fixture.place("results", &result.action.digest())).unwrap();
        file.file().set_modified(SystemTime::now() - DAY * 40).unwrap();
    }
    fixture.store.action_result(&results[0].action.digest()).unwrap();
    assert!(fixture.store.verify().unwrap().is_clean());
    fixture.store.collect_garbage(SystemTime::now() - DAY * 30, Sweep::Remove).unwrap();
    assert!(is_whole(&fixture, &results[0]));
    assert_eq!(fixture.store.action_result(&results[1].action.digest()), None);
}

#[test]
fn nothing_is_collected_while_another_uses_the_store() {
    let fixture = Fixture::new();
    let result = record(&fixture, "result", &[]);
    let other = Store::open(fixture.store.path()).unwrap();
    let all = SystemTime::now() + DAY;
    assert!(matches!(fixture.store.collect_garbage(all, Sweep::Remove), Err(GarbageError::InUse)));
    assert!(is_whole(&fixture, &result));
    drop(other);
    assert_eq!(fixture.store.collect_garbage(all, Sweep::Remove).unwrap().results, 1);
    // It is shared again.
    assert!(matches!(
        Store::open(fixture.store.path()).unwrap().collect_garbage(all, Sweep::Remove),
        Err(GarbageError::InUse)
    ));
}
