//! `vb cache`: looking after the store.

use std::time::{Duration, SystemTime};

use indicatif::HumanBytes;
use vb_store::{GarbageError, GarbageReport, Store, Sweep};

use crate::{
    arguments::{Cache, Common, Selection},
    display,
    exit::Exit,
    fatal::Fatal,
    session::{open_store, workspace_root},
};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Runs the command.
pub(crate) fn run(common: &Common, command: &Cache) -> Result<Exit, Fatal> {
    match command {
        Cache::Verify => verify(common),
        Cache::Gc { days, dry_run } => {
            collect_garbage(common, *days, if *dry_run { Sweep::Count } else { Sweep::Remove })
        }
    }
}

fn store(common: &Common) -> Result<Store, Fatal> {
    let selection = Selection { recipes: vec![], all: true, platform: vec![], format: vec![] };
    match &common.store {
        Some(path) => open_store(path),
        None => open_store(&workspace_root(&selection)?.join("cache")),
    }
}

fn collect_garbage(common: &Common, days: u32, sweep: Sweep) -> Result<Exit, Fatal> {
    let since = SystemTime::now() - DAY * days;
    let report = store(common)?.collect_garbage(since, sweep).map_err(|error| match error {
        GarbageError::InUse => Fatal::message(
            Exit::Environment,
            "vb::store::in_use",
            "another vb uses the store".to_owned(),
            "let it end, then collect garbage",
        ),
        GarbageError::Io(error) => {
            Fatal::caused(Exit::Environment, "vb::store::gc", "cannot collect the store's garbage", "", error)
        }
    })?;
    let GarbageReport { results, files, blobs, bytes, trees } = report;
    display::lines(&[format!(
        "{} {}: {}, {}, {}, {}",
        if sweep == Sweep::Count { "would remove" } else { "removed" },
        HumanBytes(bytes),
        display::counted(results, "action result"),
        display::counted(files, "fetched file"),
        display::counted(blobs, "blob"),
        display::counted(trees, "tree"),
    )]);
    Ok(Exit::Success)
}

fn verify(common: &Common) -> Result<Exit, Fatal> {
    let report = store(common)?
        .verify()
        .map_err(|error| Fatal::caused(Exit::Environment, "vb::store::verify", "cannot read the store", "", error))?;
    let mut lines: Vec<String> =
        report.corrupt_blobs.iter().map(|digest| format!("removed the corrupted blob {digest}")).collect();
    if report.corrupt_directories > 0 {
        lines.push(format!("removed {} corrupted directories", report.corrupt_directories));
    }
    if report.corrupt_trees > 0 {
        lines.push(format!("removed {} trees that were not as their directories say", report.corrupt_trees));
    }
    if report.broken_results > 0 {
        lines.push(format!("removed {} action results that name what is not there", report.broken_results));
    }
    lines.push(format!(
        "{}: {} blobs, {} directories, {} trees, {} action results",
        if report.is_clean() { "the store is intact" } else { "the store is intact again" },
        report.blobs,
        report.directories,
        report.trees,
        report.results
    ));
    display::lines(&lines);
    Ok(Exit::Success)
}
