//! `vb inspect`: what is in a package.

use std::path::Path;

use vb_package::{PackageFacts, ReadPackageError, read_package};

use crate::{
    arguments::{Common, Inspect},
    display,
    exit::Exit,
    fatal::Fatal,
};

/// Runs the command.
pub(crate) fn run(common: &Common, arguments: &Inspect) -> Result<Exit, Fatal> {
    let facts = read(&arguments.package)?;
    if common.json {
        display::json(&facts);
        return Ok(Exit::Success);
    }
    let mut lines = display::package_lines(&facts);
    if arguments.scripts {
        lines.extend(facts.scripts.iter().flat_map(|(name, text)| display::script_lines(name, text)));
    }
    if arguments.files {
        lines.push(String::new());
        lines.extend(facts.files.iter().map(|(path, file)| display::file_line(path, file)));
    }
    display::lines(&lines);
    Ok(Exit::Success)
}

/// Reads a package that the command line names.
pub(crate) fn read(path: &Path) -> Result<PackageFacts, Fatal> {
    read_package(path).map_err(|error| {
        let (exit, help) = match &error {
            ReadPackageError::Read { .. } => (Exit::Environment, "check the path, and that the file is whole"),
            ReadPackageError::Unknown { .. } => (Exit::Usage, "name a `.deb`, an `.rpm` or a `.tar.zst`"),
            _ => (Exit::Usage, "build or fetch the package again"),
        };
        let message = format!("cannot look into `{}`", path.display());
        Fatal::caused(exit, "vb::package::unreadable", message, help, error)
    })
}
