//! The command that makes bytecode in a sandbox, and what it reports.
//!
//! Bytecode holds the path of its source, so the tree must be bound where it will be in production. It is `checked-hash`
//! (PEP 552): valid whatever the file times are, and a source that is edited in place still counts.

use serde::{Deserialize, Serialize};

const COMPILE: &str = include_str!("compile_bytecode.py");

/// A source that does not compile, so has no bytecode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedSource {
    /// Its path in the sandbox.
    pub path: String,
    /// What the compiler says.
    pub message: String,
}

/// Returns the command line that compiles all sources below `directories` with the interpreter `python`, in sorted order.
///
/// It succeeds even where sources do not compile, and lists these on its standard output. Set `PYTHONHASHSEED` to `0` for
/// it: interpreters before 3.11 write sets in the order of their hashes.
pub fn bytecode_command(python: &str, directories: &[String]) -> Vec<String> {
    let command = [python, "-S", "-c", COMPILE].map(str::to_owned);
    command.into_iter().chain(directories.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, path::Path, process::Command};

    use super::*;

    fn compile(top: &Path) -> Vec<SkippedSource> {
        let command = bytecode_command("python3", &[top.display().to_string()]);
        let output = Command::new(&command[0]).args(&command[1..]).env("PYTHONHASHSEED", "0").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.stderr, b"");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn bytecode(top: &Path) -> BTreeMap<String, Vec<u8>> {
        let cache = top.join("__pycache__");
        fs_err::read_dir(cache)
            .unwrap()
            .map(|entry| {
                let path = entry.unwrap().path();
                (path.file_name().unwrap().to_string_lossy().into_owned(), fs_err::read(path).unwrap())
            })
            .collect()
    }

    #[test]
    fn sources_are_compiled_and_those_that_cannot_are_listed() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs_err::write(dir.path().join(name), text).unwrap();
        write("good.py", "NAMES = frozenset({'a', 'b', 'c'})\nx = '\\d'\nassert 1 is 1\n");
        write("old.py", "print 'two'\n");
        write("zero.py", "a = '\0'\n");
        write("note.txt", "print 'two'\n");
        // A module of the standard library's name must not be picked up by the compiler itself.
        write("json.py", "raise SystemExit('wrong json')\n");
        let skipped = compile(dir.path());
        let names: Vec<_> = skipped.iter().map(|source| source.path.rsplit('/').next().unwrap()).collect();
        assert_eq!(names, ["old.py", "zero.py"]);
        assert!(skipped[0].message.contains("Missing parentheses"), "{}", skipped[0].message);
        let first = bytecode(dir.path());
        assert_eq!(first.len(), 2);
        // PEP 552: bit 0 says that the file is hash-based, bit 1 that the source is checked.
        assert!(first.values().all(|bytes| bytes[4..8] == [3, 0, 0, 0]));
        compile(dir.path());
        assert_eq!(bytecode(dir.path()), first);
    }
}
