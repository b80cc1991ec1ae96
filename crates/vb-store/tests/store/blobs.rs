//! Damaged, missing and half-written blobs and directories.

use std::io::Write;

use fs_err as fs;
use vb_graph::{BlobDigest, Node};
use vb_store::{BlobError, DirectoryError};

use crate::fixture::{Entry, Fixture, alter, blob_of, directory_of, leftovers, truncate};

type Check = fn(&Fixture, &BlobDigest) -> Option<BlobError>;

const CHECKS: [Check; 2] =
    [|fixture, digest| fixture.store.read_blob(digest).err(), |fixture, digest| fixture.store.check_blob(digest).err()];

/// A store with one content in two materialized trees, as file and as executable, and a third tree without it.
fn with_trees() -> (Fixture, BlobDigest, [Node; 3]) {
    let fixture = Fixture::new();
    let nodes = [("content", 0o644), ("content", 0o755), ("other", 0o755)].map(|(content, mode)| {
        let tree = Entry::directory([("below", Entry::directory([("file", Entry::file(content, mode))]))]);
        let node = fixture.ingest(&format!("{content} {mode}"), &tree);
        fixture.store.materialize(&directory_of(&node)).unwrap();
        node
    });
    let blob = blob_of(&fixture.store, &nodes[0], "below/file");
    (fixture, blob, nodes)
}

#[test]
fn a_damaged_blob_is_found_and_removed_with_all_that_shares_its_bytes() {
    for damage in [alter, truncate] {
        for check in CHECKS {
            let (fixture, blob, [plain, executable, other]) = with_trees();
            assert!(check(&fixture, &blob).is_none());
            damage(&fixture.store.blob_path(&blob));
            assert!(matches!(check(&fixture, &blob), Some(BlobError::Corrupt { digest }) if digest == blob));
            assert!(!fixture.store.blob_path(&blob).exists());
            assert!(!fixture.place("executables", &blob).exists());
            assert!(!fixture.tree(&directory_of(&plain)).exists());
            assert!(!fixture.tree(&directory_of(&executable)).exists());
            assert!(fixture.tree(&directory_of(&other)).exists());
            assert!(matches!(check(&fixture, &blob), Some(BlobError::Missing { digest }) if digest == blob));
        }
    }
}

#[test]
fn a_tree_that_is_read_while_its_blob_is_removed_stays_whole_for_its_reader() {
    let (fixture, blob, [plain, ..]) = with_trees();
    let reader = fs::File::open(fixture.tree(&directory_of(&plain))).unwrap();
    alter(&fixture.store.blob_path(&blob));
    fixture.store.check_blob(&blob).unwrap_err();
    let file = rustix::fs::openat(&reader, "below/file", rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty());
    assert!(file.is_ok());
}

#[test]
fn writing_a_truncated_blob_again_mends_it_and_what_shares_its_bytes() {
    let tree = Entry::directory([("below", Entry::directory([("file", Entry::file("content", 0o644))]))]);
    let writes: [fn(&Fixture); 2] = [
        |fixture| assert_eq!(fixture.store.put_bytes(b"content").unwrap(), BlobDigest::of(b"content")),
        |fixture| drop(fixture.ingest("again", &Entry::file("content", 0o600))),
    ];
    for write in writes {
        let (fixture, blob, [plain, ..]) = with_trees();
        truncate(&fixture.store.blob_path(&blob));
        write(&fixture);
        fixture.store.check_blob(&blob).unwrap();
        assert_eq!(Entry::read(&fixture.store.materialize(&directory_of(&plain)).unwrap()), tree);
        assert!(fixture.store.verify().unwrap().is_clean());
    }
}

#[test]
fn a_truncated_executable_twin_is_made_again() {
    let (fixture, blob, [_, executable, _]) = with_trees();
    truncate(&fixture.place("executables", &blob));
    fs::remove_dir_all(fixture.tree(&directory_of(&executable))).unwrap();
    let tree = fixture.store.materialize(&directory_of(&executable)).unwrap();
    assert_eq!(fs::read(tree.join("below/file")).unwrap(), b"content");
}

#[test]
fn a_blob_of_another_size_does_not_count_as_there() {
    let (fixture, blob, [plain, ..]) = with_trees();
    assert!(fixture.store.has_blob(&blob, 7));
    assert!(!fixture.store.has_blob(&blob, 8));
    assert!(fixture.store.is_complete(&plain));
    truncate(&fixture.store.blob_path(&blob));
    assert!(!fixture.store.is_complete(&plain));
    assert!(fixture.store.has_node(&plain));
}

#[test]
fn a_blob_writer_stores_what_it_got_and_nothing_when_it_is_dropped() {
    let fixture = Fixture::new();
    let mut dropped = fixture.store.blob_writer().unwrap();
    dropped.write_all(b"half").unwrap();
    drop(dropped);
    assert!(!fixture.store.has_blob(&BlobDigest::of(b"half"), 4));
    let mut finished = fixture.store.blob_writer().unwrap();
    finished.write_all(b"wh").unwrap();
    finished.write_all(b"ole").unwrap();
    let (digest, size) = finished.finish().unwrap();
    assert_eq!((digest, size), (BlobDigest::of(b"whole"), 5));
    assert_eq!(fixture.store.read_blob(&digest).unwrap(), b"whole");
    assert_eq!(leftovers(&fixture.store), Vec::<String>::new());
}

#[test]
fn a_damaged_directory_is_missing_and_storing_it_again_mends_it() {
    for damage in [alter, truncate] {
        let (fixture, _, [plain, ..]) = with_trees();
        let digest = directory_of(&plain);
        let directory = fixture.store.directory(&digest).unwrap();
        let path = fixture.place("directories", &digest);
        damage(&path);
        fixture.store.put_directory(&directory).unwrap();
        assert_eq!(fixture.store.directory(&digest).unwrap(), directory);
        damage(&path);
        assert!(!fixture.store.is_complete(&plain));
        assert!(
            matches!(fixture.store.directory(&digest), Err(DirectoryError::Missing { digest: found }) if found == digest)
        );
        assert!(!path.exists());
    }
}

#[test]
fn a_directory_under_the_name_of_another_is_not_returned() {
    let (fixture, _, [plain, executable, _]) = with_trees();
    let [plain, executable] = [plain, executable].map(|node| fixture.place("directories", &directory_of(&node)));
    fs::copy(plain, &executable).unwrap();
    let (_, _, [_, node, _]) = with_trees();
    assert!(fixture.store.directory(&directory_of(&node)).is_err());
}
