//! What goes to an interpreter that waits for sources, and what comes back.
//!
//! To it: for each tree one byte, then for each source the length of its path and its own, both as four bytes (the lowest
//! first), path and source; at the end two lengths of zero. From it: a byte that says what follows.
//!
//! | byte | what follows |
//! | --- | --- |
//! | 1 | two lengths, the path of the bytecode, the bytecode |
//! | 2 | two lengths, the path of a source that does not compile, and why |
//! | 3 | nothing: it has started, and reads its pipe |
//! | 4 | nothing: all sources of a tree are done |
//!
//! Every other byte is the beginning of a line that the interpreter prints: why it ends, or what its parser has to say of a
//! source. Such a line never stands within what is between two of these. Paths are those at run time, and nothing has to be there.
//! Must not be here: the pipe and the process.

use std::io::{self, BufRead, Read, Write};

use crate::bytecode::SkippedSource;

const SERVE: &str = include_str!("serve_bytecode.py");

/// How much is read of one line that a server prints.
const LONGEST_LINE: u64 = 1 << 20;

/// What comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BytecodeReply {
    /// It has started.
    Ready,
    /// Bytecode.
    Bytecode {
        /// Where the interpreter will look for it.
        path: String,
        /// The content of its file.
        bytes: Vec<u8>,
    },
    /// A source that has no bytecode.
    Skipped(SkippedSource),
    /// All sources of the tree are done.
    Done,
    /// It has printed this line.
    Printed(Vec<u8>),
}

/// Returns the command line that waits for trees in a named pipe, until that ends.
///
/// The bytecode depends on nothing that was compiled for another tree, but may differ in its references from that of
/// [`bytecode_command`](crate::bytecode_command): a tree has to be compiled by the same one each time. Set `PYTHONHASHSEED`
/// to `0`, as for that.
pub fn bytecode_server_command(python: &str, pipe: &str) -> Vec<String> {
    [python, "-S", "-c", SERVE, pipe].map(str::to_owned).into()
}

/// Begins a tree.
///
/// # Errors
/// What the system said.
pub fn begin_tree(pipe: &mut impl Write) -> io::Result<()> {
    pipe.write_all(b"\n")
}

/// Hands over a source, with the path that it will have.
///
/// # Errors
/// What the system said; a source of more than four gigabytes is refused.
pub fn send_source(pipe: &mut impl Write, path: &str, source: &[u8]) -> io::Result<()> {
    pipe.write_all(&length(path.len())?)?;
    pipe.write_all(&length(source.len())?)?;
    pipe.write_all(path.as_bytes())?;
    pipe.write_all(source)
}

/// Ends a tree.
///
/// # Errors
/// What the system said.
pub fn end_tree(pipe: &mut impl Write) -> io::Result<()> {
    pipe.write_all(&[0; 8])?;
    pipe.flush()
}

fn length(bytes: usize) -> io::Result<[u8; 4]> {
    u32::try_from(bytes).map(u32::to_le_bytes).map_err(|_| io::ErrorKind::FileTooLarge.into())
}

/// Reads what comes next, `None` at the end.
///
/// # Errors
/// What the system said, or [`io::ErrorKind::UnexpectedEof`].
pub fn read_bytecode_reply(replies: &mut impl BufRead) -> io::Result<Option<BytecodeReply>> {
    let Some(kind) = replies.fill_buf()?.first().copied() else { return Ok(None) };
    if !(1..=4).contains(&kind) {
        let mut line = Vec::new();
        replies.take(LONGEST_LINE).read_until(b'\n', &mut line)?;
        return Ok(Some(BytecodeReply::Printed(line)));
    }
    replies.consume(1);
    match kind {
        3 => return Ok(Some(BytecodeReply::Ready)),
        4 => return Ok(Some(BytecodeReply::Done)),
        _ => {}
    }
    let lengths = [read_length(replies)?, read_length(replies)?];
    let [path, content] = [read_bytes(replies, lengths[0])?, read_bytes(replies, lengths[1])?];
    let path = String::from_utf8(path).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    Ok(Some(match kind {
        1 => BytecodeReply::Bytecode { path, bytes: content },
        _ => {
            let message = String::from_utf8_lossy(&content).into_owned();
            BytecodeReply::Skipped(SkippedSource { path, message })
        }
    }))
}

