//! A repository in a directory: rename makes writes whole, `flock` makes compare-and-swap one step.
//!
//! Nothing is durable before [`LocalDirectory::flush`], which writes out the files that were written since the last one,
//! and the directories that have their names: not the rest of the file system, on which others work, too.

use std::{
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use fs_err as fs;
use tempfile::{NamedTempFile, TempPath};

use self::unsynced::Unsynced;
use super::{Expected, LockKind, Metadata, PutOutcome, StorageError, Token, Transfer};

mod unsynced;

/// Unfinished files are here: on the repository's file system, and in no directory that is listed or served.
const TMP: &str = "state/tmp";
const LOCKS: &str = "state/locks";
/// Web servers run as somebody else.
const MODE: u32 = 0o644;

/// A directory of this machine.
#[derive(Clone, Debug)]
pub struct LocalDirectory {
    path: PathBuf,
    unsynced: Arc<Unsynced>,
    /// After so many changes every other one fails, as after a crash.
    #[cfg(test)]
    changes_left: Option<Arc<std::sync::atomic::AtomicUsize>>,
}

impl LocalDirectory {
    /// Names a directory, which need not be there.
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            unsynced: Arc::default(),
            #[cfg(test)]
            changes_left: None,
        }
    }

    /// Names a directory that can be changed so many times.
    #[cfg(test)]
    pub(crate) fn failing_after(path: PathBuf, changes: usize) -> Self {
        Self { changes_left: Some(Arc::new(changes.into())), ..Self::new(path) }
    }

    /// Stands before everything that others can see.
    #[cfg(test)]
    fn check_changes_left(&self) -> io::Result<()> {
        use std::sync::atomic::Ordering::SeqCst;
        let Some(left) = &self.changes_left else { return Ok(()) };
        let spent = left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1));
        spent.map(drop).map_err(|_| io::ErrorKind::StorageFull.into())
    }

    /// Returns the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn place(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(super) fn get(&self, name: &str) -> Result<Option<(Vec<u8>, Token)>, StorageError> {
        let read = || -> io::Result<_> {
            let mut file = fs::File::open(self.place(name))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok((bytes, token(&file.metadata()?)))
        };
        if_there("read", name, read())
    }

    pub(super) fn open(&self, name: &str) -> Result<Option<Box<dyn Read + Send>>, StorageError> {
        let file = if_there("read", name, fs::File::open(self.place(name)))?;
        Ok(file.map(|file| Box::new(file) as Box<dyn Read + Send>))
    }

    pub(super) fn metadata(&self, name: &str) -> Result<Option<Metadata>, StorageError> {
        let found = fs::metadata(self.place(name)).and_then(|metadata| described(name.to_owned(), &metadata));
        if_there("look at", name, found)
    }

    pub(super) fn list(&self, directory: &str) -> Result<Vec<Metadata>, StorageError> {
        let mut found = Vec::new();
        let mut pending = vec![directory.trim_end_matches('/').to_owned()];
        while let Some(name) = pending.pop() {
            self.list_one(&name, &mut pending, &mut found).map_err(failed("list", &name))?;
        }
        Ok(found)
    }

    fn list_one(&self, name: &str, pending: &mut Vec<String>, found: &mut Vec<Metadata>) -> io::Result<()> {
        let entries = match fs::read_dir(self.place(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            // Every name that vb gives is UTF-8; another one is not the repository's.
            let Ok(last) = entry.file_name().into_string() else { continue };
            let name = format!("{name}/{last}");
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => pending.push(name),
                Ok(metadata) => found.push(described(name, &metadata)?),
                // Somebody removed it in the meantime.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub(super) fn put(&self, name: &str, bytes: &[u8]) -> Result<(), StorageError> {
        self.temporary(bytes).and_then(|file| self.persist(file, name)).map_err(failed("write", name))
    }

    pub(super) fn stage(&self, name: &str, bytes: &[u8]) -> Result<TempPath, StorageError> {
        let file = self.temporary(bytes).map_err(failed("write", name))?;
        self.unsynced.note(file.path());
        Ok(file.into_temp_path())
    }

    pub(super) fn commit(&self, name: &str, file: TempPath) -> Result<(), StorageError> {
        self.persist_path(file, name).map_err(failed("write", name))
    }

    pub(super) fn put_immutable(&self, name: &str, bytes: &[u8]) -> Result<(), StorageError> {
        let put =
            || if self.touch(name, bytes.len() as u64)? { Ok(()) } else { self.persist(self.temporary(bytes)?, name) };
        put().map_err(failed("write", name))
    }

    pub(super) fn put_immutable_file(&self, name: &str, file: &Path, transfer: Transfer) -> Result<(), StorageError> {
        let put = || {
            if self.touch(name, fs::metadata(file)?.len())? {
                return Ok(());
            }
            if transfer == Transfer::Link && self.link(file, name).is_ok() {
                return Ok(());
            }
            let temporary = self.temporary(b"")?;
            // Not a hard link: whoever owns the file may write it later.
            fs::copy(file, temporary.path())?;
            fs::set_permissions(temporary.path(), PermissionsExt::from_mode(MODE))?;
            self.persist(temporary, name)
        };
        put().map_err(failed("write", name))
    }

    fn link(&self, file: &Path, name: &str) -> io::Result<()> {
        let target = self.place(name);
        make_parent(&target)?;
        fs::hard_link(file, &target)?;
        self.unsynced.note(&target);
        Ok(())
    }

    pub(super) fn put_if(&self, name: &str, bytes: &[u8], expected: &Expected) -> Result<PutOutcome, StorageError> {
        let stage = || {
            let file = self.temporary(bytes)?;
            file.as_file().sync_all()?;
            Ok(file.into_temp_path())
        };
        self.commit_if(name, stage().map_err(failed("write", name))?, expected)
    }

    pub(super) fn commit_if(
        &self,
        name: &str,
        file: TempPath,
        expected: &Expected,
    ) -> Result<PutOutcome, StorageError> {
        let _lock = self.lock("put", LockKind::Exclusive)?;
        let found = self.metadata(name)?.map(|metadata| metadata.token);
        let is_expected = match expected {
            Expected::Absent => found.is_none(),
            Expected::Unchanged(token) => found.as_ref() == Some(token),
        };
        if !is_expected {
            return Ok(PutOutcome::Refused);
        }
        self.commit(name, file).map(|()| PutOutcome::Written)
    }

    pub(super) fn copy(&self, from: &str, to: &str) -> Result<(), StorageError> {
        let copy = || {
            fs::create_dir_all(self.place(TMP))?;
            let temporary = tempfile::Builder::new().prefix("l-").tempdir_in(self.place(TMP))?;
            let link = temporary.path().join("link");
            let source = self.place(from);
            fs::hard_link(&source, &link).or_else(|_| fs::copy(&source, &link).map(drop))?;
            self.rename(&link, to)
        };
        copy().map_err(failed("write", to))
    }

    pub(super) fn delete(&self, name: &str) -> Result<(), StorageError> {
        let path = self.place(name);
        if_there("remove", name, fs::remove_file(&path))?;
        // A directory that is not empty stays; so does everything above it.
        let above = path.ancestors().skip(1).take_while(|directory| *directory != self.path);
        above.map(fs::remove_dir).take_while(Result::is_ok).for_each(drop);
        Ok(())
    }

    pub(super) fn flush(&self, name: &str) -> Result<(), StorageError> {
        self.unsynced.note(&self.place(name));
        self.unsynced.flush(&self.path).map_err(failed("flush", "."))
    }

    pub(super) fn lock(&self, name: &str, kind: LockKind) -> Result<fs::File, StorageError> {
        let lock = || {
            let path = self.place(LOCKS).join(name);
            make_parent(&path)?;
            let file = fs::File::options().create(true).truncate(false).write(true).open(path)?;
            match kind {
                LockKind::Shared => file.file().lock_shared()?,
                LockKind::Exclusive => file.file().lock()?,
            }
            Ok(file)
        };
        lock().map_err(failed("lock", name))
    }

    /// Is an object of that size there? If so, it was wanted at this moment.
    fn touch(&self, name: &str, size: u64) -> io::Result<bool> {
        let file = match fs::File::open(self.place(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            file => file?,
        };
        if file.metadata()?.len() != size {
            return Ok(false);
        }
        file.file().set_modified(SystemTime::now())?;
        // Whoever wrote it may have died before it was durable.
        self.unsynced.note(&self.place(name));
        Ok(true)
    }

    fn temporary(&self, bytes: &[u8]) -> io::Result<NamedTempFile> {
        let tmp = self.place(TMP);
        let builder =
            || tempfile::Builder::new().prefix("w-").permissions(PermissionsExt::from_mode(MODE)).tempfile_in(&tmp);
        let mut file = match builder() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(&tmp)?;
                builder()?
            }
            file => file?,
        };
        file.write_all(bytes)?;
        Ok(file)
    }

    fn persist(&self, file: NamedTempFile, name: &str) -> io::Result<()> {
        self.persist_path(file.into_temp_path(), name)
    }

    fn persist_path(&self, path: TempPath, name: &str) -> io::Result<()> {
        self.rename(&path, name)?;
        // It has its name; there is nothing left to remove.
        drop(path.keep());
        Ok(())
    }

    fn rename(&self, from: &Path, name: &str) -> io::Result<()> {
        let target = self.place(name);
        #[cfg(test)]
        self.check_changes_left()?;
        match fs::rename(from, &target) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_parent(&target)?;
                fs::rename(from, &target)
            }
            result => result,
        }?;
        self.unsynced.note(&target);
        Ok(())
    }
}

fn make_parent(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path.parent().expect("an object is in a directory"))
}

/// A file is never written in place, so that its inode and its times change with its bytes.
fn token(metadata: &std::fs::Metadata) -> Token {
    let times = (metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec());
    Token(format!("{} {} {times:?}", metadata.ino(), metadata.len()))
}

fn described(name: String, metadata: &std::fs::Metadata) -> io::Result<Metadata> {
    Ok(Metadata { name, size: metadata.len(), modified: metadata.modified()?, token: token(metadata) })
}

fn if_there<T>(action: &'static str, name: &str, result: io::Result<T>) -> Result<Option<T>, StorageError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(action, name)(error)),
    }
}

fn failed(action: &'static str, name: &str) -> impl FnOnce(io::Error) -> StorageError {
    let name = name.to_owned();
    move |source| StorageError::Io { action, name, source }
}
