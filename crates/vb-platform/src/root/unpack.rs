//! All packages at once into one directory.
//!
//! No two packages of a consistent list own a path, so the order does not matter and any number of threads may work; the
//! result is the same bytes, modes and times. What does depend on an order is taken from the packages sorted by name.

use std::{
    io::{self, Read},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Mutex,
    time::{Duration, SystemTime},
};

use fs_err::{File, OpenOptions};
use md5::Md5;
use rayon::prelude::*;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
use sha2::{Digest, Sha256};
use vb_graph::LockedPackage;

use super::{
    ROOT_TIME, database,
    paths::{MERGED, is_merging_link, normalise},
    prepare,
    tree::{Claimed, Kind, Tree},
};
use crate::deb::{Deb, DebError};

/// Packages could not be made a root.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The target exists and holds something.
    #[error("`{}` is not empty", target.display())]
    NotEmpty {
        /// The target.
        target: PathBuf,
    },
    /// A `.deb` could not be read.
    #[error("cannot read package `{package}`")]
    Deb {
        /// The package.
        package: String,
        /// What is wrong with its file.
        #[source]
        source: DebError,
    },
    /// A `.deb`'s data ends early or is damaged.
    #[error("cannot read the files of package `{package}`")]
    Data {
        /// The package.
        package: String,
        /// What is wrong with them.
        #[source]
        source: io::Error,
    },
    /// A `.deb` is not the package that the lock says.
    #[error("the file of `{expected}` holds `{found}`")]
    OtherPackage {
        /// Name, version and architecture that are locked.
        expected: String,
        /// Name, version and architecture in the file, which need not be names that dpkg allows.
        found: String,
    },
    /// The root could not be written.
    #[error("cannot write the root")]
    Write {
        /// The file system's error, with the path.
        #[source]
        source: io::Error,
    },
    /// A path in a package leaves the root.
    #[error("package `{package}` has the path `{}`, which leaves the root", path.display())]
    UnsafePath {
        /// The package.
        package: String,
        /// The path as it is written.
        path: PathBuf,
    },
    /// A path in a package goes through something that is no directory.
    #[error("package `{package}` has `{}` below `{}`, which is no directory (of `{other}`)", path.display(), through.display())]
    Through {
        /// The package.
        package: String,
        /// The path.
        path: PathBuf,
        /// The link or file that it goes through.
        through: PathBuf,
        /// The package that ships that.
        other: String,
    },
    /// A package holds a device, a pipe or something else that no root needs.
    #[error("package `{package}` has `{}`, which is no file, directory or link", path.display())]
    UnsupportedEntry {
        /// The package.
        package: String,
        /// The path.
        path: PathBuf,
    },
    /// Two packages ship different things at one path.
    #[error("`{first}` and `{second}` both have `{}`, and not the same", path.display())]
    Conflict {
        /// The path.
        path: PathBuf,
        /// A package.
        first: String,
        /// Another one, or the same again.
        second: String,
    },
}

/// What a root must know about its distribution.
#[derive(Clone, Debug)]
pub struct RootOptions {
    /// Are `/bin`, `/sbin` and `/lib*` links into `/usr`?
    pub has_merged_usr: bool,
    /// Debian's name of the architecture: `amd64`.
    pub architecture: String,
}

