//! Writing a file so that readers see all of it or nothing.

use std::{
    io::{self, Write},
    os::{
        fd::AsFd,
        unix::fs::{MetadataExt, PermissionsExt},
    },
    path::Path,
    time::{Duration, SystemTime},
};

use fs_err as fs;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps};
use tempfile::NamedTempFile;

use crate::{FIXED_TIME, layout::Store};

impl Store {
    /// Writes a whole file: temporary file, write, fsync, rename.
    pub(crate) fn write_atomically(&self, target: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.temporary_file()?;
        file.write_all(bytes)?;
        persist_durably(file, target)
    }

    /// Makes a temporary file on the store's own file system.
    pub(crate) fn temporary_file(&self) -> io::Result<NamedTempFile> {
        tempfile::Builder::new().prefix("f-").tempfile_in(self.tmp())
    }

    /// Makes one that has the mode of a blob already, where the umask allows it.
    pub(crate) fn temporary_blob(&self) -> io::Result<NamedTempFile> {
        let mode = std::fs::Permissions::from_mode(0o644);
        tempfile::Builder::new().prefix("f-").permissions(mode).tempfile_in(self.tmp())
    }

    /// Puts everything that was written to the store's file system so far on the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        let directory = fs::File::open(self.path())?;
        rustix::fs::syncfs(directory.file().as_fd()).map_err(Into::into)
    }
}

/// Gives a finished temporary file its name, after it is on the disk.
pub(crate) fn persist_durably(file: NamedTempFile, target: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    persist(file, target)
}

/// Gives a finished temporary file its name.
pub(crate) fn persist(file: NamedTempFile, target: &Path) -> io::Result<()> {
    let persisted = file.persist(target).or_else(|failed| match failed.error.kind() {
        io::ErrorKind::NotFound => {
            make_parent(target)?;
            failed.file.persist(target).map_err(|error| error.error)
        }
        _ => Err(failed.error),
    });
    persisted.map(drop)
}

pub(crate) fn make_parent(target: &Path) -> io::Result<()> {
    target.parent().map_or(Ok(()), fs::create_dir_all)
}

/// Gives a file the mode and the fixed modification time that it has in the store.
pub(crate) fn fix_metadata(file: &std::fs::File, mode: u32) -> io::Result<()> {
    if file.metadata()?.mode() & 0o7777 != mode {
        file.set_permissions(std::fs::Permissions::from_mode(mode))?;
    }
    file.set_modified(fixed_time())
}

fn fixed_time() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(FIXED_TIME.unsigned_abs())
}

/// Gives a link or a directory the fixed modification time.
pub(crate) fn fix_time(path: &Path) -> io::Result<()> {
    let fixed = Timespec { tv_sec: FIXED_TIME, tv_nsec: 0 };
    let times = Timestamps { last_access: fixed, last_modification: fixed };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(Into::into)
}
