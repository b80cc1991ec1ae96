//! Files that were written and would not survive a power failure yet.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    thread,
};

use fs_err as fs;

/// More files than these are written out together with all else that the file system has to write.
const MOST_SINGLE: usize = 128;
/// So many are waited for at the same time: they share what the file system does for each.
const AT_ONCE: usize = 16;

/// Files, and names of files, that are to be written out.
#[derive(Debug, Default)]
pub(super) struct Unsynced {
    files: Mutex<BTreeSet<PathBuf>>,
}

impl Unsynced {
    /// Notes that a file was written, or got its name.
    pub(super) fn note(&self, path: &Path) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if files.len() <= MOST_SINGLE {
            files.insert(path.to_owned());
        }
    }

    /// Waits until all that was noted is durable. Whoever calls it meanwhile waits too, because what it wrote may be among
    /// that.
    pub(super) fn flush(&self, base: &Path) -> io::Result<()> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if files.len() > MOST_SINGLE {
            rustix::fs::syncfs(fs::File::open(base)?)?;
        } else {
            // Together, because each may have the file system write its journal, and one time does for all.
            let directories = directories(&files, base);
            sync_all(&files.iter().chain(&directories).collect::<Vec<_>>())?;
        }
        files.clear();
        Ok(())
    }
}

/// Returns the directories that names of files are in, up to the base: any of them may have been made for its file.
fn directories(files: &BTreeSet<PathBuf>, base: &Path) -> BTreeSet<PathBuf> {
    let within =
        files.iter().flat_map(|file| file.ancestors().skip(1).take_while(|directory| directory.starts_with(base)));
    within.map(Path::to_owned).collect()
}

fn sync_all(paths: &[&PathBuf]) -> io::Result<()> {
    let size = paths.len().div_ceil(AT_ONCE).max(1);
    thread::scope(|scope| {
        let groups = paths.chunks(size).map(|group| scope.spawn(move || group.iter().try_for_each(|path| sync(path))));
        let groups: Vec<_> = groups.collect();
        groups.into_iter().try_for_each(|group| group.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

fn sync(path: &Path) -> io::Result<()> {
    match fs::File::open(path) {
        // It was staged and has its name since, or somebody removed it; a base that is `""` is the current directory.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(file) => file.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directories_of_all_names_are_written_out_up_to_the_base() {
        let noted = ["r/pool/a/x.deb", "r/pool/b/y.deb", "/elsewhere/tmp/z"].map(PathBuf::from);
        let found = directories(&noted.into(), Path::new("r"));
        assert_eq!(found, ["r", "r/pool", "r/pool/a", "r/pool/b"].map(PathBuf::from).into());
    }

    #[test]
    fn what_is_gone_is_no_error_and_what_cannot_be_written_out_is_one() {
        let directory = tempfile::tempdir().unwrap();
        let unsynced = Unsynced::default();
        unsynced.note(&directory.path().join("gone"));
        unsynced.flush(directory.path()).unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        unsynced.note(&file.join("below a file"));
        assert!(unsynced.flush(directory.path()).is_err());
    }
}
