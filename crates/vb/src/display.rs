//! What is shown: progress and messages on standard error, results on standard output.

pub(crate) mod diagnostics;
mod difference;
mod failure;
mod locked;
mod package;
mod progress;

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use serde::Serialize;

pub(crate) use self::{
    difference::difference_lines,
    failure::{Surroundings, failures},
    locked::LockedFrom,
    package::{file_line, package_lines, script_lines},
    progress::Display,
};

/// Prints result lines on standard output.
pub(crate) fn lines(lines: &[String]) {
    let mut out = anstream::stdout().lock();
    for line in lines {
        // A closed pipe (`vb plan | head`) ends the output, not the program.
        if writeln!(out, "{line}").is_err() {
            return;
        }
    }
}

/// Prints a line on standard error.
pub(crate) fn note(line: &str) {
    drop(writeln!(anstream::stderr().lock(), "{line}"));
}

/// Prints a warning on standard error.
pub(crate) fn warn(message: &str) {
    note(&format!("warning: {message}"));
}

/// What to do about a store that cannot be written.
pub(crate) const FREE_SPACE: &str = "check the disk and the permissions of the store, or name another with `--store`";

/// Returns a path as the user would write it here.
pub(crate) fn relative(path: &Path) -> PathBuf {
    let current = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&current).unwrap_or(path).to_owned()
}

/// Writes a number of things.
pub(crate) fn counted(count: usize, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{plural}")
}

/// Prints one document of JSON on standard output.
pub(crate) fn json(document: &impl Serialize) {
    let text = serde_json::to_string_pretty(document).expect("the document is plain data");
    lines(&[text]);
}

/// Writes a number of bytes for people.
pub(crate) fn size(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}
