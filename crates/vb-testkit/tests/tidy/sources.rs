//! What Rust files hold, and what they must not.

use crate::{
    code::{names, without_text, without_unit_tests},
    tree::{TextFile, assert_none, rust_files, text_files},
};

const MOST_LINES: usize = 700;

/// The one file with `unsafe` in it.
const UNSAFE: &str = "crates/vb-sandbox/src/syscall.rs";

/// Who may print, read the environment and end the process.
const PROGRAMS: [&str; 4] =
    ["crates/vb/src/", "crates/vb-bench/src/", "crates/vb-testkit/src/", "crates/vb-sandbox/src/bin/"];

const OF_PROGRAMS: [&str; 16] = [
    "print!",
    "println!",
    "eprint!",
    "eprintln!",
    "env::args",
    "env::args_os",
    "env::current_dir",
    "env::current_exe",
    "env::home_dir",
    "env::set_current_dir",
    "env::temp_dir",
    "env::var",
    "env::var_os",
    "env::vars",
    "process::exit",
    "process::abort",
];

/// The process's own streams. The sandbox helper, a program too, copies the log and hands over the terminal.
const STREAMS: [&str; 3] = ["io::stdin", "io::stdout", "io::stderr"];
const HELPER: &str = "crates/vb-sandbox/src/";

/// What a pure crate cannot name.
const IMPURE: [&str; 12] = [
    "fs_err",
    "std::fs",
    "std::env",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::time",
    "Instant",
    "SystemTime",
    "thread_local!",
    "rayon",
];

/// What of `std::fs` is no operation, or gives errors that `fs_err` names already.
const FILE_TYPES: [&str; 7] =
    ["DirEntry", "File", "FileType", "Metadata", "OpenOptions", "Permissions", "TryLockError"];

/// Returns a violation for each file of whose code `is_wrong` gives something.
fn search(files: &[TextFile], wrong: impl Fn(&TextFile, &str) -> Vec<String>) -> Vec<String> {
    let of_file = |file: &TextFile| {
        let code = without_text(&file.text);
        wrong(file, &code).into_iter().map(|what| format!("{}: {what}", file.path)).collect::<Vec<_>>()
    };
    files.iter().flat_map(of_file).collect()
}

/// Returns the words of a list that code names.
fn named(code: &str, words: &[&str]) -> Vec<String> {
    words.iter().filter(|word| names(code, word)).map(|word| format!("`{word}`")).collect()
}

fn shipped() -> Vec<TextFile> {
    rust_files().into_iter().filter(TextFile::is_shipped).collect()
}

#[test]
fn every_file_begins_with_what_it_is_about() {
    let silent: Vec<String> =
        rust_files().into_iter().filter(|file| !file.text.starts_with("//! ")).map(|file| file.path).collect();
    assert_none("files without module documentation", &silent);
}

#[test]
fn no_file_is_too_long() {
    let long = rust_files().into_iter().map(|file| (file.text.lines().count(), file.path));
    let long: Vec<String> =
        long.filter(|(lines, _)| *lines > MOST_LINES).map(|(lines, path)| format!("{path}: {lines} lines")).collect();
    assert_none("files that hold two things", &long);
}

#[test]
fn unsafe_code_is_in_one_file() {
    let files = rust_files();
    assert!(files.iter().any(|file| file.path == UNSAFE && names(&without_text(&file.text), "unsafe")));
    let wrong = search(&files, |file, code| if file.path == UNSAFE { vec![] } else { named(code, &["unsafe"]) });
    assert_none("unsafe code", &wrong);
}

#[test]
fn only_programs_print_read_the_environment_or_exit() {
    let wrong = search(&shipped(), |file, code| {
        if PROGRAMS.iter().any(|program| file.path.starts_with(program)) {
            return vec![];
        }
        let code = without_unit_tests(code);
        let streams = if file.path.starts_with(HELPER) { vec![] } else { named(code, &STREAMS) };
        [named(code, &OF_PROGRAMS), streams].concat()
    });
    assert_none("what only programs do", &wrong);
}

