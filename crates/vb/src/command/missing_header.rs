//! Which packages of a platform have what a failed build misses, by the archive's own index of files.

use std::io::{Read, Seek, SeekFrom};

use fs_err as fs;
use vb_build::{Builder, CommandFailure};
use vb_platform::MissingFile;
use vb_recipe::{Family, Platform, Workspace};

use crate::{display, lock::Indexes, machine::Machine};

/// How much of the end of a log is searched.
const LOG_END: u64 = 256 << 10;

/// Returns what to add to `build_deps`, when the log of a failed command says what is missing and the archive knows it.
pub(crate) fn help(
    workspace: &Workspace,
    builder: &Builder,
    platform: &Platform,
    failure: &CommandFailure,
) -> Option<String> {
    if platform.family != Family::Deb || platform.image.is_some() {
        return None;
    }
    let missing = MissingFile::of_log(&end_of_log(failure)?);
    if missing.is_empty() {
        return None;
    }
    let machine = Machine::read().ok()?;
    let indexes = Indexes::new(&machine, workspace, builder);
    let mut sentences = Vec::new();
    for file in &missing {
        match indexes.packages_with(platform, file) {
            Ok(packages) if packages.is_empty() => {}
            Ok(packages) => {
                let names: Vec<String> = packages.iter().map(|package| format!("`{package}`")).collect();
                sentences.push(format!("`{file}` is in {}", names.join(" and in ")));
            }
            Err(error) => display::warn(&format!("cannot look for a package that has `{file}`: {error}")),
        }
    }
    (!sentences.is_empty()).then(|| format!("{}: add it to `build_deps`, and run `vb lock`", sentences.join("; ")))
}

fn end_of_log(failure: &CommandFailure) -> Option<String> {
    let mut log = fs::File::open(&failure.log).ok()?;
    let size = log.seek(SeekFrom::End(0)).ok()?;
    log.seek(SeekFrom::Start(size.saturating_sub(LOG_END))).ok()?;
    let mut bytes = Vec::new();
    log.read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
