//! Packages pass between channels, leave them, and come back.

use std::time::{Duration, UNIX_EPOCH};

use vb_repo::{ChannelId, RollbackTarget, Wanted, is_snapshot_name};

use super::{
    errors::{change_error, state_error},
    open::{Opened, Purpose, publisher, time},
    show::tell,
};
use crate::{
    arguments::{Channels, Place, Promote, Remove, Restore, Rollback, Snapshot},
    display,
    exit::Exit,
    fatal::Fatal,
};

/// Runs `vb repo promote`.
pub(crate) fn promote(place: &Place, arguments: &Promote) -> Result<Exit, Fatal> {
    let opened = Opened::new(place, None, Purpose::Write)?;
    let sources = channels_of(&opened, &arguments.from, &arguments.platform)?;
    let wanted = if arguments.all { Vec::new() } else { wanted(&opened, &arguments.packages, &sources)? };
    let sources = holding(&opened, sources, &wanted)?;
    for from in sources {
        let to = opened.channel(&from.platform, &arguments.to)?;
        let wanted = if arguments.all { everything(&opened, &from)? } else { wanted.clone() };
        let changed = opened.repository.promote(&from, &to, &wanted, &publisher()).map_err(change_error)?;
        tell(&to, &changed);
    }
    Ok(Exit::Success)
}

/// Runs `vb repo remove`.
pub(crate) fn remove(place: &Place, arguments: &Remove) -> Result<Exit, Fatal> {
    let opened = Opened::new(place, None, Purpose::Write)?;
    let channels = channels_of(&opened, &arguments.channel, &arguments.platform)?;
    let wanted = wanted(&opened, &arguments.packages, &channels)?;
    for channel in holding(&opened, channels, &wanted)? {
        let changed = opened.repository.remove(&channel, &wanted, &publisher()).map_err(change_error)?;
        tell(&channel, &changed);
    }
    Ok(Exit::Success)
}

/// Runs `vb repo rollback`.
pub(crate) fn rollback(place: &Place, arguments: &Rollback) -> Result<Exit, Fatal> {
    let opened = Opened::new(place, None, Purpose::Write)?;
    let channels = channels_of(&opened, &arguments.channel, &arguments.platform)?;
    let wanted = wanted(&opened, &arguments.packages, &channels)?;
    let names: Vec<String> = wanted.iter().map(|wanted| wanted.name.clone()).collect();
    let target = arguments.to.map_or(RollbackTarget::Previous, RollbackTarget::Number);
    for channel in holding(&opened, channels, &wanted)? {
        let changed = opened.repository.rollback(&channel, &names, &target, &publisher()).map_err(change_error)?;
        tell(&channel, &changed);
    }
    Ok(Exit::Success)
}

/// Returns the channels of a name, of the platforms that are asked for.
fn channels_of(opened: &Opened, channel: &str, platforms: &[String]) -> Result<Vec<ChannelId>, Fatal> {
    opened.channels(&Channels { channel: vec![channel.to_owned()], platform: platforms.to_vec() })
}

/// Reads `name` and `name=version`.
fn wanted(opened: &Opened, packages: &[String], channels: &[ChannelId]) -> Result<Vec<Wanted>, Fatal> {
    let one = |text: &String| {
        let (name, version) = match text.split_once('=') {
            Some((name, version)) => (name, Some(version.to_owned())),
            None => (text.as_str(), None),
        };
        Ok(Wanted { name: opened.package_name(name, channels)?, version })
    };
    packages.iter().map(one).collect()
}

fn everything(opened: &Opened, channel: &ChannelId) -> Result<Vec<Wanted>, Fatal> {
    let packages = opened.repository.packages(channel).map_err(state_error)?;
    let mut names: Vec<String> = packages.into_iter().map(|(_, record)| record.key.name.clone()).collect();
    names.sort();
    names.dedup();
    Ok(names.into_iter().map(|name| Wanted { name, version: None }).collect())
}

/// Leaves out the platforms that have none of the packages, unless that leaves none at all.
fn holding(opened: &Opened, channels: Vec<ChannelId>, wanted: &[Wanted]) -> Result<Vec<ChannelId>, Fatal> {
    if wanted.is_empty() {
        return Ok(channels);
    }
    let mut holding = Vec::new();
    for channel in &channels {
        for wanted in wanted {
            let found = opened.repository.packages_named(channel, &wanted.name).map_err(state_error)?;
            if !found.is_empty() && !holding.contains(channel) {
                holding.push(channel.clone());
            }
        }
    }
    Ok(if holding.is_empty() { channels } else { holding })
}

/// Runs `vb repo snapshot`.
pub(crate) fn snapshot(place: &Place, arguments: &Snapshot) -> Result<Exit, Fatal> {
    let opened = Opened::new(place, None, Purpose::Read)?;
    let Some(name) = &arguments.name else { return list_snapshots(&opened) };
    if arguments.remove {
        opened.repository.remove_snapshot(&known_snapshot(&opened, name)?.0).map_err(state_error)?;
        return Ok(Exit::Success);
    }
    let channels = opened.channels(&arguments.channels)?;
    if is_snapshot_name(name) && opened.repository.snapshot(name, &channels, time()).map_err(state_error)? {
        return Ok(Exit::Success);
    }
    Err(Fatal::message(
        Exit::Usage,
        "vb::repo::snapshot",
        format!("there can be no snapshot `{name}`: there is one, or it is no name"),
        "use another name, of letters, digits, `.`, `_`, `+` and `-`",
    ))
}

fn list_snapshots(opened: &Opened) -> Result<Exit, Fatal> {
    let snapshots = opened.repository.snapshots().map_err(state_error)?;
    let lines: Vec<String> = snapshots
        .iter()
        .map(|(name, snapshot)| {
            let time = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(snapshot.time));
            let channels: Vec<String> = snapshot.channels.iter().map(|(channel, _)| channel.to_string()).collect();
            format!("{name}  {time}  {}", channels.join(" "))
        })
        .collect();
    display::lines(&lines);
    Ok(Exit::Success)
}

fn known_snapshot(opened: &Opened, name: &str) -> Result<(String, vb_repo::Snapshot), Fatal> {
    let found = opened.repository.snapshots().map_err(state_error)?.remove_entry(name);
    found.ok_or_else(|| {
        let message = format!("there is no snapshot `{name}`");
        Fatal::message(Exit::Usage, "vb::repo::no_snapshot", message, "`vb repo snapshot` shows those that there are")
    })
}

/// Runs `vb repo restore`.
pub(crate) fn restore(place: &Place, arguments: &Restore) -> Result<Exit, Fatal> {
    let opened = Opened::new(place, None, Purpose::Write)?;
    let (_, snapshot) = known_snapshot(&opened, &arguments.name)?;
    for channel in opened.channels(&arguments.channels)? {
        if snapshot.channels.iter().any(|(own, _)| *own == channel) {
            let changed = opened.repository.restore(&snapshot, &channel, &publisher()).map_err(change_error)?;
            tell(&channel, &changed);
        }
    }
    Ok(Exit::Success)
}