/// Unpacks packages into an empty or absent directory and registers them with dpkg as unpacked.
///
/// The root that comes out wants [`configure_script`](super::configure_script) to be run in it. The files are taken as
/// they are: that they are the locked ones is the caller's to check. Runs on the current rayon pool.
///
/// # Errors
/// See [`UnpackError`]. The target is left as it is then.
pub fn unpack(debs: &[(LockedPackage, PathBuf)], target: &Path, options: &RootOptions) -> Result<(), UnpackError> {
    make_target(target)?;
    let mut debs: Vec<&(LockedPackage, PathBuf)> = debs.iter().collect();
    debs.sort();
    let packages: Vec<Package> =
        debs.par_iter().enumerate().map(|(owner, deb)| open(owner, deb)).collect::<Result<_, _>>()?;
    let unpacker = Unpacker { target, options, packages: &packages, tree: Tree::default(), twice: Mutex::default() };
    unpacker.merge_usr()?;
    let mut largest_first: Vec<&Package> = packages.iter().collect();
    largest_first.sort_by_key(|package| std::cmp::Reverse(package.size));
    let mut lists: Vec<(usize, String)> = largest_first
        .into_iter()
        .par_bridge()
        .map(|package| Ok((package.owner, unpacker.unpack_package(package)?)))
        .collect::<Result<_, UnpackError>>()?;
    lists.sort();
    unpacker.compare_twice()?;
    let contents = packages.iter().map(|package| &package.deb).zip(lists.iter().map(|(_, list)| list.as_str()));
    let mut own = database::files(contents, &options.architecture, |path| unpacker.md5(path));
    own.extend(unpacker.prepared()?);
    for file in &own {
        unpacker.place(file)?;
    }
    unpacker.finish_directories()
}

/// A file that no package ships.
#[derive(Debug)]
pub(super) struct OwnFile {
    pub(super) path: PathBuf,
    pub(super) content: Vec<u8>,
    pub(super) mode: u32,
}

/// A package to unpack, with its place in the sorted list.
struct Package {
    owner: usize,
    label: String,
    size: u64,
    deb: Deb,
}

/// A path that a second package ships too; its file is compared when all is written.
struct Twice {
    path: PathBuf,
    packages: [usize; 2],
    content: Content,
}

#[derive(PartialEq, Eq)]
enum Content {
    File { sha256: [u8; 32], mode: u32 },
    Link(PathBuf),
}

struct Unpacker<'a> {
    target: &'a Path,
    options: &'a RootOptions,
    packages: &'a [Package],
    tree: Tree,
    twice: Mutex<Vec<Twice>>,
}

/// Owns what no package ships.
const NOBODY: usize = usize::MAX;

fn write_error(source: io::Error) -> UnpackError {
    UnpackError::Write { source }
}

fn make_target(target: &Path) -> Result<(), UnpackError> {
    fs_err::create_dir_all(target).map_err(write_error)?;
    match fs_err::read_dir(target).map_err(write_error)?.next() {
        None => Ok(()),
        Some(_) => Err(UnpackError::NotEmpty { target: target.to_owned() }),
    }
}

fn open(owner: usize, (locked, path): &(LockedPackage, PathBuf)) -> Result<Package, UnpackError> {
    let deb = Deb::open(path).map_err(|source| UnpackError::Deb { package: locked.name.clone(), source })?;
    let expected = format!("{} {} {}", locked.name, locked.version, locked.architecture);
    let found = database::identity(&deb);
    let is_plain = database::is_plain_name(&locked.name) && database::is_plain_name(&locked.architecture);
    if found != expected || !is_plain {
        return Err(UnpackError::OtherPackage { expected, found });
    }
    Ok(Package { owner, label: locked.name.clone(), size: locked.size, deb })
}

