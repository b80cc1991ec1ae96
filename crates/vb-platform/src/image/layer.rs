//! Layers one over the other into one directory (image-spec, `layer.md`).
//!
//! A name that begins with `.wh.` removes what lower layers have, `.wh..wh..opq` everything that they have in its
//! directory. Names must stay inside and are written below real directories alone, so no link is ever followed. Devices
//! and programs that run as somebody else are refused: no sandbox has use for them, and a store must not hold them.

use std::{
    collections::BTreeSet,
    io::{self, BufReader, Read},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Component, Path, PathBuf},
};

use fs_err::{File, OpenOptions};

use crate::decompress::decompress;

/// An image could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A layer cannot be read: it ends early, or is no archive.
    #[error("cannot read the layer `{}`", layer.display())]
    Read {
        /// The file of the layer.
        layer: PathBuf,
        /// What is wrong with it.
        #[source]
        source: io::Error,
    },
    /// The root could not be written.
    #[error("cannot write the root")]
    Write {
        /// The file system's error, with the path.
        #[source]
        source: io::Error,
    },
    /// A path is absolute or has `..`.
    #[error("the image has the path `{}`, which leaves the root", path.display())]
    UnsafePath {
        /// The path as it is written.
        path: PathBuf,
    },
    /// A path goes through a link or a file.
    #[error("the image has `{}` below `{}`, which is no directory", path.display(), through.display())]
    Through {
        /// The path.
        path: PathBuf,
        /// What it goes through.
        through: PathBuf,
    },
    /// The image holds a device, a pipe or a socket.
    #[error("the image has `{}`, which is no file, directory or link: no sandbox has use for it", path.display())]
    Special {
        /// The path.
        path: PathBuf,
    },
    /// The image holds a program that runs with its owner's or group's rights.
    #[error("the image has `{}`, which is set-user-id or set-group-id: no sandbox has use for it", path.display())]
    Privileged {
        /// The path.
        path: PathBuf,
    },
    /// A hard link leads to what is not there.
    #[error("the image has `{}` as another name of `{}`, which is not there", path.display(), target.display())]
    NoTarget {
        /// The path.
        path: PathBuf,
        /// What it should be a name of.
        target: PathBuf,
    },
}

/// Unpacks layers into an empty directory, the lowest first.
///
/// # Errors
/// See [`ImageError`]. The target is left as it is then.
pub fn unpack(layers: &[PathBuf], target: &Path) -> Result<(), ImageError> {
    let mut modes = Vec::new();
    for layer in layers {
        let file = File::open(layer).map_err(|source| ImageError::Read { layer: layer.clone(), source })?;
        let plain = decompress(BufReader::with_capacity(128 << 10, file));
        let plain = plain.map_err(|source| ImageError::Read { layer: layer.clone(), source })?;
        Layer { layer, target, own: BTreeSet::new(), modes: &mut modes }.apply(plain)?;
    }
    // The deepest first: a mode may forbid to go further down.
    for (path, mode) in modes.into_iter().rev() {
        let host = target.join(path);
        if fs_err::symlink_metadata(&host).is_ok_and(|found| found.is_dir()) {
            // The owner must be able to remove a root again, whatever the image says.
            let mode = PermissionsExt::from_mode(mode | 0o700);
            fs_err::set_permissions(&host, mode).map_err(write_error)?;
        }
    }
    Ok(())
}

fn write_error(source: io::Error) -> ImageError {
    ImageError::Write { source }
}

struct Layer<'a> {
    layer: &'a Path,
    target: &'a Path,
    /// What this layer has made: its own removals are not of these.
    own: BTreeSet<PathBuf>,
    modes: &'a mut Vec<(PathBuf, u32)>,
}

