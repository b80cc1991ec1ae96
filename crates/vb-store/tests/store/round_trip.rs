//! From a tree to the store and back.

use std::{
    os::unix::fs::MetadataExt,
    time::{Duration, SystemTime},
};

use fs_err as fs;
use proptest::{collection::btree_map, prelude::*, sample::select};
use vb_graph::Node;
use vb_store::{FIXED_TIME, IngestError, MaterializeError, TreeBuilder, export_copy};

use crate::fixture::{Entry, Fixture, again, blob_of, directory_of, given_directory, leftovers, truncate};

fn any_entry() -> impl Strategy<Value = Entry> {
    let content = proptest::collection::vec(any::<u8>(), 0..40);
    let leaf = prop_oneof![
        4 => (content, select(vec![0o644, 0o755, 0o600, 0o750]))
            .prop_map(|(content, mode)| Entry::File { content, mode }),
        1 => "[a-zé./]{1,12}".prop_map(Entry::Symlink),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| any_directory(inner.boxed()))
}

fn any_directory(inner: BoxedStrategy<Entry>) -> impl Strategy<Value = Entry> {
    (btree_map("[a-z中ő -]{1,6}", inner, 0..6), select(vec![0o755, 0o700, 0o750, 0o555]))
        .prop_map(|(entries, mode)| Entry::Directory { entries, mode })
}

