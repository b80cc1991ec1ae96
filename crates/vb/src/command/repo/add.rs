//! `vb repo add`: packages come into a channel.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use vb_repo::{Format, format_of};

use super::{
    errors::add_error,
    open::{Opened, Purpose, publisher},
    show::tell,
};
use crate::{
    arguments::{Add, Place},
    exit::Exit,
    fatal::Fatal,
};

/// Runs the command.
pub(crate) fn run(place: &Place, arguments: &Add) -> Result<Exit, Fatal> {
    // The first name is the repository's if it is not a package's.
    let (at, packages) = match arguments.files.split_first() {
        Some((first, rest)) if format_of(first).is_none() => (Some(first.display().to_string()), rest),
        _ => (None, &arguments.files[..]),
    };
    let mut opened = Opened::new(place, at.as_deref(), Purpose::Write)?;
    let first = opened.repository.settings().channels.first().cloned().unwrap_or_default();
    let channel = arguments.channel.clone().unwrap_or(first);
    for (platform, packages) in by_platform(&opened, arguments, packages)? {
        let id = opened.channel(&platform, &channel)?;
        let format = packages.iter().find_map(|path| format_of(path)).unwrap_or(Format::Deb);
        opened.know_platform(&platform, format, &packages)?;
        let changed = opened.repository.add(&id, &arguments.component, &packages, &publisher()).map_err(add_error)?;
        tell(&id, &changed);
    }
    Ok(Exit::Success)
}

/// Sorts packages by the platform that they are for.
fn by_platform(
    opened: &Opened,
    arguments: &Add,
    packages: &[PathBuf],
) -> Result<BTreeMap<String, Vec<PathBuf>>, Fatal> {
    let mut sorted: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for path in packages {
        let platform = match &arguments.platform {
            Some(platform) => platform.clone(),
            None => platform_of(opened, path)?,
        };
        sorted.entry(platform).or_default().push(path.clone());
    }
    Ok(sorted)
}

/// `vb build` writes to `dist/<platform>/`.
fn platform_of(opened: &Opened, path: &Path) -> Result<String, Fatal> {
    let directory = std::path::absolute(path).ok();
    let name = directory.as_deref().and_then(Path::parent).and_then(Path::file_name).and_then(|name| name.to_str());
    if let Some(name) = name {
        let is_known = opened.repository.settings().platforms.contains_key(name)
            || opened.workspace.get()?.is_some_and(|surroundings| surroundings.platforms.has(name));
        if is_known {
            return Ok(name.to_owned());
        }
    }
    Err(Fatal::message(
        Exit::Usage,
        "vb::repo::platform",
        format!("it is not known which platform `{}` is for", path.display()),
        "name it with `--platform`, or add packages from `dist/<platform>/`",
    ))
}
