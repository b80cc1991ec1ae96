//! A store of a test's own, filled from the shared one without copying: for tests that damage what is in it.

use std::path::{Path, PathBuf};

use fs_err as fs;
use vb_graph::BlobDigest;
use vb_store::Store;

use super::{env::shared_store, mirror::build_whois_once};

/// What a build finds its results by, compressed parts of packages included. Materialized trees are not among it: each
/// store makes its own.
const KINDS: [&str; 6] = ["blobs", "directories", "results", "latest", "files", "memory"];

/// Makes a store that holds what the shared one does. The files are links: [`damage`] replaces one, nothing else may
/// write to them.
pub(crate) fn seeded_store(path: PathBuf) -> PathBuf {
    build_whois_once();
    for kind in KINDS {
        link_tree(&shared_store().join(kind), &path.join(kind));
    }
    fs::copy(shared_store().join("version"), path.join("version")).unwrap();
    path
}

/// Forgets what the actions of a label gave, so that the next build executes them again.
pub(crate) fn forget(store: &Path, label: &str) {
    let wanted = format!("\"label\":\"{label}\"");
    let mut forgotten = 0;
    for outer in fs::read_dir(store.join("results")).unwrap() {
        for inner in fs::read_dir(outer.unwrap().path()).unwrap() {
            let path = inner.unwrap().path();
            if fs::read_to_string(&path).unwrap().contains(&wanted) {
                fs::remove_file(path).unwrap();
                forgotten += 1;
            }
        }
    }
    assert!(forgotten > 0, "no action `{label}` has run");
}

/// Flips one bit in a blob, as a failing disk does: size and time stay.
pub(crate) fn damage(store: &Path, blob: &BlobDigest) {
    let path = Store::open(store).unwrap().blob_path(blob);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::remove_file(&path).unwrap();
    fs::write(&path, bytes).unwrap();
}

fn link_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().unwrap().is_dir() {
            link_tree(&source, &target);
        } else {
            // Another test may remove a file meanwhile, and a file can have all the links that there may be.
            drop(fs::hard_link(&source, &target).or_else(|_| fs::copy(&source, &target).map(drop)));
        }
    }
}
