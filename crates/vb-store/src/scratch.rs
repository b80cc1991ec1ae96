//! Scratch directories: unfinished work, on the store's file system, gone when its process is.
//!
//! A directory `tmp/s-x` belongs to the process that holds the lock of `tmp/s-x.lock`. What nobody holds is removed
//! when a store is opened, so that a killed process costs no disk.

use std::{
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use fs_err as fs;

use crate::layout::Store;

/// A temporary file without a lock is removed after this time: a write takes seconds, not a day.
const STALE_AFTER: Duration = Duration::from_secs(24 * 3600);

/// A private directory that is removed when dropped.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    lock_path: PathBuf,
    _lock: fs::File,
}

impl Scratch {
    /// Returns the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed here is removed at the next opening of the store.
        if remove_tree(&self.path).is_ok() {
            drop(fs::remove_file(&self.lock_path));
        }
    }
}

impl Store {
    /// Makes a scratch directory.
    ///
    /// # Errors
    /// What the system said.
    pub fn scratch(&self) -> io::Result<Scratch> {
        // The lock is taken before the directory exists, so that an opening store never takes it for a dead one's.
        let lock_file = tempfile::Builder::new().prefix("s-").suffix(".lock").tempfile_in(self.tmp())?;
        let (file, lock_path) = lock_file.keep().map_err(|error| error.error)?;
        let lock = fs::File::from_parts(file, lock_path.clone());
        lock.file().try_lock().map_err(io::Error::from)?;
        let path = lock_path.with_extension("");
        fs::create_dir(&path)?;
        Ok(Scratch { path, lock_path, _lock: lock })
    }
}

/// Removes what processes that are gone left in `tmp/`.
pub(crate) fn remove_stale(tmp: &Path) -> io::Result<()> {
    for entry in fs::read_dir(tmp)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "lock") {
            remove_if_unlocked(&path)?;
        } else if is_old(&path) {
            remove_orphan(&path)?;
        }
    }
    Ok(())
}

fn remove_if_unlocked(lock_path: &Path) -> io::Result<()> {
    let Ok(file) = fs::File::open(lock_path) else { return Ok(()) };
    if is_young(lock_path) || file.file().try_lock().is_err() {
        return Ok(());
    }
    remove_tree(&lock_path.with_extension(""))?;
    crate::blob::remove_if_there(lock_path)
}

/// Between the making of a lock file and its locking there is an instant; a second is long enough for it.
fn is_young(path: &Path) -> bool {
    age(path).is_none_or(|age| age < Duration::from_secs(1))
}

fn is_old(path: &Path) -> bool {
    age(path).is_some_and(|age| age > STALE_AFTER)
}

fn age(path: &Path) -> Option<Duration> {
    let modified = fs::symlink_metadata(path).ok()?.modified().ok()?;
    SystemTime::now().duration_since(modified).ok()
}

fn remove_orphan(path: &Path) -> io::Result<()> {
    if path.is_dir() { remove_tree(path) } else { crate::blob::remove_if_there(path) }
}

/// Removes a tree, also one with directories that its owner may not write (an overlay's work directory).
pub(crate) fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_directories(path)?;
            fs::remove_dir_all(path)
        }
        result => result,
    }
}

fn open_directories(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_directories(&entry.path())?;
        }
    }
    Ok(())
}
