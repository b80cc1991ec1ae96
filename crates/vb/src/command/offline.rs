//! Builds without a network: what they lack, all of it.

use vb_build::{BuildReport, MissingFile, Need};

use crate::{arguments::Common, display, exit::Exit, fatal::Fatal, workbench::Workbench};

/// Refuses a command that can do nothing without a network.
pub(crate) fn refuse(common: &Common, command: &str) -> Result<(), Fatal> {
    if !common.offline {
        return Ok(());
    }
    Err(Fatal::message(
        Exit::Usage,
        "vb::usage::offline",
        format!("`vb {command}` needs the network"),
        "leave out `--offline`; what is locked and fetched can be built without a network",
    ))
}

/// Ends a build that cannot succeed, before anything is executed.
pub(super) fn check_before(bench: &Workbench) -> Result<(), Fatal> {
    let missing = missing(bench)?;
    if missing.iter().any(|file| file.need == Need::Certain) { Err(lacking(&missing)) } else { Ok(()) }
}

/// Ends a build that could have succeeded, had what it made been what was made before.
pub(super) fn check_after(bench: &Workbench, report: &BuildReport) -> Result<(), Fatal> {
    if !report.failures.iter().any(|failure| failure.error.is_offline()) {
        return Ok(());
    }
    Err(lacking(&missing(bench)?))
}

fn missing(bench: &Workbench) -> Result<Vec<MissingFile>, Fatal> {
    bench
        .builder
        .missing(&bench.graph, &bench.goals())
        .map_err(|error| Fatal::caused(Exit::Environment, "vb::plan::source", "cannot read a source", "", error))
}

fn lacking(missing: &[MissingFile]) -> Fatal {
    let mut files: Vec<String> = missing.iter().map(|missing| format!("  {}", missing.file)).collect();
    files.sort();
    files.dedup();
    let count = display::counted(files.len(), "file");
    Fatal::message(
        Exit::Environment,
        "vb::fetch::offline",
        format!("{count} of the lock would have to be fetched, and the network is not used\n{}", files.join("\n")),
        "run `vb fetch` for these recipes where there is a network",
    )
}