impl Layer<'_> {
    fn apply(&mut self, plain: Box<dyn Read>) -> Result<(), ImageError> {
        let layer = self.layer.to_owned();
        let read_error = |source| ImageError::Read { layer: layer.clone(), source };
        let mut archive = tar::Archive::new(plain);
        for entry in archive.entries().map_err(read_error)? {
            let mut entry = entry.map_err(read_error)?;
            let written = entry.path().map_err(read_error)?.into_owned();
            let path = normal(&written)?;
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            match name.strip_prefix(".wh.") {
                Some(".wh..opq") => self.empty(path.parent().unwrap_or(Path::new("")))?,
                Some("" | "." | "..") => return Err(ImageError::UnsafePath { path: written }),
                Some(hidden) => self.hide(&path.with_file_name(hidden))?,
                None => self.unpack_entry(&path, &mut entry, &read_error)?,
            }
        }
        Ok(())
    }

    fn unpack_entry(
        &mut self,
        path: &Path,
        entry: &mut tar::Entry<'_, impl Read>,
        read_error: &dyn Fn(io::Error) -> ImageError,
    ) -> Result<(), ImageError> {
        let mode = entry.header().mode().map_err(read_error)?;
        let kind = entry.header().entry_type();
        if matches!(kind, tar::EntryType::Regular | tar::EntryType::Continuous | tar::EntryType::Link)
            && mode & 0o6000 != 0
        {
            return Err(ImageError::Privileged { path: path.to_owned() });
        }
        self.make_parents(path)?;
        let host = self.target.join(path);
        match kind {
            tar::EntryType::Directory => {
                self.make_directory(path)?;
                self.modes.push((path.to_owned(), mode & 0o1777));
            }
            tar::EntryType::Regular | tar::EntryType::Continuous => {
                self.clear(path)?;
                let mut options = OpenOptions::new();
                options.options_mut().mode(0o600);
                let mut file = options.write(true).create_new(true).open(&host).map_err(write_error)?;
                io::copy(entry, &mut file).map_err(read_error)?;
                file.set_permissions(PermissionsExt::from_mode(mode & 0o1777)).map_err(write_error)?;
            }
            tar::EntryType::Symlink => {
                self.clear(path)?;
                let to = entry.link_name().map_err(read_error)?.unwrap_or_default().into_owned();
                fs_err::os::unix::fs::symlink(to, &host).map_err(write_error)?;
            }
            tar::EntryType::Link => {
                let to = entry.link_name().map_err(read_error)?.unwrap_or_default().into_owned();
                self.link(path, &normal(&to)?)?;
            }
            tar::EntryType::XGlobalHeader => return Ok(()),
            _ => return Err(ImageError::Special { path: path.to_owned() }),
        }
        self.own.insert(path.to_owned());
        Ok(())
    }

    /// Makes another name of a file that is there.
    fn link(&mut self, path: &Path, to: &Path) -> Result<(), ImageError> {
        self.check_parents(to)?;
        let from = self.target.join(to);
        if !fs_err::symlink_metadata(&from).is_ok_and(|found| !found.is_dir()) {
            return Err(ImageError::NoTarget { path: path.to_owned(), target: to.to_owned() });
        }
        if path == to {
            return Ok(());
        }
        self.clear(path)?;
        fs_err::hard_link(from, self.target.join(path)).map_err(write_error)
    }

    fn make_parents(&mut self, path: &Path) -> Result<(), ImageError> {
        self.check_parents(path)?;
        let parent = path.parent().unwrap_or(Path::new(""));
        fs_err::create_dir_all(self.target.join(parent)).map_err(write_error)
    }

    /// Everything above a path must be a directory, or not there.
    fn check_parents(&self, path: &Path) -> Result<(), ImageError> {
        for parent in path.ancestors().skip(1) {
            if fs_err::symlink_metadata(self.target.join(parent)).is_ok_and(|found| !found.is_dir()) {
                return Err(ImageError::Through { path: path.to_owned(), through: parent.to_owned() });
            }
        }
        Ok(())
    }

    fn make_directory(&mut self, path: &Path) -> Result<(), ImageError> {
        let host = self.target.join(path);
        match fs_err::symlink_metadata(&host) {
            Ok(found) if found.is_dir() => Ok(()),
            Ok(_) => fs_err::remove_file(&host).and_then(|()| fs_err::create_dir(&host)).map_err(write_error),
            Err(_) => fs_err::create_dir(&host).map_err(write_error),
        }
    }

    /// Removes what a lower layer has at a path.
    fn clear(&self, path: &Path) -> Result<(), ImageError> {
        let host = self.target.join(path);
        match fs_err::symlink_metadata(&host) {
            Ok(found) if found.is_dir() => fs_err::remove_dir_all(&host).map_err(write_error),
            Ok(_) => fs_err::remove_file(&host).map_err(write_error),
            Err(_) => Ok(()),
        }
    }

    /// Removes what lower layers have at a path, and leaves what this one has there.
    fn hide(&self, path: &Path) -> Result<(), ImageError> {
        self.check_parents(path)?;
        let is_own = self.own.range(path.to_owned()..).next().is_some_and(|own| own.starts_with(path));
        if is_own { self.empty(path) } else { self.clear(path) }
    }

    /// Removes what lower layers have in a directory.
    fn empty(&self, path: &Path) -> Result<(), ImageError> {
        self.check_parents(path)?;
        let host = self.target.join(path);
        if !fs_err::symlink_metadata(&host).is_ok_and(|found| found.is_dir()) {
            return Ok(());
        }
        for entry in fs_err::read_dir(&host).map_err(write_error)? {
            self.hide(&path.join(entry.map_err(write_error)?.file_name()))?;
        }
        Ok(())
    }
}

/// Brings a path into its one form: relative, without `.`.
fn normal(path: &Path) -> Result<PathBuf, ImageError> {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => normal.push(name),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(ImageError::UnsafePath { path: path.to_owned() });
            }
        }
    }
    Ok(normal)
}
