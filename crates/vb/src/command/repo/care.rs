//! What keeps a repository in order: verification, retention, garbage, new signatures.

use vb_repo::{GarbagePolicy, Repository, RetentionRule, Settings};

use super::{
    errors::{change_error, open_error, state_error},
    open::{LazyWorkspace, Opened, Purpose, location, publisher, storage, time},
    show::tell,
    signers::signers,
};
use crate::{
    arguments::{Gc, Look, Place, Refresh, Retain},
    display,
    exit::Exit,
    fatal::Fatal,
};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// Runs `vb repo verify`.
pub(crate) fn verify(place: &Place, arguments: &Look) -> Result<Exit, Fatal> {
    let opened = Opened::new(place, arguments.at.as_deref(), Purpose::Read)?;
    let channels = opened.channels(&arguments.channels)?;
    let report = opened.repository.verify(&channels).map_err(|error| {
        let help = "restore what is named from a copy of the repository";
        Fatal::caused(Exit::Environment, "vb::repo::verify", "cannot verify the repository", help, error)
    })?;
    let problems: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
    display::lines(&problems);
    if problems.is_empty() {
        let (packages, files) = (display::counted(report.packages, "package"), display::counted(report.files, "file"));
        display::lines(&[format!("the repository is intact: {packages}, {files} for clients")]);
        return Ok(Exit::Success);
    }
    Err(Fatal::message(
        Exit::ActionFailed,
        "vb::repo::damaged",
        format!("the repository is damaged: {}", display::counted(problems.len(), "problem")),
        "`vb repo refresh` writes indexes and signatures again; packages have to come from a copy",
    ))
}

/// Runs `vb repo retain`.
pub(crate) fn retain(place: &Place, arguments: &Retain) -> Result<Exit, Fatal> {
    let opened = Opened::new(place, arguments.look.at.as_deref(), Purpose::Write)?;
    let rule = RetentionRule {
        keep: arguments.keep,
        younger_than: arguments.days.map(|days| days * DAY),
        keeps_promoted: !arguments.even_promoted,
    };
    for channel in opened.channels(&arguments.look.channels)? {
        let changed = opened.repository.retain(&channel, rule, &publisher()).map_err(change_error)?;
        tell(&channel, &changed);
    }
    Ok(Exit::Success)
}

/// Runs `vb repo gc`.
pub(crate) fn gc(place: &Place, arguments: &Gc) -> Result<Exit, Fatal> {
    let opened = Opened::new(place, arguments.at.as_deref(), Purpose::Read)?;
    let policy = GarbagePolicy { grace: arguments.grace * HOUR, history: arguments.history * DAY };
    let report = opened.repository.collect_garbage(policy, time(), arguments.dry_run).map_err(state_error)?;
    let verb = if arguments.dry_run { "would remove" } else { "removed" };
    let mut lines: Vec<String> = report.removed.iter().map(|name| format!("{verb} {name}")).collect();
    lines.push(format!("{verb} {}, {} bytes", display::counted(report.removed.len(), "object"), report.bytes));
    display::lines(&lines);
    Ok(Exit::Success)
}

/// Runs `vb repo refresh`. The keys that sign are those that the repository has from here on.
pub(crate) fn refresh(place: &Place, arguments: &Refresh) -> Result<Exit, Fatal> {
    let workspace = LazyWorkspace::default();
    let location = location(place, arguments.look.at.as_deref(), &workspace)?;
    let failed = |error| open_error(&location, error);
    let noted = Repository::read_settings(&storage(&location)?).map_err(failed)?.keys;
    let known = signers(place, &location, &workspace, &noted)?;
    let mut repository = Repository::open(storage(&location)?, known.signers).map_err(failed)?;
    let change = |settings: &mut Settings| {
        settings.keys.clone_from(&known.settings);
        if arguments.url.is_some() {
            settings.url.clone_from(&arguments.url);
        }
    };
    repository.change_settings(change).map_err(failed)?;
    let mut keys = known.keys;
    if known.has_program {
        keys.extend(repository.public_keys().map_err(failed)?);
    }
    repository.write_keys(&keys).map_err(failed)?;
    let opened = Opened { repository, workspace };
    for channel in opened.channels(&arguments.look.channels)? {
        let changed = opened.repository.refresh(&channel, &publisher()).map_err(change_error)?;
        tell(&channel, &changed);
    }
    Ok(Exit::Success)
}
