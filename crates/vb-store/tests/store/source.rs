//! Source trees: modes, ignore rules, excludes and the stat cache.

use std::{
    os::unix::{ffi::OsStrExt, net::UnixListener},
    path::Path,
    time::{Duration, SystemTime},
};

use fs_err as fs;
use vb_graph::Node;
use vb_store::{IngestError, SourceOptions, Store};

use crate::fixture::{Entry, Fixture, again, blob_of, directory_of, given_directory};

fn file(text: &str) -> Entry {
    Entry::file(text, 0o644)
}

/// Writes a tree and ingests it as a source; returns the paths and modes that came in.
fn listing(tree: &Entry, excludes: &[&str]) -> Vec<String> {
    let fixture = Fixture::new();
    let path = fixture.write("source", tree);
    let options = SourceOptions { excludes: excludes.iter().map(|&pattern| pattern.to_owned()).collect() };
    paths_of(&fixture.store, &fixture.store.ingest_source(&path, &options).unwrap())
}

fn paths_of(store: &Store, node: &Node) -> Vec<String> {
    let mut paths = Vec::new();
    store
        .walk(&directory_of(node), &mut |path, node| {
            paths.push(match node {
                Node::File { mode, .. } => format!("{path} {mode:o}"),
                Node::Directory { mode, .. } => format!("{path}/ {mode:o}"),
                Node::Symlink { target } => format!("{path} -> {target}"),
            });
        })
        .unwrap();
    paths
}

fn ingest(fixture: &Fixture, path: &Path) -> Node {
    fixture.store.ingest_source(path, &SourceOptions::default()).unwrap()
}

#[test]
fn modes_are_normalised_and_empty_directories_dropped() {
    let private = Entry::Directory { entries: [("file".to_owned(), file(""))].into(), mode: 0o700 };
    let tree = Entry::directory([
        ("empty", Entry::directory([("below", Entry::directory([]))])),
        ("group", Entry::file("", 0o664)),
        ("others", Entry::file("", 0o655)),
        ("own", Entry::file("", 0o700)),
        ("private", private),
        ("secret", Entry::file("", 0o600)),
    ]);
    let expected = ["group 644", "others 644", "own 755", "private/ 755", "private/file 644", "secret 644"];
    assert_eq!(listing(&tree, &[]), expected);
}

#[test]
fn ignore_files_count_as_for_git_in_a_checkout_and_git_itself_is_left_out() {
    let tree = Entry::directory([
        (".git", Entry::directory([("HEAD", file("")), ("info", Entry::directory([("exclude", file("kept"))]))])),
        (".gitignore", file("*.pyc\n/build/\n!keep.pyc\n")),
        (".ignore", file("kept\n")),
        ("build", Entry::directory([("out", file(""))])),
        ("kept", file("")),
        ("keep.pyc", file("")),
        ("sub", Entry::directory([(".gitignore", file("local\n")), ("build", file("")), ("local", file(""))])),
        ("top.pyc", file("")),
        ("vendored", Entry::directory([(".git", file("gitdir: elsewhere")), ("file", file(""))])),
    ]);
    let expected = [
        ".gitignore 644",
        ".ignore 644",
        "keep.pyc 644",
        "kept 644",
        "sub/ 755",
        "sub/.gitignore 644",
        "sub/build 644",
        "vendored/ 755",
        "vendored/file 644",
    ];
    assert_eq!(listing(&tree, &[]), expected);
}

#[test]
fn the_ignore_file_of_the_checkout_counts_for_an_application_below_its_top() {
    let fixture = Fixture::new();
    let tree = Entry::directory([
        (".git", Entry::directory([("HEAD", file(""))])),
        (".gitignore", file("*.log\n/apps/whois/local\n")),
        (
            "apps",
            Entry::directory([(
                "whois",
                Entry::directory([("a.log", file("")), ("a.py", file("")), ("local", file(""))]),
            )]),
        ),
    ]);
    let path = fixture.write("checkout", &tree).join("apps/whois");
    assert_eq!(paths_of(&fixture.store, &ingest(&fixture, &path)), ["a.py 644"]);
}

#[test]
fn ignore_files_of_the_user_do_not_count() {
    if let Some(directory) = given_directory() {
        let store = Store::open(&directory.join("other store")).unwrap();
        let node = store.ingest_source(&directory.join("source"), &SourceOptions::default()).unwrap();
        assert_eq!(paths_of(&store, &node), ["a.py 644"]);
        return;
    }
    let fixture = Fixture::new();
    fixture.write("source", &Entry::directory([(".git", Entry::directory([("HEAD", file(""))])), ("a.py", file(""))]));
    let ignores = Entry::directory([("ignore", file("*.py\n"))]);
    fixture.write("config", &Entry::directory([("git", ignores)]));
    let status = again("source::ignore_files_of_the_user_do_not_count", &fixture.path(""), "")
        .env("XDG_CONFIG_HOME", fixture.path("config"))
        .env("HOME", fixture.path(""))
        .status();
    assert!(status.unwrap().success());
}

