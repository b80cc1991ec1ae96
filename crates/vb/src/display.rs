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
    const UNITS: [&str; 3] = ["KiB", "MiB", "GiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // In tenths, so that no rounding of floating point numbers is seen.
    let (mut tenths, mut unit) = (bytes.saturating_mul(10) / 1024, 0);
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_the_unit_that_fits() {
        for (bytes, expect) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (1 << 20, "1.0 MiB"),
            (9_542_000, "9.1 MiB"),
            (5 << 30, "5.0 GiB"),
            (u64::MAX, "1717986918.3 GiB"),
        ] {
            assert_eq!(size(bytes), expect, "{bytes}");
        }
    }
}
