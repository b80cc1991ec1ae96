//! `vb diff`: how two packages differ, or a package and the one that a channel has.

use std::{io, path::Path};

use fs_err as fs;
use vb_package::{PackageDiff, PackageFacts};
use vb_repo::{Record, compare_versions, format_of};

use crate::{
    arguments::{Common, Diff, Place},
    command::{
        inspect,
        repo::{Opened, Purpose, state_error},
    },
    display,
    exit::Exit,
    fatal::Fatal,
};

/// What one side of the comparison is.
#[derive(Clone, Copy, Debug)]
enum Side<'a> {
    File(&'a Path),
    Channel { platform: &'a str, channel: &'a str },
}

impl<'a> Side<'a> {
    /// A name of a file that is there is a file, even if it could be a channel.
    fn of(text: &'a str) -> Self {
        match text.split_once('/') {
            Some((platform, channel)) if !Path::new(text).exists() && !channel.contains('/') && !text.contains('.') => {
                Self::Channel { platform, channel }
            }
            _ => Self::File(Path::new(text)),
        }
    }
}

/// Runs the command.
pub(crate) fn run(common: &Common, arguments: &Diff) -> Result<Exit, Fatal> {
    let (old, new) = match (Side::of(&arguments.old), Side::of(&arguments.new)) {
        (Side::File(old), Side::File(new)) => (inspect::read(old)?, inspect::read(new)?),
        (Side::File(path), Side::Channel { platform, channel }) => {
            let old = inspect::read(path)?;
            let new = read_published(arguments, (platform, channel), (path, &old))?;
            (old, new)
        }
        (Side::Channel { platform, channel }, Side::File(path)) => {
            let new = inspect::read(path)?;
            (read_published(arguments, (platform, channel), (path, &new))?, new)
        }
        (Side::Channel { .. }, Side::Channel { .. }) => {
            return Err(Fatal::message(
                Exit::Usage,
                "vb::usage::two_channels",
                "both sides are channels".to_owned(),
                "name a package on one side",
            ));
        }
    };
    let diff = PackageDiff::of(&old, &new);
    if common.json {
        display::json(&diff);
    } else {
        display::lines(&display::difference_lines(&diff, arguments.all));
    }
    Ok(if diff.is_same() { Exit::Success } else { Exit::Different })
}

/// Reads the latest package that a channel has of another package's name.
fn read_published(
    arguments: &Diff,
    (platform, channel): (&str, &str),
    other: (&Path, &PackageFacts),
) -> Result<PackageFacts, Fatal> {
    let (other_path, other) = other;
    let place = Place { repository: arguments.repository.clone(), keys: vec![], gpg_key: vec![], sign_command: None };
    let opened = Opened::new(&place, None, Purpose::Read)?;
    let channel = opened.channel(platform, channel)?;
    let packages = opened.repository.packages_named(&channel, &other.name).map_err(state_error)?;
    let fits = |record: &&Record| Some(record.format) == format_of(other_path);
    let latest = packages
        .iter()
        .map(|(_, record)| &**record)
        .filter(fits)
        .max_by(|one, two| compare_versions(one.format, &one.key.version, &two.key.version));
    let Some(record) = latest else {
        return Err(Fatal::message(
            Exit::Usage,
            "vb::repo::no_package",
            format!("`{channel}` has no `{}` of the format `{}`", other.name, other.format),
            "`vb repo list` shows what it has",
        ));
    };
    fetch(&opened, record)
}

/// Reads a package out of a repository, by way of a file that is gone when it has been read.
fn fetch(opened: &Opened, record: &Record) -> Result<PackageFacts, Fatal> {
    let gone = |path: &str| {
        let help = "`vb repo verify` says what is damaged";
        Fatal::message(Exit::Environment, "vb::repo::state", format!("the repository has lost `{path}`"), help)
    };
    let failed = |error: io::Error| {
        let message = format!("cannot fetch `{}`", record.path);
        Fatal::caused(Exit::Environment, "vb::repo::state", message, "check the repository and the disk", error)
    };
    let opened = opened.repository.storage().open(&record.path);
    let reader = opened.map_err(|error| state_error(error.into()))?;
    let mut reader = reader.ok_or_else(|| gone(&record.path))?;
    let directory = tempfile::tempdir().map_err(failed)?;
    let path = directory.path().join(record.path.rsplit('/').next().unwrap_or("package"));
    let mut file = fs::File::create(&path).map_err(failed)?;
    io::copy(&mut reader, &mut file).map_err(failed)?;
    inspect::read(&path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_and_a_channel_are_told_from_a_path() {
        for (text, is_channel) in [
            ("bookworm/production", true),
            ("dist/whois_1.0_all.deb", false),
            ("./bookworm/production", false),
            ("whois.deb", false),
            ("src/command", false),
        ] {
            assert_eq!(matches!(Side::of(text), Side::Channel { .. }), is_channel, "{text}");
        }
    }
}