#[test]
fn excludes_have_the_syntax_of_gitignore() {
    let tree = Entry::directory([
        ("!odd", file("")),
        ("docs", Entry::directory([("a.md", file("")), ("keep.md", file(""))])),
        ("sub", Entry::directory([("docs", Entry::directory([("b.md", file(""))])), ("tests", file(""))])),
        ("tests", Entry::directory([("t.py", file(""))])),
    ]);
    let all = listing(&tree, &[]);
    assert_eq!(all.len(), 10);
    let cases: [(&[&str], &[&str]); 5] = [
        (&["/docs"], &["docs/ 755", "docs/a.md 644", "docs/keep.md 644"]),
        (&["tests/"], &["tests/ 755", "tests/t.py 644"]),
        (&["*.md", "!keep.md"], &["docs/a.md 644", "sub/docs/ 755", "sub/docs/b.md 644"]),
        (&["\\!odd"], &["!odd 644"]),
        (&["# a comment", ""], &[]),
    ];
    for (excludes, left_out) in cases {
        let expected: Vec<_> = all.iter().filter(|path| !left_out.contains(&path.as_str())).cloned().collect();
        assert_eq!(listing(&tree, excludes), expected, "{excludes:?}");
    }
}

#[test]
fn a_pattern_that_is_no_glob_is_refused() {
    let fixture = Fixture::new();
    let path = fixture.write("source", &Entry::directory([]));
    let options = SourceOptions { excludes: vec!["a[".into()] };
    let error = fixture.store.ingest_source(&path, &options).unwrap_err();
    assert!(matches!(error, IngestError::Pattern { pattern, .. } if pattern == "a["));
}

#[test]
fn links_are_kept_as_they_are() {
    let tree = Entry::directory([
        ("dangling", Entry::Symlink("/nowhere/at all".into())),
        ("directory", Entry::Symlink("sub".into())),
        ("sub", Entry::directory([("up", Entry::Symlink("../..".into()))])),
    ]);
    assert_eq!(listing(&tree, &[]), ["dangling -> /nowhere/at all", "directory -> sub", "sub/ 755", "sub/up -> ../.."]);
}

#[test]
fn what_cannot_be_packaged_is_refused_with_its_path() {
    let fixture = Fixture::new();
    let tree = fixture.write("source", &Entry::directory([("sub", Entry::directory([]))]));
    let ingest = || fixture.store.ingest_source(&tree, &SourceOptions::default()).unwrap_err();
    let socket = tree.join("sub/socket");
    let listener = UnixListener::bind(&socket).unwrap();
    assert!(matches!(ingest(), IngestError::Special { path } if path == socket));
    drop(listener);
    fs::remove_file(socket).unwrap();
    let link = tree.join("sub/link");
    std::os::unix::fs::symlink(std::ffi::OsStr::from_bytes(b"\xff"), &link).unwrap();
    assert!(matches!(ingest(), IngestError::TargetNotUtf8 { path } if path == link));
    fs::remove_file(link).unwrap();
    let named = tree.join("sub").join(std::ffi::OsStr::from_bytes(b"\xff"));
    fs::write(&named, "").unwrap();
    assert!(matches!(ingest(), IngestError::NotUtf8 { path } if path == named));
}

#[test]
fn a_source_that_is_missing_or_a_file_is_refused() {
    let fixture = Fixture::new();
    let path = fixture.write("file", &file("text"));
    for path in [path, fixture.path("nothing")] {
        let error = fixture.store.ingest_source(&path, &SourceOptions::default()).unwrap_err();
        assert!(matches!(error, IngestError::Io { path: named, .. } if named == path));
    }
}

#[test]
fn a_file_that_changes_within_a_clock_tick_is_seen() {
    let fixture = Fixture::new();
    let path = fixture.write("source", &Entry::directory([("file", file("0000"))]));
    for round in 0..60 {
        let content = format!("{round:04}");
        fs::write(path.join("file"), &content).unwrap();
        let node = ingest(&fixture, &path);
        let blob = blob_of(&fixture.store, &node, "file");
        assert_eq!(fixture.store.read_blob(&blob).unwrap(), content.as_bytes());
    }
}

#[test]
fn times_are_no_part_of_a_source() {
    let fixture = Fixture::new();
    let path = fixture.write("source", &Entry::directory([("file", file("text"))]));
    let node = ingest(&fixture, &path);
    for seconds in [0, 1_000_000_000, 5_000_000_000] {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        fs::File::open(path.join("file")).unwrap().set_modified(time).unwrap();
        assert_eq!(ingest(&fixture, &path), node);
    }
}

#[test]
fn a_blob_that_was_removed_is_made_again_from_an_unchanged_source() {
    let fixture = Fixture::new();
    let path = fixture.write("source", &Entry::directory([("file", file("text"))]));
    let node = ingest(&fixture, &path);
    let blob = fixture.store.blob_path(&blob_of(&fixture.store, &node, "file"));
    fs::remove_file(&blob).unwrap();
    assert!(!fixture.store.is_complete(&node));
    assert_eq!(ingest(&fixture, &path), node);
    assert!(fixture.store.is_complete(&node));
}

#[test]
fn a_damaged_stat_cache_is_an_empty_one() {
    let fixture = Fixture::new();
    let path = fixture.write("source", &Entry::directory([("file", file("text"))]));
    let node = ingest(&fixture, &path);
    let name = vb_graph::BlobDigest::of(path.as_os_str().as_bytes());
    fs::write(fixture.place("sources", &name), "{}").unwrap();
    assert_eq!(ingest(&fixture, &path), node);
}

#[test]
fn added_removed_and_replaced_entries_are_seen() {
    let fixture = Fixture::new();
    let path = fixture.write("source", &Entry::directory([("a", file("1")), ("b", file("2"))]));
    ingest(&fixture, &path);
    fs::write(path.join("c"), "3").unwrap();
    fs::remove_file(path.join("a")).unwrap();
    fs::remove_file(path.join("b")).unwrap();
    std::os::unix::fs::symlink("c", path.join("b")).unwrap();
    assert_eq!(paths_of(&fixture.store, &ingest(&fixture, &path)), ["b -> c", "c 644"]);
}
