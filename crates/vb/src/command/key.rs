//! `vb key`: keys that sign repositories.

use std::{
    io::{self, Write},
    path::Path,
};

use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt;
use vb_repo::{KeyAlgorithm, generate_key};

use crate::{
    arguments::{Algorithm, Key},
    command::repo::signers::read_key,
    display,
    exit::Exit,
    fatal::Fatal,
};

/// Runs the command.
pub(crate) fn run(command: &Key) -> Result<Exit, Fatal> {
    match command {
        Key::New { file, user, algorithm } => new(file, user, *algorithm),
        Key::Export { file } => export(file),
    }
}

fn new(file: &Path, user: &str, algorithm: Algorithm) -> Result<Exit, Fatal> {
    let algorithm = match algorithm {
        Algorithm::Ed25519 => KeyAlgorithm::Ed25519,
        Algorithm::Rsa4096 => KeyAlgorithm::Rsa4096,
    };
    let text = generate_key(user, algorithm)
        .map_err(|error| Fatal::caused(Exit::Environment, "vb::key::generate", "cannot make a key", "", error))?;
    write_secret(file, &text).map_err(|error| {
        let help = "name a file that is not there, in a directory that can be written";
        Fatal::caused(Exit::Environment, "vb::key::write", "cannot write the key", help, error)
    })?;
    display::lines(&[read_key(file)?.fingerprint()]);
    Ok(Exit::Success)
}

/// Writes a file that only its owner can read, and makes its directory. Never over a key that is there: what it signed
/// would be lost with it.
fn write_secret(path: &Path, text: &str) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

fn export(file: &Path) -> Result<Exit, Fatal> {
    let armor = read_key(file)?.public().to_armor().map_err(|error| {
        Fatal::caused(Exit::Environment, "vb::key::export", "cannot write the public key", "", error)
    })?;
    display::lines(&[armor.trim_end().to_owned()]);
    Ok(Exit::Success)
}
