//! `vb cache`: looking after the store.

use crate::{
    arguments::{Cache, Common, Selection},
    display,
    exit::Exit,
    fatal::Fatal,
    session::{open_store, workspace_root},
};

/// Runs the command.
pub(crate) fn run(common: &Common, command: &Cache) -> Result<Exit, Fatal> {
    match command {
        Cache::Verify => verify(common),
    }
}

fn verify(common: &Common) -> Result<Exit, Fatal> {
    let path = match &common.store {
        Some(path) => path.clone(),
        None => {
            workspace_root(&Selection { recipes: vec![], all: true, platform: vec![], format: vec![] })?.join("cache")
        }
    };
    let report = open_store(&path)?
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
