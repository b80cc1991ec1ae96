//! A repository on a server that one reaches by ssh.
//!
//! Nothing of vb is on the server: each operation is a short script for its `sh`, with `stat`, `flock`, `mktemp` and
//! `sha256sum`, as every Linux distribution has them. Writes go to a temporary file whose size is checked before it gets
//! its name, so that a connection that breaks leaves nothing half-written. Locks are those that [`LocalDirectory`]
//! takes, so publishers on the server itself are kept apart from those far away; a connection that breaks gives its
//! locks back.
//!
//! [`LocalDirectory`]: super::LocalDirectory

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, ChildStdout, Command, Output, Stdio},
    thread,
    time::{Duration, SystemTime},
};

use fs_err as fs;
use sha2::{Digest, Sha256};

use super::{Expected, LockKind, Metadata, PutOutcome, StorageError, Token};

/// How the scripts say what is no failure of theirs.
const ABSENT: i32 = 44;
const REFUSED: i32 = 47;

/// `$1` is the repository, `$2` the object's name.
const START: &str = r#"set -eu; umask 022; cd -- "$1" 2>/dev/null || exit 44; "#;
const MAKE: &str = r#"set -eu; umask 022; mkdir -p -- "$1/state/tmp" "$1/state/locks"; cd -- "$1"; "#;
const GET: &str = r#"[ -e "$2" ] || exit 44; cat -- "$2""#;
const METADATA: &str = r#"[ -e "$2" ] || exit 44; stat -c '%s %Y' -- "$2"; sha256sum < "$2""#;
const LIST: &str = r#"[ -d "$2" ] || exit 0; find "$2" -type f -exec stat -c '%s %Y %n' -- {} +"#;
/// `$3` is the size that the input must have.
const RECEIVE: &str = r#"t=$(mktemp state/tmp/w-XXXXXXXX); trap 'rm -f -- "$t"' EXIT; cat > "$t";
[ "$(stat -c %s -- "$t")" = "$3" ] || { echo 'the connection broke' >&2; exit 1; };
chmod 644 -- "$t"; mkdir -p -- "$(dirname -- "$2")"; "#;
const PUT: &str = r#"mv -f -- "$t" "$2""#;
const TOUCH: &str = r#"[ -f "$2" ] && [ "$(stat -c %s -- "$2")" = "$3" ] || exit 44; touch -- "$2""#;
/// `$4` is the SHA-256 that the object must have, or `absent`.
const PUT_IF: &str = r#"exec 9>state/locks/put; flock 9;
if [ -e "$2" ]; then found=$(sha256sum < "$2" | cut -c1-64); else found=absent; fi;
[ "$found" = "$4" ] || exit 47; sync -- "$t"; mv -f -- "$t" "$2""#;
/// `$3` is the second name.
const COPY: &str = r#"if [ "$2" -ef "$3" ]; then exit 0; fi; t=$(mktemp -d state/tmp/l-XXXXXXXX);
trap 'rm -rf -- "$t"' EXIT; ln -- "$2" "$t/f" 2>/dev/null || cp -- "$2" "$t/f";
mkdir -p -- "$(dirname -- "$3")"; mv -f -- "$t/f" "$3""#;
const DELETE: &str = r#"rm -f -- "$2""#;
const FLUSH: &str = "sync";
/// `$2` is the lock, `$3` the option of `flock`. It is held until the input ends.
const LOCK: &str = r#"exec 9>"state/locks/$2"; flock "$3" 9; echo locked; exec cat > /dev/null"#;

/// A directory of a server.
#[derive(Clone, Debug)]
pub struct SshDirectory {
    program: Vec<String>,
    host: String,
    directory: String,
}

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub(super) struct RemoteLock {
    holder: Child,
}

impl Drop for RemoteLock {
    fn drop(&mut self) {
        // The script ends with its input.
        drop(self.holder.stdin.take());
        drop(self.holder.wait());
    }
}

/// The location is no `ssh://[user@]host[:port]/directory`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{location}` is not `ssh://[user@]host[:port]/directory`")]
pub struct SshLocationError {
    /// The location.
    pub location: String,
}

