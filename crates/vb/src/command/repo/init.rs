//! `vb repo init`: a repository comes to be.

use std::path::Path;

use fs_err as fs;
use vb_recipe::{PackageRepository, RepositoryLayout};
use vb_repo::{AptLayout, PublicKeys, Repository, Settings};

use super::{
    errors::open_error,
    open::{LazyWorkspace, location, storage},
    signers::signers,
};
use crate::{
    arguments::{Init, Place},
    display,
    exit::Exit,
    fatal::Fatal,
};

/// Runs the command.
pub(crate) fn run(place: &Place, arguments: &Init) -> Result<Exit, Fatal> {
    let workspace = LazyWorkspace::default();
    let location = location(place, arguments.at.as_deref(), &workspace)?;
    let known = signers(place, &location, &workspace, &[])?;
    let mut settings = settings(&workspace)?;
    change_settings(&mut settings, arguments);
    settings.keys.clone_from(&known.settings);
    let mut keys = known.keys;
    if let Some(path) = &arguments.public_key {
        keys.extend(read_public_keys(path)?);
    }
    if known.signers.is_empty() {
        display::warn("the repository is not signed: clients have to be told to trust it; name a key with `--key`");
    } else if keys.is_empty() {
        display::warn("the public key of the program that signs is not known: give it with `--public-key`");
    }
    Repository::init(storage(&location)?, settings, known.signers, &keys)
        .map_err(|error| open_error(&location, error))?;
    display::lines(&keys.fingerprints());
    Ok(Exit::Success)
}

fn settings(workspace: &LazyWorkspace) -> Result<Settings, Fatal> {
    let mut settings = Settings::usual();
    let Some((_, repository)) = workspace.repository()? else { return Ok(settings) };
    let PackageRepository { channels, origin, layout, url, valid_days, contents, .. } = repository;
    let prefix = workspace.get()?.map(|surroundings| surroundings.workspace.value.package_prefix.clone());
    let prefix = prefix.map(|prefix| prefix.trim_end_matches('-').to_owned()).filter(|prefix| !prefix.is_empty());
    settings.origin = origin.clone().or(prefix).unwrap_or(settings.origin);
    settings.channels.clone_from(channels);
    settings.url.clone_from(url);
    settings.valid_days = *valid_days;
    settings.has_contents = *contents;
    settings.layout = match layout {
        RepositoryLayout::Dists => AptLayout::Dists,
        RepositoryLayout::Flat => AptLayout::Flat,
    };
    Ok(settings)
}

fn change_settings(settings: &mut Settings, arguments: &Init) {
    if let Some(origin) = &arguments.origin {
        settings.origin.clone_from(origin);
    }
    if !arguments.channels.is_empty() {
        settings.channels.clone_from(&arguments.channels);
    }
    if arguments.flat {
        settings.layout = AptLayout::Flat;
    }
    if let Some(url) = &arguments.url {
        settings.url = Some(url.clone());
    }
    settings.valid_days = arguments.valid_days.or(settings.valid_days);
    settings.has_contents |= arguments.contents;
}

pub(crate) fn read_public_keys(path: &Path) -> Result<PublicKeys, Fatal> {
    let text = fs::read_to_string(path).map_err(|error| {
        Fatal::caused(
            Exit::Environment,
            "vb::key::unreadable",
            "cannot read a key",
            "name the file of a public key",
            error,
        )
    })?;
    PublicKeys::read(&text).map_err(|error| {
        let message = format!("cannot use the key `{}`", path.display());
        Fatal::caused(Exit::Environment, "vb::key::malformed", message, "give an armored public key", error)
    })
}
