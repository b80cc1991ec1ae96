//! Signatures that other programs make: gpg, and whatever reaches a key that cannot leave its place.

use std::{
    io::{self, Write},
    process::{Command, Output, Stdio},
    thread,
};

use pgp::{
    composed::{Deserializable, DetachedSignature},
    packet::Signature,
};

use super::{SignError, SignatureKind};

/// The machine's gpg with one of its keys.
#[derive(Clone, Debug)]
pub struct GpgSigner {
    key: String,
}

/// A program that reads bytes from standard input and writes their detached signature, armored or not, to standard
/// output. The same program signs texts: their line ends are CR LF then, and a signature over bytes is one over them.
#[derive(Clone, Debug)]
pub struct ProgramSigner {
    argv: Vec<String>,
}

impl GpgSigner {
    /// Names the key as gpg does: a fingerprint, best with `!` to mean that very subkey.
    pub fn new(key: String) -> Self {
        Self { key }
    }

    pub(super) fn sign(&self, kind: SignatureKind, data: &[u8]) -> Result<Signature, SignError> {
        let mut command = Command::new("gpg");
        command.args(["--batch", "--yes", "--no-tty", "--digest-algo", "SHA512", "--local-user", &self.key]);
        if kind == SignatureKind::Text {
            command.arg("--textmode");
        }
        command.args(["--output", "-", "--detach-sign"]);
        run_signer("gpg", command, data)
    }

    /// Returns the public key, armored.
    ///
    /// # Errors
    /// [`SignError`] when gpg fails or does not know the key.
    pub fn export(&self) -> Result<String, SignError> {
        let mut command = Command::new("gpg");
        command.args(["--batch", "--no-tty", "--armor", "--export", self.key.trim_end_matches('!')]);
        let output = run("gpg", command, b"")?;
        let text = String::from_utf8(output.stdout).unwrap_or_default();
        if text.is_empty() { Err(SignError::NoSignature { program: "gpg --export".to_owned() }) } else { Ok(text) }
    }
}

impl ProgramSigner {
    /// Names the program and its arguments.
    pub fn new(argv: Vec<String>) -> Self {
        Self { argv }
    }

    pub(super) fn sign(&self, data: &[u8]) -> Result<Signature, SignError> {
        let (program, arguments) = self.argv.split_first().map_or(("", &[][..]), |(first, rest)| (first, rest));
        let mut command = Command::new(program);
        command.args(arguments);
        run_signer(program, command, data)
    }
}

fn run_signer(program: &str, command: Command, data: &[u8]) -> Result<Signature, SignError> {
    let output = run(program, command, data)?;
    let no_signature = || SignError::NoSignature { program: program.to_owned() };
    let (mut found, _) = DetachedSignature::from_reader_many(&output.stdout[..]).map_err(|_| no_signature())?;
    let first = found.next().ok_or_else(no_signature)?;
    first.map(|detached| detached.signature).map_err(|_| no_signature())
}

fn run(program: &str, mut command: Command, data: &[u8]) -> Result<Output, SignError> {
    let cannot_run = |source| SignError::Run { program: program.to_owned(), source };
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(cannot_run)?;
    let mut input = child.stdin.take().expect("it was asked for");
    let output = thread::scope(|scope| -> io::Result<Output> {
        // In a thread of its own, because a program may answer before it has read everything.
        let writer = scope.spawn(move || input.write_all(data));
        let output = child.wait_with_output()?;
        match writer.join().expect("writing does not panic") {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(output),
        }
    })
    .map_err(cannot_run)?;
    if output.status.success() {
        return Ok(output);
    }
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(SignError::Failed { program: program.to_owned(), status: output.status, message })
}