#[test]
fn what_is_hashed_touches_no_file_clock_environment_or_thread() {
    let graph: Vec<TextFile> = shipped().into_iter().filter(|file| file.crate_name() == Some("vb-graph")).collect();
    assert!(!graph.is_empty());
    assert_none("impure code in `vb-graph`", &search(&graph, |_, code| named(without_unit_tests(code), &IMPURE)));
}

#[test]
fn nickel_is_known_to_one_crate() {
    let wrong = search(&rust_files(), |file, code| {
        let is_known = file.crate_name() == Some("vb-recipe");
        if is_known || !code.contains("nickel_lang") { vec![] } else { vec!["Nickel".to_owned()] }
    });
    assert_none("users of Nickel", &wrong);
}

/// Returns what of `std::fs` is used that loses the path of an error.
fn pathless(code: &str) -> Vec<String> {
    let uses = code.split("std::fs").skip(1).filter_map(|rest| {
        let path = rest.strip_prefix("::")?;
        Some(match path.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or_default().split(',').map(str::trim).collect(),
            None => vec![path.split(|char: char| !char.is_alphanumeric() && char != '_').next().unwrap_or_default()],
        })
    });
    let module = code.contains("std::fs;") || code.contains("std::fs as ");
    let words = uses.flatten().filter(|word| !word.is_empty() && !FILE_TYPES.contains(word));
    words.chain(module.then_some("the module")).map(|word| format!("`std::fs`: {word}")).collect()
}

#[test]
fn no_input_or_output_error_is_without_its_path() {
    assert_none("uses of `std::fs`", &search(&rust_files(), |_, code| pathless(code)));
}

#[test]
fn a_use_of_std_that_loses_the_path_is_found() {
    for code in ["std::fs::read(x)", "use std::fs;", "use std::fs::{File, write};", "use std::fs as files;"] {
        assert_eq!(pathless(code).len(), 1, "{code}");
    }
    for code in ["use std::fs::{File, Permissions};", "&std::fs::Metadata", "fs_err::read(x)", "std::os::unix::fs::x"] {
        assert!(pathless(code).is_empty(), "{code}");
    }
}

#[test]
fn files_of_declarations_hold_nothing_else() {
    let items = ["fn", "impl", "struct", "enum", "trait", "union", "macro_rules!"];
    let files: Vec<TextFile> = rust_files()
        .into_iter()
        .filter(|file| file.path.ends_with("/lib.rs") || file.path.ends_with("/mod.rs"))
        .collect();
    let wrong = search(&files, |_, code| named(without_unit_tests(code), &items));
    assert_none("items beside declarations and re-exports", &wrong);
}

#[test]
fn no_test_is_switched_off_or_waits_by_sleeping() {
    let off = ["#[ignore", "#[should_panic"];
    let wrong = search(&rust_files(), |file, code| {
        let mut found: Vec<String> =
            off.iter().filter(|word| code.contains(**word)).map(|word| format!("`{word}`")).collect();
        if !file.is_shipped() {
            found.extend(named(code, &["thread::sleep"]));
        }
        found
    });
    assert_none("tests that do not count", &wrong);
}

#[test]
fn nothing_is_left_for_later() {
    // In two pieces, so that this file passes its own check.
    let words = [["TO", "DO"], ["FIX", "ME"], ["XX", "X:"]].map(|pieces| pieces.concat());
    let mut wrong = Vec::new();
    for file in text_files().into_iter().filter(|file| file.path.starts_with("crates/")) {
        wrong
            .extend(words.iter().filter(|word| file.text.contains(*word)).map(|word| format!("{}: {word}", file.path)));
    }
    assert_none("unfinished work", &wrong);
}

#[test]
fn no_lint_is_silenced_without_a_reason() {
    let wrong = search(&rust_files(), |_, code| {
        let silenced = ["#[allow(", "#![allow("].iter().filter(|word| code.contains(**word));
        silenced.map(|word| format!("`{word}`, where `expect` with a reason is asked for")).collect()
    });
    assert_none("silenced lints", &wrong);
}
