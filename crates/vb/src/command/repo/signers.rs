//! Who signs: the arguments' keys, else the workspace's if it is its repository, else those that the repository notes.

use std::path::Path;

use fs_err as fs;
use vb_recipe::RepositoryKey;
use vb_repo::{GpgSigner, KeySetting, KeySigner, ProgramSigner, PublicKeys, Signer, Signers};

use super::open::LazyWorkspace;
use crate::{arguments::Place, display, exit::Exit, fatal::Fatal};

/// The variable that holds the passphrase of keys in files.
const PASSPHRASE: &str = "VB_KEY_PASSPHRASE";

/// Signers, and what is known of their keys.
#[derive(Debug)]
pub(crate) struct KnownSigners {
    pub(crate) signers: Signers,
    pub(crate) settings: Vec<KeySetting>,
    /// The public keys, but those of programs.
    pub(crate) keys: PublicKeys,
    /// Is there a program whose public key is not known?
    pub(crate) has_program: bool,
}

/// Returns nobody, for commands that only read.
pub(crate) fn no_signers() -> Signers {
    Signers::new(Vec::new())
}

/// Makes the signers of a repository at a location, which notes keys unless it is being made.
pub(crate) fn signers(
    place: &Place,
    location: &str,
    workspace: &LazyWorkspace,
    noted: &[KeySetting],
) -> Result<KnownSigners, Fatal> {
    let mut settings = given(place);
    let is_new = noted.is_empty() && place.repository.is_none();
    if settings.is_empty() && (is_new || is_of_workspace(location, workspace)?) {
        settings = of_workspace(workspace)?;
    }
    if settings.is_empty() {
        settings = noted.to_vec();
    }
    let mut known =
        KnownSigners { signers: no_signers(), settings: Vec::new(), keys: PublicKeys::default(), has_program: false };
    let mut signers = Vec::new();
    for setting in &settings {
        signers.push(signer(setting, &mut known)?);
    }
    for key in known.keys.weak() {
        display::warn(&format!(
            "the key {key} says who it is with SHA-1 alone, which el9 and Debian 13 refuse; make it a new \
             self-signature (`gpg --edit-key`, `expire`) or a new key (`vb key new`)"
        ));
    }
    Ok(KnownSigners { signers: Signers::new(signers), settings, ..known })
}

/// Returns the keys that the arguments name. Their paths are noted in the repository, and so made absolute.
fn given(place: &Place) -> Vec<KeySetting> {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string();
    let files = place.keys.iter().map(|path| KeySetting::File(absolute(path)));
    let gpg = place.gpg_key.iter().cloned().map(KeySetting::Gpg);
    let command = place.sign_command.iter();
    let command = command.map(|line| KeySetting::Command(line.split_whitespace().map(str::to_owned).collect()));
    files.chain(gpg).chain(command).collect()
}

/// Is it the workspace's repository, however its path is written?
fn is_of_workspace(location: &str, workspace: &LazyWorkspace) -> Result<bool, Fatal> {
    let Some((root, repository)) = workspace.repository()? else { return Ok(false) };
    let own = repository.location(root);
    let real = |location: &str| fs::canonicalize(location).ok();
    Ok(own == location || real(&own).is_some_and(|own| Some(own) == real(location)))
}

fn of_workspace(workspace: &LazyWorkspace) -> Result<Vec<KeySetting>, Fatal> {
    let Some((root, repository)) = workspace.repository()? else { return Ok(Vec::new()) };
    let setting = |key: &RepositoryKey| match key {
        RepositoryKey::File(path) => KeySetting::File(root.join(path).display().to_string()),
        RepositoryKey::Gpg(key) => KeySetting::Gpg(key.clone()),
        RepositoryKey::Command(argv) => KeySetting::Command(argv.clone()),
    };
    Ok(repository.keys.iter().map(setting).collect())
}

fn signer(setting: &KeySetting, known: &mut KnownSigners) -> Result<Signer, Fatal> {
    Ok(match setting {
        KeySetting::File(path) => {
            let key = read_key(Path::new(path))?;
            known.keys.extend(key.public());
            Signer::Key(key)
        }
        KeySetting::Gpg(key) => {
            let gpg = GpgSigner::new(key.clone());
            let failed = |error: Box<dyn std::error::Error + Send + Sync>| gpg_error(key, &error.to_string());
            let armor = gpg.export().map_err(|error| failed(error.into()))?;
            known.keys.extend(PublicKeys::read(&armor).map_err(|error| failed(error.into()))?);
            Signer::Gpg(gpg)
        }
        KeySetting::Command(argv) => {
            known.has_program = true;
            Signer::Program(ProgramSigner::new(argv.clone()))
        }
    })
}

fn gpg_error(key: &str, message: &str) -> Fatal {
    let help = "`gpg --list-secret-keys` shows the keys that this user has";
    Fatal::message(Exit::Environment, "vb::key::gpg", format!("cannot use the key `{key}` of gpg: {message}"), help)
}

/// Reads a secret key.
pub(crate) fn read_key(path: &Path) -> Result<KeySigner, Fatal> {
    let bytes = fs::read(path).map_err(|error| {
        let help = "name the file of a secret key with `--key`, or make one with `vb key new`";
        Fatal::caused(Exit::Environment, "vb::key::unreadable", "cannot read a key", help, error)
    })?;
    let passphrase = std::env::var(PASSPHRASE).unwrap_or_default();
    KeySigner::read(&bytes, &passphrase).map_err(|error| {
        let message = format!("cannot use the key `{}`", path.display());
        let help = format!("give a secret key, and its passphrase in `{PASSPHRASE}`");
        Fatal::caused(Exit::Environment, "vb::key::malformed", message, help, error)
    })
}
