//! Processes that are killed in the middle, and writes that fail: nothing half-written gets a name.

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::Path,
};

use fs_err as fs;
use vb_graph::{BlobDigest, Sha256};
use vb_store::{FetchedFile, SourceOptions, Store};

use crate::fixture::{Entry, Fixture, action, again, directory_of, given_directory, leftovers, result};

const ROUNDS: usize = 30;

/// Writes everything that a store can hold, again and again, and says after each step that it is done.
fn write_until_killed(directory: &Path) {
    let store = Store::open(&directory.join("store")).unwrap();
    let mut output = std::io::stdout();
    let mut step = || writeln!(output, "\ndone").unwrap();
    let own = tempfile::tempdir_in(directory).unwrap();
    for index in 0.. {
        let text = format!("{index} of {}", std::process::id());
        let long = text.repeat(2_000);
        step();
        let log = store.put_bytes(long.as_bytes()).unwrap();
        step();
        let mut writer = store.blob_writer().unwrap();
        writer.write_all(format!("fetched {long}").as_bytes()).unwrap();
        let (blob, size) = writer.finish().unwrap();
        step();
        let sha256 = Sha256::from_bytes(*BlobDigest::of(text.as_bytes()).as_bytes());
        store.put_fetched_file(&sha256, &FetchedFile { blob, size }).unwrap();
        step();
        let tree = own.path().join(index.to_string());
        let file = |name: &str, mode| Entry::file(format!("{name} {long}"), mode);
        Entry::directory([("a", file("a", 0o644)), ("b", file("b", 0o755)), ("c", file("c", 0o600))]).write(&tree);
        let source = store.ingest_source(&tree, &SourceOptions::default()).unwrap();
        step();
        let ingested = store.ingest_output(&tree).unwrap();
        step();
        store.materialize(&directory_of(&source)).unwrap();
        store.materialize(&directory_of(&ingested)).unwrap();
        step();
        let root = own.path().join(format!("{index} root"));
        Entry::directory([("a", file("a", 0o644)), ("d", file("d", 0o644)), ("e", file("e", 0o755))]).write(&root);
        store.adopt_tree(&root).unwrap();
        step();
        let result = result(&text, ingested, Some(log));
        store.put_action_result(&result.action.digest(), &result).unwrap();
        step();
        store.remember("progress", &text).unwrap();
    }
}

#[test]
fn a_process_that_is_killed_after_any_step_leaves_a_clean_store() {
    let test = "faults::a_process_that_is_killed_after_any_step_leaves_a_clean_store";
    if let Some(directory) = given_directory() {
        return write_until_killed(&directory);
    }
    let fixture = Fixture::new();
    let mut results = 0;
    for round in 0..ROUNDS {
        // One iteration of the writer has nine steps.
        let asked = 1 + round % 11;
        let mut child = again(test, &fixture.path(""), "").spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let steps = output.lines().map_while(Result::ok).filter(|line| line == "done").take(asked).count();
        assert_eq!(steps, asked, "the other process ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();
        let store = Store::open(fixture.store.path()).unwrap();
        let unfinished: Vec<_> = leftovers(&store).into_iter().filter(|name| name.starts_with("s-")).collect();
        assert_eq!(unfinished, Vec::<String>::new());
        let report = store.verify().unwrap();
        assert!(report.is_clean(), "round {round}: {report:?}");
        results = report.results;
    }
    assert!(results > 0);
}

/// Tries to write more than a file may hold, and then something small.
fn write_against_a_limit(directory: &Path) {
    let store = Store::open(&directory.join("store")).unwrap();
    let large = vec![7; 100_000];
    let tree = directory.join("large");
    store.put_bytes(&large).unwrap_err();
    let mut writer = store.blob_writer().unwrap();
    writer.write_all(&large).unwrap_err();
    drop(writer);
    store.ingest_output(&tree).unwrap_err();
    store.adopt_tree(&tree).unwrap_err();
    store.ingest_source(&tree, &SourceOptions::default()).unwrap_err();
    store.remember("large", &large).unwrap_err();
    let stored = store.action_result(&action("stored").digest()).unwrap();
    store.materialize(&directory_of(&stored.output)).unwrap_err();
    let failed = result(&"long".repeat(20_000), stored.output, None);
    store.put_action_result(&failed.action.digest(), &failed).unwrap_err();
    assert_eq!(store.recall::<Vec<u8>>("large"), None);
    assert_eq!(store.action_result(&failed.action.digest()), None);
    assert!(!store.has_blob(&BlobDigest::of(&large), 100_000));
    assert_eq!(leftovers(&store), Vec::<String>::new());
    store.put_bytes(b"small").unwrap();
}

#[test]
fn a_write_that_fails_leaves_nothing_behind() {
    let test = "faults::a_write_that_fails_leaves_nothing_behind";
    if let Some(directory) = given_directory() {
        return write_against_a_limit(&directory);
    }
    let fixture = Fixture::new();
    fixture.write("large", &Entry::directory([("file", Entry::file(vec![7; 100_000], 0o600))]));
    // What is stored before the limit needs an executable twin and a copy when it is materialized.
    let stored = fixture.ingest(
        "stored",
        &Entry::directory([
            ("copied", Entry::file(vec![8; 100_000], 0o600)),
            ("executable", Entry::file(vec![9; 100_000], 0o755)),
        ]),
    );
    let digest = directory_of(&stored);
    let stored = result("stored", stored, None);
    fixture.store.put_action_result(&stored.action.digest(), &stored).unwrap();
    // An ignored signal stays ignored in the program that the shell becomes: its writes fail instead.
    let mut child = again(test, &fixture.path(""), "trap '' XFSZ; ulimit -f 16").spawn().unwrap();
    let mut output = String::new();
    child.stdout.take().unwrap().read_to_string(&mut output).unwrap();
    assert!(child.wait().unwrap().success(), "{output}");
    let report = fixture.store.verify().unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert!(fixture.store.has_blob(&BlobDigest::of(b"small"), 5));
    assert!(!fixture.tree(&digest).exists());
    let tree = fixture.store.materialize(&digest).unwrap();
    assert_eq!(fs::read(tree.join("executable")).unwrap(), vec![9; 100_000]);
}
