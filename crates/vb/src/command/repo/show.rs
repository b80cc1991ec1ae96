//! What a repository holds, and what was done to it.

use std::time::{Duration, UNIX_EPOCH};

use vb_repo::{Changed, ChannelId, KEY_FILE, Operation, RecordKey};

use super::{
    errors::{open_error, state_error},
    open::{Opened, Purpose},
};
use crate::{
    arguments::{ClientConfig, ConfigPart, Look, Place},
    display,
    exit::Exit,
    fatal::Fatal,
};

/// How many packages of one change are named.
const SHOWN: usize = 5;

/// Prints what a change came to.
pub(crate) fn tell(channel: &ChannelId, changed: &Changed) {
    let line = match changed {
        Changed::To { number, operation, .. } => format!("{channel}  {number}  {}", describe(operation)),
        Changed::Nothing => format!("{channel}  nothing to do"),
    };
    display::lines(&[line]);
}

/// Writes an operation on one line.
pub(crate) fn describe(operation: &Operation) -> String {
    match operation {
        Operation::Init => "init".to_owned(),
        Operation::Add { packages } => format!("add {}", keys(packages)),
        Operation::Remove { packages } => format!("remove {}", keys(packages)),
        Operation::Promote { packages, from } => format!("promote {} from {}", keys(packages), from.channel),
        Operation::Rollback { to, packages } if packages.is_empty() => format!("roll back to {}", to.to_short()),
        Operation::Rollback { to, packages } => format!("roll back {} to {}", packages.join(", "), to.to_short()),
        Operation::Refresh => "sign again".to_owned(),
    }
}

fn keys(keys: &[RecordKey]) -> String {
    let shown: Vec<String> = keys.iter().take(SHOWN).map(|key| format!("{} {}", key.name, key.version)).collect();
    let more = keys.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

/// Runs `vb repo list`.
pub(crate) fn list(place: &Place, arguments: &Look) -> Result<Exit, Fatal> {
    let opened = Opened::new(place, arguments.at.as_deref(), Purpose::Read)?;
    for channel in opened.channels(&arguments.channels)? {
        let packages = opened.repository.packages(&channel).map_err(state_error)?;
        let lines: Vec<String> = packages
            .iter()
            .map(|(_, record)| {
                let key = &record.key;
                format!("{channel}  {} {} {}  {}", key.name, key.version, key.architecture, record.path)
            })
            .collect();
        display::lines(&lines);
    }
    Ok(Exit::Success)
}

/// Runs `vb repo history`.
pub(crate) fn history(place: &Place, arguments: &Look) -> Result<Exit, Fatal> {
    let opened = Opened::new(place, arguments.at.as_deref(), Purpose::Read)?;
    for channel in opened.channels(&arguments.channels)? {
        let history = opened.repository.history(&channel).map_err(state_error)?;
        let lines: Vec<String> = history
            .iter()
            .map(|(id, generation)| {
                let time = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(generation.time));
                let packages = display::counted(generation.count(), "package");
                format!(
                    "{channel}  {}  {}  {time}  {}  {}  {packages}",
                    generation.number,
                    id.to_short(),
                    generation.publisher,
                    describe(&generation.operation)
                )
            })
            .collect();
        display::lines(&lines);
    }
    Ok(Exit::Success)
}

/// Runs `vb repo client-config`.
pub(crate) fn client_config(place: &Place, arguments: &ClientConfig) -> Result<Exit, Fatal> {
    let opened = Opened::new(place, arguments.at.as_deref(), Purpose::Read)?;
    let last = opened.repository.settings().channels.last().cloned().unwrap_or_default();
    let channel = opened.channel(&arguments.platform, arguments.channel.as_deref().unwrap_or(&last))?;
    if !opened.repository.settings().platforms.contains_key(&channel.platform) {
        return Err(Fatal::message(
            Exit::Usage,
            "vb::repo::platform",
            format!("the repository has no packages for `{}`", channel.platform),
            "`vb repo list` shows what it has",
        ));
    }
    let current = opened.repository.current(&channel).map_err(state_error)?;
    let generation = current.as_ref().map(|(_, generation)| generation);
    let own = opened.repository.settings().url.as_deref();
    let url = arguments.url.as_deref().or(own).unwrap_or("http://127.0.0.1:8080");
    let failed = |error| open_error("", error);
    let config = opened.repository.client_config(&channel, generation, url).map_err(failed)?;
    let text = config.text.trim_end().to_owned();
    let key = || -> Result<String, Fatal> {
        let keys = opened.repository.public_keys().map_err(failed)?;
        let damaged = |source| open_error(KEY_FILE, vb_repo::OpenError::Keys { source });
        Ok(keys.to_armor().map_err(damaged)?.trim_end().to_owned())
    };
    display::lines(&match arguments.part {
        ConfigPart::File => vec![text],
        ConfigPart::Key => vec![key()?],
        ConfigPart::Command => vec![config.command],
        ConfigPart::All => vec![
            format!("# {}", config.path),
            text,
            String::new(),
            format!("# {}", config.key_path),
            key()?,
            String::new(),
            "# or all at once, as root:".to_owned(),
            config.command,
        ],
    });
    Ok(Exit::Success)
}
