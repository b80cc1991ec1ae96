//! `vb repo import`: the packages of a repository that another tool made.

use std::path::PathBuf;

use vb_fetch::{FetchOptions, Fetcher};
use vb_repo::{ChannelId, ForeignPlace, ForeignSuite, Imported, ReadForeignError, Transfer, Trust};

use super::{
    errors::{add_error, foreign_error},
    init::read_public_keys,
    open::{Opened, Purpose, publisher},
    show::tell,
};
use crate::{
    arguments::{Import, Place},
    display,
    exit::Exit,
    fatal::Fatal,
};

/// Runs the command.
pub(crate) fn run(place: &Place, arguments: &Import) -> Result<Exit, Fatal> {
    let (at, source) = match &arguments.places[..] {
        [at, source] => (Some(at.as_str()), source),
        places => (None, &places[0]),
    };
    let source = place_of(source)?;
    let trust = match &arguments.source_key {
        Some(path) => Trust::Keys(read_public_keys(path)?),
        None => Trust::Unchecked,
    };
    let transfer = if arguments.link { Transfer::Link } else { Transfer::Copy };
    let mut opened = Opened::new(place, at, Purpose::Write)?;
    // Everything is read before anything is taken, so that a mistake in the last suite is found first.
    let mut suites = Vec::new();
    for mapping in &arguments.map {
        let (suite, channel) = parse(&opened, mapping)?;
        suites.push((channel, ForeignSuite::read(&source, suite, &trust).map_err(foreign_error)?));
    }
    for (channel, suite) in &suites {
        opened.know_platform(&channel.platform, suite.format(), &suite.files())?;
        let imported = opened.repository.import(&source, suite, channel, transfer, &publisher()).map_err(add_error)?;
        show(channel, &imported);
    }
    Ok(Exit::Success)
}

/// An address, or else a directory.
fn place_of(source: &str) -> Result<ForeignPlace, Fatal> {
    if !source.starts_with("https://") && !source.starts_with("http://") {
        return Ok(ForeignPlace::directory(PathBuf::from(source)));
    }
    let fetcher = Fetcher::new(&FetchOptions::default());
    let fetcher = fetcher.map_err(|source| ReadForeignError::Fetch { source: Box::new(source) });
    fetcher.and_then(|fetcher| ForeignPlace::web(source, fetcher)).map_err(foreign_error)
}

/// Takes `bookworm=bookworm-production` apart.
fn parse<'a>(opened: &Opened, mapping: &'a str) -> Result<(&'a str, ChannelId), Fatal> {
    let parts = mapping.rsplit_once('=').filter(|(suite, _)| !suite.is_empty());
    let channel = parts.and_then(|(_, channel)| channel.rsplit_once('-'));
    let (Some((suite, _)), Some((platform, channel))) = (parts, channel) else {
        return Err(Fatal::message(
            Exit::Usage,
            "vb::repo::mapping",
            format!("`{mapping}` does not say what goes where"),
            "write `--map SUITE=PLATFORM-CHANNEL`, for example `--map stable=bookworm-production`",
        ));
    };
    Ok((suite, opened.channel(platform, channel)?))
}

fn show(channel: &ChannelId, imported: &Imported) {
    imported.changes.iter().for_each(|changed| tell(channel, changed));
    let Imported { taken, known, .. } = imported;
    display::lines(&[format!("{channel}  {} imported, {known} known", display::counted(*taken, "package"))]);
}