fn any_tree() -> impl Strategy<Value = Entry> {
    btree_map("[a-z中ő -]{1,6}", any_entry(), 0..6).prop_map(|entries| Entry::Directory { entries, mode: 0o755 })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ingesting_and_materializing_is_identity(tree in any_tree()) {
        let fixture = Fixture::new();
        let digest = directory_of(&fixture.ingest("tree", &tree));
        let materialized = fixture.store.materialize(&digest).unwrap();
        prop_assert_eq!(&Entry::read(&materialized), &tree);
        let copy = fixture.path("some/copy");
        export_copy(&fixture.store, &digest, &copy).unwrap();
        prop_assert_eq!(&Entry::read(&copy), &tree);
        prop_assert_eq!(directory_of(&fixture.store.ingest_output(&copy).unwrap()), digest);
        prop_assert!(fixture.store.verify().unwrap().is_clean());
        prop_assert_eq!(leftovers(&fixture.store), Vec::<String>::new());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn adopting_a_tree_is_ingesting_and_materializing_it(tree in any_tree(), known in any_tree()) {
        let (fixture, other) = (Fixture::new(), Fixture::new());
        // What another tree has brought is linked into this one.
        fixture.store.materialize(&directory_of(&fixture.ingest("known", &known))).unwrap();
        let node = fixture.store.adopt_tree(&fixture.write("tree", &tree)).unwrap();
        prop_assert_eq!(&node, &other.ingest("tree", &tree));
        let digest = directory_of(&node);
        prop_assert_eq!(fixture.path("tree").exists(), tree == known);
        prop_assert_eq!(&Entry::read(&fixture.tree(&digest)), &tree);
        let materialized = other.store.materialize(&digest).unwrap();
        prop_assert_eq!(times(&fixture.tree(&digest)), times(&materialized));
        prop_assert!(fixture.store.verify().unwrap().is_clean());
        prop_assert_eq!(leftovers(&fixture.store), Vec::<String>::new());
        prop_assert_eq!(fixture.store.adopt_tree(&fixture.write("again", &tree)).unwrap(), node);
    }
}

/// Returns when everything in a tree was changed, by path.
fn times(tree: &std::path::Path) -> Vec<(String, i64)> {
    let mut found =
        vec![(tree.file_name().unwrap().to_string_lossy().into_owned(), fs::symlink_metadata(tree).unwrap().mtime())];
    if fs::symlink_metadata(tree).unwrap().is_dir() {
        let mut entries: Vec<_> = fs::read_dir(tree).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        found.extend(entries.iter().flat_map(|entry| times(entry)));
    }
    found
}

#[test]
fn an_adopted_tree_shares_its_bytes_with_blobs_and_with_other_trees() {
    let fixture = Fixture::new();
    let node = fixture.store.adopt_tree(&fixture.write("tree", &sample())).unwrap();
    let tree = fixture.tree(&directory_of(&node));
    let inode = |path: &std::path::Path| fs::symlink_metadata(path).unwrap().ino();
    let text = fixture.store.blob_path(&blob_of(&fixture.store, &node, "text"));
    let script = fixture.place("executables", &blob_of(&fixture.store, &node, "bin/run"));
    assert_eq!((inode(&tree.join("text")), inode(&tree.join("bin/run"))), (inode(&text), inode(&script)));
    let larger = Entry::directory([("tree", sample()), ("more", Entry::file("more", 0o644))]);
    let other = fixture.tree(&directory_of(&fixture.store.adopt_tree(&fixture.write("other", &larger)).unwrap()));
    let there = (inode(&other.join("tree/text")), inode(&other.join("tree/bin/run")));
    assert_eq!(there, (inode(&text), inode(&script)));
}

fn sample() -> Entry {
    Entry::directory([
        ("bin", Entry::directory([("run", Entry::file("#!/bin/sh\n", 0o755)), ("sh", Entry::Symlink("run".into()))])),
        ("empty", Entry::directory([])),
        ("secret", Entry::file("hush", 0o600)),
        ("text", Entry::file("text", 0o644)),
    ])
}

#[test]
fn order_directory_and_times_are_no_part_of_the_digest() {
    let fixture = Fixture::new();
    let first = fixture.ingest("first", &sample());
    let second = fixture.path("elsewhere");
    fs::create_dir(&second).unwrap();
    let Entry::Directory { entries, .. } = sample() else { panic!("the sample is a directory") };
    for (name, entry) in entries.iter().rev() {
        entry.write(&second.join(name));
    }
    let past = SystemTime::now() - Duration::from_secs(1_000_000);
    fs::File::open(second.join("text")).unwrap().set_modified(past).unwrap();
    assert_eq!(fixture.store.ingest_output(&second).unwrap(), first);
}

#[test]
fn the_umask_is_no_part_of_what_is_written() {
    if let Some(directory) = given_directory() {
        let store = vb_store::Store::open(&directory.join("masked")).unwrap();
        let node = store.ingest_output(&directory.join("tree")).unwrap();
        store.materialize(&directory_of(&node)).unwrap();
        return;
    }
    let fixture = Fixture::new();
    let digest = directory_of(&fixture.ingest("tree", &sample()));
    let test = "round_trip::the_umask_is_no_part_of_what_is_written";
    let directory = fixture.path("");
    assert!(again(test, &directory, "umask 077").status().unwrap().success());
    let tree = directory.join("masked/trees").join(digest.to_string());
    assert_eq!(Entry::read(&tree), sample());
}

#[test]
fn files_of_the_usual_modes_share_their_bytes_with_the_store() {
    let fixture = Fixture::new();
    let node = fixture.ingest("tree", &sample());
    let tree = fixture.store.materialize(&directory_of(&node)).unwrap();
    let inode = |path: &std::path::Path| fs::symlink_metadata(path).unwrap().ino();
    let text = fixture.store.blob_path(&blob_of(&fixture.store, &node, "text"));
    assert_eq!(inode(&tree.join("text")), inode(&text));
    assert_eq!(inode(&fixture.path("tree/text")), inode(&text));
    let script = fixture.place("executables", &blob_of(&fixture.store, &node, "bin/run"));
    assert_eq!(inode(&tree.join("bin/run")), inode(&script));
}

#[test]
fn an_exported_copy_can_be_written_without_harm_to_the_store() {
    let fixture = Fixture::new();
    let digest = directory_of(&fixture.ingest("tree", &sample()));
    let copy = fixture.path("copy");
    export_copy(&fixture.store, &digest, &copy).unwrap();
    fs::write(copy.join("text"), "other").unwrap();
    fs::write(copy.join("bin/run"), "other").unwrap();
    assert!(fixture.store.verify().unwrap().is_clean());
    assert_eq!(Entry::read(&fixture.store.materialize(&digest).unwrap()), sample());
}

#[test]
fn every_entry_of_a_tree_has_the_fixed_time() {
    let fixture = Fixture::new();
    let digest = directory_of(&fixture.ingest("tree", &sample()));
    let tree = fixture.store.materialize(&digest).unwrap();
    for name in ["", "bin", "bin/run", "bin/sh", "empty", "secret", "text"] {
        assert_eq!(fs::symlink_metadata(tree.join(name)).unwrap().mtime(), FIXED_TIME, "{name}");
    }
}

#[test]
fn set_user_id_bits_are_dropped() {
    let fixture = Fixture::new();
    let node = fixture.ingest("tree", &Entry::directory([("su", Entry::file("su", 0o4755))]));
    assert!(matches!(fixture.store.find(&node, "su").unwrap(), Some(Node::File { mode: 0o755, .. })));
}

#[test]
fn hard_links_in_an_output_become_one_blob_and_leave_nothing_behind() {
    let fixture = Fixture::new();
    let tree = fixture.write("tree", &Entry::directory([("a", Entry::file("same", 0o644))]));
    for name in ["b", "c", "d", "e", "f", "g"] {
        fs::hard_link(tree.join("a"), tree.join(name)).unwrap();
    }
    let node = fixture.store.ingest_output(&tree).unwrap();
    assert_eq!(blob_of(&fixture.store, &node, "a"), blob_of(&fixture.store, &node, "g"));
    assert_eq!(leftovers(&fixture.store), Vec::<String>::new());
}

#[test]
fn a_tree_is_made_once_by_many_threads() {
    let fixture = Fixture::new();
    let digest = directory_of(&fixture.ingest("tree", &sample()));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(Entry::read(&fixture.store.materialize(&digest).unwrap()), sample()));
        }
    });
    assert_eq!(leftovers(&fixture.store), Vec::<String>::new());
    assert!(fixture.store.verify().unwrap().is_clean());
}

