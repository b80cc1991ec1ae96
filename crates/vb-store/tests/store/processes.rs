//! Several processes on one store: equal work at once, locks, and what the dead leave.

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, ChildStdout},
};

use fs_err as fs;
use vb_store::Store;

use crate::fixture::{Entry, Fixture, action, again, directory_of, given_directory, leftovers, result};

/// Starts the test again as another process; returns it with its standard output at the first line it said.
fn start(test: &str, directory: &Path) -> (Child, BufReader<ChildStdout>, String) {
    let mut child = again(test, directory, "").spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("said ") {
        line.clear();
        assert_ne!(output.read_line(&mut line).unwrap(), 0, "the other process ended");
    }
    let said = line.trim_start_matches("said ").trim_end().to_owned();
    (child, output, said)
}

/// Tells the first process something, and waits until it closes the pipe or kills this one.
fn say_and_wait(line: &str) {
    let mut output = std::io::stdout();
    writeln!(output, "\nsaid {line}").unwrap();
    output.flush().unwrap();
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

fn tree_of(index: usize) -> Entry {
    let file = |text: String, mode| Entry::file(text.repeat(300), mode);
    Entry::directory([
        ("bin", Entry::directory([("run", file(format!("run {}", index / 2), 0o755))])),
        ("copied", file(format!("copied {index}"), 0o600)),
        ("shared", file("shared".to_owned(), 0o644)),
        ("text", file(format!("text {index}"), 0o644)),
    ])
}

/// Writes the same things as every other process that does this.
fn work(store: &Store, directory: &Path) {
    let own = tempfile::tempdir_in(directory).unwrap();
    for index in 0..12 {
        let path = own.path().join(index.to_string());
        tree_of(index).write(&path);
        let node = store.ingest_output(&path).unwrap();
        assert_eq!(Entry::read(&store.materialize(&directory_of(&node)).unwrap()), tree_of(index));
        let log = store.put_bytes(format!("log {index}").as_bytes()).unwrap();
        let result = result(&format!("action {index}"), node, Some(log));
        store.put_action_result(&result.action.digest(), &result).unwrap();
        store.remember("last", &index).unwrap();
        drop(Store::open(store.path()).unwrap());
    }
}

#[test]
fn processes_that_write_the_same_at_once_leave_one_whole_store() {
    let test = "processes::processes_that_write_the_same_at_once_leave_one_whole_store";
    if let Some(directory) = given_directory() {
        let store = Store::open(&directory.join("store")).unwrap();
        say_and_wait("ready");
        return work(&store, &directory);
    }
    let fixture = Fixture::new();
    let mut others: Vec<_> = (0..3).map(|_| start(test, &fixture.path(""))).collect();
    for (other, ..) in &mut others {
        drop(other.stdin.take());
    }
    work(&fixture.store, &fixture.path(""));
    for (mut other, mut output, _) in others {
        output.read_to_end(&mut Vec::new()).unwrap();
        assert!(other.wait().unwrap().success());
    }
    let report = fixture.store.verify().unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.results, report.trees), (12, 12));
    // Of each tree two contents and the log; the shared one; of each pair an executable with its twin.
    assert_eq!(report.blobs, 12 * 3 + 1 + 6 * 2);
    assert_eq!(leftovers(&fixture.store), Vec::<String>::new());
    for index in 0..12 {
        let result = fixture.store.action_result(&action(&format!("action {index}")).digest()).unwrap();
        let tree = fixture.store.materialize(&directory_of(&result.output)).unwrap();
        assert_eq!(Entry::read(&tree), tree_of(index));
    }
}

#[test]
fn the_lock_of_an_action_excludes_others_until_its_holder_is_dropped_or_killed() {
    let test = "processes::the_lock_of_an_action_excludes_others_until_its_holder_is_dropped_or_killed";
    let key = action("locked").digest();
    if let Some(directory) = given_directory() {
        let store = Store::open(&directory.join("store")).unwrap();
        let lock = store.try_lock_action(&key).unwrap();
        return say_and_wait(if lock.is_some() { "locked" } else { "refused" });
    }
    let fixture = Fixture::new();
    let mine = fixture.store.try_lock_action(&key).unwrap();
    assert!(mine.is_some());
    assert!(fixture.store.try_lock_action(&key).unwrap().is_none());
    assert!(fixture.store.try_lock_action(&action("other").digest()).unwrap().is_some());
    let (mut refused, _output, said) = start(test, &fixture.path(""));
    assert_eq!(said, "refused");
    refused.kill().unwrap();
    refused.wait().unwrap();
    drop(mine);
    let (mut holder, _output, said) = start(test, &fixture.path(""));
    assert_eq!(said, "locked");
    assert!(fixture.store.try_lock_action(&key).unwrap().is_none());
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(fixture.store.try_lock_action(&key).unwrap().is_some());
}

#[test]
fn the_scratch_of_a_living_process_stays_and_that_of_a_dead_one_is_removed() {
    let test = "processes::the_scratch_of_a_living_process_stays_and_that_of_a_dead_one_is_removed";
    if let Some(directory) = given_directory() {
        let store = Store::open(&directory.join("store")).unwrap();
        let scratch = store.scratch().unwrap();
        let tree = Entry::Directory { entries: [("file".to_owned(), Entry::file("work", 0o644))].into(), mode: 0o555 };
        tree.write(&scratch.path().join("tree"));
        return say_and_wait(scratch.path().to_str().unwrap());
    }
    let fixture = Fixture::new();
    let (mut other, _output, said) = start(test, &fixture.path(""));
    let reopen = || Store::open(fixture.store.path()).unwrap();
    reopen();
    assert_eq!(fs::read(Path::new(&said).join("tree/file")).unwrap(), b"work");
    other.kill().unwrap();
    other.wait().unwrap();
    assert_eq!(leftovers(&fixture.store).len(), 2);
    reopen();
    assert_eq!(leftovers(&fixture.store), Vec::<String>::new());
}

#[test]
fn scratch_directories_are_made_while_the_store_is_opened_again_and_again() {
    let test = "processes::scratch_directories_are_made_while_the_store_is_opened_again_and_again";
    if let Some(directory) = given_directory() {
        for _ in 0..400 {
            Store::open(&directory.join("store")).unwrap();
        }
        return;
    }
    let fixture = Fixture::new();
    let mut other = again(test, &fixture.path(""), "").spawn().unwrap();
    let mut count = 0;
    while other.try_wait().unwrap().is_none() || count == 0 {
        let scratch = fixture.store.scratch().unwrap();
        fs::write(scratch.path().join("file"), "work").unwrap();
        fixture.store.put_bytes(format!("blob {count}").as_bytes()).unwrap();
        assert_eq!(fs::read(scratch.path().join("file")).unwrap(), b"work");
        count += 1;
    }
    assert!(other.wait().unwrap().success());
}
