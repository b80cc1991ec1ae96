//! Verification: whatever is damaged is found, removed and named, and then the store is clean.

use fs_err as fs;
use vb_graph::{BlobDigest, Node};
use vb_store::VerifyReport;

use crate::fixture::{Entry, Fixture, action, alter, blob_of, directory_of, result, truncate};

/// A store with two results of one tree each, one of them with a log.
fn with_results() -> (Fixture, [Node; 2]) {
    let fixture = Fixture::new();
    let nodes = ["first", "second"].map(|name| {
        let tree = Entry::directory([
            ("copied", Entry::file(format!("{name} copied"), 0o600)),
            ("bin", Entry::directory([("run", Entry::file(format!("{name} run"), 0o755))])),
            ("link", Entry::Symlink("bin".into())),
            ("linked", Entry::file(format!("{name} linked"), 0o644)),
        ]);
        let node = fixture.ingest(name, &tree);
        fixture.store.materialize(&directory_of(&node)).unwrap();
        let log = Some(fixture.store.put_bytes(format!("log of {name}").as_bytes()).unwrap());
        let result = result(name, node.clone(), log);
        fixture.store.put_action_result(&result.action.digest(), &result).unwrap();
        node
    });
    (fixture, nodes)
}

fn intact() -> VerifyReport {
    // Of each tree three contents, the twin of one, and the log; two directories; a result and a tree.
    VerifyReport { blobs: 10, directories: 4, results: 2, trees: 2, ..VerifyReport::default() }
}

/// Damages a store, and checks what verification says, what is left, and that the rest is still there.
fn check(damage: impl FnOnce(&Fixture, &Node), expected: impl FnOnce(VerifyReport) -> VerifyReport) {
    let (fixture, [first, second]) = with_results();
    assert_eq!(fixture.store.verify().unwrap(), intact());
    damage(&fixture, &first);
    let report = fixture.store.verify().unwrap();
    assert_eq!(report, expected(intact()));
    assert!(!report.is_clean());
    assert!(fixture.store.verify().unwrap().is_clean());
    assert!(fixture.store.is_complete(&second));
    assert!(fixture.store.action_result(&action("second").digest()).is_some());
    assert!(fixture.tree(&directory_of(&second)).exists());
}

#[test]
fn a_damaged_blob_goes_with_the_results_and_trees_that_hold_it() {
    for name in ["copied", "bin/run", "linked"] {
        for damage in [alter, truncate] {
            let digest = BlobDigest::of(format!("first {}", name.trim_start_matches("bin/")).as_bytes());
            check(
                |fixture, _| damage(&fixture.store.blob_path(&digest)),
                |report| VerifyReport { corrupt_blobs: vec![digest], broken_results: 1, trees: 1, ..report },
            );
        }
    }
}

#[test]
fn a_damaged_executable_twin_is_found() {
    let digest = BlobDigest::of(b"first run");
    check(
        |fixture, _| alter(&fixture.place("executables", &digest)),
        |report| VerifyReport { corrupt_blobs: vec![digest], broken_results: 1, trees: 1, ..report },
    );
}

#[test]
fn a_result_that_names_a_missing_blob_is_removed() {
    check(
        |fixture, first| {
            let blob = blob_of(&fixture.store, first, "linked");
            fs::remove_file(fixture.store.blob_path(&blob)).unwrap();
        },
        |report| VerifyReport { blobs: 9, broken_results: 1, ..report },
    );
}

#[test]
fn a_result_whose_log_is_missing_is_removed() {
    check(
        |fixture, _| fs::remove_file(fixture.store.blob_path(&BlobDigest::of(b"log of first"))).unwrap(),
        |report| VerifyReport { blobs: 9, broken_results: 1, ..report },
    );
}

#[test]
fn a_damaged_directory_goes_with_its_result_and_tree() {
    for damage in [alter, truncate] {
        check(
            |fixture, first| {
                let Some(Node::Directory { digest, .. }) = fixture.store.find(first, "bin").unwrap() else {
                    panic!("bin is a directory");
                };
                damage(&fixture.place("directories", &digest));
            },
            |report| VerifyReport { corrupt_directories: 1, broken_results: 1, corrupt_trees: 1, ..report },
        );
    }
}

#[test]
fn a_damaged_result_is_removed_and_its_output_stays() {
    for damage in [alter, truncate] {
        check(
            |fixture, _| damage(&fixture.place("results", &action("first").digest())),
            |report| VerifyReport { broken_results: 1, ..report },
        );
    }
}

#[test]
fn a_result_under_the_key_of_another_action_is_removed() {
    check(
        |fixture, _| {
            let [first, second] = ["first", "second"].map(|name| fixture.place("results", &action(name).digest()));
            fs::copy(second, first).unwrap();
        },
        |report| VerifyReport { broken_results: 1, ..report },
    );
}

#[test]
fn a_materialized_tree_that_was_changed_is_taken_out_of_use() {
    let damages: [fn(&std::path::Path); 6] = [
        |tree| fs::remove_file(tree.join("linked")).unwrap(),
        |tree| fs::write(tree.join("bin/added"), "").unwrap(),
        |tree| alter(&tree.join("copied")),
        |tree| fs::rename(tree.join("copied"), tree.join("linked")).unwrap(),
        |tree| fs::remove_dir_all(tree.join("bin")).unwrap(),
        |tree| {
            fs::remove_file(tree.join("link")).unwrap();
            std::os::unix::fs::symlink("elsewhere", tree.join("link")).unwrap();
        },
    ];
    for damage in damages {
        check(
            |fixture, first| damage(&fixture.tree(&directory_of(first))),
            |report| VerifyReport { corrupt_trees: 1, ..report },
        );
    }
}
