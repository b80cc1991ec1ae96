//! The files of the repository, without what a build or git itself keeps there.

use std::path::{Path, PathBuf};

use fs_err as fs;

/// Directories at the top that hold nothing written by people.
const GENERATED: [&str; 4] = [".git", "cache", "dist", "target"];

/// One text file of the repository.
#[derive(Debug)]
pub(crate) struct TextFile {
    /// Its path below the repository's root, with `/` between names.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
}

impl TextFile {
    /// Is it Rust code?
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Returns the crate that the file is in: `vb-graph` of `crates/vb-graph/src/lib.rs`.
    pub(crate) fn crate_name(&self) -> Option<&str> {
        self.path.strip_prefix("crates/")?.split('/').next()
    }

    /// Is it below the `src` of a crate, and so in what users run?
    pub(crate) fn is_shipped(&self) -> bool {
        self.path.strip_prefix("crates/").and_then(|rest| rest.split('/').nth(1)) == Some("src")
    }
}

/// Returns the root of the repository that the test runs for.
pub(crate) fn root() -> PathBuf {
    // Asked when the test runs: one that another checkout compiled must not look at the files of that one.
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").unwrap();
    let crates = Path::new(&manifest).parent().unwrap();
    fs::canonicalize(crates.parent().unwrap()).unwrap()
}

/// Reads one file below the root.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// Returns all files that are text, sorted by path.
pub(crate) fn text_files() -> Vec<TextFile> {
    let root = root();
    let mut found = Vec::new();
    collect(&root, &root, &mut found);
    found.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(found.len() > 100, "the tree was not found at `{}`", root.display());
    found
}

/// Returns the files of Rust code, sorted by path.
pub(crate) fn rust_files() -> Vec<TextFile> {
    text_files().into_iter().filter(TextFile::is_rust).collect()
}

fn collect(root: &Path, directory: &Path, found: &mut Vec<TextFile>) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let path = entry.path();
        let relative = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() && !GENERATED.contains(&relative.as_str()) && !relative.ends_with("__pycache__") {
            collect(root, &path, found);
        } else if kind.is_file()
            && let Ok(text) = String::from_utf8(fs::read(&path).unwrap())
        {
            found.push(TextFile { path: relative, text });
        }
    }
}

/// Fails with all violations at once, one on each line.
#[track_caller]
pub(crate) fn assert_none(rule: &str, violations: &[String]) {
    assert!(violations.is_empty(), "{rule}:\n  {}", violations.join("\n  "));
}
