//! The command that makes bytecode in a sandbox, and what it reports.
//!
//! Bytecode holds the path of its source, so the tree must be bound where it will be in production. It is `checked-hash`
//! (PEP 552): valid whatever the file times are, and a source that is edited in place still counts.

use serde::Deserialize;

const FUNCTIONS: &str = include_str!("compile_bytecode.py");
const ONCE: &str = "sys.stdout.write(report(compile_all(sys.argv[1:])))\n";
const SERVE: &str = include_str!("serve_bytecode.py");

/// A source that does not compile, so has no bytecode.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SkippedSource {
    /// Its path in the sandbox.
    pub path: String,
    /// What the compiler says.
    pub message: String,
}

/// The command's output is not what it prints.
#[derive(Debug, thiserror::Error)]
#[error("the bytecode compiler's report cannot be read")]
pub struct BytecodeReportError(#[source] serde_json::Error);

/// Returns the command line that compiles all sources below `directories` with the interpreter `python`, in sorted order.
///
/// It succeeds even where sources do not compile, and lists these on its standard output. Set `PYTHONHASHSEED` to `0` for
/// it: interpreters before 3.11 write sets in the order of their hashes.
pub fn bytecode_command(python: &str, directories: &[String]) -> Vec<String> {
    command(python, ONCE).into_iter().chain(directories.iter().cloned()).collect()
}

/// Returns the command line that waits for lines in the file `requests`, a named pipe, until it ends. For each line, it
/// does what [`bytecode_command`] does for `directory`, and writes a NUL after the list.
///
/// The bytecode depends on nothing that was compiled before, but may differ in its references from that of the other
/// command: a directory has to be compiled by the same one each time.
pub fn bytecode_server_command(python: &str, requests: &str, directory: &str) -> Vec<String> {
    let arguments = [requests, directory].map(str::to_owned);
    command(python, SERVE).into_iter().chain(arguments).collect()
}

fn command(python: &str, last: &str) -> [String; 4] {
    [python, "-S", "-c", &format!("{FUNCTIONS}{last}")].map(str::to_owned)
}

/// Reads the command's standard output.
///
/// # Errors
/// The output is not the list that the command prints.
pub fn parse_bytecode_report(output: &[u8]) -> Result<Vec<SkippedSource>, BytecodeReportError> {
    serde_json::from_slice(output).map_err(BytecodeReportError)
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
        parse_bytecode_report(&output.stdout).unwrap()
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

    #[test]
    fn a_server_gives_the_same_bytecode_whatever_it_compiled_before() {
        let dir = tempfile::tempdir().unwrap();
        let (top, requests) = (dir.path().join("top"), dir.path().join("requests"));
        fs_err::create_dir(&top).unwrap();
        fs_err::write(top.join("name.py"), "unheard_of = ['unheard_of', 'of', 'not']\n").unwrap();
        fs_err::write(top.join("old.py"), "print 'two'\n").unwrap();
        let serve = |text: &str| {
            fs_err::write(&requests, text).unwrap();
            let [requests, directory] = [&requests, &top].map(|path| path.display().to_string());
            let command = bytecode_server_command("python3", &requests, &directory);
            let output = Command::new(&command[0]).args(&command[1..]).env("PYTHONHASHSEED", "0").output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let reports = output.stdout.split(|byte| *byte == 0).filter(|report| !report.is_empty());
            let counts: Vec<_> = reports.map(|report| parse_bytecode_report(report).unwrap().len()).collect();
            (counts, bytecode(&top))
        };
        let (counts, first) = serve("\n");
        assert_eq!((counts, first.len()), (vec![1], 1));
        assert_eq!(serve("\n\n\n"), (vec![1; 3], first));
    }

    #[test]
    fn output_that_is_not_the_list_is_refused() {
        assert!(parse_bytecode_report(b"Segmentation fault").is_err());
    }
}
