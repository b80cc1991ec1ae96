//! Takes out of a configured root what differs between two runs, so that one lock always gives one root.
//!
//! Maintainer scripts have run by then and may have made links that lead out of the root: none is followed here.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{assembly::set_time, prepare::POLICY};

/// A configured root could not be finished.
#[derive(Debug, thiserror::Error)]
#[error("cannot finish the root")]
pub struct FinishError {
    /// The file system's error, with the path.
    #[source]
    pub source: io::Error,
}

/// What holds times, process ids, or the state of the machine; logs and caches are made again when they are needed.
const FILES: [&str; 14] = [
    POLICY,
    "etc/machine-id",
    "etc/.pwd.lock",
    "etc/passwd-",
    "etc/group-",
    "etc/shadow-",
    "etc/gshadow-",
    "etc/ssl/certs/java/cacerts",
    "var/cache/debconf/config.dat-old",
    "var/cache/debconf/templates.dat-old",
    "var/cache/ldconfig/aux-cache",
    "var/lib/dbus/machine-id",
    "var/lib/dpkg/lock",
    "var/lib/dpkg/status-old",
];

/// Directories whose files are all removed; the directories below them stay.
const EMPTIED: [&str; 4] = ["var/log", "var/cache/apt", "tmp", "run"];

/// Removes what differs between two runs of the maintainer scripts, and sets every time to the root's.
///
/// # Errors
/// [`FinishError`], when the root cannot be changed.
pub fn finish(target: &Path) -> Result<(), FinishError> {
    let finish_error = |source| FinishError { source };
    for path in FILES {
        remove_file(target, Path::new(path)).map_err(finish_error)?;
    }
    for path in EMPTIED {
        if let Some(dir) = real_dir(target, Path::new(path)).map_err(finish_error)? {
            walk(&dir, &mut |path, is_dir| if is_dir { Ok(()) } else { fs_err::remove_file(path) })
                .map_err(finish_error)?;
        }
    }
    walk(target, &mut |path, _| set_time(path)).map_err(finish_error)?;
    set_time(target).map_err(finish_error)
}

fn remove_file(target: &Path, path: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let Some(dir) = real_dir(target, parent)? else { return Ok(()) };
    match fs_err::remove_file(dir.join(name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Returns where a directory of the root is, if it is there and no link leads to it.
fn real_dir(target: &Path, path: &Path) -> io::Result<Option<PathBuf>> {
    let mut dir = target.to_owned();
    for component in path.components() {
        dir.push(component);
        match fs_err::symlink_metadata(&dir) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(Some(dir))
}

/// Visits everything below a directory, each directory after what is in it.
fn walk(dir: &Path, visit: &mut dyn FnMut(&Path, bool) -> io::Result<()>) -> io::Result<()> {
    for entry in fs_err::read_dir(dir)? {
        let entry = entry?;
        let is_dir = entry.file_type()?.is_dir();
        if is_dir {
            walk(&entry.path(), visit)?;
        }
        visit(&entry.path(), is_dir)?;
    }
    Ok(())
}
