//! `vb doctor`: can this machine build?

use std::path::Path;

use vb_platform::read_sources;

use crate::{display, exit::Exit, fatal::Fatal, machine::helper};

/// Runs the command.
pub(crate) fn run() -> Result<Exit, Fatal> {
    vb_sandbox::probe(&helper()).map_err(|error| {
        Fatal::caused(
            Exit::Environment,
            "vb::doctor::sandbox",
            "the sandbox does not work here",
            "change the kernel setting that is named, or run vb as root",
            error,
        )
    })?;
    let mut lines = vec!["ok    sandbox: namespaces, uid map and overlay work".to_owned()];
    lines.push(match read_sources(Path::new("/etc/apt")) {
        Ok(sources) if sources.is_empty() => {
            "note  apt: the machine has no apt sources; set `archives` and `keyring` in the workspace".to_owned()
        }
        Ok(sources) => format!("ok    apt: {} sources", sources.len()),
        Err(error) => format!("note  apt: {error}"),
    });
    display::lines(&lines);
    Ok(Exit::Success)
}
