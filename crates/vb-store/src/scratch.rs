//! Scratch directories: unfinished work, on the store's file system, gone when its process is.
//!
//! A directory `tmp/s-x` belongs to the process that holds the lock of `tmp/s-x.lock`. What nobody holds is removed
//! when a store is opened, so that a killed process costs no disk. What has no lock, a temporary file or a tree that
//! was set aside, is removed when it has not been touched for a day.

use std::{
    fs::TryLockError,
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use fs_err as fs;

use crate::layout::Store;

/// What has no lock is removed after this time: a write takes seconds, not a day.
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
        let (lock, lock_path) = self.locked_file()?;
        let path = lock_path.with_extension("");
        fs::create_dir(&path)?;
        Ok(Scratch { path, lock_path, _lock: lock })
    }

    fn locked_file(&self) -> io::Result<(fs::File, PathBuf)> {
        loop {
            let file = tempfile::Builder::new().prefix("s-").suffix(".lock").tempfile_in(self.tmp())?;
            let (file, path) = file.keep().map_err(|error| error.error)?;
            let file = fs::File::from_parts(file, path.clone());
            if is_mine(&file)? {
                return Ok((file, path));
            }
        }
    }

    /// Takes a tree out of its place at once, so that nobody finds half of it. It is kept for a day, because running
    /// actions may read it.
    pub(crate) fn set_aside(&self, tree: &Path) -> io::Result<()> {
        let place = tempfile::Builder::new().prefix("t-").tempdir_in(self.tmp())?;
        match fs::rename(tree, place.path().join("tree")) {
            Ok(()) => {
                let _kept: PathBuf = place.keep();
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Locks a lock file that was just made. A store that is opened in the instant between the two takes it for a dead
/// process's, and removes it.
fn is_mine(file: &fs::File) -> io::Result<bool> {
    match file.file().try_lock() {
        Ok(()) => Ok(file.metadata()?.nlink() > 0),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Removes what processes that are gone left in `tmp/`. What cannot be removed, another user's for one, is left there:
/// it is in nobody's way.
pub(crate) fn remove_stale(tmp: &Path, now: SystemTime) -> io::Result<()> {
    for entry in fs::read_dir(tmp)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "lock") {
            drop(remove_if_unlocked(&path));
        } else if fs::symlink_metadata(path.with_extension("lock")).is_err() && is_old(&path, now) {
            drop(remove_orphan(&path));
        }
    }
    Ok(())
}

fn remove_if_unlocked(lock_path: &Path) -> io::Result<()> {
    let file = fs::File::open(lock_path)?;
    if file.file().try_lock().is_err() {
        return Ok(());
    }
    remove_tree(&lock_path.with_extension(""))?;
    crate::blob::remove_if_there(lock_path)
}

/// The age is counted from the change of the inode: the modification time of a finished file is [`crate::FIXED_TIME`]
/// before it gets its name.
fn is_old(path: &Path, now: SystemTime) -> bool {
    let Ok(metadata) = fs::symlink_metadata(path) else { return false };
    let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(metadata.ctime()).unwrap_or(u64::MAX / 2));
    now.duration_since(changed).is_ok_and(|age| age > STALE_AFTER)
}

fn remove_orphan(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() { remove_tree(path) } else { crate::blob::remove_if_there(path) }
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

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_DAYS: Duration = Duration::from_secs(48 * 3600);

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_finished_temporary_file_is_not_taken_for_an_old_one() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let file = store.temporary_file().unwrap();
        crate::atomic::fix_metadata(file.as_file(), 0o644).unwrap();
        remove_stale(&store.tmp(), SystemTime::now()).unwrap();
        assert!(file.path().exists());
        remove_stale(&store.tmp(), SystemTime::now() + TWO_DAYS).unwrap();
        assert!(!file.path().exists());
    }

    #[test]
    fn a_scratch_directory_in_use_stays_however_old_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let scratch = store.scratch().unwrap();
        fs::write(scratch.path().join("file"), "work").unwrap();
        remove_stale(&store.tmp(), SystemTime::now() + TWO_DAYS).unwrap();
        assert_eq!(fs::read(scratch.path().join("file")).unwrap(), b"work");
        drop(scratch);
        assert_eq!(names(&store.tmp()), Vec::<String>::new());
    }

    #[test]
    fn a_lock_file_that_was_removed_before_its_locking_is_not_held() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s-x.lock");
        let file = fs::File::create(&path).unwrap();
        remove_stale(directory.path(), SystemTime::now()).unwrap();
        assert!(!path.exists());
        assert!(!is_mine(&file).unwrap());
    }

    #[test]
    fn a_lock_file_that_is_being_removed_is_not_held() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s-x.lock");
        let file = fs::File::create(&path).unwrap();
        let remover = fs::File::open(&path).unwrap();
        remover.file().try_lock().unwrap();
        assert!(!is_mine(&file).unwrap());
    }

    #[test]
    fn a_tree_that_is_set_aside_stays_readable_for_a_day() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let tree = store.path().join("trees/x");
        fs::create_dir(&tree).unwrap();
        fs::write(tree.join("file"), "in use").unwrap();
        let reader = fs::File::open(&tree).unwrap();
        store.set_aside(&tree).unwrap();
        store.set_aside(&tree).unwrap();
        assert!(!tree.exists());
        remove_stale(&store.tmp(), SystemTime::now()).unwrap();
        let aside = names(&store.tmp());
        assert_eq!(aside.len(), 1, "{aside:?}");
        assert_eq!(fs::read(store.tmp().join(&aside[0]).join("tree/file")).unwrap(), b"in use");
        drop(reader);
        remove_stale(&store.tmp(), SystemTime::now() + TWO_DAYS).unwrap();
        assert_eq!(names(&store.tmp()), Vec::<String>::new());
    }
}