#[test]
fn a_special_file_and_a_name_that_is_not_utf_8_are_refused_with_their_path() {
    use std::os::unix::{ffi::OsStrExt, net::UnixListener};
    let fixture = Fixture::new();
    let tree = fixture.write("tree", &Entry::directory([]));
    let socket = tree.join("socket");
    let listener = UnixListener::bind(&socket).unwrap();
    let error = fixture.store.ingest_output(&tree).unwrap_err();
    assert!(matches!(error, IngestError::Special { path } if path == socket));
    drop(listener);
    fs::remove_file(&socket).unwrap();
    let link = tree.join("link");
    std::os::unix::fs::symlink(std::ffi::OsStr::from_bytes(b"\xff"), &link).unwrap();
    let error = fixture.store.ingest_output(&tree).unwrap_err();
    assert!(matches!(error, IngestError::TargetNotUtf8 { path } if path == link));
    fs::remove_file(&link).unwrap();
    let named = tree.join(std::ffi::OsStr::from_bytes(b"\xff"));
    fs::write(&named, "").unwrap();
    let error = fixture.store.ingest_output(&tree).unwrap_err();
    assert!(matches!(error, IngestError::NotUtf8 { path } if path == named));
}

#[test]
fn a_tree_with_a_missing_or_truncated_blob_is_not_materialized() {
    let fixture = Fixture::new();
    for (content, mode) in [("linked", 0o644), ("executable", 0o755), ("copied", 0o600)] {
        let node = fixture.ingest(content, &Entry::directory([("file", Entry::file(content, mode))]));
        let blob = blob_of(&fixture.store, &node, "file");
        truncate(&fixture.store.blob_path(&blob));
        let is_missing = |error| matches!(error, MaterializeError::MissingBlob { digest, .. } if digest == blob);
        assert!(is_missing(fixture.store.materialize(&directory_of(&node)).unwrap_err()), "{content}");
        fs::remove_file(fixture.store.blob_path(&blob)).unwrap();
        assert!(is_missing(fixture.store.materialize(&directory_of(&node)).unwrap_err()), "{content}");
        assert!(!fixture.tree(&directory_of(&node)).exists());
    }
    assert_eq!(leftovers(&fixture.store), Vec::<String>::new());
}

