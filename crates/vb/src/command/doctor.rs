//! `vb doctor`: can this machine build?

use std::{error::Error, path::Path};

use vb_platform::read_sources;
use vb_sandbox::SandboxError;

use crate::{display, exit::Exit, fatal::Fatal, machine::helper};

/// Says why systemd cannot be booted, and what that means.
pub(crate) fn no_machine(error: &SandboxError) -> String {
    let cause = error.source().map_or(String::new(), |cause| format!(": {cause}"));
    format!("`vb test` pretends that there are users, and has a stand-in for systemd, because {error}{cause}")
}

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
    lines.push(match vb_sandbox::probe_machine(&helper()) {
        Ok(()) => "ok    machines: `vb test` has real users, and can boot systemd".to_owned(),
        Err(error) => format!("note  machines: {}", no_machine(&error)),
    });
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