impl Unpacker<'_> {
    fn label(&self, owner: Option<usize>) -> String {
        owner
            .and_then(|owner| self.packages.get(owner))
            .map_or_else(|| "vb".to_owned(), |package| package.label.clone())
    }

    /// Makes the links of a merged `/usr`.
    fn merge_usr(&self) -> Result<(), UnpackError> {
        if !self.options.has_merged_usr {
            return Ok(());
        }
        for name in MERGED {
            let is_needed = match name {
                "lib32" | "libx32" => false,
                "lib64" => self.options.architecture == "amd64",
                _ => true,
            };
            if is_needed {
                self.link_into_usr(Path::new(name))?;
            }
        }
        Ok(())
    }

    fn link_into_usr(&self, name: &Path) -> Result<(), UnpackError> {
        let inside = Path::new("usr").join(name);
        if self.tree.claim(name, Kind::Link, NOBODY) == Claimed::Free {
            self.make_link(&inside, &self.target.join(name))?;
        }
        self.tree.claim_directory(&inside, 0o755, NOBODY);
        fs_err::create_dir_all(self.target.join(inside)).map_err(write_error)
    }

    /// Unpacks one package; returns the text of its `.list` file.
    fn unpack_package(&self, package: &Package) -> Result<String, UnpackError> {
        let data_error = |source| UnpackError::Data { package: package.label.clone(), source };
        let deb_error = |source| UnpackError::Deb { package: package.label.clone(), source };
        let mut archive = package.deb.data().map_err(deb_error)?;
        let mut list = String::new();
        for entry in archive.entries().map_err(data_error)? {
            let mut entry = entry.map_err(data_error)?;
            let shipped = entry.path().map_err(data_error)?.into_owned();
            let unsafe_path = || UnpackError::UnsafePath { package: package.label.clone(), path: shipped.clone() };
            let path = normalise(&shipped, self.options.has_merged_usr).ok_or_else(unsafe_path)?;
            let listed = normalise(&shipped, false).unwrap_or_default();
            let listed = listed.to_str().ok_or_else(unsafe_path)?;
            list.push('/');
            list.push_str(if listed.is_empty() { "." } else { listed });
            list.push('\n');
            self.unpack_entry(package, &path, &mut entry)?;
        }
        Ok(list)
    }

    fn unpack_entry(
        &self,
        package: &Package,
        path: &Path,
        entry: &mut tar::Entry<'_, impl Read>,
    ) -> Result<(), UnpackError> {
        let data_error = |source| UnpackError::Data { package: package.label.clone(), source };
        let mode = entry.header().mode().map_err(data_error)? & 0o1777;
        match entry.header().entry_type() {
            tar::EntryType::Directory => self.unpack_directory(package, path, mode),
            tar::EntryType::Regular | tar::EntryType::Continuous => self.unpack_file(package, path, mode, entry),
            kind @ (tar::EntryType::Symlink | tar::EntryType::Link) => {
                let target = entry.link_name().map_err(data_error)?.unwrap_or_default().into_owned();
                if kind == tar::EntryType::Symlink {
                    self.unpack_link(package, path, target)
                } else {
                    self.unpack_hard_link(package, path, &target)
                }
            }
            _ => Err(UnpackError::UnsupportedEntry { package: package.label.clone(), path: path.to_owned() }),
        }
    }

    fn unpack_directory(&self, package: &Package, path: &Path, mode: u32) -> Result<(), UnpackError> {
        match self.tree.claim_directory(path, mode, package.owner) {
            Claimed::Free => {
                self.link_merged_directory(path)?;
                fs_err::create_dir_all(self.target.join(path)).map_err(write_error)
            }
            claimed => Err(self.refuse(package, path, claimed)),
        }
    }

    /// `/lib32` and `/libx32` exist only where a package has something in them.
    fn link_merged_directory(&self, path: &Path) -> Result<(), UnpackError> {
        match path.strip_prefix("usr") {
            Ok(name) if self.options.has_merged_usr && MERGED.iter().any(|merged| name == Path::new(merged)) => {
                self.link_into_usr(name)
            }
            _ => Ok(()),
        }
    }

    fn unpack_file(&self, package: &Package, path: &Path, mode: u32, entry: &mut impl Read) -> Result<(), UnpackError> {
        let data_error = |source| UnpackError::Data { package: package.label.clone(), source };
        match self.tree.claim(path, Kind::File, package.owner) {
            Claimed::Free => {
                let (mut file, host) = (self.create(path)?, self.target.join(path));
                copy(entry, &mut file, data_error)?;
                finish_file(&file, mode).map_err(|source| write_error(with_path(source, &host)))
            }
            Claimed::Taken(Kind::File, other) => {
                let mut hasher = Sha256::new();
                copy(entry, &mut hasher, data_error)?;
                let content = Content::File { sha256: hasher.finalize().into(), mode };
                self.compare_later(package, other, path, content)
            }
            claimed => Err(self.refuse(package, path, claimed)),
        }
    }

    fn unpack_link(&self, package: &Package, path: &Path, target: PathBuf) -> Result<(), UnpackError> {
        if self.options.has_merged_usr && is_merging_link(path, &target) {
            return Ok(());
        }
        match self.tree.claim(path, Kind::Link, package.owner) {
            Claimed::Free => {
                let host = self.target.join(path);
                self.make_parent(&host)?;
                self.make_link(&target, &host)
            }
            Claimed::Taken(Kind::Link, other) => self.compare_later(package, other, path, Content::Link(target)),
            claimed => Err(self.refuse(package, path, claimed)),
        }
    }

    fn unpack_hard_link(&self, package: &Package, path: &Path, target: &Path) -> Result<(), UnpackError> {
        let unsafe_path = || UnpackError::UnsafePath { package: package.label.clone(), path: target.to_owned() };
        let target = normalise(target, self.options.has_merged_usr).ok_or_else(unsafe_path)?;
        if !self.tree.is_file_of(&target, package.owner) {
            return Err(unsafe_path());
        }
        match self.tree.claim(path, Kind::File, package.owner) {
            Claimed::Free => {
                let host = self.target.join(path);
                self.make_parent(&host)?;
                fs_err::hard_link(self.target.join(target), host).map_err(write_error)
            }
            Claimed::Taken(Kind::File, other) => {
                let content = file_content(&self.target.join(target))?;
                self.compare_later(package, other, path, content)
            }
            claimed => Err(self.refuse(package, path, claimed)),
        }
    }

    fn refuse(&self, package: &Package, path: &Path, claimed: Claimed) -> UnpackError {
        match claimed {
            Claimed::Through(through, other) => UnpackError::Through {
                package: package.label.clone(),
                path: path.to_owned(),
                through,
                other: self.label(other),
            },
            Claimed::Taken(_, other) => self.conflict(path, other, Some(package.owner)),
            Claimed::Free => unreachable!("a free path is not refused"),
        }
    }

    fn conflict(&self, path: &Path, one: Option<usize>, other: Option<usize>) -> UnpackError {
        let mut labels = [self.label(one), self.label(other)];
        labels.sort();
        let [first, second] = labels;
        UnpackError::Conflict { path: Path::new("/").join(path), first, second }
    }

    fn compare_later(
        &self,
        package: &Package,
        other: Option<usize>,
        path: &Path,
        content: Content,
    ) -> Result<(), UnpackError> {
        let packages = [other.unwrap_or(NOBODY), package.owner];
        let twice = Twice { path: path.to_owned(), packages, content };
        self.twice.lock().expect("no thread panics while it holds the list").push(twice);
        Ok(())
    }

    /// Compares what two packages ship at one path, when the first one's is certain to be complete.
    fn compare_twice(&self) -> Result<(), UnpackError> {
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

    fn make_link(&self, target: &Path, host: &Path) -> Result<(), UnpackError> {
        fs_err::os::unix::fs::symlink(target, host).map_err(write_error)?;
        set_time(host).map_err(write_error)
    }

    /// Returns the MD5 of a file that a package shipped, the only digest that dpkg knows for conffiles.
    fn md5(&self, path: &str) -> Option<String> {
        let path = normalise(Path::new(path), self.options.has_merged_usr)?;
        let content = self.tree.is_file(&path).then(|| fs_err::read(self.target.join(path)))?.ok()?;
        Some(hex::encode(Md5::digest(&content)))
    }

    fn prepared(&self) -> Result<Vec<OwnFile>, UnpackError> {
        prepare::files(|path| {
            if self.tree.is_file(path) { fs_err::read_to_string(self.target.join(path)).map(Some) } else { Ok(None) }
        })
        .map_err(write_error)
    }

    /// Writes a file of vb's own, in place of what a package may have there.
    fn place(&self, file: &OwnFile) -> Result<(), UnpackError> {
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
    fn finish_directories(self) -> Result<(), UnpackError> {
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
fn copy(
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
pub(super) fn set_time(path: &Path) -> io::Result<()> {
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
