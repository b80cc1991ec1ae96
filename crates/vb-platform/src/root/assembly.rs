//! A root that is written by many threads at once, from packages that each own their paths.
//!
//! No two packages of a consistent list own a path, so the order does not matter and any number of threads may work; the
//! result is the same bytes, modes and times. Must not be here: formats of packages.

use std::{
    io::{self, Read},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Mutex,
    time::{Duration, SystemTime},
};

use fs_err::{File, OpenOptions};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
use sha2::{Digest, Sha256};

use super::{
    ROOT_TIME,
    error::UnpackError,
    tree::{Claimed, Kind, Tree},
};

/// A file that no package ships.
#[derive(Debug)]
pub(crate) struct OwnFile {
    pub(crate) path: PathBuf,
    pub(crate) content: Vec<u8>,
    pub(crate) mode: u32,
}

/// A path that a second package ships too; its file is compared when all is written.
#[derive(Debug)]
struct Twice {
    path: PathBuf,
    packages: [usize; 2],
    content: Content,
}

#[derive(Debug, PartialEq, Eq)]
enum Content {
    File { sha256: [u8; 32], mode: u32 },
    Link(PathBuf),
}

/// The root and who owns what in it. Packages are numbered; paths are relative to the root, in their one form.
#[derive(Debug)]
pub(crate) struct Assembly<'a> {
    target: &'a Path,
    labels: Vec<String>,
    tree: Tree,
    twice: Mutex<Vec<Twice>>,
}

/// Owns what no package ships.
pub(crate) const NOBODY: usize = usize::MAX;

pub(crate) fn write_error(source: io::Error) -> UnpackError {
    UnpackError::Write { source }
}

impl<'a> Assembly<'a> {
    /// Starts in an empty or absent directory, for packages with these labels.
    pub(crate) fn new(target: &'a Path, labels: Vec<String>) -> Result<Self, UnpackError> {
        fs_err::create_dir_all(target).map_err(write_error)?;
        match fs_err::read_dir(target).map_err(write_error)?.next() {
            None => Ok(Self { target, labels, tree: Tree::default(), twice: Mutex::default() }),
            Some(_) => Err(UnpackError::NotEmpty { target: target.to_owned() }),
        }
    }

    fn label(&self, owner: Option<usize>) -> String {
        owner.and_then(|owner| self.labels.get(owner)).map_or_else(|| "vb".to_owned(), Clone::clone)
    }

    /// Makes a link that stands for a directory, and the directory, unless something is there.
    pub(crate) fn link_directory(&self, link: &Path, to: &Path) -> Result<(), UnpackError> {
        if self.tree.claim(link, Kind::Link, NOBODY) == Claimed::Free {
            self.make_link(to, &self.target.join(link))?;
        }
        self.tree.claim_directory(to, 0o755, NOBODY);
        fs_err::create_dir_all(self.target.join(to)).map_err(write_error)
    }

    /// Makes a directory; any number of packages may have it.
    pub(crate) fn directory(&self, owner: usize, path: &Path, mode: u32) -> Result<(), UnpackError> {
        match self.tree.claim_directory(path, mode & 0o1777, owner) {
            Claimed::Free => fs_err::create_dir_all(self.target.join(path)).map_err(write_error),
            claimed => Err(self.refuse(owner, path, claimed)),
        }
    }

    /// Writes a file; `data_error` says what it means that the content cannot be read.
    pub(crate) fn file(
        &self,
        owner: usize,
        path: &Path,
        mode: u32,
        content: &mut impl Read,
        data_error: impl Fn(io::Error) -> UnpackError,
    ) -> Result<(), UnpackError> {
        let mode = mode & 0o1777;
        match self.tree.claim(path, Kind::File, owner) {
            Claimed::Free => {
                let (mut file, host) = (self.create(path)?, self.target.join(path));
                copy(content, &mut file, data_error)?;
                finish_file(&file, mode).map_err(|source| write_error(with_path(source, &host)))
            }
            Claimed::Taken(Kind::File, other) => {
                let mut hasher = Sha256::new();
                copy(content, &mut hasher, data_error)?;
                let content = Content::File { sha256: hasher.finalize().into(), mode };
                self.compare_later(owner, other, path, content);
                Ok(())
            }
            claimed => Err(self.refuse(owner, path, claimed)),
        }
    }

    /// Makes a symbolic link.
    pub(crate) fn link(&self, owner: usize, path: &Path, to: PathBuf) -> Result<(), UnpackError> {
        match self.tree.claim(path, Kind::Link, owner) {
            Claimed::Free => {
                let host = self.target.join(path);
                self.make_parent(&host)?;
                self.make_link(&to, &host)
            }
            Claimed::Taken(Kind::Link, other) => {
                self.compare_later(owner, other, path, Content::Link(to));
                Ok(())
            }
            claimed => Err(self.refuse(owner, path, claimed)),
        }
    }

    /// Makes another name of a file that the same package has written.
    pub(crate) fn hard_link(&self, owner: usize, path: &Path, to: &Path) -> Result<(), UnpackError> {
        if !self.tree.is_file_of(to, owner) {
            return Err(UnpackError::UnsafePath { package: self.label(Some(owner)), path: to.to_owned() });
        }
        match self.tree.claim(path, Kind::File, owner) {
            Claimed::Free => {
                let host = self.target.join(path);
                self.make_parent(&host)?;
                fs_err::hard_link(self.target.join(to), host).map_err(write_error)
            }
            Claimed::Taken(Kind::File, other) => {
                let content = file_content(&self.target.join(to))?;
                self.compare_later(owner, other, path, content);
                Ok(())
            }
            claimed => Err(self.refuse(owner, path, claimed)),
        }
    }