fn read_length(replies: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    replies.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

fn read_bytes(replies: &mut impl Read, length: u32) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match replies.take(length.into()).read_to_end(&mut bytes)? == length as usize {
        true => Ok(bytes),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Output};

    use super::*;

    const SOURCES: [(&str, &str); 3] = [
        ("/vrmd/a/name.py", "unheard_of = ['unheard_of', 'of', 'not']\nx = '\\d'\nassert 1 is 1\n"),
        ("/vrmd/a/old.py", "print 'two'\n"),
        ("/vrmd/a/é/empty.py", ""),
    ];

    fn serve(python: &str, requests: &[u8]) -> Output {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        fs_err::write(&pipe, requests).unwrap();
        let command = bytecode_server_command(python, &pipe.display().to_string());
        Command::new(&command[0]).args(&command[1..]).env("PYTHONHASHSEED", "0").output().unwrap()
    }

    fn tree(sources: &[(&str, &str)]) -> Vec<u8> {
        let mut requests = Vec::new();
        begin_tree(&mut requests).unwrap();
        for (path, source) in sources {
            send_source(&mut requests, path, source.as_bytes()).unwrap();
        }
        end_tree(&mut requests).unwrap();
        requests
    }

    fn replies(mut bytes: &[u8]) -> Vec<BytecodeReply> {
        std::iter::from_fn(|| read_bytecode_reply(&mut bytes).unwrap()).collect()
    }

    #[test]
    fn each_source_has_bytecode_for_its_path_or_a_reason() {
        let output = serve("python3", &tree(&SOURCES));
        assert_eq!(output.stderr, b"", "{}", String::from_utf8_lossy(&output.stderr));
        let replies = replies(&output.stdout);
        let [
            BytecodeReply::Ready,
            BytecodeReply::Bytecode { path, bytes },
            BytecodeReply::Skipped(skipped),
            BytecodeReply::Bytecode { path: other, .. },
            BytecodeReply::Done,
        ] = &replies[..]
        else {
            panic!("{replies:?}")
        };
        assert!(path.starts_with("/vrmd/a/__pycache__/name.cpython-") && path.ends_with(".pyc"), "{path}");
        // PEP 552: bit 0 says that the file is hash-based, bit 1 that the source is checked.
        assert_eq!(bytes[4..8], [3, 0, 0, 0]);
        assert!(bytes.windows(15).any(|part| part == b"/vrmd/a/name.py"));
        assert!(skipped.path == "/vrmd/a/old.py" && skipped.message.contains("Missing parentheses"), "{skipped:?}");
        assert!(other.starts_with("/vrmd/a/é/__pycache__/empty.cpython-"), "{other}");
    }

    #[test]
    fn a_line_that_is_printed_hides_no_reply() {
        let bytes = b"\x03s_push: parser stack overflow\n\x02\x02\0\0\0\x03\0\0\0/aall\x04";
        let skipped = SkippedSource { path: "/a".to_owned(), message: "all".to_owned() };
        let printed = BytecodeReply::Printed(b"s_push: parser stack overflow\n".to_vec());
        let expect = [BytecodeReply::Ready, printed, BytecodeReply::Skipped(skipped), BytecodeReply::Done];
        assert_eq!(replies(bytes), expect);
    }

    #[test]
    fn what_is_printed_while_a_source_is_compiled_stands_between_two_replies() {
        // More bytecode than goes at once, of a parser that says something of each source.
        let source = "x = 'unheard of'\n".repeat(9000);
        let loud = "import os\nimport importlib._bootstrap_external as loader\nquiet = loader.SourceFileLoader.source_to_code\n\
            def loud(self, *rest):\n    os.write(2, b'loud\\n')\n    return quiet(self, *rest)\n\
            loader.SourceFileLoader.source_to_code = loud\n";
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        fs_err::write(&pipe, tree(&[("/vrmd/a/name.py", source.as_str()); 9])).unwrap();
        let (printed, log) = io::pipe().unwrap();
        let mut server = Command::new("python3")
            .args(["-S", "-c", &format!("{loud}{SERVE}")])
            .arg(&pipe)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut printed = io::BufReader::new(printed);
        let replies: Vec<_> = std::iter::from_fn(|| read_bytecode_reply(&mut printed).unwrap())
            .take_while(|reply| *reply != BytecodeReply::Done)
            .collect();
        assert!(server.wait().unwrap().success());
        let loud = replies.iter().filter(|reply| **reply == BytecodeReply::Printed(b"loud\n".to_vec())).count();
        let compiled = replies.iter().filter(|reply| matches!(reply, BytecodeReply::Bytecode { .. })).count();
        assert_eq!((loud, compiled, replies.len()), (9, 9, 19));
    }

    // A server reads through a buffer, so a file of several trees is no substitute for the pipe.
    #[test]
    fn a_server_gives_the_same_bytecode_whatever_it_compiled_before() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let command = bytecode_server_command("python3", &pipe.display().to_string());
        let mut server = Command::new(&command[0])
            .args(&command[1..])
            .env("PYTHONHASHSEED", "0")
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut requests = fs_err::OpenOptions::new().write(true).open(&pipe).unwrap();
        let mut replies = io::BufReader::new(server.stdout.take().unwrap());
        assert_eq!(read_bytecode_reply(&mut replies).unwrap(), Some(BytecodeReply::Ready));
        let mut compile = || {
            requests.write_all(&tree(&SOURCES)).unwrap();
            let next = || read_bytecode_reply(&mut replies).unwrap().filter(|reply| *reply != BytecodeReply::Done);
            std::iter::from_fn(next).collect::<Vec<_>>()
        };
        let first = compile();
        assert_eq!((first.len(), compile(), compile()), (3, first.clone(), first));
        drop(requests);
        assert!(server.wait().unwrap().success());
    }

    #[test]
    fn what_a_server_says_at_its_end_is_kept() {
        let output = serve("python3", b"\n\x01\0\0\0\x01\0\0\0");
        assert!(matches!(&replies(&output.stdout)[..], [BytecodeReply::Ready, BytecodeReply::Done]));
        let lines = ["Fatal Python error: Segmentation fault\n", "at once"].map(|line| line.as_bytes().to_vec());
        let [first, second] = lines.clone().map(BytecodeReply::Printed);
        assert_eq!(replies(&[b"\x03", &lines[0][..], &lines[1]].concat()), [BytecodeReply::Ready, first, second]);
        let mut torn = &b"\x01\x05\0\0\0\x05\0\0\0/a"[..];
        assert_eq!(read_bytecode_reply(&mut torn).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