impl SshDirectory {
    /// Names the directory at `ssh://[user@]host[:port]/directory`. The machine's own `ssh`, with its configuration and
    /// its agent, makes the connection, once for all operations.
    ///
    /// # Errors
    /// [`SshLocationError`] for anything else.
    pub fn new(location: &str) -> Result<Self, SshLocationError> {
        let wrong = || SshLocationError { location: location.to_owned() };
        let rest = location.strip_prefix("ssh://").ok_or_else(wrong)?;
        let (host, directory) = rest.split_once('/').ok_or_else(wrong)?;
        let (host, port) = match host.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse::<u16>().map_err(|_| wrong())?)),
            None => (host, None),
        };
        if host.is_empty() || host.starts_with('-') || directory.is_empty() {
            return Err(wrong());
        }
        let mut program: Vec<String> = ["ssh", "-T", "-o", "BatchMode=yes", "-o", "ControlMaster=auto"]
            .into_iter()
            .chain(["-o", "ControlPath=~/.ssh/vb-%C", "-o", "ControlPersist=30"])
            .map(str::to_owned)
            .collect();
        program.extend(port.into_iter().flat_map(|port| ["-p".to_owned(), port.to_string()]));
        Ok(Self::through(program, host, &format!("/{directory}")))
    }

    /// Names a directory that is reached through a program, which is called with the host and a command for its shell.
    pub fn through(program: Vec<String>, host: &str, directory: &str) -> Self {
        Self { program, host: host.to_owned(), directory: directory.to_owned() }
    }

    /// Starts a script on the server.
    fn start(&self, script: &str, arguments: &[&str]) -> io::Result<Child> {
        let words = ["exec", "sh", "-c"].map(str::to_owned).into_iter();
        let quoted = [script, "vb", &self.directory].into_iter().chain(arguments.iter().copied()).map(quote);
        let (program, options) = self.program.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(program);
        command.args(options).args(["--", &self.host]).arg(words.chain(quoted).collect::<Vec<_>>().join(" "));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    }

    /// Runs a script with an input; returns its output, and nothing when it says that the object is absent.
    fn run(&self, script: &str, arguments: &[&str], input: &mut (dyn Read + Send)) -> io::Result<Done> {
        let mut child = self.start(script, arguments)?;
        let mut stdin = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let output = thread::scope(|scope| {
            let feeder = scope.spawn(move || io::copy(input, &mut stdin).and_then(|_| stdin.flush()));
            let output = child.wait_with_output();
            // A script that ended early did not take its input; why it ended is what counts.
            drop(feeder.join());
            output
        })?;
        Done::of(output)
    }

    fn call(&self, action: &'static str, script: &str, arguments: &[&str]) -> Result<Done, StorageError> {
        let name = arguments.first().copied().unwrap_or_default();
        self.run(script, arguments, &mut io::empty()).map_err(failed(action, name))
    }

    pub(super) fn get(&self, name: &str) -> Result<Option<(Vec<u8>, Token)>, StorageError> {
        Ok(match self.call("read", &format!("{START}{GET}"), &[name])? {
            Done::Output(bytes) => Some((bytes.clone(), token(&hex::encode(Sha256::digest(&bytes))))),
            Done::Absent | Done::Refused => None,
        })
    }

    pub(super) fn open(&self, name: &str) -> Result<Option<Box<dyn Read + Send>>, StorageError> {
        if self.metadata(name)?.is_none() {
            return Ok(None);
        }
        let mut child = self.start(&format!("{START}{GET}"), &[name]).map_err(failed("read", name))?;
        let output = child.stdout.take().ok_or_else(|| failed("read", name)(io::ErrorKind::BrokenPipe.into()))?;
        Ok(Some(Box::new(Download { child, output })))
    }

    pub(super) fn metadata(&self, name: &str) -> Result<Option<Metadata>, StorageError> {
        let Done::Output(output) = self.call("look at", &format!("{START}{METADATA}"), &[name])? else {
            return Ok(None);
        };
        let output = String::from_utf8_lossy(&output);
        let words: Vec<&str> = output.split_whitespace().collect();
        let [size, time, sha256, ..] = words[..] else {
            return Err(failed("look at", name)(io::ErrorKind::InvalidData.into()));
        };
        described(name, size, time, token(sha256)).map(Some).map_err(failed("look at", name))
    }

    /// The states in a list are not those of [`get`](Self::get): they would take reading every file.
    pub(super) fn list(&self, directory: &str) -> Result<Vec<Metadata>, StorageError> {
        let directory = directory.trim_end_matches('/');
        let Done::Output(output) = self.call("list", &format!("{MAKE}{LIST}"), &[directory])? else {
            return Ok(Vec::new());
        };
        let output = String::from_utf8_lossy(&output);
        let line = |line: &str| {
            let mut words = line.splitn(3, ' ');
            let mut word = || words.next().ok_or(io::ErrorKind::InvalidData);
            let (size, time, name) = (word()?, word()?, word()?);
            described(name, size, time, token(&format!("{size} {time}")))
        };
        output.lines().map(line).collect::<io::Result<_>>().map_err(failed("list", directory))
    }

    fn send(
        &self,
        name: &str,
        script: &str,
        arguments: &[&str],
        input: &mut (dyn Read + Send),
    ) -> Result<Done, StorageError> {
        self.run(&format!("{MAKE}{RECEIVE}{script}"), arguments, input).map_err(failed("write", name))
    }

    pub(super) fn put(&self, name: &str, mut bytes: &[u8]) -> Result<(), StorageError> {
        let size = bytes.len().to_string();
        self.send(name, PUT, &[name, &size], &mut bytes).map(drop)
    }

    pub(super) fn put_immutable(&self, name: &str, bytes: &[u8]) -> Result<(), StorageError> {
        if self.touch(name, bytes.len() as u64)? { Ok(()) } else { self.put(name, bytes) }
    }

    pub(super) fn put_immutable_file(&self, name: &str, file: &Path) -> Result<(), StorageError> {
        let mut reader = fs::File::open(file).map_err(failed("write", name))?;
        let size = reader.metadata().map_err(failed("write", name))?.len();
        if self.touch(name, size)? {
            return Ok(());
        }
        self.send(name, PUT, &[name, &size.to_string()], &mut reader).map(drop)
    }

    /// Is an object of that size there? If so, it was wanted at this moment.
    fn touch(&self, name: &str, size: u64) -> Result<bool, StorageError> {
        let done = self.call("look at", &format!("{MAKE}{TOUCH}"), &[name, &size.to_string()])?;
        Ok(matches!(done, Done::Output(_)))
    }

    pub(super) fn put_if(&self, name: &str, mut bytes: &[u8], expected: &Expected) -> Result<PutOutcome, StorageError> {
        let expected = match expected {
            Expected::Absent => "absent",
            Expected::Unchanged(token) => &token.0,
        };
        let size = bytes.len().to_string();
        Ok(match self.send(name, PUT_IF, &[name, &size, expected], &mut bytes)? {
            Done::Output(_) => PutOutcome::Written,
            Done::Absent | Done::Refused => PutOutcome::Refused,
        })
    }

    pub(super) fn copy(&self, from: &str, to: &str) -> Result<(), StorageError> {
        self.run(&format!("{MAKE}{COPY}"), &[from, to], &mut io::empty()).map(drop).map_err(failed("write", to))
    }

    pub(super) fn delete(&self, name: &str) -> Result<(), StorageError> {
        self.call("remove", &format!("{MAKE}{DELETE}"), &[name]).map(drop)
    }

    pub(super) fn flush(&self) -> Result<(), StorageError> {
        self.call("flush", &format!("{START}{FLUSH}"), &[]).map(drop)
    }

    pub(super) fn lock(&self, name: &str, kind: LockKind) -> Result<RemoteLock, StorageError> {
        let option = match kind {
            LockKind::Shared => "-s",
            LockKind::Exclusive => "-x",
        };
        let take = || {
            let mut holder = self.start(&format!("{MAKE}{LOCK}"), &[name, option])?;
            let output = holder.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
            let mut lock = RemoteLock { holder };
            let mut line = String::new();
            BufReader::new(output).read_line(&mut line)?;
            if line == "locked\n" {
                return Ok(lock);
            }
            let mut message = String::new();
            if let Some(mut errors) = lock.holder.stderr.take() {
                errors.read_to_string(&mut message)?;
            }
            Err(remote(&message))
        };
        take().map_err(failed("lock", name))
    }
}