    fn refuse(&self, owner: usize, path: &Path, claimed: Claimed) -> UnpackError {
        match claimed {
            Claimed::Through(through, other) => UnpackError::Through {
                package: self.label(Some(owner)),
                path: path.to_owned(),
                through,
                other: self.label(other),
            },
            Claimed::Taken(_, other) => self.conflict(path, other, Some(owner)),
            Claimed::Free => unreachable!("a free path is not refused"),
        }
    }

    fn conflict(&self, path: &Path, one: Option<usize>, other: Option<usize>) -> UnpackError {
        let mut labels = [self.label(one), self.label(other)];
        labels.sort();
        let [first, second] = labels;
        UnpackError::Conflict { path: Path::new("/").join(path), first, second }
    }

    fn compare_later(&self, owner: usize, other: Option<usize>, path: &Path, content: Content) {
        let packages = [other.unwrap_or(NOBODY), owner];
        let twice = Twice { path: path.to_owned(), packages, content };
        self.twice.lock().expect("no thread panics while it holds the list").push(twice);
    }

    /// Compares what two packages ship at one path, when the first one's is certain to be complete.
    pub(crate) fn compare_twice(&self) -> Result<(), UnpackError> {
        let twice = std::mem::take(&mut *self.twice.lock().expect("no thread panics while it holds the list"));
        for Twice { path, packages: [one, other], content } in twice {
            let host = self.target.join(&path);
            let there = match content {
                Content::File { .. } => file_content(&host)?,
                Content::Link(_) => Content::Link(fs_err::read_link(&host).map_err(write_error)?),
            };
            if there != content {
                return Err(self.conflict(&path, Some(one), Some(other)));
            }
        }
        Ok(())
    }

    fn create(&self, path: &Path) -> Result<File, UnpackError> {
        let host = self.target.join(path);
        self.make_parent(&host)?;
        let mut options = OpenOptions::new();
        options.options_mut().mode(0o600);
        options.write(true).create_new(true).open(host).map_err(write_error)
    }

    fn make_parent(&self, host: &Path) -> Result<(), UnpackError> {
        fs_err::create_dir_all(host.parent().unwrap_or(self.target)).map_err(write_error)
    }

    fn make_link(&self, to: &Path, host: &Path) -> Result<(), UnpackError> {
        fs_err::os::unix::fs::symlink(to, host).map_err(write_error)?;
        set_time(host).map_err(write_error)
    }

    /// Returns the content of a file of the root, if some package has written one there.
    pub(crate) fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        if self.tree.is_file(path) { fs_err::read(self.target.join(path)).map(Some) } else { Ok(None) }
    }

    /// Writes a file of vb's own, in place of what a package may have there.
    pub(crate) fn place(&self, file: &OwnFile) -> Result<(), UnpackError> {
        let host = self.target.join(&file.path);
        match self.tree.claim(&file.path, Kind::File, NOBODY) {
            Claimed::Free => {}
            Claimed::Taken(Kind::File | Kind::Link, _) => fs_err::remove_file(&host).map_err(write_error)?,
            Claimed::Taken(Kind::Directory, other) => return Err(self.conflict(&file.path, other, None)),
            Claimed::Through(through, other) => {
                return Err(UnpackError::Through {
                    package: self.label(None),
                    path: file.path.clone(),
                    through,
                    other: self.label(other),
                });
            }
        }
        let mut to = self.create(&file.path)?;
        io::copy(&mut file.content.as_slice(), &mut to).map_err(write_error)?;
        finish_file(&to, file.mode).map_err(|source| write_error(with_path(source, &host)))
    }

    /// Gives the directories their modes and times, the deepest first: a mode may forbid to go further down.
    pub(crate) fn finish(self) -> Result<(), UnpackError> {
        let target = self.target;
        for (path, mode) in self.tree.into_directories().into_iter().rev() {
            let host = target.join(path);
            fs_err::create_dir_all(&host).map_err(write_error)?;
            // The owner must be able to remove a root again, whatever its packages say.
            fs_err::set_permissions(&host, PermissionsExt::from_mode(mode | 0o700)).map_err(write_error)?;
            set_time(&host).map_err(write_error)?;
        }
        Ok(())
    }
}

/// Copies, and tells a damaged package from a full disk.
pub(crate) fn copy(
    from: &mut impl Read,
    to: &mut impl io::Write,
    data_error: impl Fn(io::Error) -> UnpackError,
) -> Result<(), UnpackError> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let length = from.read(&mut buffer).map_err(&data_error)?;
        if length == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..length]).map_err(write_error)?;
    }
}

fn finish_file(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(PermissionsExt::from_mode(mode))?;
    file.file().set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(ROOT_TIME.unsigned_abs()))
}

fn file_content(path: &Path) -> Result<Content, UnpackError> {
    let mut file = File::open(path).map_err(write_error)?;
    let mode = file.metadata().map_err(write_error)?.permissions().mode() & 0o7777;
    let mut hasher = Sha256::new();
    copy(&mut file, &mut hasher, write_error)?;
    Ok(Content::File { sha256: hasher.finalize().into(), mode })
}

/// Sets a path's times to the root's, without following a link.
pub(crate) fn set_time(path: &Path) -> io::Result<()> {
    let time = Timespec { tv_sec: ROOT_TIME, tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(|error| with_path(error.into(), path))
}

/// Names the path in an error of a call that `fs_err` does not cover.
fn with_path(source: io::Error, path: &Path) -> io::Error {
    io::Error::new(source.kind(), SetTimeError { path: path.to_owned(), source })
}

#[derive(Debug, thiserror::Error)]
#[error("cannot set the time of `{}`", path.display())]
struct SetTimeError {
    path: PathBuf,
    source: io::Error,
}