#[test]
fn a_file_with_all_the_links_that_the_file_system_allows_is_copied() {
    // ext4 allows 65000; on a file system that allows more, the file is linked as any other.
    const MORE_THAN_EXT4_ALLOWS: usize = 65_100;
    let fixture = Fixture::new();
    let tree = fixture.write("tree", &Entry::directory([("file", Entry::file("", 0o644))]));
    let links = fixture.write("links", &Entry::directory([]));
    let full = tree.join("file");
    let count = (0..MORE_THAN_EXT4_ALLOWS)
        .take_while(|index| fs::hard_link(&full, links.join(index.to_string())).is_ok())
        .count();
    let node = fixture.store.ingest_output(&tree).unwrap();
    let blob = fixture.store.blob_path(&blob_of(&fixture.store, &node, "file"));
    let is_one_file = |path: &std::path::Path| {
        fs::symlink_metadata(path).unwrap().ino() == fs::symlink_metadata(&full).unwrap().ino()
    };
    assert_eq!(is_one_file(&blob), count == MORE_THAN_EXT4_ALLOWS);
    fs::rename(links.join("0"), &blob).unwrap();
    let materialized = fixture.store.materialize(&directory_of(&node)).unwrap();
    assert_eq!(is_one_file(&materialized.join("file")), count == MORE_THAN_EXT4_ALLOWS);
    assert_eq!(Entry::read(&materialized), Entry::directory([("file", Entry::file("", 0o644))]));
    assert_eq!(leftovers(&fixture.store), Vec::<String>::new());
}

#[test]
fn a_tree_of_single_paths_is_the_tree_that_was_written() {
    let fixture = Fixture::new();
    let tree = Entry::directory([
        ("a", Entry::directory([("b", Entry::directory([("file", Entry::file("1", 0o644))]))])),
        ("link", Entry::Symlink("a/b".into())),
    ]);
    let mut builder = TreeBuilder::default();
    let blob = fixture.store.put_bytes(b"1").unwrap();
    builder.insert("link", Node::Symlink { target: "a/b".into() }).unwrap();
    builder.insert("a/b/file", Node::File { blob, size: 1, mode: 0o644 }).unwrap();
    for path in ["", "/a", "a//b", "../a", "a/b", "a/b/file", "a/b/file/below", "link/below"] {
        assert!(builder.insert(path, Node::Symlink { target: "x".into() }).is_err(), "{path}");
    }
    assert_eq!(builder.put(&fixture.store).unwrap(), fixture.ingest("tree", &tree));
}

#[test]
fn merged_trees_hold_what_both_hold_and_a_conflict_is_named() {
    let fixture = Fixture::new();
    let file = |text: &str| Entry::file(text, 0o644);
    let one = Entry::directory([("lib", Entry::directory([("a", file("a")), ("same", file("same"))]))]);
    let two = Entry::directory([("lib", Entry::directory([("b", file("b")), ("same", file("same"))]))]);
    let bad = Entry::directory([("lib", Entry::directory([("a", file("other"))]))]);
    let [one, two, bad] =
        [("one", one), ("two", two), ("bad", bad)].map(|(name, entry)| directory_of(&fixture.ingest(name, &entry)));
    let merged = fixture.store.merge(&one, &two).unwrap();
    assert_eq!(fixture.store.merge(&two, &one).unwrap(), merged);
    let mut paths = Vec::new();
    fixture.store.walk(&merged, &mut |path, _| paths.push(path.to_owned())).unwrap();
    assert_eq!(paths, ["lib", "lib/a", "lib/b", "lib/same"]);
    assert_eq!(
        fixture.store.merge(&merged, &bad).unwrap_err().to_string(),
        "`lib/a` is in both trees with different content"
    );
}
