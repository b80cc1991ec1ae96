//! Finds or makes the place that something is mounted on, inside a root that this process has entered.

use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, readlink};
use nix::sys::stat::{FileStat, Mode, stat};
use nix::unistd::mkdir;

use crate::GuestPath;

/// How many symlinks may lead to one mount point; the kernel's own limit.
const MOST_LINKS: usize = 40;

/// What a mount point has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Directory,
    File,
}

/// An existing path to mount on.
#[derive(Debug)]
pub(crate) struct MountPoint(PathBuf);

impl MountPoint {
    /// Makes what is missing of a path. A symlink at its end is followed even when it leads nowhere yet, as
    /// `/etc/resolv.conf` of many systems does.
    pub(crate) fn prepare(target: &GuestPath, kind: Kind) -> Result<Self, Errno> {
        let path = resolve_last(target.as_path())?;
        match (kind, stat(&path).map(|found| is_directory(&found))) {
            (Kind::Directory, Ok(true)) | (Kind::File, Ok(false)) => {}
            (Kind::Directory, Ok(false)) => return Err(Errno::ENOTDIR),
            (Kind::File, Ok(true)) => return Err(Errno::EISDIR),
            (Kind::Directory, Err(_)) => make_directories(&path)?,
            (Kind::File, Err(_)) => {
                make_directories(path.parent().ok_or(Errno::EISDIR)?)?;
                make_file(&path)?;
            }
        }
        Ok(Self(path))
    }

    pub(crate) fn as_path(&self) -> &Path {
        &self.0
    }
}

/// Whether something that exists is a directory.
pub(crate) fn is_directory(found: &FileStat) -> bool {
    found.st_mode & libc::S_IFMT == libc::S_IFDIR
}

fn resolve_last(path: &Path) -> Result<PathBuf, Errno> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match readlink(&path) {
            Ok(to) => path = path.parent().unwrap_or(Path::new("/")).join(to),
            // Not a symlink, or nothing at all.
            Err(Errno::EINVAL | Errno::ENOENT) => return Ok(path),
            Err(errno) => return Err(errno),
        }
    }
    Err(Errno::ELOOP)
}

fn make_directories(path: &Path) -> Result<(), Errno> {
    let mut made = PathBuf::new();
    for part in path.components() {
        made.push(part);
        // Whatever `..` leads to exists already.
        if !matches!(part, Component::Normal(_)) || stat(&made).is_ok() {
            continue;
        }
        match mkdir(&made, Mode::from_bits_truncate(0o755)) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

fn make_file(path: &Path) -> Result<(), Errno> {
    let flags = OFlag::O_CREAT | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
    open(path, flags, Mode::from_bits_truncate(0o644)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn guest(path: &Path) -> GuestPath {
        GuestPath::new(path).unwrap()
    }

    #[test]
    fn missing_directories_and_files_are_made() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a/b/file");
        let made = MountPoint::prepare(&guest(&file), Kind::File).unwrap();
        assert_eq!(made.as_path(), file);
        assert!(file.is_file());
        let deep = dir.path().join("a/c/d");
        MountPoint::prepare(&guest(&deep), Kind::Directory).unwrap();
        assert!(deep.is_dir());
    }

    #[test]
    fn what_exists_is_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs_err::write(&file, "kept").unwrap();
        MountPoint::prepare(&guest(&file), Kind::File).unwrap();
        assert_eq!(fs_err::read_to_string(&file).unwrap(), "kept");
    }

    #[test]
    fn a_dangling_symlink_leads_to_the_place_that_is_made() {
        let dir = tempfile::tempdir().unwrap();
        fs_err::create_dir(dir.path().join("etc")).unwrap();
        let link = dir.path().join("etc/resolv.conf");
        symlink("../run/resolver/resolv.conf", &link).unwrap();
        MountPoint::prepare(&guest(&link), Kind::File).unwrap();
        assert!(dir.path().join("run/resolver/resolv.conf").is_file());
    }

    #[test]
    fn a_circle_of_symlinks_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        symlink("b", dir.path().join("a")).unwrap();
        symlink("a", dir.path().join("b")).unwrap();
        let made = MountPoint::prepare(&guest(&dir.path().join("a")), Kind::File);
        assert_eq!(made.unwrap_err(), Errno::ELOOP);
    }

    #[test]
    fn a_directory_below_a_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs_err::write(&file, "").unwrap();
        let made = MountPoint::prepare(&guest(&file.join("below")), Kind::Directory);
        assert_eq!(made.unwrap_err(), Errno::ENOTDIR);
    }
}