/// How a script ended.
enum Done {
    Output(Vec<u8>),
    Absent,
    Refused,
}

impl Done {
    fn of(output: Output) -> io::Result<Self> {
        match output.status.code() {
            Some(0) => Ok(Self::Output(output.stdout)),
            Some(ABSENT) => Ok(Self::Absent),
            Some(REFUSED) => Ok(Self::Refused),
            _ => Err(remote(&String::from_utf8_lossy(&output.stderr))),
        }
    }
}

/// What the server, or ssh itself, said on standard error.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct RemoteError {
    message: String,
}

fn remote(message: &str) -> io::Error {
    let message = message.trim().to_owned();
    io::Error::new(io::ErrorKind::ConnectionAborted, RemoteError { message })
}

/// Reads what a script prints, and ends it.
struct Download {
    child: Child,
    output: ChildStdout,
}

impl Read for Download {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.output.read(buffer)?;
        // A connection that breaks must not look like the end of the object.
        if count == 0 && !buffer.is_empty() && !self.child.wait()?.success() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(count)
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn token(text: &str) -> Token {
    Token(text.to_owned())
}

fn described(name: &str, size: &str, time: &str, token: Token) -> io::Result<Metadata> {
    let invalid = |_| io::ErrorKind::InvalidData;
    let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(time.parse().map_err(invalid)?);
    Ok(Metadata { name: name.to_owned(), size: size.parse().map_err(invalid)?, modified, token })
}

fn failed(action: &'static str, name: &str) -> impl FnOnce(io::Error) -> StorageError {
    let name = name.to_owned();
    move |source| StorageError::Io { action, name, source }
}
